"""What may be forgotten, a little at a time: a writer that waits behind this waits for one short batch.

Audit entries, bulletins, deliveries and tombstones are not among it.
"""

from __future__ import annotations

import sqlite3
from typing import TypeAlias

# One write's worth: some milliseconds, so that the commit of a FLASH does not wait for tidying.
BATCH = 500

Statement: TypeAlias = str
# Each takes the moment before which things are old, then the size of a batch.
IDEMPOTENCY: Statement = (
    "DELETE FROM idempotency WHERE rowid IN (SELECT rowid FROM idempotency WHERE at < ? ORDER BY at LIMIT ?)"
)
REPLAY: Statement = (
    "DELETE FROM replay WHERE (sender, envelope, recipient) IN "
    "(SELECT sender, envelope, recipient FROM replay WHERE forget < ? ORDER BY forget LIMIT ?)"
)
SESSIONS: Statement = (
    "DELETE FROM sessions WHERE rowid IN (SELECT rowid FROM sessions WHERE forget < ? ORDER BY forget LIMIT ?)"
)
CLAIMS: Statement = (
    "DELETE FROM claims WHERE number IN "
    "(SELECT number FROM claims WHERE sent IS NOT NULL AND sent < ? ORDER BY sent LIMIT ?)"
)
# Confirmed by every subscriber of the agency that ever confirmed anything.
EVENTS: Statement = (
    "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE at < ? AND seq <= "
    "(SELECT min(confirmed) FROM subscribers WHERE subscribers.agency = events.agency) ORDER BY at LIMIT ?)"
)
EVIDENCE: Statement = (
    "DELETE FROM evidence WHERE rowid IN (SELECT rowid FROM evidence WHERE at < ? ORDER BY at LIMIT ?)"
)
RECORDINGS: Statement = (
    "DELETE FROM recordings WHERE number IN (SELECT number FROM recordings WHERE at < ? ORDER BY at LIMIT ?)"
)
TRIALS: Statement = (
    "DELETE FROM trials WHERE (agency, trial) IN "
    "(SELECT agency, trial FROM trials WHERE last < ? ORDER BY last LIMIT ?)"
)
TRIAL_DIFFERENCES: Statement = (
    "DELETE FROM trial_differences WHERE number IN "
    "(SELECT number FROM trial_differences WHERE at < ? ORDER BY at LIMIT ?)"
)


def older(connection: sqlite3.Connection, statement: Statement, before: int) -> int:
    """Deletes one batch of what is older than ``before``; returns how many rows that were."""
    return connection.execute(statement, (before, BATCH)).rowcount
