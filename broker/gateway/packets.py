"""Envelopes for the relay, made from the disk: notices per recipient, one envelope per gateway (DESIGN 6, step 4).

What cannot be sent now is put off, what no repetition can bring about is given up and said aloud; neither stands in the
way of the rest.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from broker.gateway import control
from broker.gateway.alarms import alarm
from broker.gateway.clock import from_ms
from broker.gateway.core import Node
from broker.relay.publisher import Outgoing
from broker.relay.subjects import envelope_subject
from broker.seal import NoticeSource, SealError, encode_envelope
from broker.store import audit, bulletins, deliveries
from broker.trust import TrustError

log = structlog.get_logger()

# Above this an envelope is split by notices (the relay's limit is 1 MB, with headers).
MAX_ENVELOPE = 900_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One envelope for one gateway and the deliveries in it."""

    outgoing: Outgoing
    rows: tuple[sqlite3.Row, ...]
    notices: tuple[bytes, ...]


async def packets_of(node: Node, rows: list[sqlite3.Row]) -> AsyncIterator[Packet]:
    """The packets of these deliveries, each as soon as its notices are made."""
    for _, grouped in itertools.groupby(rows, key=lambda row: (row["agency"], row["id"])):
        group = list(grouped)
        try:
            async for packet in _of_bulletin(node, group):
                yield packet
        except (SealError, TrustError) as error:
            await _postpone(node, group, error.code)


async def _of_bulletin(node: Node, rows: list[sqlite3.Row]) -> AsyncIterator[Packet]:
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
) -> list[Packet]:
    if not made:
        return []
    header, body = sealed
    room = max(1, (MAX_ENVELOPE - len(header) - len(body)) // max(len(notice) + 8 for _, notice in made))
    packets = []
    for start in range(0, len(made), room):
        chunk = made[start : start + room]
        notices = tuple(notice for _, notice in chunk)
        outgoing = Outgoing(subject=subject, payload=encode_envelope(header, body, notices), expires_at=expires)
        packets.append(Packet(outgoing=outgoing, rows=tuple(row for row, _ in chunk), notices=notices))
    return packets


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


async def _postpone(node: Node, rows: list[sqlite3.Row], code: str) -> None:
    """What can't be sent now must not stand in the way of the others."""
    node.metrics.alarms.labels(code="outbox-fault").inc()
    log.warning("bulletin cannot be sent now", bulletin=str(UUID(bytes=rows[0]["id"])), code=code)
    later = node.now_ms() + int(1000 * node.settings.retry_seconds[0])
    await node.store.write(lambda connection: deliveries.postpone(connection, rows, later))
