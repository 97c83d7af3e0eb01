"""Envelopes that cannot be judged yet, kept as they came; and, beside them, what was refused before.

The relay is rid of what is held here, so that it cannot fill a lane. Each sending gateway has a bounded share: who
sends what nobody can judge uses up its own.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from broker.store.database import Database
from broker.store.rows import columns, insert

# Of one sending gateway.
MAX_ENVELOPES = 200
MAX_BYTES = 32 * 1024 * 1024
# Second bodies kept for one sender and recipient: one proves the contradiction, more only cost room.
MAX_CONTRADICTIONS = 16


def hold(
    connection: sqlite3.Connection,
    *,
    digest: bytes,
    raw: bytes,
    gateway: str,
    reason: str,
    at: int,
    retry_at: int,
    expires: int,
) -> bool:
    """Keeps an envelope; False when its gateway's share is used up. One that is kept already changes nothing.

    Args:
        connection: of the caller's transaction.
        digest: by which the same envelope is known when it comes again.
        raw: the envelope as it came.
        gateway: who put it on the relay.
        reason: the code it is held for.
        at: now.
        retry_at: when to try it again.
        expires: when to give it up.
    """
    if connection.execute("SELECT 1 FROM held WHERE digest = ?", (digest,)).fetchone():
        return True
    used = connection.execute(
        "SELECT count(*) AS number, coalesce(sum(length(raw)), 0) AS size FROM held WHERE gateway = ?", (gateway,)
    ).fetchone()
    if used["number"] >= MAX_ENVELOPES or used["size"] + len(raw) > MAX_BYTES:
        return False
    values = {"digest": digest, "gateway": gateway, "reason": reason, "since": at, "next_attempt": retry_at}
    return insert(connection, "held", {**values, "expires": expires, "raw": raw}, ignore=True)


def due(database: Database, now: int, *, limit: int) -> list[sqlite3.Row]:
    """What is to be tried again, longest due first."""
    return database.read("SELECT * FROM held WHERE next_attempt <= ? ORDER BY next_attempt LIMIT ?", (now, limit))


def next_attempt(database: Database) -> int | None:
    """When the next one is to be tried."""
    row = database.read_one("SELECT min(next_attempt) AS at FROM held")
    return int(row["at"]) if row and row["at"] is not None else None


def count(database: Database) -> int:
    """How many are held."""
    row = database.read_one("SELECT count(*) AS number FROM held")
    return int(row["number"]) if row else 0


def try_all(connection: sqlite3.Connection, now: int) -> None:
    """A new release may be what they wait for."""
    connection.execute("UPDATE held SET next_attempt = ? WHERE next_attempt > ?", (now, now))


def postpone(connection: sqlite3.Connection, number: int, *, reason: str, until: int) -> None:
    """It cannot be judged yet."""
    connection.execute(
        "UPDATE held SET reason = ?, attempts = attempts + 1, next_attempt = ? WHERE number = ?",
        (reason, until, number),
    )


def release(connection: sqlite3.Connection, number: int) -> None:
    """It was judged, or nobody can use it any more."""
    connection.execute("DELETE FROM held WHERE number = ?", (number,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What a verified sender's refused envelope is known by."""

    sender: str
    envelope: bytes
    recipient: str
    body_digest: bytes


def refused_first(connection: sqlite3.Connection, key: Refused, *, forget: int) -> bool:
    """Enters a refusal; False when that envelope was refused before."""
    return insert(connection, "refusals", {**columns(key), "forget": forget}, ignore=True)


def forget_refusals(connection: sqlite3.Connection, now: int) -> None:
    """Forgets refusals of envelopes that have expired."""
    connection.execute("DELETE FROM refusals WHERE forget < ?", (now,))


def keep_contradiction(connection: sqlite3.Connection, key: Refused, *, at: int, raw: bytes) -> bool:
    """Keeps the second body of an envelope id beside the first (DESIGN 7); False when enough of them are kept."""
    kept = connection.execute(
        "SELECT count(*) AS number FROM contradictions WHERE sender = ? AND recipient = ?", (key.sender, key.recipient)
    ).fetchone()
    if kept["number"] >= MAX_CONTRADICTIONS:
        return False
    return insert(connection, "contradictions", {**columns(key), "at": at, "raw": raw}, ignore=True)
