"""Receipts this gateway owes to originators, and receipts of others kept as evidence."""

from __future__ import annotations

import sqlite3

from broker.store.database import Database
from broker.store.rows import insert


def add(
    connection: sqlite3.Connection,
    *,
    agency: str,
    originator: str,
    bulletin: bytes,
    rung: str,
    seq: int,
    at: int,
    urgent: bool,
    words_sealed: bytes | None,
    storage_key: str,
    payload: bytes | None = None,
) -> None:
    """Queues one receipt; ``payload`` where its sealed bytes had to be made at once."""
    values = {
        "agency": agency,
        "originator": originator,
        "id": bulletin,
        "rung": rung,
        "seq": seq,
        "at": at,
        "urgent": int(urgent),
        "words_sealed": words_sealed,
        "storage_key": storage_key,
        "payload": payload,
    }
    insert(connection, "claims", values)


def of_bulletin(connection: sqlite3.Connection, agency: str, bulletin: bytes) -> list[sqlite3.Row]:
    """Every receipt of one bulletin that is still to be made from its keyring, sent or not.

    Ready-made ones are no part of it: a refusal is filed under an envelope's id, which its sender chose freely and may
    have taken from another bulletin.
    """
    return connection.execute(
        "SELECT * FROM claims WHERE agency = ? AND id = ? AND payload IS NULL ORDER BY number", (agency, bulletin)
    ).fetchall()


def replace_all(connection: sqlite3.Connection, agency: str, bulletin: bytes) -> None:
    """Forgets what ``of_bulletin`` lists: one ready-made batch takes its place."""
    connection.execute("DELETE FROM claims WHERE agency = ? AND id = ? AND payload IS NULL", (agency, bulletin))


UNSENT = (
    "SELECT * FROM claims WHERE sent IS NULL AND urgent = ? AND not_before <= ? ORDER BY not_before, number LIMIT ?"
)


def unsent(database: Database, now: int, *, urgent: bool, limit: int) -> list[sqlite3.Row]:
    """Receipts to send, of urgent bulletins or of the others, oldest first."""
    return database.read(UNSENT, (int(urgent), now, limit))


NEXT_UNSENT = "SELECT min(not_before) AS at FROM claims WHERE sent IS NULL AND urgent = ?"


def next_unsent(database: Database, *, urgent: bool) -> int | None:
    """When the next receipt that was put off is to be tried."""
    row = database.read_one(NEXT_UNSENT, (int(urgent),))
    return int(row["at"]) if row and row["at"] is not None else None


def drop(connection: sqlite3.Connection, numbers: list[int]) -> None:
    """Forgets receipts that nobody can be sent any more; the caller records it."""
    connection.executemany("DELETE FROM claims WHERE number = ?", [(number,) for number in numbers])


def postpone(connection: sqlite3.Connection, numbers: list[int], until: int) -> None:
    """Puts off receipts that cannot be made or sent now, so that they stand in nobody's way."""
    connection.executemany("UPDATE claims SET not_before = ? WHERE number = ?", [(until, number) for number in numbers])


def sent(connection: sqlite3.Connection, numbers: list[int], at: int) -> None:
    """Notes that the relay holds these receipts."""
    connection.executemany("UPDATE claims SET sent = ? WHERE number = ?", [(at, number) for number in numbers])


def again(connection: sqlite3.Connection, agency: str, bulletin: bytes) -> int:
    """Queues every receipt of a bulletin once more: its originator sent it again, so it hasn't them."""
    return connection.execute("UPDATE claims SET sent = NULL WHERE agency = ? AND id = ?", (agency, bulletin)).rowcount


def keep_evidence(
    connection: sqlite3.Connection,
    *,
    digest: bytes,
    agency: str,
    signer: str,
    at: int,
    document_sealed: bytes,
    storage_key: str,
) -> None:
    """Keeps the signed document a receipt came in."""
    values = {
        "digest": digest,
        "agency": agency,
        "signer": signer,
        "at": at,
        "document_sealed": document_sealed,
        "storage_key": storage_key,
    }
    insert(connection, "evidence", values, ignore=True)
