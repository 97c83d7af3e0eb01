"""The outbox: notices per recipient, one envelope per gateway, sent until every recipient's signed receipt is in.

It works from the disk alone, most urgent first, so that nothing an earlier process accepted is forgotten. While it is
unknown whether the relay has an envelope, the same bytes go again, and its duplicate window can do its work. Once it
had said yes and still no receipt came, a notice is made anew: the same bytes would be dropped as known (DESIGN 8).
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from broker.gateway.bells import wait
from broker.gateway.clock import from_ms
from broker.gateway.core import Node
from broker.relay.publisher import DUPLICATE, RELAYED, Outcome, Outgoing
from broker.relay.subjects import envelope_subject
from broker.seal import NoticeSource, SealError, encode_envelope, make_notice
from broker.store import audit, deliveries
from broker.trust import TrustError

log = structlog.get_logger()

# One round: enough to share an fsync on the relay (above some 20 an atomic batch pays), few enough that a FLASH that
# arrives meanwhile waits only for a round.
ROUND = 64
# Above this an envelope is split by notices (the relay's limit is 1 MB, with headers).
MAX_ENVELOPE = 900_000
IDLE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Packet:
    """One envelope for one gateway and the deliveries in it."""

    outgoing: Outgoing
    rows: tuple[sqlite3.Row, ...]
    notices: tuple[bytes, ...]


async def run(node: Node) -> None:
    """Sends what is due, for ever."""
    while True:
        rung = node.outbox.listen()
        sent = await send_due(node)
        if sent:
            continue
        pause = IDLE_SECONDS
        upcoming = deliveries.next_attempt(node.store)
        if upcoming is not None:
            pause = min(pause, max(0.05, (upcoming - node.now_ms()) / 1000))
        if not node.link.connected:
            pause = min(pause, 0.2)
        await wait(rung, pause)


async def send_due(node: Node) -> int:
    """Sends one round; returns how many deliveries were tried."""
    if not node.link.connected:
        return 0
    rows = deliveries.waiting(node.store, node.now_ms(), limit=ROUND)
    if not rows:
        return 0
    packets: list[_Packet] = []
    for _, grouped in itertools.groupby(rows, key=lambda row: (row["agency"], row["id"])):
        group = list(grouped)
        try:
            packets += await _packets(node, group)
        except (SealError, TrustError) as error:
            await _postpone(node, group, error.code)
    outcomes = await node.link.publish([packet.outgoing for packet in packets])
    await node.store.write(lambda connection: _note(node, connection, packets, outcomes))
    return len(rows)


async def _postpone(node: Node, rows: list[sqlite3.Row], code: str) -> None:
    """One bulletin that can't be sent now must not stand in the way of the others."""
    node.metrics.alarms.labels(code="outbox-fault").inc()
    log.warning("bulletin cannot be sent now", bulletin=str(UUID(bytes=rows[0]["id"])), code=code)
    later = node.now_ms() + int(1000 * node.settings.retry_seconds[0])
    await node.store.write(lambda connection: deliveries.postpone(connection, rows, later))


async def _packets(node: Node, rows: list[sqlite3.Row]) -> list[_Packet]:
    agency, ident = rows[0]["agency"], bytes(rows[0]["id"])
    copy = node.store.read_one("SELECT * FROM bulletins WHERE agency = ? AND id = ?", (agency, ident))
    if copy is None or copy["body"] is None or copy["expires"] <= node.now_ms():
        await node.store.write(lambda connection: _give_up(node, connection, rows, "expired"))
        return []
    left = [row for row in rows if not _may_receive(node, str(row["recipient"]))]
    if left:
        # Revoked since it was decided: no key is wrapped for it any more (DESIGN 7).
        await node.store.write(lambda connection: _give_up(node, connection, left, "recipient-revoked"))
        rows = [row for row in rows if row not in left]
    source = node.sources.of(copy)
    header, body = bytes(copy["header"]), bytes(copy["body"])
    expires = from_ms(copy["expires"])
    packets: list[_Packet] = []
    for gateway, group in _by_gateway(rows):
        made: list[tuple[sqlite3.Row, bytes]] = []
        for row in group:
            made.append((row, _notice(node, source, row)))
            await asyncio.sleep(0)  # a notice costs half a millisecond: let a FLASH's request in between
        subject = envelope_subject(node.settings.name, gateway, copy["precedence"])
        packets += _split(subject, expires, (header, body), made)
    return packets


def _may_receive(node: Node, agency: str) -> bool:
    entry = node.signer(agency)
    return entry is not None and not entry.revoked and bool(entry.kem)


def _notice(node: Node, source: NoticeSource, row: sqlite3.Row) -> bytes:
    if row["notice"] is not None:
        return bytes(row["notice"])
    return make_notice(source, row["recipient"], node.trust.signer(row["recipient"]).kem[0])


def _by_gateway(rows: list[sqlite3.Row]) -> Iterable[tuple[str, list[sqlite3.Row]]]:
    ordered = sorted(rows, key=lambda row: (row["gateway"], row["recipient"]))
    for gateway, group in itertools.groupby(ordered, key=lambda row: str(row["gateway"])):
        yield gateway, list(group)


def _split(
    subject: str, expires: datetime, sealed: tuple[bytes, bytes], made: list[tuple[sqlite3.Row, bytes]]
) -> list[_Packet]:
    header, body = sealed
    room = max(1, (MAX_ENVELOPE - len(header) - len(body)) // max(len(notice) + 8 for _, notice in made))
    packets = []
    for start in range(0, len(made), room):
        chunk = made[start : start + room]
        notices = tuple(notice for _, notice in chunk)
        outgoing = Outgoing(subject=subject, payload=encode_envelope(header, body, notices), expires_at=expires)
        packets.append(_Packet(outgoing=outgoing, rows=tuple(row for row, _ in chunk), notices=notices))
    return packets


def _note(node: Node, connection: sqlite3.Connection, packets: list[_Packet], outcomes: list[Outcome]) -> None:
    now = node.now_ms()
    retries = node.settings.retry_seconds
    for packet, outcome in zip(packets, outcomes, strict=True):
        for row, notice in zip(packet.rows, packet.notices, strict=True):
            attempts = int(row["attempts"])
            relayed = outcome == RELAYED or (outcome == DUPLICATE and attempts > 0)
            retry = now + int(1000 * retries[min(attempts, len(retries) - 1)])
            if outcome == DUPLICATE and attempts == 0:
                # Somebody stored these very bytes before us, and we sent them to nobody: not relayed (DESIGN 8).
                node.metrics.alarms.labels(code="duplicate-on-first-attempt").inc()
                log.error("relay called a first attempt a duplicate", gateway=row["gateway"])
                retry = now
            if not relayed and outcome != DUPLICATE:
                retry = now + 250
            if attempts and relayed:
                node.metrics.resent.inc()
            answered = outcome in (RELAYED, DUPLICATE)
            deliveries.sent(
                connection,
                agency=row["agency"],
                bulletin=bytes(row["id"]),
                recipient=row["recipient"],
                notice=None if answered else notice,
                relayed_at=now if relayed else None,
                retry_at=retry,
                counts=outcome.state != "failed",
            )


def _give_up(node: Node, connection: sqlite3.Connection, rows: list[sqlite3.Row], code: str) -> None:
    for row in rows:
        agency, ident, recipient = str(row["agency"]), bytes(row["id"]), str(row["recipient"])
        deliveries.give_up(connection, agency=agency, bulletin=ident, recipient=recipient, code=code, at=node.now_ms())
        audit.record(
            connection,
            agency=agency,
            at=node.now_ms(),
            event="delivery given up",
            bulletin=UUID(bytes=ident),
            peer=recipient,
            detail={"code": code},
        )
