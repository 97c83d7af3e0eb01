"""What an agency's adapters are told, in order, until they confirm it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from broker.store.database import Database


def append(
    connection: sqlite3.Connection,
    *,
    agency: str,
    event: str,
    at: int,
    bulletin: UUID | None,
    detail: Mapping[str, Any] | None = None,
    words: tuple[bytes, str] | None = None,
) -> None:
    """Adds one event; ``words`` is (sealed bytes, storage key name) where the event carries somebody's free text."""
    sealed, key = words or (None, None)
    connection.execute(
        "INSERT INTO events (agency, event, id, at, detail, words_sealed, storage_key) VALUES (?,?,?,?,?,?,?)",
        (agency, event, bulletin.bytes if bulletin else None, at, json.dumps(detail or {}), sealed, key),
    )


def after(database: Database, agency: str, seq: int, *, limit: int = 100) -> list[sqlite3.Row]:
    """The next events of an agency behind ``seq``, oldest first."""
    return database.read("SELECT * FROM events WHERE agency = ? AND seq > ? ORDER BY seq LIMIT ?", (agency, seq, limit))


def newest(database: Database) -> int:
    """The number of the last event of any agency."""
    row = database.read_one("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
    return int(row["seq"]) if row else 0


def confirmed(database: Database, token: str, agency: str) -> int:
    """How far this subscriber has confirmed."""
    row = database.read_one("SELECT confirmed FROM subscribers WHERE token = ? AND agency = ?", (token, agency))
    return int(row["confirmed"]) if row else 0


def confirm(connection: sqlite3.Connection, token: str, agency: str, seq: int) -> list[UUID]:
    """Moves the subscriber's mark forward (never back); returns the bulletins newly confirmed by it."""
    row = connection.execute(
        "SELECT confirmed FROM subscribers WHERE token = ? AND agency = ?", (token, agency)
    ).fetchone()
    before = int(row["confirmed"]) if row else 0
    last = connection.execute("SELECT max(seq) AS last FROM events WHERE agency = ?", (agency,)).fetchone()["last"] or 0
    mark = min(seq, int(last))
    if mark <= before:
        return []
    connection.execute(
        "INSERT INTO subscribers (token, agency, confirmed) VALUES (?,?,?) "
        "ON CONFLICT (token, agency) DO UPDATE SET confirmed = excluded.confirmed",
        (token, agency, mark),
    )
    rows = connection.execute(
        "SELECT id FROM events WHERE agency = ? AND event = 'bulletin' AND seq > ? AND seq <= ?", (agency, before, mark)
    )
    return [UUID(bytes=row["id"]) for row in rows]
