"""Who must still get a bulletin, who has it, and how far each recipient has climbed."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from broker.store.bulletins import RUNGS
from broker.store.database import Database
from broker.store.rows import columns, insert

# States in which the envelope is still on its way; every later one means the recipient's signed word is in.
ON_THE_WAY = ("queued", "relayed")
# Ranks of precedence, most urgent first: FLASH, IMMEDIATE, PRIORITY, ROUTINE.
RANKS = (3, 2, 1, 0)


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


def add(connection: sqlite3.Connection, delivery: NewDelivery) -> None:
    """Queues one delivery, to be sent at once."""
    insert(connection, "deliveries", {**columns(delivery), "next_attempt": delivery.created})


# One rank at a time, so that the index leads straight to what is due: rows that wait for their receipt are not read.
WAITING = (
    "SELECT * FROM deliveries WHERE rank = ? AND next_attempt IS NOT NULL AND next_attempt <= ? "
    "ORDER BY next_attempt, created, agency, id LIMIT ?"
)
NEXT_ATTEMPT = "SELECT min(next_attempt) AS at FROM deliveries WHERE rank = ? AND next_attempt IS NOT NULL"


def waiting(database: Database, now: int, *, limit: int, ranks: tuple[int, ...] = RANKS) -> list[sqlite3.Row]:
    """Deliveries of these ranks to send now: the most urgent first, then those due longest."""
    rows: list[sqlite3.Row] = []
    for rank in ranks:
        if len(rows) < limit:
            rows += database.read(WAITING, (rank, now, limit - len(rows)))
    return rows


# The first attempt is due when the delivery was made, every later one afterwards. That it is due follows, and keeps
# those that wait for their receipt from being read.
UNTRIED = (
    "SELECT 1 FROM deliveries "
    "WHERE rank = ? AND next_attempt IS NOT NULL AND next_attempt <= ? AND next_attempt = created LIMIT ?"
)


def untried(database: Database, now: int, *, limit: int, ranks: tuple[int, ...]) -> int:
    """How many deliveries of these ranks were never tried, counted up to ``limit``."""
    number = 0
    for rank in ranks:
        if number < limit:
            number += len(database.read(UNTRIED, (rank, now, limit - number)))
    return number


def next_attempt(database: Database, ranks: tuple[int, ...] = RANKS) -> int | None:
    """When the next delivery of these ranks is to be tried."""
    found = (database.read_one(NEXT_ATTEMPT, (rank,)) for rank in ranks)
    return min((int(row["at"]) for row in found if row is not None and row["at"] is not None), default=None)


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
) -> bool:
    """Ends a delivery without a receipt: past its transit life, or to an agency that was revoked.

    Returns:
        False when a receipt or a withdrawal came first.
    """
    cursor = connection.execute(
        "UPDATE deliveries SET state = 'refused', refused = ?, code = ?, next_attempt = NULL, notice = NULL "
        "WHERE agency = ? AND id = ? AND recipient = ? AND state IN ('queued', 'relayed')",
        (at, code, agency, bulletin, recipient),
    )
    return cursor.rowcount > 0


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
    """Enters a verified receipt; False when that rung was entered before.

    A refusal ends the delivery; a rung climbed later lifts it. It is void after a rung or a recall.
    """
    row = connection.execute(
        "SELECT * FROM deliveries WHERE agency = ? AND id = ? AND recipient = ?", (agency, bulletin, recipient)
    ).fetchone()
    column = rung if rung in RUNGS else "refused"
    if row is None or row[column] is not None:
        return False
    if column == "refused" and row["state"] in (*RUNGS, "withdrawn"):
        return False
    state = row["state"]
    higher = state not in RUNGS or RUNGS.index(rung) > RUNGS.index(state)
    lifted = "refused = NULL, code = ?" if column != "refused" else "code = coalesce(?, code)"
    # The column name is one of RUNGS or "refused": never input.
    connection.execute(
        f"UPDATE deliveries SET {column} = ?, state = ?, {lifted}, "  # noqa: S608
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
        "state = CASE WHEN state IN ('queued', 'relayed', 'refused') THEN 'withdrawn' ELSE state END "
        f"WHERE agency = ? AND id = ?{only}",
        (agency, bulletin, *recipients),
    )


OVERDUE = (
    "SELECT agency, id, recipient, state, code, due FROM deliveries "
    "WHERE due IS NOT NULL AND due <= ? AND acknowledged IS NULL AND escalated IS NULL ORDER BY due"
)
NEXT_DUE = (
    "SELECT min(due) AS at FROM deliveries "
    "WHERE due IS NOT NULL AND due > ? AND acknowledged IS NULL AND escalated IS NULL"
)


def overdue(database: Database, now: int) -> list[sqlite3.Row]:
    """Deliveries whose person has not acknowledged in time and that were not escalated yet.

    Refused and given up ones count too: nobody there has read the bulletin.
    """
    return database.read(OVERDUE, (now,))


def next_due(database: Database, *, after: int) -> int | None:
    """The next acknowledgement deadline behind ``after``."""
    row = database.read_one(NEXT_DUE, (after,))
    return int(row["at"]) if row and row["at"] is not None else None


def escalated(connection: sqlite3.Connection, *, agency: str, bulletin: bytes, recipient: str, at: int) -> bool:
    """Marks the escalation; False when it was marked, acknowledged or recalled before."""
    cursor = connection.execute(
        "UPDATE deliveries SET escalated = ? WHERE agency = ? AND id = ? AND recipient = ? AND escalated IS NULL "
        "AND acknowledged IS NULL AND due IS NOT NULL AND NOT EXISTS (SELECT 1 FROM bulletins "
        "WHERE bulletins.agency = deliveries.agency AND bulletins.id = deliveries.id AND recalled IS NOT NULL)",
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


_SHOWN = "SELECT agency, id, recipient, state, code, created, due, refused, escalated FROM deliveries "
LATE = (
    f"{_SHOWN}WHERE agency = ? AND acknowledged IS NULL AND due IS NOT NULL AND due <= ? AND state <> 'refused' "
    "ORDER BY due DESC LIMIT ?"
)
REFUSED = f"{_SHOWN}WHERE agency = ? AND state = 'refused' AND acknowledged IS NULL ORDER BY refused DESC LIMIT ?"


def late(database: Database, agency: str, now: int, *, limit: int) -> list[sqlite3.Row]:
    """What an operator of this agency must look at, newest first.

    Deliveries past their deadline without an acknowledgement, and those refused or given up, with a deadline or not.
    """
    rows = database.read(LATE, (agency, now, limit)) + database.read(REFUSED, (agency, limit))
    return sorted(rows, key=lambda row: int(row["refused"] or row["due"]), reverse=True)[:limit]
