"""What a gateway takes, keeps, and refuses: no member can shut its lanes, fill its disk or take another's place."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from broker.gateway import accept, deliver, holding, submit
from broker.gateway.core import Node
from broker.gateway.steady import SteadyClock
from broker.model import new_id
from broker.seal import Claim, Draft, Reference, Sealed, SigningKeys, Witness, make_receipts, seal
from broker.store import held
from broker.trust import new_agency_keys
from tests.attacks.ground import (
    CHICAGO,
    CITY,
    FUSION,
    Relay,
    Twist,
    alarms,
    bend,
    only,
    recorded,
    refusals,
    refused,
)
from tests.gateway.documents import threat
from tests.gateway.exchange import Exchange, clock, eventually, exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

TASK_FORCE, NEIGHBOUR = "jttf-springfield", "jttf-chicago"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Exchange]:
    folder = tmp_path_factory.mktemp("deliver")
    async with exchange(folder, CHICAGO, CITY, FUSION, "jttf", retry_seconds=[600.0]) as started:
        yield started


def under(directory: int) -> Twist:
    return Twist(audience=only(CITY), draft=lambda draft: replace(draft, directory=directory))


async def waits_here(node: Node, count: int = 1) -> None:
    await eventually(lambda: held.count(node.store) >= count)


async def test_an_id_or_a_number_of_another_agency_is_refused(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    for lie in ({"bulletin": str(new_id(clock(), os.urandom, FUSION))}, {"control_number": "FBI-2026-000001"}):
        with monkeypatch.context() as patch:
            bend(patch, Twist(audience=only(CITY), document=lambda said, lie=lie: said | lie))
            sent = await running.desks[CHICAGO].accepted(threat("under another's name"))
            assert await refused(running, CHICAGO, CITY, sent["id"]) == "recheck-refused"


def tomorrow(node: Node) -> int:
    """The number of the next directory, which nobody has yet."""
    newest = node.trust.staged("directory")
    assert newest is not None
    return newest.number + 1


async def test_what_waits_for_a_release_waits_here_and_is_delivered_when_it_comes(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = running.nodes[CITY]
    with monkeypatch.context() as patch:
        bend(patch, under(tomorrow(node)))
        sent = await running.desks[CHICAGO].accepted(threat("by the directory of tomorrow"))
        await waits_here(node)
    await Relay(running).empty(CITY, "HOT")

    await running.release_directory()

    assert (await running.desks[CITY].received(sent["id"]))["from"] == CHICAGO
    await eventually(lambda: held.count(node.store) == 0)


async def test_what_is_sent_again_while_it_waits_here_is_held_once(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, chicago = running.nodes[CITY], running.nodes[CHICAGO]
    held_before = refusals(node, "deliver", "newer-directory")
    bend(monkeypatch, under(tomorrow(node)))
    sent = await running.desks[CHICAGO].accepted(threat("sent again and again"))
    again = "UPDATE deliveries SET next_attempt = 0 WHERE id = ? AND next_attempt IS NOT NULL"
    tried = "SELECT 1 FROM deliveries WHERE id = ? AND recipient = ? AND attempts = ?"
    for count in (1, 2, 3):
        await eventually(lambda count=count: refusals(node, "deliver", "newer-directory") == held_before + count)
        # Until its attempt is noted it is under way, and not taken up again.
        await eventually(lambda n=count: chicago.store.read(tried, (UUID(sent["id"]).bytes, CITY, n)))
        await chicago.store.write(lambda c: c.execute(again, (UUID(sent["id"]).bytes,)))
        chicago.outbox.ring()

    assert held.count(node.store) == 1
    await running.release_directory()
    await running.desks[CITY].received(sent["id"])


async def test_a_gateway_can_use_up_its_own_share_of_what_waits_and_nobody_elses_lane(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = running.nodes[CITY]
    monkeypatch.setattr(held, "MAX_ENVELOPES", 2)
    with monkeypatch.context() as patch:
        bend(patch, under(1000))
        for number in range(4):
            await running.desks[CHICAGO].accepted(threat(f"by a directory nobody made {number}"))
        await eventually(lambda: recorded(node, "envelope refused", code="held-too-many"))
    assert held.count(node.store) == 2
    await Relay(running).empty(CITY, "HOT")
    honest = await running.desks[FUSION].accepted(threat("meanwhile", agency=FUSION))
    await running.desks[CITY].received(honest["id"])

    # Patience ends: no release jumps so far ahead.
    await node.store.write(
        lambda c: c.execute("UPDATE held SET since = since - ?, next_attempt = 0", (holding.PATIENCE_MS,))
    )
    node.held.ring()

    await eventually(lambda: held.count(node.store) == 0)
    assert recorded(node, "envelope refused", code="recheck-refused")[-1]["peer"] == CHICAGO


async def test_a_transit_life_that_no_bulletin_has_is_refused(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    for far in (timedelta(days=31), timedelta(days=365_000)):
        with monkeypatch.context() as patch:
            end = (clock() + far).replace(microsecond=0)
            written = end.isoformat().replace("+00:00", "Z")
            bend(
                patch,
                Twist(
                    audience=only(CITY),
                    draft=lambda draft, end=end: replace(draft, expires=end),
                    document=lambda said, written=written: said | {"expires": written},
                ),
            )
            sent = await running.desks[CHICAGO].accepted(threat("for ever"))
            assert await refused(running, CHICAGO, CITY, sent["id"]) == "recheck-refused"


async def test_terms_that_no_vocabulary_knows_are_refused_not_a_fault(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    def strange(audience: Any) -> Any:
        (one,) = only(CITY)(audience)
        return (replace(one, terms=replace(one.terms, obligations={1: {"onward": 7, "no such duty": "x"}})),)

    bend(monkeypatch, Twist(audience=strange))
    sent = await running.desks[CHICAGO].accepted(threat("on strange terms"))

    assert await refused(running, CHICAGO, CITY, sent["id"]) == "recheck-refused"


async def test_a_message_that_fails_again_and_again_is_given_up_with_a_record(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, tries = running.nodes[CITY], []

    def fault(*_: Any) -> None:
        tries.append(1)
        raise RuntimeError

    monkeypatch.setattr(deliver, "HOLD_SECONDS", 0.05)
    bend(monkeypatch, Twist(audience=only(CITY)))
    with monkeypatch.context() as patch:
        patch.setattr(accept, "record", fault)
        await running.desks[CHICAGO].accepted(threat("poison"))
        entry = (await eventually(lambda: recorded(node, "message given up")))[-1]

    assert (entry["code"], entry["peer"], len(tries)) == ("delivery-fault", CHICAGO, deliver.MAX_FAULTS)
    await Relay(running).empty(CITY, "HOT")


async def test_a_fault_with_one_notice_is_not_its_neighbours(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(*positional: Any, recipient: Any, **named: Any) -> Any:
        if recipient.agency == NEIGHBOUR:
            raise RuntimeError
        return unseal(*positional, recipient=recipient, **named)

    unseal = deliver.unseal
    monkeypatch.setattr(deliver, "HOLD_SECONDS", 0.05)
    monkeypatch.setattr(deliver, "unseal", faulty)
    bend(monkeypatch, Twist(audience=only(NEIGHBOUR, TASK_FORCE)))
    sent = await running.desks[CHICAGO].accepted(threat("to two agencies of one gateway"))

    assert (await running.desks[TASK_FORCE].received(sent["id"]))["from"] == CHICAGO


async def test_a_signer_whose_new_keys_have_not_arrived_yet_waits_for_them(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, fresh = running.nodes[CITY], new_agency_keys(FUSION)
    coming = tomorrow(node)

    def rotated(draft: Draft, _: SigningKeys) -> Sealed:
        return seal(replace(draft, directory=coming), fresh.signing)

    with monkeypatch.context() as patch:
        bend(patch, Twist(audience=only(CITY)))
        patch.setattr(submit, "seal", rotated)
        sent = await running.desks[FUSION].accepted(threat("by new keys", agency=FUSION))
        await waits_here(node)

    await running.release_directory(
        il_fusion=lambda entry: replace(entry, public=replace(entry.public, signing=fresh.public().signing))
    )
    assert (await running.desks[CITY].received(sent["id"]))["from"] == FUSION
    number = (await running.release_directory()).number
    await eventually(lambda: all(one.trust.directory.number == number for one in running.nodes.values()))


@dataclass
class Message:
    """A message of the relay that notes how it was answered."""

    payload: bytes
    delivered_count: int
    kind: str = "receipts"
    sender_gateway: str = FUSION
    answers: list[str] = field(default_factory=list)

    async def ack(self) -> None:
        self.answers.append("ack")

    async def nak(self, _: float) -> None:
        self.answers.append("nak")

    async def term(self) -> None:
        self.answers.append("term")


async def test_receipts_under_keys_not_known_yet_come_again_a_few_times(running: Exchange) -> None:
    ones, zero = bytes([1]) * 32, bytes(32)
    witness = Witness(
        id=bytes(16), sender=CHICAGO, recipient=FUSION, hh=ones, body_digest=ones, manifest_digest=ones,
        leaf=ones, seed=zero, keys={0: zero},
    )  # fmt: skip
    claim = Claim(rung="stored", seq=1, time=clock())
    kem = running.keys[CHICAGO].public().kem[0]
    batch = make_receipts(new_agency_keys(FUSION).signing, FUSION, kem, CHICAGO, [(witness, claim)])
    answers = []
    for count in (1, 2, 3, 4):
        message = Message(payload=batch, delivered_count=count)
        await deliver.take(running.nodes[CHICAGO], message)  # type: ignore[arg-type]
        answers += message.answers

    assert answers == ["nak", "nak", "nak", "term"]


async def test_an_answer_counts_only_to_a_question_that_was_asked_of_who_answers(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        bend(patch, Twist(audience=only(FUSION)))
        stated = await running.desks[CITY].accepted(threat("no question", agency=CITY))
        asked = await running.desks[CITY].accepted(
            threat("a question", agency=CITY, kind="request", product="RFI", precedence="PRIORITY")
        )
    for sender, target in ((FUSION, stated["id"]), (CHICAGO, asked["id"])):
        reference = (Reference(kind="in_reply_to", bulletin=UUID(target)),)
        with monkeypatch.context() as patch:
            bend(
                patch,
                Twist(
                    audience=lambda all_, ref=reference: tuple(
                        replace(one, references=ref) for one in only(CITY)(all_)
                    ),
                    document=lambda said: said | {"kind": "response"},
                    draft=lambda draft: replace(draft, kind="response"),
                ),
            )
            sent = await running.desks[sender].accepted(threat("an answer", agency=sender))
            assert await refused(running, sender, CITY, sent["id"]) == "recheck-refused"


async def test_a_clock_that_jumped_makes_nothing_expire(running: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    node = running.nodes[CITY]
    jumped = iter([clock()])

    def wall() -> datetime:
        return next(jumped, clock() + timedelta(days=3))

    wrong = SteadyClock(wall, lambda: 0.0, skew=timedelta(minutes=5), highest=0)
    bend(monkeypatch, Twist(audience=only(CITY)))
    with monkeypatch.context() as patch:
        patch.setattr(node, "steady", wrong)
        sent = await running.desks[CHICAGO].accepted(threat("in good time"))
        await waits_here(node)
        assert alarms(node, "clock-in-doubt") > 0
    await node.store.write(lambda c: held.try_all(c, node.now_ms()))
    node.held.ring()

    assert (await running.desks[CITY].received(sent["id"]))["from"] == CHICAGO
