"""Sessions that other agencies have set up with agencies here: what their notices are found and opened with."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from broker.store.database import Database
from broker.store.rows import columns, insert

# A sender has one session at a time; earlier ones are for what is still on its way. More would be a sender's whim.
KEPT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One session as it is written; ``id`` follows from its secret. ``forget`` is in milliseconds."""

    agency: str
    sender: str
    id: bytes
    secret_sealed: bytes
    storage_key: str
    forget: int


def keep(connection: sqlite3.Connection, session: Kept) -> None:
    """Keeps a session as the newest of its pair, and of the earlier ones the last few."""
    pair = (session.agency, session.sender)
    connection.execute("DELETE FROM sessions WHERE agency = ? AND sender = ? AND id = ?", (*pair, session.id))
    insert(connection, "sessions", columns(session))
    # By their order of arrival: a clock that was ahead for a while must not make the newest look old.
    connection.execute(
        "DELETE FROM sessions WHERE agency = ? AND sender = ? AND number NOT IN "
        "(SELECT number FROM sessions WHERE agency = ? AND sender = ? ORDER BY number DESC LIMIT ?)",
        (*pair, *pair, KEPT),
    )


def all_of(database: Database) -> list[sqlite3.Row]:
    """Every session, in order of arrival."""
    return database.read("SELECT * FROM sessions ORDER BY number")
