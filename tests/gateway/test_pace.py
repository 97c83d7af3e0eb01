"""Accepting no faster than sending: who waits for whom, and that nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.gateway import outbox, pace, submit
from broker.gateway.core import Node
from broker.gateway.outbox import ROUND
from tests.gateway.documents import alert, threat
from tests.gateway.exchange import Exchange, eventually, exchange

FLASH, IMMEDIATE, PRIORITY, ROUTINE = 3, 2, 1, 0


@pytest.fixture
async def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Exchange]:
    """Its outbox stands still: nothing is ever tried."""
    monkeypatch.setattr(outbox._Lane, "send_due", _never)
    async with exchange(tmp_path, "il-state-police") as started:
        yield started


async def behind(running: Exchange, rank: int, number: int = ROUND) -> Node:
    """So many deliveries of a rank that the outbox has not tried."""
    node = running.nodes["il-state-police"]
    await running.desks["il-state-police"].accepted(alert())

    def fill(connection) -> None:
        (row,) = connection.execute("SELECT agency, id FROM bulletins LIMIT 1").fetchall()
        for index in range(number):
            connection.execute(
                "INSERT INTO deliveries (agency, id, recipient, gateway, rank, portions, rules, state, created, "
                "next_attempt) VALUES (?, ?, ?, 'x', ?, '[]', '[]', 'queued', ?, ?)",
                (row["agency"], row["id"], f"r{index}", rank, DUE, DUE),
            )

    await node.store.write(fill)
    return node


# Long ago, so that it is due.
DUE = 1


async def _never(*_: object) -> int:
    await asyncio.Event().wait()
    return 0


async def waits(node: Node, rank: int) -> bool:
    task = asyncio.ensure_future(pace.turn(node, rank))
    done, _ = await asyncio.wait({task}, timeout=0.2)
    task.cancel()
    return not done


@pytest.mark.parametrize("rank", [FLASH, IMMEDIATE, PRIORITY, ROUTINE])
@pytest.mark.parametrize("queued", [FLASH, IMMEDIATE, PRIORITY, ROUTINE])
async def test_a_submission_waits_for_what_is_as_urgent_or_more_so_alone(
    running: Exchange, rank: int, queued: int
) -> None:
    node = await behind(running, queued)

    assert await waits(node, rank) is (queued >= rank)


async def test_nobody_waits_for_what_was_tried_and_refused(running: Exchange) -> None:
    node = await behind(running, FLASH)
    await node.store.write(lambda c: c.execute("UPDATE deliveries SET next_attempt = next_attempt + 250"))

    assert await waits(node, ROUTINE) is False


async def test_below_a_round_nobody_waits(running: Exchange) -> None:
    node = await behind(running, ROUTINE, ROUND // 2)

    assert await waits(node, ROUTINE) is False


async def test_a_submission_is_accepted_after_a_second_all_the_same(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "LONGEST_SECONDS", 0.05)
    node = await behind(running, FLASH)

    async with asyncio.timeout(5):
        await pace.turn(node, FLASH)


async def test_nobody_waits_for_a_relay_that_is_away(running: Exchange) -> None:
    node = await behind(running, FLASH)
    await running.server.stop()
    await eventually(lambda: not node.link.connected)

    assert await waits(node, ROUTINE) is False


async def test_what_waited_is_decided_under_the_rules_in_force_when_its_turn_comes(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = running.nodes["il-state-police"]

    async def turn(*_: object) -> None:
        number = (await running.release_rules(running.rules_text)).number
        await eventually(lambda: node.trust.rules and node.trust.rules.number == number)

    monkeypatch.setattr(submit.pace, "turn", turn)
    before = node.trust.rules.number if node.trust.rules else 0

    accepted = await running.desks["il-state-police"].accepted(threat(agency="il-state-police"))

    assert accepted["rules"]["number"] == before + 1
