"""What rules on trial decided beside those in force: counts, and the portions that they would have shared otherwise.

Agencies, markings and ids, as in the audit; never a text, nor what a portion is about. Sets of agencies are bits, the
first of the directory's ids first, compressed.
"""

from __future__ import annotations

import sqlite3
import zlib
from dataclasses import dataclass

from broker.store.database import Database
from broker.store.rows import columns, insert


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """How many of an agency's bulletins and portions were decided by a trial, and how many bulletins were not."""

    agency: str
    trial: int
    first: int
    last: int
    bulletins: int
    portions: int
    skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferingPortion:
    """One portion that would have been shared otherwise; the four sets are made by ``packed``."""

    agency: str
    trial: int
    at: int
    control_number: str
    portion: str
    precedence: str
    marking: str
    directory: int
    gained: bytes
    lost: bytes
    loosened: bytes
    tightened: bytes
    rules: str


def packed(agencies: int) -> bytes:
    """A set of agencies as the store has it."""
    raw = agencies.to_bytes((agencies.bit_length() + 7) // 8, "little")
    return zlib.compress(raw, 1) if raw else b""


def unpacked(raw: bytes) -> int:
    """The set that ``packed`` wrote."""
    return int.from_bytes(zlib.decompress(raw), "little") if raw else 0


def count(connection: sqlite3.Connection, decided: Decided) -> None:
    """Adds to what is counted for the agency and trial."""
    connection.execute(
        "INSERT INTO trials (agency, trial, first, last, bulletins, portions, skipped) VALUES (?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (agency, trial) DO UPDATE SET "
        "first = min(first, excluded.first), last = max(last, excluded.last), "
        "bulletins = bulletins + excluded.bulletins, portions = portions + excluded.portions, "
        "skipped = skipped + excluded.skipped",
        tuple(columns(decided).values()),
    )


def add(connection: sqlite3.Connection, portion: DifferingPortion) -> None:
    """Keeps one portion, in the caller's transaction."""
    insert(connection, "trial_differences", columns(portion))


def counted(database: Database, agency: str, trial: int) -> Decided | None:
    """What is counted for the agency and trial."""
    row = database.read_one("SELECT * FROM trials WHERE agency = ? AND trial = ?", (agency, trial))
    return Decided(**dict(row)) if row else None


DIFFERENCES = "SELECT * FROM trial_differences WHERE agency = ? AND trial = ? ORDER BY number"


def differences(database: Database, agency: str, trial: int) -> list[sqlite3.Row]:
    """The agency's portions that the trial would have shared otherwise, in the order they were decided."""
    return database.read(DIFFERENCES, (agency, trial))
