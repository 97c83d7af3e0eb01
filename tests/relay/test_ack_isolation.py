"""What a gateway cannot do through acknowledgement subjects, which nats-server reads in two ways.

The v1 form is `$JS.ACK.<stream>.<consumer>.<5 numbers>`, the v2 form `$JS.ACK.<domain>.<account hash>.<stream>.
<consumer>.…` (NATS ADR-15). A permission written for one form must grant nothing when it is read as the other: `+NXT`
on another's consumer would draw its messages, `+TERM` and `+ACK` would delete them.
"""

from collections.abc import Iterator

import pytest
from nats.aio.msg import Msg

from broker.relay import config as config_module
from broker.relay import hub as hub_module
from broker.relay.config import Accounts, render_accounts
from broker.relay.subjects import envelope_subject, receipt_subject
from tests.relay.conftest import Exchange, outgoing
from tests.relay.test_isolation import ask, ask_all, granted, without_permissions

# The victim's consumers, and a subject that each draws.
CONSUMERS = (
    ("HOT", "b_FLASH", envelope_subject("a", "b", "FLASH")),
    ("HOT", "b", envelope_subject("a", "b", "IMMEDIATE")),
    ("RECEIPTS", "b", receipt_subject("a", "b")),
    ("COLD", "b", envelope_subject("a", "b", "ROUTINE")),
)
OWN = (("HOT", "c_FLASH"), ("HOT", "c"), ("RECEIPTS", "c"), ("COLD", "c"), ("RELEASES", "c"), ("BEATS", "c"))
WORDS = (b"+NXT", b'+NXT {"batch": 5, "no_wait": true}', b"+ACK", b"+TERM", b"-NAK", b"+WPI", b"")


def without_account_border(accounts: Accounts) -> str:
    """Accounts whose border lets every acknowledgement through: what remains is the permissions of the users."""
    lines = [line for line in render_accounts(accounts).splitlines() if '{ service: "$JS.ACK.' not in line]
    kept = [line for line in lines if 'account: HUB, subject: "$JS.ACK.' not in line]
    opened = {
        "    exports: [": '      { service: "$JS.ACK.>" }',
        "    imports: [": '      { service: { account: HUB, subject: "$JS.ACK.>" } }',
    }
    return "\n".join(f"{line}\n{opened[line]}" if line in opened else line for line in kept)


WALLS = {
    "both walls": render_accounts,
    "the account border alone": without_permissions,
    "the permissions alone": without_account_border,
}


@pytest.fixture(params=[f"{walls}, {form}" for walls in WALLS for form in ("v1", "v2")])
async def guarded(request, monkeypatch, exchange: Exchange) -> Exchange:
    """The exchange behind some of its walls, at a server that makes acknowledgement subjects of one form."""
    walls, form = request.param.split(", ")

    def render(accounts: Accounts) -> str:
        return WALLS[walls](accounts) + ("\nfeature_flags { js_ack_fc_v2: true }\n" if form == "v2" else "\n")

    monkeypatch.setattr(hub_module, "render_accounts", render)
    await exchange.hub.stop()
    await exchange.hub.start(exchange.gateways)
    return exchange


async def drawn_by_the_victim(exchange: Exchange) -> dict[str, str]:
    """Two messages wait for each consumer of b; one of them is in flight, under the subject that is returned."""
    a = await exchange.link("a")
    for *_, subject in CONSUMERS:
        await a.publish(
            [outgoing(subject, b"first " + subject.encode()), outgoing(subject, b"2nd " + subject.encode())]
        )
    victim = await exchange.attacker("b")
    drawn = {}
    for stream, consumer, _ in CONSUMERS:
        (message,) = await ask(victim, f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}", b'{"batch": 1}')
        drawn[f"{stream}.{consumer}"] = message.reply
    return drawn


def crossings(stream: str, victim: str, numbers: str) -> Iterator[str]:
    """Every subject that is the victim's in one reading and may be the attacker's, `c`, in the other."""
    for own_stream, own in OWN:
        # The victim's as v1, the attacker's as v2.
        yield f"$JS.ACK.{stream}.{victim}.{own_stream}.{own}.5.6.7"
        yield f"$JS.ACK.{stream}.{victim}.{own_stream}.{own}.{numbers}"
        yield f"$JS.ACK.{stream}.{victim}.1.{own_stream}.{own}.1.1"
        # The attacker's as v1, the victim's as v2.
        yield f"$JS.ACK.{own_stream}.{own}.{stream}.{victim}.{numbers}"
        yield f"$JS.ACK.{own_stream}.{own}.{stream}.{victim}.{numbers}.token"
        yield f"$JS.ACK._.{own}.{stream}.{victim}.{numbers}"
    yield f"$JS.ACK.{stream}.{victim}.{numbers}"
    yield f"$JS.ACK._.hash.{stream}.{victim}.{numbers}"
    yield f"$JS.ACK._.hash.{stream}.{victim}.{numbers}.token"


async def attack(exchange: Exchange, drawn: dict[str, str], words: bytes) -> list[Msg]:
    subjects = [
        subject
        for stream, consumer, _ in CONSUMERS
        for own in (drawn[f"{stream}.{consumer}"],)
        for subject in (own, *crossings(stream, consumer, own.partition(f"{stream}.{consumer}.")[2]))
    ]
    return granted(await ask_all(await exchange.attacker("c"), subjects, words))


async def standing(exchange: Exchange) -> list[tuple[object, ...]]:
    manager = (await exchange.administrator()).jsm()
    infos = [await manager.consumer_info(stream, consumer) for stream, consumer, _ in CONSUMERS]
    consumers = [(i.delivered, i.ack_floor, i.num_ack_pending, i.num_pending, i.num_redelivered) for i in infos]
    return [*consumers, tuple(sorted((await exchange.hub.waiting()).items()))]


async def test_no_subject_and_no_word_reaches_another_gateways_consumer(guarded: Exchange) -> None:
    drawn = await drawn_by_the_victim(guarded)
    before = await standing(guarded)
    answered = {words: await attack(guarded, drawn, words) for words in WORDS}
    assert {words: [m.data for m in messages] for words, messages in answered.items() if messages} == {}
    assert await standing(guarded) == before


async def test_its_own_deliveries_are_acknowledged_all_the_same(guarded: Exchange) -> None:
    drawn = await drawn_by_the_victim(guarded)
    owner = await guarded.attacker("b")
    for stream, consumer, _ in CONSUMERS:
        before = (await guarded.hub.waiting())[stream]
        assert granted(await ask(owner, drawn[f"{stream}.{consumer}"], b"+ACK"))
        assert (await guarded.hub.waiting())[stream] == before - 1


async def test_sabotage_with_any_domain_in_front_another_gateways_flash_is_drawn(
    monkeypatch, exchange: Exchange
) -> None:
    """Why the domain is written out: with `*` there, the v2 grant is obeyed as the v1 form of the victim's consumer."""

    def acks_of(gateway: str) -> list[str]:
        own = [subject.replace("$JS.ACK._.*.", "$JS.ACK.*.*.") for subject in right(gateway)]
        assert own != right(gateway)
        return own

    right = config_module.acks_of
    monkeypatch.setattr(config_module, "acks_of", acks_of)
    await exchange.hub.apply(exchange.gateways)
    drawn = await drawn_by_the_victim(exchange)
    stolen = {message.data for message in await attack(exchange, drawn, b"+NXT")}
    assert b"2nd env.a.b.FLASH" in stolen
