"""An agency's copies of bulletins: what it originated and what it received, sealed, with the columns lists need."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from broker.store.database import Database
from broker.store.rows import columns, insert

# The rungs of the receipt ladder, lowest first; a rung that was climbed stays climbed.
RUNGS = ("stored", "fetched", "read", "acknowledged", "acted", "purged")


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One agency's copy, as it is written. Times are milliseconds; blobs named ``sealed`` are under ``storage_key``."""

    agency: str
    id: bytes
    role: str
    sender: str
    envelope: bytes
    header_hash: bytes
    body_digest: bytes
    control_number: str
    kind: str
    product: str | None
    precedence: str
    status: str
    portions: str
    created: int
    arrived: int
    expires: int
    due: int | None
    rules: int
    directory: int
    header: bytes
    body: bytes | None
    keyring_sealed: bytes | None
    record_sealed: bytes | None
    storage_key: str
    rung: str | None = None
    receipts: int = 0
    recalled: int | None = None
    supersedes: bytes | None = None
    in_reply_to: bytes | None = None
    own: int = 0


def add(connection: sqlite3.Connection, copy: Copy) -> bool:
    """Stores a copy; False when this agency holds that bulletin already."""
    values = columns(copy)
    body = values.pop("body")
    if not insert(connection, "bulletins", values, ignore=True):
        return False
    if body is not None:
        insert(connection, "bodies", {"agency": copy.agency, "id": copy.id, "body": body})
    return True


def find(database: Database, agency: str, bulletin: UUID) -> sqlite3.Row | None:
    """This agency's copy of the bulletin."""
    return database.read_one("SELECT * FROM bulletins WHERE agency = ? AND id = ?", (agency, bulletin.bytes))


def body(database: Database, agency: str, bulletin: bytes) -> bytes | None:
    """The sealed body of this agency's copy; None once it was purged."""
    row = database.read_one("SELECT body FROM bodies WHERE agency = ? AND id = ?", (agency, bulletin))
    return bytes(row["body"]) if row else None


def find_by_headers(database: Database, agency: str, header_hashes: Collection[bytes]) -> dict[bytes, sqlite3.Row]:
    """The bulletins this agency originated under those clear headers: what receipts name."""
    marks = ", ".join("?" * len(header_hashes))
    rows = database.read(
        f"SELECT * FROM bulletins WHERE header_hash IN ({marks}) AND agency = ? AND role = 'originator'",  # noqa: S608
        (*header_hashes, agency),
    )
    return {bytes(row["header_hash"]): row for row in rows}


_LIST = (
    "SELECT agency, id, sender, control_number, kind, product, precedence, portions, created, arrived, expires, rung, "
    "recalled, superseded_by FROM bulletins WHERE agency = ? AND role = ? "
    "AND kind NOT IN ('recall', 'purge', 'escalation') "
    "AND (arrived, id) > (?, ?) ORDER BY arrived, id LIMIT ?"
)


def page(
    database: Database, agency: str, role: str, *, after: tuple[int, bytes] = (0, b""), limit: int
) -> list[sqlite3.Row]:
    """One page of the inbox (role ``recipient``) or outbox (``originator``), in order of arrival."""
    return database.read(_LIST, (agency, role, *after, limit))


def climb(connection: sqlite3.Connection, agency: str, bulletin: bytes, rung: str) -> int | None:
    """Moves a recipient's copy up to ``rung``; returns the number of the receipt now owed.

    None when the rung (or a higher one) was climbed before, or when there is no such copy: a rung is claimed once.
    """
    row = connection.execute(
        "SELECT rung, receipts FROM bulletins WHERE agency = ? AND id = ? AND role = 'recipient'", (agency, bulletin)
    ).fetchone()
    if row is None or (row["rung"] is not None and RUNGS.index(row["rung"]) >= RUNGS.index(rung)):
        return None
    connection.execute(
        "UPDATE bulletins SET rung = ?, receipts = receipts + 1 WHERE agency = ? AND id = ?", (rung, agency, bulletin)
    )
    return int(row["receipts"]) + 1


def purge(connection: sqlite3.Connection, agency: str, bulletin: bytes, *, at: int) -> None:
    """Makes a recalled copy unreadable for good: its keyring is gone, the body with it, the row stays as evidence."""
    connection.execute(
        "UPDATE bulletins SET recalled = coalesce(recalled, ?), keyring_sealed = NULL, record_sealed = NULL "
        "WHERE agency = ? AND id = ?",
        (at, agency, bulletin),
    )
    connection.execute("DELETE FROM bodies WHERE agency = ? AND id = ?", (agency, bulletin))


def supersede(connection: sqlite3.Connection, agency: str, sender: str, old: bytes, new: bytes) -> bool:
    """Marks a copy as corrected by another bulletin of the same sender."""
    cursor = connection.execute(
        "UPDATE bulletins SET superseded_by = ? WHERE agency = ? AND id = ? AND sender = ? AND recalled IS NULL",
        (new, agency, old, sender),
    )
    return cursor.rowcount > 0


def superseded_before(connection: sqlite3.Connection, agency: str, sender: str, bulletin: bytes) -> bytes | None:
    """The sender's correction of this bulletin, where it came before it."""
    row = connection.execute(
        "SELECT id FROM bulletins WHERE agency = ? AND supersedes = ? AND sender = ? AND role = 'recipient' "
        "ORDER BY created DESC LIMIT 1",
        (agency, bulletin, sender),
    ).fetchone()
    return bytes(row["id"]) if row else None


def portions_of(row: sqlite3.Row) -> list[str]:
    """The portion ids a copy or a delivery names."""
    names: list[str] = json.loads(row["portions"])
    return names


def seen(database: Database, sender: str, envelope: bytes, recipient: str) -> bytes | None:
    """The body digest under which this envelope was accepted before (DESIGN 7: replay key)."""
    row = database.read_one(
        "SELECT body_digest FROM replay WHERE sender = ? AND envelope = ? AND recipient = ?",
        (sender, envelope, recipient),
    )
    return bytes(row["body_digest"]) if row else None


def remember(
    connection: sqlite3.Connection,
    *,
    sender: str,
    envelope: bytes,
    recipient: str,
    body_digest: bytes,
    bulletin: bytes,
    forget: int,
) -> bool:
    """Enters the replay key; False when it was there (a second copy raced the first)."""
    values = {
        "sender": sender,
        "envelope": envelope,
        "recipient": recipient,
        "body_digest": body_digest,
        "id": bulletin,
        "forget": forget,
    }
    return insert(connection, "replay", values, ignore=True)


def bury(connection: sqlite3.Connection, *, agency: str, sender: str, bulletin: bytes, at: int) -> None:
    """Leaves a tombstone: a recall that overtook its bulletin still stops it."""
    values = {"agency": agency, "sender": sender, "id": bulletin, "at": at}
    insert(connection, "tombstones", values, ignore=True)


def buried(connection: sqlite3.Connection, agency: str, sender: str, bulletin: bytes) -> bool:
    """Whether that sender recalled that bulletin for this agency."""
    row = connection.execute(
        "SELECT 1 FROM tombstones WHERE agency = ? AND sender = ? AND id = ?", (agency, sender, bulletin)
    ).fetchone()
    return row is not None


def high_water(connection: sqlite3.Connection, name: str, value: int) -> None:
    """Raises a persisted maximum: the highest time seen, the last control number."""
    connection.execute(
        "INSERT INTO meta (name, value) VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE excluded.value > value",
        (name, value),
    )


def meta(database: Database, name: str) -> int:
    """A persisted maximum; 0 when none was set."""
    row = database.read_one("SELECT value FROM meta WHERE name = ?", (name,))
    return int(row["value"]) if row else 0
