"""What is refused: counted, answered once, and kept where it proves a contradiction."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio

from broker.relay.subjects import envelope_subject
from tests.attacks.ground import (
    CHICAGO,
    CITY,
    FUSION,
    Relay,
    Twist,
    bend,
    only,
    recorded,
    refusals,
    refused,
    send_envelope,
    tap,
)
from tests.gateway.documents import portion, threat
from tests.gateway.exchange import Exchange, eventually, exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Exchange]:
    folder = tmp_path_factory.mktemp("refuse")
    async with exchange(folder, CHICAGO, CITY, FUSION, retry_seconds=[600.0]) as started:
        yield started


async def test_refusals_that_nobody_signed_for_are_counted_and_recorded_once_a_minute(running: Exchange) -> None:
    node = running.nodes[CITY]
    before = refusals(node, "deliver", "envelope-shape")

    for number in range(8):
        await send_envelope(running, envelope_subject(CHICAGO, CITY, "FLASH"), b"junk %d" % number, through=CHICAGO)
    await eventually(lambda: refusals(node, "deliver", "envelope-shape") == before + 8)

    assert len(recorded(node, "envelope refused", code="envelope-shape")) == 1


async def test_a_refused_envelope_that_comes_again_grows_nothing(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = running.nodes[CITY]
    seen = tap(monkeypatch, running.nodes[CHICAGO])
    bend(monkeypatch, Twist(audience=only(CITY), document=lambda said: said | {"category": "narcotics"}))
    sent = await running.desks[CHICAGO].accepted(threat("refused once"))
    await refused(running, CHICAGO, CITY, sent["id"])
    again = next(one for one in seen if ".FLASH" in one.subject)

    def rows() -> list[int]:
        tables = ("claims", "audit", "refusals", "evidence")
        return [node.store.read(f"SELECT count(*) AS n FROM {table}")[0]["n"] for table in tables]

    before, counted = rows(), refusals(node, "deliver", "recheck-refused")
    for _ in range(3):
        await Relay(running).publish(again.subject, again.payload)
    await eventually(lambda: refusals(node, "deliver", "recheck-refused") == counted + 3)

    assert rows() == before


async def test_both_bodies_of_a_contradiction_are_kept(running: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = os.urandom(16)
    bend(monkeypatch, Twist(audience=only(CITY), random=lambda size: chosen if size == 16 else os.urandom(size)))
    first = await running.desks[CHICAGO].accepted(threat("to you I say this"))
    await running.desks[CITY].received(first["id"])
    await running.desks[CHICAGO].accepted(threat("and that", portions=[portion("and that")]))

    node = running.nodes[CITY]
    kept = (await eventually(lambda: node.store.read("SELECT * FROM contradictions")))[0]
    accepted = node.store.read_one("SELECT * FROM bulletins WHERE id = ?", (UUID(first["id"]).bytes,))
    assert accepted is not None
    assert (kept["sender"], kept["envelope"]) == (CHICAGO, accepted["envelope"])
    assert kept["body_digest"] != accepted["body_digest"]
