"""Sessions between gateways: set up once, used while receipts name them, and never a reason to lose a bulletin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import pytest

from broker.gateway import deliver, housekeeping, receipts
from broker.gateway.core import Node
from broker.gateway.sessions import Sessions
from broker.gateway.vault import Vault
from broker.relay.publisher import Outcome, Outgoing
from broker.seal import SessionNotice, decode_envelope
from broker.store import sessions
from tests.gateway.documents import threat
from tests.gateway.exchange import Exchange, eventually, exchange

ORIGIN, CITY = "chicago-pd", "springfield-pd"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with exchange(tmp_path, ORIGIN, CITY, retry_seconds=[60.0]) as started:
        yield started


@pytest.fixture
async def impatient(tmp_path: Path) -> AsyncIterator[Exchange]:
    """What is not receipted within a second is sent again."""
    async with exchange(tmp_path, ORIGIN, CITY, retry_seconds=[1.0]) as started:
        yield started


class Wire:
    """What a gateway has put on the relay for another: one letter an envelope, by the kind of its notice."""

    def __init__(self, node: Node, to: str = CITY) -> None:
        self.kinds = ""
        self.raw: list[bytes] = []
        self._publish, self._to = node.link.publish, to
        node.link.publish = self.publish  # type: ignore[method-assign]

    async def publish(self, outgoing: Sequence[Outgoing]) -> list[Outcome]:
        for one in outgoing:
            if one.subject.split(".")[2] == self._to and not one.subject.endswith("RECEIPT"):
                (notice,) = decode_envelope(one.payload).notices
                self.kinds += "S" if isinstance(notice, SessionNotice) else "K"
                self.raw.append(one.payload)
        return await self._publish(outgoing)


async def sent(running: Exchange, text: str = "a call") -> str:
    """The id of a bulletin that the city has and has receipted, also to the originator's knowledge."""
    accepted = await running.desks[ORIGIN].accepted(threat(text))
    await running.desks[CITY].received(accepted["id"])

    async def stored() -> bool:
        shown = await running.desks[ORIGIN].bulletin(accepted["id"])
        return any("stored" in one["rungs"] for one in shown["deliveries"] if one["agency"] == CITY)

    await eventually(stored)
    return str(accepted["id"])


def refused(node: Node, code: str) -> float:
    labels = {"where": "deliver", "code": code}
    return node.metrics.registry.get_sample_value("tearline_refused_total", labels) or 0.0


async def test_the_first_bulletin_sets_a_session_up_and_the_next_ones_use_it(running: Exchange) -> None:
    wire = Wire(running.nodes[ORIGIN])

    ids = [await sent(running, text) for text in ("one", "two", "three")]

    assert wire.kinds == "KSS"
    shown = [await running.desks[CITY].bulletin(ident) for ident in ids]
    assert [one["portions"][0]["content"] for one in shown] == ["one", "two", "three"]
    assert len(wire.raw[1]) < len(wire.raw[0]) - 1000


async def test_bulletins_sent_before_a_receipt_is_in_all_set_the_session_up(running: Exchange) -> None:
    await running.stop_gateway(CITY)
    wire = Wire(running.nodes[ORIGIN])
    for text in ("one", "two"):
        await running.desks[ORIGIN].accepted(threat(text))
    await eventually(lambda: len(wire.kinds) >= 2)

    assert set(wire.kinds) == {"K"}


async def test_a_recipient_that_restarts_still_opens_what_was_made_under_a_session(running: Exchange) -> None:
    wire = Wire(running.nodes[ORIGIN])
    await sent(running)
    await running.stop_gateway(CITY)

    accepted = await running.desks[ORIGIN].accepted(threat("while you were away"))
    await eventually(lambda: len(wire.kinds) >= 2)
    city = await running.start_gateway(CITY)

    await running.desks[CITY].received(accepted["id"])
    assert wire.kinds.startswith("KS")
    assert refused(city, "session-unknown") == 0


async def test_a_recipient_that_lost_its_sessions_gets_the_bulletin_all_the_same(impatient: Exchange) -> None:
    wire = Wire(impatient.nodes[ORIGIN])
    city = impatient.nodes[CITY]
    await sent(impatient)
    await city.store.write(lambda c: c.execute("DELETE FROM sessions"))
    city.sessions._incoming.clear()

    accepted = await impatient.desks[ORIGIN].accepted(threat("again"))

    await impatient.desks[CITY].received(accepted["id"])
    assert wire.kinds.startswith("KSK")
    assert refused(city, "session-unknown") == 1
    await sent(impatient, "and from then on")
    await sent(impatient, "under a new one")
    assert wire.kinds.endswith("S")


async def test_a_sender_that_restarts_sets_a_new_session_up(impatient: Exchange) -> None:
    await sent(impatient)
    await impatient.stop_gateway(ORIGIN)
    node = await impatient.start_gateway(ORIGIN)
    await impatient.ready(ORIGIN)
    wire = Wire(node)

    await sent(impatient, "one")
    assert set(wire.kinds) == {"K"}
    await eventually(lambda: node.sessions._outgoing[ORIGIN, CITY].shared)
    await sent(impatient, "two")

    assert "S" in wire.kinds


async def test_a_receipt_that_names_another_session_ends_the_use_of_mine(running: Exchange) -> None:
    origin, city = running.nodes[ORIGIN], running.nodes[CITY]
    wire = Wire(origin)
    await sent(running)
    city.sessions._incoming.clear()  # as after the loss of its disk, but able to read what comes by KEM

    origin.sessions.named(ORIGIN, CITY, b"")
    await sent(running)
    await sent(running)

    assert wire.kinds == "KKS"


async def test_a_new_directory_ends_every_session(running: Exchange) -> None:
    wire = Wire(running.nodes[ORIGIN])
    await sent(running)
    number = (await running.release_directory()).number
    for name in (ORIGIN, CITY):
        trust = running.nodes[name].trust
        await eventually(lambda trust=trust: trust.directory and trust.directory.number == number)

    await sent(running)

    assert wire.kinds == "KK"


async def test_what_is_sent_again_needs_no_session(impatient: Exchange) -> None:
    wire = Wire(impatient.nodes[ORIGIN])
    await sent(impatient)
    await impatient.stop_gateway(CITY)
    await impatient.desks[ORIGIN].accepted(threat("unanswered"))

    await eventually(lambda: len(wire.kinds) >= 3)

    assert wire.kinds[:3] == "KSK"


async def test_a_replayed_receipt_does_not_bring_a_session_back(running: Exchange) -> None:
    origin = running.nodes[ORIGIN]
    taken: list[bytes] = []
    async with AsyncExitStack() as stack:
        publish = running.nodes[CITY].link.publish

        async def record(outgoing: Sequence[Outgoing]) -> list[Outcome]:
            taken.extend(one.payload for one in outgoing if one.subject.endswith("RECEIPT"))
            return await publish(outgoing)

        running.nodes[CITY].link.publish = record  # type: ignore[method-assign]
        stack.callback(setattr, running.nodes[CITY].link, "publish", publish)
        await sent(running)
    wire = Wire(origin)
    origin.sessions.named(ORIGIN, CITY, b"")

    for payload in taken:
        await receipts.take(origin, payload)
    await sent(running)

    assert wire.kinds == "K"


async def test_no_secret_of_a_session_rests_in_the_clear(running: Exchange) -> None:
    await sent(running)
    origin, city = running.nodes[ORIGIN], running.nodes[CITY]
    secret = origin.sessions._outgoing[ORIGIN, CITY].session.secret
    assert city.store.read("SELECT * FROM sessions")

    for node in (origin, city):
        for file in node.store.path.parent.glob("gateway.sqlite*"):
            assert secret not in file.read_bytes()


async def test_a_session_is_forgotten_when_nothing_under_it_can_be_on_its_way(running: Exchange) -> None:
    await sent(running)
    city = running.nodes[CITY]
    await city.store.write(lambda c: c.execute("UPDATE sessions SET forget = 1"))
    city.sessions.load(city.store.read("SELECT * FROM sessions"))

    await housekeeping.tidy(city)

    assert city.store.read("SELECT * FROM sessions") == []
    assert city.sessions.to_name(ORIGIN, CITY) == b""


async def test_a_second_copy_in_the_same_commit_sets_no_session_up_that_is_not_on_the_disk(running: Exchange) -> None:
    """The sender restarted in between, so the two copies carry two sessions."""
    origin = running.nodes[ORIGIN]
    await running.stop_gateway(CITY)
    wire = Wire(origin)
    await running.desks[ORIGIN].accepted(threat("twice"))

    def attempts(number: int) -> bool:
        found = origin.store.read("SELECT attempts FROM deliveries WHERE recipient = ?", (CITY,))
        return [row["attempts"] for row in found] == [number]

    await eventually(lambda: attempts(1))
    origin.sessions._outgoing.clear()
    await origin.store.write(lambda c: c.execute("UPDATE deliveries SET next_attempt = 0 WHERE recipient = ?", (CITY,)))
    origin.outbox.ring()
    await eventually(lambda: attempts(2))
    city = await running.start_gateway(CITY)

    async with asyncio.TaskGroup() as group:
        for raw in wire.raw:
            group.create_task(deliver.judge(city, raw, ORIGIN))

    assert wire.kinds == "KK"
    (kept,) = city.store.read("SELECT id FROM sessions")
    assert city.sessions.to_name(ORIGIN, CITY) == kept["id"]


async def test_a_set_up_delivered_under_another_gateways_subject_is_filed_under_its_signer(running: Exchange) -> None:
    origin, city = running.nodes[ORIGIN], running.nodes[CITY]
    wire = Wire(origin)
    await running.stop_gateway(CITY)
    first = await running.desks[ORIGIN].accepted(threat("one"))
    await eventually(lambda: wire.raw)
    city = await running.start_gateway(CITY)

    await deliver.judge(city, wire.raw[0], "il-fusion")
    await running.desks[CITY].received(first["id"])
    await eventually(lambda: origin.sessions._outgoing[ORIGIN, CITY].shared)
    await sent(running, "two")

    assert wire.kinds.endswith("S")
    assert refused(city, "session-unknown") == 0


async def test_a_gateway_starts_although_an_agency_it_hosted_has_left_sessions_behind(running: Exchange) -> None:
    await sent(running)
    city = running.nodes[CITY]
    rows = city.store.read("SELECT * FROM sessions")

    other = Sessions(Vault({}))
    other.load(rows)

    assert other.to_name(ORIGIN, CITY) == b""


async def test_the_session_set_up_last_is_the_newest_whatever_the_clock_said(running: Exchange) -> None:
    await sent(running)
    city = running.nodes[CITY]

    for number in range(sessions.KEPT + 2):
        kept = sessions.Kept(
            agency=CITY,
            sender=ORIGIN,
            id=bytes((number,)) * 16,
            secret_sealed=b"s",
            storage_key="k",
            forget=100 - number,
        )
        await city.store.write(lambda c, kept=kept: sessions.keep(c, kept))

    ids = [row["id"][0] for row in sessions.all_of(city.store)]
    assert ids == list(range(2, sessions.KEPT + 2))
    again = sessions.Kept(
        agency=CITY, sender=ORIGIN, id=bytes((2,)) * 16, secret_sealed=b"s", storage_key="k", forget=1
    )
    await city.store.write(lambda c: sessions.keep(c, again))
    assert [row["id"][0] for row in sessions.all_of(city.store)] == [*range(3, sessions.KEPT + 2), 2]


async def test_a_flash_under_a_session_that_is_not_answered_is_sent_again_within_seconds(tmp_path: Path) -> None:
    async with exchange(tmp_path, ORIGIN, CITY, retry_seconds=[600.0]) as running:
        wire = Wire(running.nodes[ORIGIN])
        await sent(running)
        running.nodes[CITY].sessions._incoming.clear()

        accepted = await running.desks[ORIGIN].accepted(threat("unanswered at first"))

        await running.desks[CITY].received(accepted["id"])
        assert wire.kinds == "KSK"


async def test_a_recall_in_the_same_commit_leaves_nothing_opened(running: Exchange) -> None:
    origin = running.nodes[ORIGIN]
    await sent(running)
    await running.stop_gateway(CITY)
    wire = Wire(origin)
    accepted = await running.desks[ORIGIN].accepted(threat("never mind"))
    await running.desks[ORIGIN].call("POST", f"/v1/bulletins/{accepted['id']}/recall", {"reason": "wrong house"})
    await eventually(lambda: len(wire.raw) >= 2)
    city = await running.start_gateway(CITY)

    async with asyncio.TaskGroup() as group:
        for raw in wire.raw[:2]:
            group.create_task(deliver.judge(city, raw, ORIGIN))

    assert city.opened.of(CITY, UUID(accepted["id"]).bytes) is None
    assert (await running.desks[CITY].bulletin(accepted["id"]))["portions"] == []
