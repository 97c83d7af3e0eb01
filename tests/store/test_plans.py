"""How SQLite finds what the loops ask for again and again: by an index that leads to it, never by reading the table."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.store import bulletins, claims, deliveries, prune, recordings, trials
from broker.store.database import Database, opened
from tests.store.rows import copy, delivery


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path / "store.sqlite") as database:
        yield database


def plan(database: Database, statement: str, *parameters: object) -> list[str]:
    return [row["detail"] for row in database.read(f"EXPLAIN QUERY PLAN {statement}", parameters)]


@pytest.mark.parametrize(
    ("statement", "parameters", "index"),
    [
        (deliveries.WAITING, (3, 1, 64), r"deliveries_waiting \(rank=\? AND next_attempt.*\)"),
        (deliveries.UNTRIED, (3, 1, 64), r"deliveries_waiting \(rank=\? AND next_attempt>\? AND next_attempt<\?\)"),
        (deliveries.NEXT_ATTEMPT, (3,), r"deliveries_waiting \(rank=\?.*\)"),
        (deliveries.OVERDUE, (1,), r"deliveries_due \(due.*\)"),
        (deliveries.NEXT_DUE, (1,), r"deliveries_due \(due.*\)"),
        (deliveries.LATE, ("a", 1, 50), r"deliveries_late \(agency=\? AND due.*\)"),
        (deliveries.REFUSED, ("a", 50), r"deliveries_refused \(agency=\?\)"),
        (claims.UNSENT, (1, 1, 64), r"claims_unsent \(urgent=\? AND not_before<\?\)"),
        (claims.NEXT_UNSENT, (1,), r"claims_unsent \(urgent=\?.*\)"),
        (recordings.PAGE, ("a", 0, 0, 100), r"recordings_of \(agency=\?.*\)"),
        (trials.DIFFERENCES, ("a", 1), r"trial_differences_of \(agency=\? AND trial=\?\)"),
    ],
)
def test_a_loops_question_is_a_search_without_sorting(
    database: Database, statement: str, parameters: tuple[object, ...], index: str
) -> None:
    (step,) = plan(database, statement, *parameters)

    assert re.fullmatch(rf"SEARCH \w+ USING (COVERING )?INDEX {index}", step)


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (prune.IDEMPOTENCY, "idempotency_at (at"),
        (prune.REPLAY, "replay_forget (forget"),
        (prune.CLAIMS, "claims_sent (sent"),
        (prune.EVENTS, "events_at (at"),
        (prune.EVIDENCE, "evidence_at (at"),
        (prune.RECORDINGS, "recordings_at (at"),
        (prune.TRIALS, "trials_last (last"),
        (prune.TRIAL_DIFFERENCES, "trial_differences_at (at"),
    ],
)
def test_what_is_old_is_found_by_its_age(database: Database, statement: str, index: str) -> None:
    steps = plan(database, statement, 1, 500)

    assert any(index in step for step in steps), steps
    # Subscribers are a handful of adapters, one row each.
    assert [step for step in steps if step.startswith(("SCAN", "USE TEMP")) and "subscribers" not in step] == []


async def test_rows_that_wait_for_their_receipt_are_not_read_to_find_what_is_due(database: Database) -> None:
    def fill(connection: sqlite3.Connection) -> None:
        bulletins.add(connection, copy(role="originator"))
        for number in range(3000):
            deliveries.add(connection, delivery(f"waits-{number}", created=10**12))
        deliveries.add(connection, delivery("due", created=5))

    await database.write(fill)
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    database._reader.set_progress_handler(count, 10)
    rows = deliveries.waiting(database, 6, limit=64)
    database._reader.set_progress_handler(None, 0)

    assert [row["recipient"] for row in rows] == ["due"]
    assert steps < 100
