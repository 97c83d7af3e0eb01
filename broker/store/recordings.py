"""What the rules saw of each own submission, kept for thirty days: the replay of a change decides it anew.

Never a text. A protected person and who is named are attributes, so they rest sealed like everything that can name one.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from broker.store.database import Database
from broker.store.rows import columns, insert


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One submission, accepted or permitted to nobody."""

    agency: str
    id: bytes
    control_number: str
    at: int
    precedence: str
    portions_sealed: bytes
    storage_key: str


def add(connection: sqlite3.Connection, recording: Recording) -> None:
    """Keeps one submission, in the caller's transaction."""
    insert(connection, "recordings", columns(recording))


PAGE = "SELECT * FROM recordings WHERE agency = ? AND (at, number) > (?, ?) ORDER BY at, number LIMIT ?"


def page(database: Database, agency: str, *, after: tuple[int, int], limit: int) -> list[sqlite3.Row]:
    """An agency's recordings after a moment and number, in order of time."""
    return database.read(PAGE, (agency, *after, limit))
