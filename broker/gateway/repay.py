"""Sends the receipts this gateway owes, in signed batches to each originator.

At a few hundred deliveries a second a signature for each receipt would cost more than the deliveries. So receipts to
one originator that are ready together are signed and sealed together.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias
from uuid import UUID

import structlog

from broker.gateway.bells import wait
from broker.gateway.core import Node
from broker.gateway.owed import FAULTS, claim_of, code_of, kem_of, record_dropped, witness_of
from broker.relay.publisher import Outgoing
from broker.relay.subjects import receipt_subject
from broker.seal import PublicKey, SealError, make_receipts
from broker.store import bulletins, claims
from broker.trust import TrustError

log = structlog.get_logger()

BATCH = 200
# A batch costs its recipient and its originator some 5 ms of processor time, however many receipts are in it. So what
# is stored within a moment goes together, and the next batch of the same kind keeps its distance: a receipt is evidence
# and nobody's warning waits for it.
GATHER_SECONDS = 0.05
PAUSE_SECONDS = 0.5
IDLE_SECONDS = 5.0
# After the relay did not take it; after it could not be made, which time alone seldom mends.
PUT_OFF_MS = 1000
PUT_OFF_FAULT_MS = 60_000
TRANSIT = timedelta(days=7)

# A receipt that is still to be made, and the copy that it is about.
_Loose: TypeAlias = tuple[sqlite3.Row, sqlite3.Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """What becomes of the claims of one round."""

    packets: list[tuple[Outgoing, list[int]]] = field(default_factory=list)
    put_off: list[tuple[int, int]] = field(default_factory=list)  # (number, for how many milliseconds)
    dropped: list[tuple[sqlite3.Row, str]] = field(default_factory=list)


async def urgent(node: Node) -> None:
    """Sends the receipts of FLASH and IMMEDIATE bulletins, refusals and purges, for ever."""
    await _run(node, urgent=True)


async def others(node: Node) -> None:
    """Sends the other receipts, for ever."""
    await _run(node, urgent=False)


async def _run(node: Node, *, urgent: bool) -> None:
    while True:
        rung = node.claims.listen(urgent=urgent)
        if not node.link.connected:
            await wait(rung, 0.2)
            continue
        rows = claims.unsent(node.store, node.now_ms(), urgent=urgent, limit=BATCH)
        if not rows:
            upcoming = claims.next_unsent(node.store, urgent=urgent)
            ahead = IDLE_SECONDS if upcoming is None else max(0.05, (upcoming - node.now_ms()) / 1000)
            await wait(rung, min(IDLE_SECONDS, ahead))
            continue
        if len(rows) < BATCH:
            await asyncio.sleep(GATHER_SECONDS)
            rows = claims.unsent(node.store, node.now_ms(), urgent=urgent, limit=BATCH)
        await _send(node, rows)
        if len(rows) < BATCH:
            await asyncio.sleep(PAUSE_SECONDS)


async def _send(node: Node, rows: list[sqlite3.Row]) -> None:
    this = _Round()
    rows = sorted(rows, key=lambda row: (row["agency"], row["originator"]))
    for (agency, originator), group in itertools.groupby(rows, key=lambda row: (row["agency"], row["originator"])):
        _sort(node, agency, originator, list(group), this)
        await asyncio.sleep(0)
    outcomes = await node.link.publish([outgoing for outgoing, _ in this.packets])
    done: list[int] = []
    for (_, numbers), outcome in zip(this.packets, outcomes, strict=True):
        if outcome.state in ("relayed", "duplicate"):
            done += numbers
        else:
            this.put_off.extend((number, PUT_OFF_MS) for number in numbers)
    now = node.now_ms()

    def note(connection: sqlite3.Connection) -> None:
        claims.sent(connection, done, now)
        for number, ahead in this.put_off:
            claims.postpone(connection, [number], now + ahead)
        for row, code in this.dropped:
            _drop(connection, row, code, now)

    await node.store.write(note)


def _sort(node: Node, agency: str, originator: str, batch: list[sqlite3.Row], this: _Round) -> None:
    """Makes what can be made of one agency's receipts to one originator; nothing here keeps up another's."""
    try:
        kem = kem_of(node, originator)
    except TrustError as error:
        log.warning("receipts to an agency that left are dropped", originator=originator, code=error.code)
        this.dropped.extend((row, error.code) for row in batch)
        return
    except SealError:
        this.put_off.extend((row["number"], PUT_OFF_FAULT_MS) for row in batch)
        return
    subject = receipt_subject(node.settings.name, node.gateway_of(originator))
    expires = node.now() + TRANSIT

    def carry(payload: bytes, carried: Sequence[sqlite3.Row]) -> None:
        outgoing = Outgoing(subject=subject, payload=payload, expires_at=expires)
        this.packets.append((outgoing, [int(row["number"]) for row in carried]))

    loose: list[_Loose] = []
    for row in batch:
        if row["payload"] is not None:
            carry(bytes(row["payload"]), [row])
        elif (copy := _openable(node, row)) is not None:
            loose.append((row, copy))
        else:
            this.dropped.append((row, "keys-destroyed"))
    for payload, rows in _made(node, agency, originator, kem, loose, this):
        carry(payload, rows)


def _made(  # noqa: PLR0917
    node: Node, agency: str, originator: str, kem: PublicKey, loose: list[_Loose], this: _Round
) -> list[tuple[bytes, list[sqlite3.Row]]]:
    """One batch of all; where one of them cannot be made, each by itself, and only that one is put off."""
    if not loose:
        return []
    try:
        return [(_batch(node, agency, originator, kem, loose), [row for row, _ in loose])]
    except FAULTS as error:
        if len(loose) > 1:
            return [made for one in loose for made in _made(node, agency, originator, kem, [one], this)]
        log.warning("a receipt cannot be made now", originator=originator, code=code_of(error))
        node.metrics.alarms.labels(code="receipts-fault").inc()
        this.put_off.append((int(loose[0][0]["number"]), PUT_OFF_FAULT_MS))
        return []


def _openable(node: Node, row: sqlite3.Row) -> sqlite3.Row | None:
    """The copy a receipt is about, while it still has the keys that receipts are made with."""
    copy = bulletins.find(node.store, row["agency"], UUID(bytes=row["id"]))
    return copy if copy is not None and copy["keyring_sealed"] is not None else None


def _batch(node: Node, agency: str, originator: str, kem: PublicKey, rows: Sequence[_Loose]) -> bytes:
    made = [(witness_of(node, copy), claim_of(node, row)) for row, copy in rows]
    session = node.sessions.to_name(originator, agency)
    return make_receipts(node.keys[agency].signing, agency, kem, originator, made, session=session)


def _drop(connection: sqlite3.Connection, row: sqlite3.Row, code: str, now: int) -> None:
    claims.drop(connection, [int(row["number"])])
    detail = {"rung": row["rung"], "code": code}
    record_dropped(connection, str(row["agency"]), str(row["originator"]), bytes(row["id"]), at=now, detail=detail)
