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
    """Every receipt of one bulletin, sent or not."""
    return connection.execute(
        "SELECT * FROM claims WHERE agency = ? AND id = ? ORDER BY number", (agency, bulletin)
    ).fetchall()


def replace_all(connection: sqlite3.Connection, agency: str, bulletin: bytes) -> None:
    """Forgets a bulletin's receipts: one ready-made batch takes their place."""
    connection.execute("DELETE FROM claims WHERE agency = ? AND id = ?", (agency, bulletin))


def unsent(database: Database, now: int, *, limit: int) -> list[sqlite3.Row]:
    """Receipts to send, urgent bulletins' first."""
    return database.read(
        "SELECT * FROM claims WHERE sent IS NULL AND not_before <= ? ORDER BY urgent DESC, number LIMIT ?", (now, limit)
    )


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
