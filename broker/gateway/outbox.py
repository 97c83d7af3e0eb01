"""The outbox: notices per recipient, one envelope per gateway, sent until every recipient's signed receipt is in.

It works from the disk alone, most urgent first, so that nothing an earlier process accepted is forgotten. While it is
unknown whether the relay has an envelope, the same bytes go again, and its duplicate window can do its work. Once it
had said yes and still no receipt came, a notice is made anew: the same bytes would be dropped as known (DESIGN 8).
"""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass, field
from typing import TypeAlias

import structlog

from broker.gateway.bells import wait
from broker.gateway.core import Node
from broker.gateway.packets import Packet, packets_of
from broker.relay.publisher import DUPLICATE, RELAYED, Outcome
from broker.seal import is_under_session
from broker.store import deliveries

log = structlog.get_logger()

# FLASH and IMMEDIATE have a loop of their own: they wait for no answer about the others, however slow that stream is.
URGENT = (3, 2)
OTHERS = (1, 0)
# One round: enough to share an fsync on the relay (above some 20 an atomic batch pays), few enough that a FLASH that
# arrives meanwhile waits only for a round.
ROUND = 64
# Below this each envelope leaves as soon as its notices are made; from here on they share an fsync on the relay.
MANY = 20
# Answers of the relay that come so close to each other are noted in one write, when the first bustle is over.
TOGETHER_SECONDS = 0.02
# More than this without an answer is only memory: four rounds.
MOST_UNDER_WAY = 256
# A recipient that has lost its sessions is silent about what it cannot open: what is urgent does not wait long for it.
DOUBT_SECONDS = 3.0
IDLE_SECONDS = 5.0


# An envelope and what became of it.
_Answered: TypeAlias = tuple[Packet, Outcome]


async def urgent(node: Node) -> None:
    """Sends what is FLASH or IMMEDIATE and due, for ever."""
    await _run(node, URGENT)


async def others(node: Node) -> None:
    """Sends what is PRIORITY or ROUTINE and due, for ever."""
    await _run(node, OTHERS)


async def _run(node: Node, ranks: tuple[int, ...]) -> None:
    async with asyncio.TaskGroup() as group:
        lane = _Lane(node=node, ranks=ranks, group=group)
        while True:
            rung = node.outbox.listen(urgent=ranks == URGENT)
            if await lane.send_due():
                continue
            pause = IDLE_SECONDS
            upcoming = deliveries.next_attempt(node.store, ranks)
            if upcoming is not None:
                pause = min(pause, max(0.05, (upcoming - node.now_ms()) / 1000))
            if not node.link.connected:
                pause = min(pause, 0.2)
            await wait(rung, pause)


@dataclass(slots=True, kw_only=True)
class _Lane:
    """One loop's deliveries on their way to the relay: none is taken up again before its outcome is noted.

    The loop itself waits for no answer. A relay whose leader has died answers nothing for ten seconds, and the next
    FLASH may find another one.
    """

    node: Node
    ranks: tuple[int, ...]
    group: asyncio.TaskGroup
    under_way: set[tuple[str, bytes, str]] = field(default_factory=set)
    answered: list[_Answered] = field(default_factory=list)
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def send_due(self) -> int:
        """Begins to send one round; returns how many deliveries are in it."""
        node = self.node
        while len(self.under_way) >= MOST_UNDER_WAY:
            self.moved.clear()
            await self.moved.wait()
        if not node.link.connected:
            return 0
        limit = ROUND + len(self.under_way)
        due = deliveries.waiting(node.store, node.now_ms(), limit=limit, ranks=self.ranks)
        rows = [row for row in due if _key(row) not in self.under_way][:ROUND]
        if len(rows) < MANY:
            async for packet in packets_of(node, rows):
                self._start([packet])
        else:
            self._start([packet async for packet in packets_of(node, rows)])
        return len(rows)

    def _start(self, packets: list[Packet]) -> None:
        if packets:
            self.under_way.update(_key(row) for packet in packets for row in packet.rows)
            self.group.create_task(self._publish(packets))

    async def _publish(self, packets: list[Packet]) -> None:
        outcomes = await self.node.link.publish([packet.outgoing for packet in packets])
        self.answered += zip(packets, outcomes, strict=True)
        await asyncio.sleep(TOGETHER_SECONDS)
        # Whoever wakes first writes down what has been answered meanwhile; the others find that done.
        taken, self.answered = self.answered, []
        if taken:
            await self.node.store.write(lambda connection: _note(self.node, connection, taken))
            self.under_way.difference_update(_key(row) for packet, _ in taken for row in packet.rows)
            self.moved.set()
            self.node.sent.ring()


def _key(row: sqlite3.Row) -> tuple[str, bytes, str]:
    return str(row["agency"]), bytes(row["id"]), str(row["recipient"])


def _note(node: Node, connection: sqlite3.Connection, answered: list[_Answered]) -> None:
    now = node.now_ms()
    retries = node.settings.retry_seconds
    for packet, outcome in answered:
        for row, notice in zip(packet.rows, packet.notices, strict=True):
            attempts = int(row["attempts"])
            relayed = outcome == RELAYED or (outcome == DUPLICATE and attempts > 0)
            retry = now + int(1000 * _pause(row, notice, retries, now))
            if outcome == DUPLICATE and attempts == 0:
                # Somebody stored these very bytes before us, and we sent them to nobody: not relayed (DESIGN 8).
                node.metrics.alarms.labels(code="duplicate-on-first-attempt").inc()
                log.error("relay called a first attempt a duplicate", gateway=row["gateway"])
                retry = now
            if not relayed and outcome != DUPLICATE:
                retry = now + 250
            if attempts and relayed:
                node.metrics.resent.inc()
            stored = outcome in (RELAYED, DUPLICATE)
            deliveries.sent(
                connection,
                agency=row["agency"],
                bulletin=bytes(row["id"]),
                recipient=row["recipient"],
                notice=None if stored else notice,
                relayed_at=now if relayed else None,
                retry_at=retry,
                counts=outcome.state != "failed",
            )


def _pause(row: sqlite3.Row, notice: bytes, retries: tuple[float, ...], now: int) -> float:
    """Seconds until it is sent again for want of a receipt."""
    attempts = int(row["attempts"])
    if row["rank"] in URGENT and is_under_session(notice):
        return min(DOUBT_SECONDS, retries[0])
    if attempts == 1 and now - int(row["created"]) < 1000 * retries[0]:
        return retries[0]  # that one was for the doubt; now the usual course begins
    return retries[min(attempts, len(retries) - 1)]
