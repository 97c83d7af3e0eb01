"""Deadlines: whoever can reach a person is told how, and one bulletin's trouble is not another's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from broker.gateway import control, escalate
from broker.gateway.core import Node
from broker.gateway.problems import ProblemError
from broker.store import deliveries
from tests.gateway.documents import later, threat
from tests.gateway.exchange import Exchange, eventually, exchange


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Exchange]:
    """Only the originator runs: nobody can acknowledge."""
    async with exchange(tmp_path, "chicago-pd") as started:
        yield started


def told(node: Node) -> dict[str, dict[str, Any]]:
    rows = [json.loads(row["detail"]) for row in node.store.read("SELECT * FROM events WHERE event = 'escalation'")]
    return {row["recipient"]: row for row in rows}


def messages(node: Node) -> set[str]:
    rows = node.store.read(
        "SELECT recipient FROM deliveries JOIN bulletins USING (agency, id) WHERE kind = 'escalation'"
    )
    return {row["recipient"] for row in rows}


async def late(running: Exchange) -> tuple[Node, set[str]]:
    sent = await running.desks["chicago-pd"].accepted(threat(due=later(seconds=1)))
    return running.nodes["chicago-pd"], {item["agency"] for item in sent["audience"]}


async def test_the_originator_is_told_whom_to_telephone_at_an_agency_whose_gateway_is_down(running: Exchange) -> None:
    node, audience = await late(running)

    await eventually(lambda: told(node).keys() == audience)

    event = told(node)["il-fusion"]
    assert event["contact"] == {"name": "il-fusion watch commander", "phone": "217-555-0199"}
    assert event["sent"] is True
    assert messages(node) == audience


async def test_who_refused_is_telephoned_and_sent_nothing_more(running: Exchange) -> None:
    node, audience = await late(running)
    row = node.store.read_one("SELECT agency, id FROM deliveries")
    assert row is not None
    await node.store.write(
        lambda c: deliveries.give_up(
            c, agency=row["agency"], bulletin=row["id"], recipient="il-fusion", code="recheck-refused", at=node.now_ms()
        )
    )

    await eventually(lambda: told(node).keys() == audience)

    assert (told(node)["il-fusion"]["sent"], told(node)["il-fusion"]["state"]) == (False, "refused")
    assert messages(node) == audience - {"il-fusion"}


async def test_one_that_cannot_be_escalated_stops_none_of_those_behind_it(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, asked = control.prepare, []

    def fails(node: Node, **what: Any) -> control.Control:
        asked.extend(what["recipients"])
        if what["recipients"] == (asked[0],):
            raise KeyError(asked[0])
        return prepare(node, **what)

    monkeypatch.setattr(control, "prepare", fails)
    node, audience = await late(running)

    await eventually(lambda: len(told(node)) == len(audience) - 1)

    assert told(node).keys() == audience - {asked[0]}
    assert await escalate.escalate_due(node) == escalate.IDLE_SECONDS


async def test_where_nothing_can_be_sent_a_person_is_told_and_the_loop_rests(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(_: Node, **__: Any) -> control.Control:
        raise ProblemError(503, "not-ready")

    monkeypatch.setattr(control, "prepare", nothing)
    node, audience = await late(running)

    await eventually(lambda: told(node).keys() == audience)

    assert {event["sent"] for event in told(node).values()} == {False}
    assert await escalate.escalate_due(node) == escalate.IDLE_SECONDS
