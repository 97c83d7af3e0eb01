"""Envelopes that cannot be judged yet: kept on this gateway's disk, tried again, at last given up with a record.

They wait here and not at the relay: what a relay lane may have unanswered is bounded, and a member that sends what
nobody can judge would shut the lane for everybody else.
"""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Protocol

import structlog

from broker.gateway import refuse
from broker.gateway.bells import wait
from broker.gateway.clock import to_ms
from broker.gateway.core import Node
from broker.gateway.notices import addressed
from broker.model import MAX_TRANSIT
from broker.seal import Hold, SealError, decode_envelope
from broker.store import audit, held

log = structlog.get_logger()

FIRST_RETRY_MS = 2000
LAST_RETRY_MS = 600_000
# A release far ahead of mine gets so long to arrive, then it is one that nobody made.
PATIENCE_MS = 300_000
AT_ONCE = 32
IDLE_SECONDS = 5.0
HOUR_MS = 3_600_000


class Judge(Protocol):
    """Takes an envelope to its end, whatever the judgement; raises `Hold` when there can be none yet."""

    async def __call__(self, raw: bytes, gateway: str, *, patient: bool) -> None:
        """See ``deliver.judge``."""


async def keep(node: Node, raw: bytes, gateway: str, hold: Hold) -> None:
    """Persists a held envelope; beyond its gateway's share it is refused, and its originator will send it again."""
    now = node.now_ms()
    envelope = decode_envelope(raw)
    # Sent again, it has new notices for the same agencies: held once all the same. No other gateway takes its place.
    names = sorted(one.keys.agency for one in addressed(node, gateway, envelope).ours)
    whom = "\0".join((gateway, *names)).encode()
    digest = hashlib.sha256(b"".join((envelope.hh, envelope.body_digest, whom))).digest()
    expires = min(envelope.header.expiry_hours * HOUR_MS, to_ms(node.now() + MAX_TRANSIT))
    kept = await node.store.write(
        lambda connection: held.hold(
            connection,
            digest=digest,
            raw=raw,
            gateway=gateway,
            reason=hold.code,
            at=now,
            retry_at=now + FIRST_RETRY_MS,
            expires=expires,
        )
    )
    if kept:
        log.info("envelope held", code=hold.code, peer=gateway)
        node.metrics.refused.labels(where="deliver", code=hold.code).inc()
        if hold.code == "clock-ahead":
            node.metrics.alarms.labels(code=hold.code).inc()  # one of two clocks is wrong (DESIGN 7: delay and alarm)
        node.held.ring()
    else:
        await refuse.unsigned(node, gateway, "held-too-many")


async def run(node: Node, judge: Judge) -> None:
    """Tries what is held when a release arrives and from time to time, for ever."""
    release = node.releases.listen()
    while True:
        rung = node.held.listen()
        if release.is_set():
            release = node.releases.listen()
            await node.store.write(lambda connection: held.try_all(connection, node.now_ms()))
        await refuse.flush(node)
        rows = held.due(node.store, node.now_ms(), limit=AT_ONCE)
        for row in rows:
            await _again(node, row, judge)
        if not rows:
            upcoming = held.next_attempt(node.store)
            pause = IDLE_SECONDS if upcoming is None else min(IDLE_SECONDS, (upcoming - node.now_ms()) / 1000)
            await wait(rung, max(0.05, pause))


async def _again(node: Node, row: sqlite3.Row, judge: Judge) -> None:
    number, now = int(row["number"]), node.now_ms()
    try:
        await judge(bytes(row["raw"]), str(row["gateway"]), patient=now < row["since"] + PATIENCE_MS)
    except Hold as hold:
        await _postpone(node, row, hold.code)
        return
    except SealError as error:
        await refuse.unsigned(node, str(row["gateway"]), error.code, error.step)
    except Exception:  # one envelope must not stop the others; what is held ends with its transit life
        node.metrics.alarms.labels(code="delivery-fault").inc()
        log.exception("held envelope failed")
        await _postpone(node, row, "delivery-fault")
        return
    await node.store.write(lambda connection: held.release(connection, number))


async def _postpone(node: Node, row: sqlite3.Row, reason: str) -> None:
    number, now = int(row["number"]), node.now_ms()

    def note(connection: sqlite3.Connection) -> None:
        # A clock that has jumped says of nothing that it has expired.
        if now < row["expires"] or node.steady.doubtful:
            pause = min(FIRST_RETRY_MS << min(int(row["attempts"]) + 1, 16), LAST_RETRY_MS)
            held.postpone(connection, number, reason=reason, until=now + pause)
            return
        held.release(connection, number)
        audit.record(
            connection,
            agency=next(iter(node.keys)),
            at=now,
            event="envelope refused",
            peer=str(row["gateway"]),
            detail={"code": "held-expired", "reason": reason, "since": row["since"], "verified": False},
        )

    await node.store.write(note)
