"""What a gateway with valid credentials, and a client that keeps no rules, cannot do to the others.

Each attack is made against the accounts as rendered, and against them without user permissions: the account border
alone must hold. The last tests take the border away as well and see the attack succeed: so these tests mean something.
"""

import asyncio
import json
import re
from collections.abc import Iterable

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from broker.relay import hub as hub_module
from broker.relay.config import Accounts, acks_of, render_accounts, requests_of, streams_of
from broker.relay.subjects import envelope_subject, receipt_subject
from tests.relay.conftest import Exchange, eventually, outgoing, take

ENVELOPE = envelope_subject("a", "b", "FLASH")


def without_permissions(accounts: Accounts) -> str:
    return re.sub(r"      permissions \{.*?\n      \}\n", "", render_accounts(accounts), flags=re.DOTALL)


@pytest.fixture(params=["both walls", "the account border alone"])
def walls(request, monkeypatch) -> str:
    if request.param == "the account border alone":
        monkeypatch.setattr(hub_module, "render_accounts", without_permissions)
    return request.param


@pytest.fixture
async def guarded(walls, exchange: Exchange) -> Exchange:
    text = (exchange.folder / "accounts.conf").read_text()
    assert ("permissions" in text) is (walls == "both walls")
    return exchange


async def ask(client: Client, subject: str, body: bytes = b"", *, reply: str | None = None, headers=None) -> list[Msg]:
    """Send a request and gather whatever answers within a third of a second."""
    answers: asyncio.Queue[Msg] = asyncio.Queue()
    inbox = client.new_inbox()
    await client.subscribe(inbox, cb=answers.put)
    await client.publish(subject, body, reply=inbox if reply is None else reply, headers=headers)
    await client.flush()
    await asyncio.sleep(0.3)
    return [answers.get_nowait() for _ in range(answers.qsize())]


async def ask_all(client: Client, subjects: Iterable[str], body: bytes = b"") -> list[Msg]:
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(ask(client, subject, body)) for subject in subjects]
    return [message for answers in asked for message in answers.result()]


def granted(answers: list[Msg]) -> list[Msg]:
    """The answers that are neither a status nor an error."""
    return [
        message for message in answers if not (message.headers or {}).get("Status") and b'"error"' not in message.data
    ]


async def stored_subjects(exchange: Exchange) -> set[str]:
    administrator = await exchange.administrator()
    subjects: set[str] = set()
    for stream in ("HOT", "COLD", "RECEIPTS", "RELEASES", "BEATS", "REPORTS"):
        info = await administrator.jsm().stream_info(stream, subjects_filter=">")
        subjects |= set(info.state.subjects or {})
    return subjects


async def test_publishing_as_another_gateway_stores_nothing(guarded: Exchange) -> None:
    attacker = await guarded.attacker("a")
    foreign = ("env.b.c.FLASH", "env.b.a.RECEIPT", "env.c.a.ROUTINE", "release.rules.1", "beat.now", "report.b")
    assert not granted(await ask_all(attacker, foreign, b"forged"))
    assert await stored_subjects(guarded) == set()


async def test_pulling_another_gateways_consumer_gets_nothing(guarded: Exchange) -> None:
    a = await guarded.link("a")
    await a.publish([outgoing(ENVELOPE, b"for b"), outgoing(envelope_subject("a", "b", "ROUTINE"), b"for b too")])
    attacker = await guarded.attacker("c")
    foreign = ("HOT.b_FLASH", "HOT.b", "COLD.b", "RECEIPTS.b", "HOT.*", "HOT.>", "COLD.*")
    pulls = [f"$JS.API.CONSUMER.MSG.NEXT.{consumer}" for consumer in foreign]
    assert not granted(await ask_all(attacker, pulls, b'{"batch": 5, "no_wait": true}'))
    b = await guarded.link("b")
    got = {(incoming.payload, incoming.delivered_count) for incoming in await take(b, 2)}
    assert got == {(b"for b", 1), (b"for b too", 1)}


@pytest.mark.parametrize("words", [b"+ACK", b"+TERM", b"-NAK", b"+NXT"])
async def test_acking_another_gateways_delivery_does_nothing(guarded: Exchange, words) -> None:
    a, b = await guarded.link("a"), await guarded.link("b")
    await a.publish([outgoing(ENVELOPE, b"x")])
    (incoming,) = await take(b, 1, ack=False)
    attacker = await guarded.attacker("c")
    v1 = incoming._ack_subject
    stream_on = v1.removeprefix("$JS.ACK.")
    await ask_all(attacker, (v1, f"$JS.ACK._.hash.{stream_on}", f"$JS.ACK._.hash.{stream_on}.token"), words)
    administrator = await guarded.administrator()
    info = await administrator.jsm().consumer_info("HOT", "b_FLASH")
    assert (info.num_ack_pending, info.num_redelivered, (await guarded.hub.waiting())["HOT"]) == (1, 0, 1)
    await incoming.ack()

    async def gone() -> bool:
        return (await guarded.hub.waiting())["HOT"] == 0

    await eventually(gone)


ADMINISTRATION = (
    ("$JS.API.INFO", b""),
    ("$JS.API.STREAM.NAMES", b""),
    ("$JS.API.STREAM.LIST", b""),
    ("$JS.API.STREAM.INFO.HOT", b""),
    ("$JS.API.STREAM.MSG.GET.HOT", b'{"seq": 1}'),
    ("$JS.API.STREAM.MSG.DELETE.HOT", b'{"seq": 1}'),
    ("$JS.API.STREAM.PURGE.HOT", b""),
    ("$JS.API.STREAM.PURGE.RELEASES", b""),
    ("$JS.API.STREAM.DELETE.HOT", b""),
    ("$JS.API.STREAM.CREATE.MINE", b'{"name": "MINE", "subjects": ["mine"]}'),
    ("$JS.API.STREAM.UPDATE.HOT", b'{"name": "HOT", "subjects": ["env.>"], "persist_mode": "async"}'),
    ("$JS.API.DIRECT.GET.HOT", b'{"seq": 1}'),
    ("$JS.API.DIRECT.GET.HOT.env.a.b.FLASH", b""),
    ("$JS.API.DIRECT.GET.HOT.env.*.*.FLASH", b""),
    ("$JS.API.CONSUMER.NAMES.HOT", b""),
    ("$JS.API.CONSUMER.LIST.HOT", b""),
    ("$JS.API.CONSUMER.INFO.HOT.b", b""),
    ("$JS.API.CONSUMER.CREATE.HOT", b'{"stream_name": "HOT", "config": {"ack_policy": "explicit"}}'),
    (
        "$JS.API.CONSUMER.CREATE.HOT.c2",
        b'{"stream_name": "HOT", "config": {"name": "c2", "ack_policy": "explicit"}}',
    ),
    ("$JS.API.CONSUMER.DURABLE.CREATE.HOT.c2", b'{"stream_name": "HOT", "config": {"durable_name": "c2"}}'),
    ("$JS.API.CONSUMER.DELETE.HOT.b", b""),
    ("$JS.API.CONSUMER.DELETE.HOT.c", b""),
    ("$JS.API.CONSUMER.RESET.HOT.b", b""),
    ("$JS.API.CONSUMER.PAUSE.HOT.b", b'{"pause_until": "2030-01-01T00:00:00Z"}'),
    ("$JS.API.CONSUMER.UNPIN.HOT.b", b'{"group": "x"}'),
    ("$JS.API.META.LEADER.STEPDOWN", b""),
    ("$SYS.REQ.SERVER.PING", b""),
    ("$SYS.REQ.ACCOUNT.HUB.CONNZ", b""),
    ("$SYS.REQ.ACCOUNT.HUB.JSZ", b""),
)


async def test_administration_is_refused(guarded: Exchange) -> None:
    a = await guarded.link("a")
    await a.publish([outgoing(ENVELOPE, b"kept")])
    before = await (await guarded.administrator()).jsm().streams_info()
    attacker = await guarded.attacker("c")
    async with asyncio.TaskGroup() as group:
        asked = {subject: group.create_task(ask(attacker, subject, body)) for subject, body in ADMINISTRATION}
    assert {subject: answers.result() for subject, answers in asked.items() if granted(answers.result())} == {}
    after = await (await guarded.administrator()).jsm().streams_info()
    assert [(i.config, i.state.messages, i.state.consumer_count) for i in before] == [
        (i.config, i.state.messages, i.state.consumer_count) for i in after
    ]


async def test_a_gateway_may_not_even_list_its_own_connections(exchange: Exchange) -> None:
    # The system answers every account about itself; the permissions refuse that too.
    assert not granted(await ask(await exchange.attacker("c"), "$SYS.REQ.SERVER.PING.CONNZ"))


async def test_a_reply_subject_does_not_make_the_server_write_to_another(guarded: Exchange) -> None:
    """The confused deputy: in a shared account the reply subject of a request is not checked."""
    b = await guarded.link("b")
    await b.publish([outgoing(envelope_subject("b", "a", "FLASH"), b"to be redirected")])
    attacker = await guarded.attacker("a")
    targets = (
        "env.b.c.FLASH",
        "env.c.b.ROUTINE",
        "release.rules.9",
        "$JS.API.STREAM.PURGE.HOT",
        "$JS.ACK.HOT.b.1.1.1.1.0",
    )
    async with asyncio.TaskGroup() as group:
        for target in targets:
            for subject, body in (
                (ENVELOPE, b"mine"),
                ("$JS.API.CONSUMER.MSG.NEXT.HOT.a_FLASH", b'{"batch": 1, "no_wait": true}'),
                ("$JS.API.CONSUMER.INFO.HOT.a", b""),
                ("$JS.API.DIRECT.GET.RELEASES", b'{"seq": 1}'),
            ):
                group.create_task(ask(attacker, subject, body, reply=target))
    assert await stored_subjects(guarded) <= {ENVELOPE, "env.b.a.FLASH"}
    # Its own five, of which the server refuses the one that wants its answer on $JS.ACK, and the one from b.
    assert (await guarded.hub.waiting())["HOT"] == 5


async def test_listening_to_others_hears_nothing(guarded: Exchange) -> None:
    heard: list[str] = []

    async def hear(message: Msg) -> None:
        heard.append(message.subject)

    attacker = await guarded.attacker("c")
    for subject in (">", "env.>", "_INBOX_b.>", "_INBOX_hub.>", "$JS.>", "$SYS.>", "release.>", "_R_.>"):
        await attacker.subscribe(subject, cb=hear)
    await attacker.flush()
    a, b = await guarded.link("a"), await guarded.link("b")
    await a.publish([outgoing(ENVELOPE, b"x")])
    await take(b, 1)
    await b.publish([outgoing(receipt_subject("b", "a"), b"y")])
    await take(a, 1)
    await guarded.hub.publish_release("rules", 1, b"z")
    await attacker.flush()
    assert heard == []


async def test_a_message_trace_tells_a_gateway_nothing(guarded: Exchange) -> None:
    attacker = await guarded.attacker("a")
    traces: asyncio.Queue[Msg] = asyncio.Queue()
    await attacker.subscribe("_INBOX_a.trace", cb=traces.put)
    await ask(attacker, ENVELOPE, b"x", headers={"Nats-Trace-Dest": "_INBOX_a.trace"})
    events = [json.loads(traces.get_nowait().data) for _ in range(traces.qsize())]
    # It may see its own message enter; not the stream, the consumers or the connections behind the border.
    assert not [event for trace in events for event in trace["events"] if event["type"] in {"js", "eg"}]


@pytest.mark.parametrize("value", ["all", "sub"])
async def test_a_rollup_header_does_not_wipe_the_stream(guarded: Exchange, value) -> None:
    a = await guarded.link("a")
    await a.publish([outgoing(ENVELOPE, b"kept")])
    attacker = await guarded.attacker("c")
    await ask(attacker, "env.c.b.FLASH", b"wipe", headers={"Nats-Rollup": value})
    assert (await guarded.hub.waiting())["HOT"] == 1


async def test_releases_are_readable_but_not_writable(guarded: Exchange) -> None:
    await guarded.hub.publish_release("rules", 1, b"signed and encrypted")
    attacker = await guarded.attacker("c")
    (answer,) = granted(await ask(attacker, "$JS.API.DIRECT.GET.RELEASES", b'{"seq": 1}'))
    assert answer.data == b"signed and encrypted"
    assert not granted(
        await ask_all(attacker, ("release.rules.2", "release.rules.1", "release.directory.1"), b"forged")
    )
    assert await stored_subjects(guarded) == {"release.rules.1"}


async def test_an_old_credential_is_refused_after_the_directory_changed(guarded: Exchange) -> None:
    await guarded.hub.apply({name: public for name, public in guarded.gateways.items() if name != "c"})
    link = await guarded.link("c", wait=False)
    await eventually(lambda: "uthorization" in link.last_error)
    assert not link.connected


async def test_a_squatted_message_id_silences_nobody_and_is_reported(exchange: Exchange) -> None:
    """Ids are hashes of the very bytes: a squatter must know them, and then a first attempt says `duplicate`."""
    a, b = await exchange.link("a"), await exchange.link("b")
    secret = b"sealed bytes that only the sender knows before they are sent"
    squatter = await exchange.attacker("c")
    for guess in ("bulletin-1", "SPRINGFIELD-PD-2026-000123", "0190f3c8-0000-7000-8000-000000000000"):
        await ask(squatter, "env.c.b.FLASH", b"noise " + guess.encode(), headers={"Nats-Msg-Id": guess})
    (outcome,) = await a.publish([outgoing(ENVELOPE, secret)])
    assert outcome.state == "relayed"
    # Somebody who does have the bytes before us (a stolen outbox, say) can take the id; that does not pass in silence.
    known = outgoing(ENVELOPE, b"bytes known to the squatter")
    c = await exchange.link("c")
    await c.publish([outgoing("env.c.b.FLASH", known.payload)])
    (outcome,) = await a.publish([known])
    assert outcome.state == "duplicate"
    arrived = {(incoming.sender_gateway, incoming.payload) for incoming in await take(b, 5)}
    assert ("a", secret) in arrived
    assert ("a", known.payload) not in arrived


async def test_sabotage_in_a_shared_account_the_confused_deputy_does_reach_another(
    monkeypatch, exchange: Exchange
) -> None:
    """Why an account each: the same permissions inside HUB's account let the redirect through."""

    def shared(accounts: Accounts) -> str:
        def user(name: str, public: str) -> str:
            allowed = json.dumps([*requests_of(name), *streams_of(name), *acks_of(name)])
            heard = json.dumps([f"_INBOX_{name}.>"])
            return f"{{nkey: {public}, permissions {{publish {{allow: {allowed}}}, subscribe {{allow: {heard}}}}}}}"

        users = ", ".join(user(name, public) for name, public in accounts.gateways.items())
        return (
            f"system_account: SYS\naccounts {{\n SYS {{users: [{{nkey: {accounts.system}}}]}}\n"
            f" HUB {{jetstream: enabled, users: [{{nkey: {accounts.hub}}}, {users}]}}\n}}\n"
        )

    monkeypatch.setattr(hub_module, "render_accounts", shared)
    await exchange.hub.apply(exchange.gateways)
    attacker = await exchange.attacker("a")
    await ask(attacker, ENVELOPE, b"mine", reply="env.b.c.FLASH")
    assert "env.b.c.FLASH" in await stored_subjects(exchange)


async def test_sabotage_with_a_public_export_another_gateway_publishes_as_its_victim(
    monkeypatch, exchange: Exchange
) -> None:
    """Why each export names its account: an account with the victim's import could use a public one."""

    def public(accounts: Accounts) -> str:
        text = without_permissions(accounts)
        text = re.sub(r'(service: "env\.b\.>"), accounts: \[GW_b\]', r"\1", text)
        return text.replace(
            '    imports: [\n      { service: { account: HUB, subject: "env.a.>" } }',
            '    imports: [\n      { service: { account: HUB, subject: "env.b.>" } }\n'
            '      { service: { account: HUB, subject: "env.a.>" } }',
        )

    monkeypatch.setattr(hub_module, "render_accounts", public)
    await exchange.hub.apply(exchange.gateways)
    await ask(await exchange.attacker("a"), "env.b.c.FLASH", b"forged")
    assert "env.b.c.FLASH" in await stored_subjects(exchange)


async def test_sabotage_with_a_guessable_message_id_a_squatter_silences_the_sender(
    monkeypatch, exchange: Exchange
) -> None:
    """Why the id is a hash of the bytes: with the bulletin's id, whoever guessed it first had ours dropped."""
    monkeypatch.setattr("broker.relay.publisher.message_id", lambda payload: "SPRINGFIELD-PD-2026-000123")
    squatter = await exchange.attacker("c")
    await ask(squatter, "env.c.b.FLASH", b"noise", headers={"Nats-Msg-Id": "SPRINGFIELD-PD-2026-000123"})
    a, b = await exchange.link("a"), await exchange.link("b")
    (outcome,) = await a.publish([outgoing(ENVELOPE, b"never seen before")])
    assert outcome.state == "duplicate"
    assert [incoming.payload for incoming in await take(b, 1)] == [b"noise"]
    assert (await exchange.hub.waiting())["HOT"] <= 1


async def test_everybody_hears_the_beat_and_reads_the_reports_and_writes_only_its_own(guarded: Exchange) -> None:
    a, c = await guarded.link("a"), await guarded.link("c")
    await guarded.hub.beat(b"signed by the hub")
    assert await anext(a.beats()) == await anext(c.beats()) == b"signed by the hub"
    assert await a.report(b"from a")
    assert await c.report(b"from c")
    await eventually(lambda: said_by(guarded, {"a", "c"}))
    assert await a.reports() == await c.reports() == {"a": b"from a", "c": b"from c"}
    # A second word replaces the first, and only one's own.
    assert await a.report(b"from a again")
    await eventually(lambda: said_by(guarded, {"a", "c"}, b"from a again"))
    attacker = await guarded.attacker("c")
    assert not granted(await ask_all(attacker, ("report.a", "beat.now", "report.nobody"), b"forged"))
    assert await a.reports() == {"a": b"from a again", "c": b"from c"}
    assert await stored_subjects(guarded) == {"beat.now", "report.a", "report.c"}


async def said_by(exchange: Exchange, gateways: set[str], word: bytes = b"") -> bool:
    reports, _ = await exchange.hub.reports(1)
    return reports.keys() == gateways and (not word or word in reports.values())
