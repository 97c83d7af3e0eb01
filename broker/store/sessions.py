"""Sessions that other agencies have set up with agencies here: what their notices are found and opened with."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from broker.store.database import Database
from broker.store.rows import columns, insert

# A sender has one session at a time; earlier ones are for what is still on its way. More would be a sender's whim.
KEPT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One session as it is written; ``id`` follows from its secret."""

    agency: str
    sender: str
    id: bytes
    gateway: str
    secret_sealed: bytes
    storage_key: str
    since: int
    forget: int


def keep(connection: sqlite3.Connection, session: Kept) -> bool:
    """Keeps a session, and of that pair's earlier ones the last few; False when it was kept before."""
    if not insert(connection, "sessions", columns(session), ignore=True):
        return False
    connection.execute(
        "DELETE FROM sessions WHERE agency = ? AND sender = ? AND id NOT IN "
        "(SELECT id FROM sessions WHERE agency = ? AND sender = ? ORDER BY since DESC, rowid DESC LIMIT ?)",
        (session.agency, session.sender, session.agency, session.sender, KEPT),
    )
    return True


def all_of(database: Database) -> list[sqlite3.Row]:
    """Every session, oldest first."""
    return database.read("SELECT * FROM sessions ORDER BY since, rowid")
