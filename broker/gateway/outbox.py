"""The outbox: notices per recipient, one envelope per gateway, sent until every recipient's signed receipt is in.

It works from the disk alone, most urgent first, so that nothing an earlier process accepted is forgotten. While it is
unknown whether the relay has an envelope, the same bytes go again, and its duplicate window can do its work. Once it
had said yes and still no receipt came, a notice is made anew: the same bytes would be dropped as known (DESIGN 8).
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import structlog

from broker.gateway import control
from broker.gateway.alarms import alarm
from broker.gateway.bells import wait
from broker.gateway.clock import from_ms
from broker.gateway.core import Node
from broker.relay.publisher import DUPLICATE, RELAYED, Outcome, Outgoing
from broker.relay.subjects import envelope_subject
from broker.seal import NoticeSource, SealError, encode_envelope, is_under_session
from broker.store import audit, bulletins, deliveries
from broker.trust import TrustError

log = structlog.get_logger()

# FLASH and IMMEDIATE have a loop of their own: they wait for no answer about the others, however slow that stream is.
URGENT = (3, 2)
OTHERS = (1, 0)
# One round: enough to share an fsync on the relay (above some 20 an atomic batch pays), few enough that a FLASH that
# arrives meanwhile waits only for a round.
ROUND = 64
# Below this each envelope leaves as soon as its notices are made; from here on they share an fsync on the relay.
MANY = 20
# Answers of the relay that come so close to each other are noted in one write.
TOGETHER_SECONDS = 0.005
# A recipient that has lost its sessions is silent about what it cannot open: what is urgent does not wait long for it.
DOUBT_SECONDS = 3.0
# Above this an envelope is split by notices (the relay's limit is 1 MB, with headers).
MAX_ENVELOPE = 900_000
IDLE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Packet:
    """One envelope for one gateway and the deliveries in it."""

    outgoing: Outgoing
    rows: tuple[sqlite3.Row, ...]
    notices: tuple[bytes, ...]


# An envelope and what became of it.
_Answered: TypeAlias = tuple[_Packet, Outcome]


async def urgent(node: Node) -> None:
    """Sends what is FLASH or IMMEDIATE and due, for ever."""
    await _run(node, URGENT)


async def others(node: Node) -> None:
    """Sends what is PRIORITY or ROUTINE and due, for ever."""
    await _run(node, OTHERS)


async def _run(node: Node, ranks: tuple[int, ...]) -> None:
    while True:
        rung = node.outbox.listen(urgent=ranks == URGENT)
        sent = await send_due(node, ranks)
        if sent:
            continue
        pause = IDLE_SECONDS
        upcoming = deliveries.next_attempt(node.store, ranks)
        if upcoming is not None:
            pause = min(pause, max(0.05, (upcoming - node.now_ms()) / 1000))
        if not node.link.connected:
            pause = min(pause, 0.2)
        await wait(rung, pause)


async def send_due(node: Node, ranks: tuple[int, ...]) -> int:
    """Sends one round; returns how many deliveries were tried."""
    if not node.link.connected:
        return 0
    rows = deliveries.waiting(node.store, node.now_ms(), limit=ROUND, ranks=ranks)
    if len(rows) < MANY:
        answered: list[_Answered] = []
        async with asyncio.TaskGroup() as group:
            async for packet in _packets(node, rows):
                group.create_task(_publish(node, packet, answered))
    else:
        packets = [packet async for packet in _packets(node, rows)]
        outcomes = await node.link.publish([packet.outgoing for packet in packets])
        await _noted(node, list(zip(packets, outcomes, strict=True)))
    return len(rows)


async def _publish(node: Node, packet: _Packet, answered: list[_Answered]) -> None:
    (outcome,) = await node.link.publish([packet.outgoing])
    answered.append((packet, outcome))
    await asyncio.sleep(TOGETHER_SECONDS)
    # Whoever wakes first writes down what has been answered meanwhile; the others find that done.
    if answered:
        taken = answered.copy()
        answered.clear()
        await _noted(node, taken)


async def _noted(node: Node, answered: list[_Answered]) -> None:
    if answered:
        await node.store.write(lambda connection: _note(node, connection, answered))
    node.sent.ring()


async def _postpone(node: Node, rows: list[sqlite3.Row], code: str) -> None:
    """What can't be sent now must not stand in the way of the others."""
    node.metrics.alarms.labels(code="outbox-fault").inc()
    log.warning("bulletin cannot be sent now", bulletin=str(UUID(bytes=rows[0]["id"])), code=code)
    later = node.now_ms() + int(1000 * node.settings.retry_seconds[0])
    await node.store.write(lambda connection: deliveries.postpone(connection, rows, later))


async def _packets(node: Node, rows: list[sqlite3.Row]) -> AsyncIterator[_Packet]:
    for _, grouped in itertools.groupby(rows, key=lambda row: (row["agency"], row["id"])):
        group = list(grouped)
        try:
            async for packet in _of_bulletin(node, group):
                yield packet
        except (SealError, TrustError) as error:
            await _postpone(node, group, error.code)


async def _of_bulletin(node: Node, rows: list[sqlite3.Row]) -> AsyncIterator[_Packet]:
    copy = bulletins.find(node.store, rows[0]["agency"], UUID(bytes=rows[0]["id"]))
    body = bulletins.body(node.store, str(rows[0]["agency"]), bytes(rows[0]["id"]))
    if copy is None or body is None or copy["expires"] <= node.now_ms():
        await _give_up(node, rows, "delivery-given-up", "expired")
        return
    left = [row for row in rows if not _may_receive(node, str(row["recipient"]))]
    if left:
        # Revoked since it was decided: no key is wrapped for it any more (DESIGN 7).
        await _give_up(node, left, "delivery-given-up", "recipient-revoked")
        rows = [row for row in rows if row not in left]
    floor = node.trust.rules.floor if node.trust.rules is not None else 0
    if copy["rules"] < floor and copy["kind"] not in control.REFERENCE:
        # Every recipient would refuse it: the rules it was decided under were withdrawn. No rules decide a recall.
        await _give_up(node, rows, "decide-again", "rules-floor")
        return
    source = node.sources.of(copy)
    sealed = (bytes(copy["header"]), body)
    expires = from_ms(copy["expires"])
    for gateway, group in _by_gateway(rows):
        made: list[tuple[sqlite3.Row, bytes]] = []
        for row in group:
            try:
                made.append((row, _notice(node, source, row)))
            except (SealError, TrustError) as error:
                await _postpone(node, [row], error.code)
            await asyncio.sleep(0)  # a notice costs half a millisecond: let a FLASH's request in between
        subject = envelope_subject(node.settings.name, gateway, copy["precedence"])
        for packet in _split(subject, expires, sealed, made):
            yield packet


def _may_receive(node: Node, agency: str) -> bool:
    entry = node.signer(agency)
    return entry is not None and not entry.revoked and bool(entry.kem)


def _notice(node: Node, source: NoticeSource, row: sqlite3.Row) -> bytes:
    if row["notice"] is not None:
        return bytes(row["notice"])
    recipient = str(row["recipient"])
    return node.sessions.notice(
        source,
        recipient,
        node.trust.signer(recipient).kem[0],
        first=row["attempts"] == 0,
        directory=node.trust.directory.number if node.trust.directory else 0,
        now=node.now(),
    )


def _by_gateway(rows: list[sqlite3.Row]) -> Iterable[tuple[str, list[sqlite3.Row]]]:
    ordered = sorted(rows, key=lambda row: (row["gateway"], row["recipient"]))
    for gateway, group in itertools.groupby(ordered, key=lambda row: str(row["gateway"])):
        yield gateway, list(group)


def _split(
    subject: str, expires: datetime, sealed: tuple[bytes, bytes], made: list[tuple[sqlite3.Row, bytes]]
) -> list[_Packet]:
    if not made:
        return []
    header, body = sealed
    room = max(1, (MAX_ENVELOPE - len(header) - len(body)) // max(len(notice) + 8 for _, notice in made))
    packets = []
    for start in range(0, len(made), room):
        chunk = made[start : start + room]
        notices = tuple(notice for _, notice in chunk)
        outgoing = Outgoing(subject=subject, payload=encode_envelope(header, body, notices), expires_at=expires)
        packets.append(_Packet(outgoing=outgoing, rows=tuple(row for row, _ in chunk), notices=notices))
    return packets


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
    if attempts == 0 and row["rank"] in URGENT and is_under_session(notice):
        return min(DOUBT_SECONDS, retries[0])
    if attempts == 1 and now - int(row["created"]) < 1000 * retries[0]:
        return retries[0]  # that one was for the doubt; now the usual course begins
    return retries[min(attempts, len(retries) - 1)]


async def _give_up(node: Node, rows: list[sqlite3.Row], what: str, code: str) -> None:
    """Ends deliveries that no repetition can bring about; a person at the originator is told whom to telephone."""

    def end(connection: sqlite3.Connection) -> None:
        for row in rows:
            agency, ident, recipient, now = str(row["agency"]), bytes(row["id"]), str(row["recipient"]), node.now_ms()
            if not deliveries.give_up(
                connection, agency=agency, bulletin=ident, recipient=recipient, code=code, at=now
            ):
                continue
            alarm(node, connection, agency=agency, bulletin=ident, recipient=recipient, what=what, code=code)
            audit.record(
                connection,
                agency=agency,
                at=now,
                event="delivery given up",
                bulletin=UUID(bytes=ident),
                peer=recipient,
                detail={"code": code},
            )

    await node.store.write(end)
    node.events.ring()
    node.deadlines.ring()
