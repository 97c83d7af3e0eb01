"""The append-only record of what this gateway did, each entry hashed over the one before.

An entry names agencies, ids, rule names and codes; never the text of a bulletin. Triggers refuse updates and deletes;
the chain shows what a trigger can't stop.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from typing import Any, TypeAlias
from uuid import UUID

from broker.store.database import Database

GENESIS = bytes(32)
# seq, agency, time, event, bulletin, peer, detail: what the hash covers, in the table's order.
Entry: TypeAlias = tuple[int, str, int, str, bytes | None, str | None, str]


def record(
    connection: sqlite3.Connection,
    *,
    agency: str,
    at: int,
    event: str,
    bulletin: UUID | None = None,
    peer: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Appends one entry in the caller's transaction: the act and its record are on disk together or not at all."""
    last = connection.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    seq, previous = (int(last["seq"]) + 1, bytes(last["hash"])) if last else (1, GENESIS)
    text = json.dumps(detail or {}, sort_keys=True, separators=(",", ":"))
    entry: Entry = (seq, agency, at, event, bulletin.bytes if bulletin else None, peer, text)
    connection.execute(
        "INSERT INTO audit (seq, agency, at, event, id, peer, detail, previous, hash) VALUES (?,?,?,?,?,?,?,?,?)",
        (*entry, previous, _digest(previous, entry)),
    )


def first_break(database: Database) -> int | None:
    """The number of the first entry that doesn't follow from the one before; None when the chain is whole."""
    previous = GENESIS
    expected = 1
    for row in database.read("SELECT * FROM audit ORDER BY seq"):
        entry: Entry = (row["seq"], row["agency"], row["at"], row["event"], row["id"], row["peer"], row["detail"])
        whole = row["seq"] == expected and row["previous"] == previous and row["hash"] == _digest(previous, entry)
        if not whole:
            return int(row["seq"])
        previous, expected = bytes(row["hash"]), expected + 1
    return None


def about(database: Database, agency: str, bulletin: UUID) -> list[sqlite3.Row]:
    """Everything that was done with one bulletin at this agency, in order."""
    return database.read("SELECT * FROM audit WHERE agency = ? AND id = ? ORDER BY seq", (agency, bulletin.bytes))


def _digest(previous: bytes, entry: Entry) -> bytes:
    readable = [item.hex() if isinstance(item, bytes) else item for item in entry]
    return hashlib.sha256(previous + json.dumps(readable, separators=(",", ":")).encode()).digest()
