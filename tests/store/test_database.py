"""The store on a real SQLite file: group commit, savepoints, one owner, kill -9, versions."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from broker.store import bulletins, deliveries
from broker.store import database as database_module
from broker.store.database import Database, StoreError, opened
from broker.store.migrations import MIGRATIONS
from broker.store.rows import columns, insert
from tests.store import rows


def _put(name: str, value: int):
    return lambda connection: connection.execute("INSERT INTO meta VALUES (?, ?)", (name, value))


def _count(database: Database) -> int:
    row = database.read_one("SELECT count(*) AS n FROM meta")
    assert row is not None
    return int(row["n"])


async def test_a_write_is_readable_when_it_returns(tmp_path: Path) -> None:
    with opened(tmp_path / "store.sqlite") as database:
        await database.write(_put("a", 1))

        assert _count(database) == 1


async def test_writes_that_queue_up_share_a_commit(tmp_path: Path) -> None:
    with opened(tmp_path / "store.sqlite") as database:
        commits: list[str] = []
        await database.write(lambda connection: connection.set_trace_callback(commits.append))

        async with asyncio.TaskGroup() as group:
            for number in range(200):
                group.create_task(database.write(_put(f"n{number}", number)))

        assert _count(database) == 200
        assert sum(line == "COMMIT" for line in commits) < 100


async def test_a_write_that_raises_undoes_only_itself(tmp_path: Path) -> None:
    with opened(tmp_path / "store.sqlite") as database:

        def fail(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO meta VALUES ('half', 1)")
            raise LookupError

        async def failing() -> None:
            with pytest.raises(LookupError):
                await database.write(fail)

        async with asyncio.TaskGroup() as group:
            group.create_task(database.write(_put("a", 1)))
            group.create_task(failing())
            group.create_task(database.write(_put("b", 2)))

        assert {row["name"] for row in database.read("SELECT name FROM meta")} == {"a", "b"}


async def test_a_full_disk_undoes_the_whole_group_and_tells_each_of_it(tmp_path: Path) -> None:
    with opened(tmp_path / "store.sqlite") as database:
        await database.write(_put("before", 1))
        pages = await database.write(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
        await database.write(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchone())
        ran: list[str] = []

        def large(connection: sqlite3.Connection) -> None:
            ran.append("large")
            connection.execute("INSERT INTO meta VALUES (?, 1)", ("x" * 1_000_000,))

        async def write(work) -> type[BaseException] | None:
            try:
                await database.write(work)
            except sqlite3.Error as error:
                return type(error)
            return None

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(write(work)) for work in (_put("a", 1), large, _put("b", 2))]

        failed = {name for name, task in zip("a-b", tasks, strict=True) if task.result()}
        assert ran == ["large"]
        assert "-" in failed
        # Whoever was told that it stands finds it; whoever was told that it does not does not.
        assert {row["name"] for row in database.read("SELECT name FROM meta")} == {"before"} | ({"a", "b"} - failed)
        await database.write(lambda c: c.execute("PRAGMA max_page_count = 1000000").fetchone())
        await database.write(_put("after", 3))
        assert database.read_one("SELECT 1 FROM meta WHERE name = 'after'") is not None


async def test_what_is_queued_when_the_store_closes_is_written(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "store.sqlite")
    tasks = [asyncio.create_task(database.write(_put(f"n{number}", number))) for number in range(5)]
    await asyncio.sleep(0)

    database.close()

    async with asyncio.timeout(5):
        await asyncio.wait(tasks)
    assert [task.exception() for task in tasks] == [None] * 5
    with pytest.raises(StoreError) as refused:
        await database.write(_put("late", 1))
    assert refused.value.code == "store-closed"
    with opened(tmp_path / "store.sqlite") as again:
        assert _count(again) == 5


async def test_a_long_group_gives_the_loop_its_turn(tmp_path: Path) -> None:
    with opened(tmp_path / "store.sqlite") as database:
        turns: list[int] = []

        def slow(connection: sqlite3.Connection) -> None:
            until = time.monotonic() + database_module.MAX_GROUP_SECONDS
            while time.monotonic() < until:
                pass
            turns.append(len(turns))

        writes = [asyncio.ensure_future(database.write(slow)) for _ in range(4)]
        await writes[0]

        assert len(turns) < 4
        await asyncio.wait(writes)
        assert len(turns) == 4


async def test_a_commit_that_fails_for_any_reason_is_told_to_whoever_waits(tmp_path: Path) -> None:
    with opened(tmp_path / "store.sqlite") as database:

        class Failing:
            def __init__(self, writer: sqlite3.Connection) -> None:
                self.writer, self.failed = writer, False

            def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
                if sql == "COMMIT" and not self.failed:
                    self.failed = True
                    raise MemoryError
                return self.writer.execute(sql, *parameters)

            def __getattr__(self, name: str) -> object:
                return getattr(self.writer, name)

        database._writer = Failing(database._writer)  # type: ignore[assignment]

        async with asyncio.timeout(5):
            with pytest.raises(MemoryError):
                await database.write(_put("lost", 1))
            await database.write(_put("after", 1))

        assert {row["name"] for row in database.read("SELECT name FROM meta")} == {"after"}


async def test_a_transaction_that_begins_slowly_runs_what_is_queued_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "MAX_GROUP_SECONDS", 0.0)
    with opened(tmp_path / "store.sqlite") as database:
        async with asyncio.timeout(5):
            await database.write(_put("a", 1))

        assert _count(database) == 1


async def test_a_read_never_sees_what_is_not_committed(tmp_path: Path) -> None:
    with opened(tmp_path / "store.sqlite") as database:
        held = threading.Event()
        commit = database._commit

        def slow(group: object) -> BaseException | None:
            held.wait(5)
            return commit(group)  # type: ignore[arg-type]

        database._commit = slow  # type: ignore[method-assign]
        write = asyncio.ensure_future(database.write(_put("a", 1)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

        assert database._in_commit
        assert _count(database) == 0
        held.set()
        await write
        assert _count(database) == 1


async def test_a_store_of_the_first_version_keeps_its_bulletins_and_their_deliveries(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(f"{MIGRATIONS[0]};PRAGMA user_version=1;")
    held = columns(rows.copy()) | {"body": b"sealed"}
    purged = columns(rows.copy(agency="z-pd")) | {"body": None, "keyring_sealed": None}
    for values in (held, purged):
        values.pop("own")  # a column of the fifth version
        insert(connection, "bulletins", values)
    insert(connection, "deliveries", columns(rows.delivery()))
    connection.commit()
    connection.close()

    with opened(path) as database:
        assert bulletins.body(database, "a-pd", rows.ID.bytes) == b"sealed"
        assert bulletins.body(database, "z-pd", rows.ID.bytes) is None
        for values in (held, purged):
            row = bulletins.find(database, values["agency"], rows.ID)
            assert row is not None
            assert row["own"] == 0
            assert {name: row[name] for name in values if name != "body"} == {
                name: value for name, value in values.items() if name != "body"
            }
        assert [row["recipient"] for row in deliveries.of_bulletin(database, "a-pd", rows.ID.bytes)] == ["c-pd"]
        with pytest.raises(sqlite3.IntegrityError):
            await database.write(lambda c: deliveries.add(c, rows.delivery(agency="nobody")))


def test_a_second_process_on_the_same_store_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path / "store.sqlite"), pytest.raises(StoreError) as refused:
        Database.open(tmp_path / "store.sqlite")

    assert refused.value.code == "store-locked"


def test_a_store_of_newer_software_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    before = path.read_bytes()

    with pytest.raises(StoreError) as refused:
        Database.open(path)

    assert refused.value.code == "store-newer"
    assert path.read_bytes()[:100].startswith(before[:24])


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    path.write_bytes(os.urandom(8192))

    with pytest.raises(StoreError) as refused:
        Database.open(path)

    assert refused.value.code == "store-unreadable"


@pytest.mark.parametrize("before", [None, 0o644])
def test_the_store_and_its_journals_are_readable_by_their_owner_alone(tmp_path: Path, before: int | None) -> None:
    path = tmp_path / "store.sqlite"
    if before is not None:
        path.touch()
        path.chmod(before)
    umask = os.umask(0)
    try:
        with opened(path) as database:
            asyncio.run(database.write(_put("a", 1)))
            modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    finally:
        os.umask(umask)

    assert modes == dict.fromkeys((f"store.sqlite{suffix}" for suffix in ("", "-wal", "-shm", ".lock")), 0o600)


_WRITER = """
import asyncio, sys
from pathlib import Path
from broker.store.database import Database

async def main():
    database = Database.open(Path(sys.argv[1]))
    for number in range(1_000_000):
        await database.write(lambda c, n=number: c.execute("INSERT INTO meta VALUES (?, ?)", (str(n), n)))
        print(number, flush=True)

asyncio.run(main())
"""


def test_what_a_write_confirmed_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    confirmed = -1
    for line in writer.stdout:
        confirmed = int(line)
        if confirmed >= 50:
            break
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()

    with opened(path) as database:
        row = database.read_one("SELECT max(value) AS last, count(*) AS n FROM meta")

    assert row is not None
    assert row["last"] >= confirmed
    assert row["n"] == row["last"] + 1
