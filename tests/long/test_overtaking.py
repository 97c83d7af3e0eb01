"""A FLASH behind 5,000 queued ROUTINE bulletins arrives before them, wherever they are queued."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.documents import portion, threat
from tests.gateway.exchange import EXAMPLES, Desk, Exchange, eventually, exchange

QUEUED = 5_000
# Those already being worked on when it comes: a round of the outbox, or what a lane has drawn.
UNDER_WAY = 128
SENDER, RECIPIENT = "chicago-pd", "il-fusion"
NOWHERE = "nats://127.0.0.1:1"
# Suspicious activity, but without the precedence that rule R03 would lift it to.
RULES = (
    (EXAMPLES / "rules.yaml").read_text().replace("precedence: PRIORITY, acknowledge within: 3 hours, retain", "retain")
)

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]


def routine(number: int) -> dict[str, Any]:
    said = threat(
        product="SITREP",
        precedence="ROUTINE",
        category="domestic violent extremism",
        purpose="counter-terrorism",
        portions=[portion(f"report {number}")],
    )
    return {name: value for name, value in said.items() if name != "protectee"}


async def submit(desk: Desk, count: int) -> None:
    numbers = iter(range(count))

    async def some() -> None:
        for number in numbers:
            status, answer = await desk.publish(routine(number), key=f"routine-{number}")
            assert (status, answer["precedence"]) == (202, "ROUTINE"), answer

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(some())


async def arrived_before(running: Exchange, ident: str) -> int:
    """How many had been told to the adapters before this one."""
    rows = running.nodes[RECIPIENT].store.read("SELECT hex(id) AS id FROM events WHERE event = 'bulletin' ORDER BY seq")
    return [row["id"].lower() for row in rows].index(ident.replace("-", ""))


@pytest.mark.parametrize("where", ["at the relay", "in the sender's outbox"])
async def test_a_flash_overtakes_5000_routine_bulletins(
    tmp_path: Path, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with exchange(tmp_path, SENDER, RECIPIENT, rules_text=RULES, retry_seconds=[600.0]) as running:
        down = RECIPIENT if where == "at the relay" else SENDER
        await running.stop_gateway(down)
        if down == SENDER:
            await running.start_gateway(SENDER, relay=[NOWHERE])
        sender = running.desks[SENDER]
        await submit(sender, QUEUED)
        store = running.nodes[SENDER].store
        if down == RECIPIENT:
            left = f"SELECT count(*) AS n FROM deliveries WHERE recipient = '{RECIPIENT}' AND relayed IS NULL"
            await eventually(lambda: store.read(left)[0]["n"] == 0, within=120)
        flash = await sender.accepted(threat("at once"))
        assert flash["precedence"] == "FLASH"

        if down == SENDER:
            await running.stop_gateway(SENDER)
        began = time.monotonic()
        await running.start_gateway(down)
        await running.desks[RECIPIENT].received(flash["id"])
        took = time.monotonic() - began
        overtaken = QUEUED - await arrived_before(running, flash["id"])
        assert overtaken >= QUEUED - UNDER_WAY
        inbox = running.nodes[RECIPIENT].store
        await eventually(lambda: len(inbox.read("SELECT 1 FROM events WHERE event = 'bulletin'")) > QUEUED, within=180)
        with capsys.disabled():
            sys.stdout.write(f"\n{where}: FLASH after {took:.2f} s, {overtaken} of {QUEUED} overtaken, "
                             f"all after {time.monotonic() - began:.0f} s\n")  # fmt: skip
