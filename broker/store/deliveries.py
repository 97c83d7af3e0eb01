"""Who must still get a bulletin, who has it, and how far each recipient has climbed."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass

from broker.store.bulletins import RUNGS
from broker.store.database import Database
from broker.store.rows import insert

# States in which the envelope is still on its way; every later one means the recipient's signed word is in.
ON_THE_WAY = ("queued", "relayed")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """One recipient of one bulletin at the moment it is recorded. ``due``: when a person must have acknowledged."""

    agency: str
    id: bytes
    recipient: str
    gateway: str
    rank: int
    portions: str
    rules: str
    created: int
    due: int | None
    state: str = "queued"
    next_attempt: int | None = 0


def add(connection: sqlite3.Connection, delivery: NewDelivery) -> None:
    """Queues one delivery."""
    insert(connection, "deliveries", asdict(delivery))


def waiting(database: Database, now: int, *, limit: int) -> list[sqlite3.Row]:
    """Deliveries to send now: the most urgent first, then the oldest."""
    return database.read(
        "SELECT * FROM deliveries WHERE next_attempt IS NOT NULL AND next_attempt <= ? "
        "ORDER BY rank DESC, created, agency, id LIMIT ?",
        (now, limit),
    )


def next_attempt(database: Database) -> int | None:
    """When the next delivery is to be tried."""
    row = database.read_one("SELECT min(next_attempt) AS at FROM deliveries WHERE next_attempt IS NOT NULL")
    return int(row["at"]) if row and row["at"] is not None else None


def sent(
    connection: sqlite3.Connection,
    *,
    agency: str,
    bulletin: bytes,
    recipient: str,
    notice: bytes | None,
    relayed_at: int | None,
    retry_at: int,
    counts: bool,
) -> None:
    """Notes one attempt. A kept notice makes the next attempt send the same bytes; ``counts``: it may have arrived."""
    connection.execute(
        "UPDATE deliveries SET notice = ?, attempts = attempts + ?, "
        "relayed = coalesce(relayed, ?), "
        "state = CASE WHEN state = 'queued' AND ? IS NOT NULL THEN 'relayed' ELSE state END, "
        "next_attempt = CASE WHEN state IN ('queued', 'relayed') THEN ? ELSE next_attempt END "
        "WHERE agency = ? AND id = ? AND recipient = ? AND next_attempt IS NOT NULL",
        (notice, int(counts), relayed_at, relayed_at, retry_at, agency, bulletin, recipient),
    )


def postpone(connection: sqlite3.Connection, rows: list[sqlite3.Row], until: int) -> None:
    """Puts off deliveries that cannot be sent now."""
    connection.executemany(
        "UPDATE deliveries SET next_attempt = ? WHERE agency = ? AND id = ? AND recipient = ? "
        "AND next_attempt IS NOT NULL",
        [(until, row["agency"], row["id"], row["recipient"]) for row in rows],
    )


def give_up(
    connection: sqlite3.Connection, *, agency: str, bulletin: bytes, recipient: str, code: str, at: int
) -> None:
    """Ends a delivery without a receipt: past its transit life, or to an agency that was revoked."""
    connection.execute(
        "UPDATE deliveries SET state = 'refused', refused = ?, code = ?, next_attempt = NULL, notice = NULL "
        "WHERE agency = ? AND id = ? AND recipient = ? AND state IN ('queued', 'relayed')",
        (at, code, agency, bulletin, recipient),
    )


def climbed(
    connection: sqlite3.Connection,
    *,
    agency: str,
    bulletin: bytes,
    recipient: str,
    rung: str,
    at: int,
    person_sealed: bytes | None = None,
    code: str | None = None,
) -> bool:
    """Enters a verified receipt; False when that rung was entered before. A refusal ends the delivery."""
    column = rung if rung in RUNGS else "refused"
    row = connection.execute(
        "SELECT * FROM deliveries WHERE agency = ? AND id = ? AND recipient = ?", (agency, bulletin, recipient)
    ).fetchone()
    if row is None or row[column] is not None:
        return False
    state = row["state"]
    higher = state not in RUNGS or (rung in RUNGS and RUNGS.index(rung) > RUNGS.index(state))
    # The column name is one of RUNGS or "refused": never input.
    connection.execute(
        f"UPDATE deliveries SET {column} = ?, state = ?, code = coalesce(?, code), "  # noqa: S608
        "next_attempt = NULL, notice = NULL, "
        "person_sealed = coalesce(?, person_sealed) WHERE agency = ? AND id = ? AND recipient = ?",
        (at, column if higher else state, code, person_sealed, agency, bulletin, recipient),
    )
    return True


def of_bulletin(database: Database, agency: str, bulletin: bytes) -> list[sqlite3.Row]:
    """Every recipient of one bulletin."""
    return database.read("SELECT * FROM deliveries WHERE agency = ? AND id = ? ORDER BY recipient", (agency, bulletin))


def withdraw(connection: sqlite3.Connection, agency: str, bulletin: bytes, recipients: tuple[str, ...] = ()) -> None:
    """Stops sending a recalled bulletin (to these recipients, or to all) and the clock on its acknowledgement."""
    only = f" AND recipient IN ({', '.join('?' * len(recipients))})" if recipients else ""
    connection.execute(
        "UPDATE deliveries SET due = NULL, next_attempt = NULL, notice = NULL, "  # noqa: S608 - marks only
        "state = CASE WHEN state IN ('queued', 'relayed') THEN 'withdrawn' ELSE state END "
        f"WHERE agency = ? AND id = ?{only}",
        (agency, bulletin, *recipients),
    )


def overdue(database: Database, now: int) -> list[sqlite3.Row]:
    """Deliveries whose person has not acknowledged in time and that were not escalated yet."""
    return database.read(
        "SELECT d.*, b.control_number, b.precedence, b.recalled FROM deliveries d JOIN bulletins b USING (agency, id) "
        "WHERE d.due IS NOT NULL AND d.due <= ? AND d.acknowledged IS NULL AND d.escalated IS NULL "
        "AND d.refused IS NULL",
        (now,),
    )


def next_due(database: Database) -> int | None:
    """The next acknowledgement deadline."""
    row = database.read_one(
        "SELECT min(due) AS at FROM deliveries WHERE due IS NOT NULL AND acknowledged IS NULL AND escalated IS NULL "
        "AND refused IS NULL"
    )
    return int(row["at"]) if row and row["at"] is not None else None


def escalated(connection: sqlite3.Connection, *, agency: str, bulletin: bytes, recipient: str, at: int) -> bool:
    """Marks the escalation; False when it was marked before."""
    cursor = connection.execute(
        "UPDATE deliveries SET escalated = ? WHERE agency = ? AND id = ? AND recipient = ? AND escalated IS NULL",
        (at, agency, bulletin, recipient),
    )
    return cursor.rowcount > 0


def backlog(database: Database) -> sqlite3.Row:
    """How many deliveries no recipient has confirmed yet, and since when the oldest waits."""
    row = database.read_one(
        "SELECT count(*) AS waiting, min(created) AS oldest FROM deliveries WHERE next_attempt IS NOT NULL"
    )
    if row is None:
        raise RuntimeError  # an aggregate always has a row
    return row


def late(database: Database, now: int, *, limit: int) -> list[sqlite3.Row]:
    """Deliveries past their deadline, or unconfirmed although relayed: what an operator must look at."""
    return database.read(
        "SELECT agency, id, recipient, state, created, due, escalated FROM deliveries WHERE acknowledged IS NULL "
        "AND due IS NOT NULL AND due <= ? AND refused IS NULL ORDER BY due LIMIT ?",
        (now, limit),
    )
