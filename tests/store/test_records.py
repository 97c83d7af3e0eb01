"""What the rows promise: a rung is climbed once, marks never go back, the audit can't be rewritten unseen."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.store import audit, bulletins, claims, deliveries, events
from broker.store.database import Database, opened
from tests.store.rows import ID, claim, copy, delivery


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path / "store.sqlite") as database:
        yield database


async def test_a_bulletin_is_stored_once(database: Database) -> None:
    first = await database.write(lambda c: bulletins.add(c, copy()))
    second = await database.write(lambda c: bulletins.add(c, copy(control_number="OTHER")))

    row = bulletins.find(database, "a-pd", ID)
    assert (first, second) == (True, False)
    assert row is not None
    assert row["control_number"] == "B-PD-2026-000001"


async def test_a_rung_is_climbed_once_and_never_down(database: Database) -> None:
    await database.write(lambda c: bulletins.add(c, copy()))
    climbed = [
        await database.write(lambda c, rung=rung: bulletins.climb(c, "a-pd", ID.bytes, rung))
        for rung in ("stored", "stored", "read", "fetched", "acknowledged")
    ]

    assert climbed == [1, None, 2, None, 3]


async def test_two_copies_of_one_envelope_leave_one_replay_entry(database: Database) -> None:
    def remember(connection: sqlite3.Connection) -> bool:
        return bulletins.remember(
            connection,
            sender="b-pd",
            envelope=bytes(16),
            recipient="a-pd",
            body_digest=b"d",
            bulletin=ID.bytes,
            forget=9,
        )

    assert [await database.write(remember), await database.write(remember)] == [True, False]
    assert bulletins.seen(database, "b-pd", bytes(16), "a-pd") == b"d"
    assert bulletins.seen(database, "b-pd", bytes(16), "c-pd") is None


async def test_flash_is_sent_before_routine_that_waited_longer(database: Database) -> None:
    def fill(connection: sqlite3.Connection) -> None:
        bulletins.add(connection, copy(role="originator"))
        for number in range(50):
            deliveries.add(connection, delivery(f"routine-{number}", created=number))
        deliveries.add(connection, delivery("flash", rank=3, created=1000))

    await database.write(fill)

    assert deliveries.waiting(database, 2000, limit=10)[0]["recipient"] == "flash"


async def test_a_receipt_ends_the_sending_and_is_entered_once(database: Database) -> None:
    def receipt(connection: sqlite3.Connection) -> bool:
        return deliveries.climbed(connection, agency="a-pd", bulletin=ID.bytes, recipient="c-pd", rung="stored", at=5)

    def fill(connection: sqlite3.Connection) -> None:
        bulletins.add(connection, copy(role="originator"))
        deliveries.add(connection, delivery())

    await database.write(fill)

    assert [await database.write(receipt), await database.write(receipt)] == [True, False]
    assert deliveries.waiting(database, 10**15, limit=10) == []


async def test_a_late_lower_rung_does_not_lower_the_state(database: Database) -> None:
    def enter(rung: str):
        return lambda c: deliveries.climbed(c, agency="a-pd", bulletin=ID.bytes, recipient="c-pd", rung=rung, at=5)

    def fill(connection: sqlite3.Connection) -> None:
        bulletins.add(connection, copy(role="originator"))
        deliveries.add(connection, delivery())

    await database.write(fill)
    await database.write(enter("acknowledged"))
    await database.write(enter("stored"))

    (row,) = deliveries.of_bulletin(database, "a-pd", ID.bytes)
    assert row["state"] == "acknowledged"
    assert row["stored"] == 5


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(marks=st.lists(st.integers(min_value=0, max_value=40), max_size=12))
async def test_a_subscribers_mark_never_goes_back_and_never_past_the_last_event(
    database: Database, marks: list[int]
) -> None:
    token = repr(marks)
    before = events.confirmed(database, token, "a-pd")
    for mark in marks:
        await database.write(lambda c: events.append(c, agency="a-pd", event="bulletin", at=1, bulletin=ID))
        await database.write(lambda c, mark=mark: events.confirm(c, token, "a-pd", mark))
        after = events.confirmed(database, token, "a-pd")
        last = database.read_one("SELECT max(seq) AS last FROM events WHERE agency = 'a-pd'")
        assert last is not None
        assert before <= after <= last["last"]
        before = after


async def test_resending_queues_every_receipt_again(database: Database) -> None:
    await database.write(claim)
    numbers = [row["number"] for row in claims.unsent(database, 9, urgent=False, limit=9)]
    await database.write(lambda c: claims.sent(c, numbers, 2))
    assert claims.unsent(database, 9, urgent=False, limit=9) == []

    await database.write(lambda c: claims.again(c, "a-pd", ID.bytes))

    assert [row["number"] for row in claims.unsent(database, 9, urgent=False, limit=9)] == numbers


async def _audit(database: Database, count: int) -> None:
    for number in range(count):
        await database.write(
            lambda c, number=number: audit.record(c, agency="a-pd", at=number, event="stored", bulletin=ID)
        )


async def test_the_audit_chain_is_whole_as_written(database: Database) -> None:
    await _audit(database, 5)

    assert audit.first_break(database) is None
    assert len(audit.about(database, "a-pd", ID)) == 5


@pytest.mark.parametrize("statement", ["UPDATE audit SET at = 9 WHERE seq = 3", "DELETE FROM audit WHERE seq = 3"])
async def test_audit_entries_can_be_neither_changed_nor_deleted(database: Database, statement: str) -> None:
    await _audit(database, 5)

    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        await database.write(lambda c: c.execute(statement))


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE audit SET at = 99 WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 3", 4),
        ("UPDATE audit SET peer = 'other' WHERE seq = 1", 1),
    ],
)
async def test_an_audit_rewritten_around_the_triggers_shows_where(
    database: Database, statement: str, where: int
) -> None:
    await _audit(database, 5)

    def rewrite(connection: sqlite3.Connection) -> None:
        connection.execute("DROP TRIGGER audit_is_append_only_1")
        connection.execute("DROP TRIGGER audit_is_append_only_2")
        connection.execute(statement)

    await database.write(rewrite)

    assert audit.first_break(database) == where
