"""Who must still be chased: a refusal or an expiry ends the sending, not the worry."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.store import bulletins, claims, deliveries, events, prune
from broker.store.database import Database, opened
from tests.store.rows import ID, claim, copy, delivery

WHO = {"agency": "a-pd", "bulletin": ID.bytes, "recipient": "c-pd"}


@pytest.fixture
async def database(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path / "store.sqlite") as database:
        yield database


async def fill(database: Database, **changes: object) -> None:
    def work(connection: sqlite3.Connection) -> None:
        bulletins.add(connection, copy(role="originator"))
        deliveries.add(connection, delivery(**changes))

    await database.write(work)


def climb(rung: str, **more: object) -> Callable[[sqlite3.Connection], bool]:
    return lambda c: deliveries.climbed(c, **WHO, rung=rung, at=50, **more)  # type: ignore[arg-type]


def give_up(connection: sqlite3.Connection) -> bool:
    return deliveries.give_up(connection, **WHO, code="expired", at=60)  # type: ignore[arg-type]


@pytest.mark.parametrize("end", [give_up, climb("refused", code="rules-floor")])
async def test_a_refused_or_expired_delivery_stays_in_the_operators_view_and_is_chased(
    database: Database, end: Callable[[sqlite3.Connection], bool]
) -> None:
    await fill(database, due=100)
    await database.write(end)

    assert [row["state"] for row in deliveries.late(database, "a-pd", 70, limit=9)] == ["refused"]
    assert deliveries.next_due(database, after=70) == 100
    assert [row["state"] for row in deliveries.overdue(database, 100)] == ["refused"]
    assert deliveries.late(database, "b-pd", 70, limit=9) == []


async def test_a_rung_climbed_after_a_refusal_lifts_it(database: Database) -> None:
    await fill(database)
    await database.write(climb("refused", code="rules-floor"))

    assert await database.write(climb("stored")) is True

    (row,) = deliveries.of_bulletin(database, "a-pd", ID.bytes)
    assert (row["state"], row["refused"], row["code"]) == ("stored", None, None)
    assert deliveries.late(database, "a-pd", 10**6, limit=9) == []


async def test_a_refusal_that_arrives_after_a_rung_is_void(database: Database) -> None:
    await fill(database)
    await database.write(climb("read"))

    assert await database.write(climb("refused", code="rules-floor")) is False

    (row,) = deliveries.of_bulletin(database, "a-pd", ID.bytes)
    assert (row["state"], row["refused"]) == ("read", None)


async def test_a_refusal_of_what_was_recalled_worries_nobody(database: Database) -> None:
    await fill(database)
    await database.write(lambda c: deliveries.withdraw(c, "a-pd", ID.bytes))

    assert await database.write(climb("refused", code="rules-floor")) is False
    assert deliveries.late(database, "a-pd", 1000, limit=9) == []


async def test_a_delivery_is_given_up_once_and_not_after_a_receipt(database: Database) -> None:
    await fill(database)

    assert [await database.write(give_up), await database.write(give_up)] == [True, False]
    await database.write(climb("stored"))
    assert await database.write(give_up) is False


@pytest.mark.parametrize("meanwhile", ["acknowledged", "recalled", "escalated"])
async def test_nobody_is_called_for_what_was_settled_before_the_transaction(database: Database, meanwhile: str) -> None:
    await fill(database, due=100)
    mark = lambda c: deliveries.escalated(c, **WHO, at=200)  # type: ignore[arg-type]  # noqa: E731
    settle = {
        "acknowledged": climb("acknowledged"),
        "recalled": lambda c: c.execute("UPDATE bulletins SET recalled = 1"),
        "escalated": mark,
    }
    await database.write(settle[meanwhile])

    assert await database.write(mark) is False


async def test_what_was_recalled_is_out_of_the_operators_view(database: Database) -> None:
    await fill(database, due=100)
    await database.write(climb("refused", code="rules-floor"))

    await database.write(lambda c: deliveries.withdraw(c, "a-pd", ID.bytes))

    assert deliveries.late(database, "a-pd", 1000, limit=9) == []


async def test_the_number_of_a_replaced_receipt_is_never_used_again(database: Database) -> None:
    await database.write(claim)
    (old,) = claims.unsent(database, 9, urgent=False, limit=9)

    def purge(connection: sqlite3.Connection) -> None:
        claims.replace_all(connection, "a-pd", ID.bytes)
        claim(connection, rung="purged", seq=2, urgent=True, payload=b"sealed")

    await database.write(purge)
    # The relay's answer for the replaced one comes only now.
    await database.write(lambda c: claims.sent(c, [old["number"]], 5))

    assert [row["rung"] for row in claims.unsent(database, 9, urgent=True, limit=9)] == ["purged"]


async def test_a_refusal_filed_under_anothers_id_is_neither_mixed_in_nor_deleted(database: Database) -> None:
    def both(connection: sqlite3.Connection) -> list[sqlite3.Row]:
        claim(connection)
        claim(connection, rung="refused", originator="evil-pd", payload=b"refusal", urgent=True)
        return claims.of_bulletin(connection, "a-pd", ID.bytes)

    mine = await database.write(both)
    await database.write(lambda c: claims.replace_all(c, "a-pd", ID.bytes))

    assert [row["rung"] for row in mine] == ["stored"]
    assert [row["rung"] for row in claims.unsent(database, 9, urgent=True, limit=9)] == ["refused"]
    assert claims.unsent(database, 9, urgent=False, limit=9) == []


async def test_only_what_every_subscriber_has_confirmed_is_forgotten(database: Database) -> None:
    def work(connection: sqlite3.Connection) -> None:
        for at in (1, 2, 3, 100):
            events.append(connection, agency="a-pd", event="bulletin", at=at, bulletin=ID)
        events.append(connection, agency="b-pd", event="bulletin", at=1, bulletin=ID)
        events.confirm(connection, "first", "a-pd", 4)
        events.confirm(connection, "second", "a-pd", 2)
        prune.older(connection, prune.EVENTS, 50)

    await database.write(work)

    kept = [(row["agency"], row["at"]) for row in database.read("SELECT agency, at FROM events ORDER BY seq")]
    assert kept == [("a-pd", 3), ("a-pd", 100), ("b-pd", 1)]


async def test_receipts_are_forgotten_only_when_sent_and_old(database: Database) -> None:
    def work(connection: sqlite3.Connection) -> None:
        for rung in ("stored", "read", "acknowledged"):
            claim(connection, rung=rung)
        claims.sent(connection, [1], 10)
        claims.sent(connection, [2], 100)
        prune.older(connection, prune.CLAIMS, 50)

    await database.write(work)

    assert [row["rung"] for row in database.read("SELECT rung FROM claims ORDER BY number")] == ["read", "acknowledged"]


async def test_forgetting_is_done_in_small_writes(database: Database) -> None:
    def work(connection: sqlite3.Connection) -> list[int]:
        for number in range(prune.BATCH + 1):
            values = {"sender": "b", "envelope": number.to_bytes(16), "recipient": "a", "body_digest": b"d"}
            bulletins.remember(connection, **values, bulletin=ID.bytes, forget=1)  # type: ignore[arg-type]
        return [prune.older(connection, prune.REPLAY, 2) for _ in range(3)]

    assert await database.write(work) == [prune.BATCH, 1, 0]
