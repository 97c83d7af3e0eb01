"""The store on a real SQLite file: group commit, savepoints, one owner, kill -9, versions."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from broker.store.database import Database, StoreError, opened
from broker.store.schema import MIGRATIONS


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
