"""One SQLite file, one writer thread, one fsync for everything that waits: the gateway's only disk.

A write is a function that gets the connection; it runs inside a savepoint of a shared transaction, and its caller
resumes only after that transaction is on disk (WAL, ``synchronous=FULL``). Writes that queue up while a commit is
under way share the next one (group commit). A write that raises undoes only itself.

Reads use a second connection in the caller's thread and see the last commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from broker.store.schema import NewerStoreError, migrate, refuse_newer

T = TypeVar("T")

# More than this in one transaction only delays the first caller: an fsync is already shared by far fewer.
MAX_GROUP = 256
BUSY_TIMEOUT_SECONDS = 10.0


class StoreError(Exception):
    """The store cannot be used: ``code`` says why (``store-newer``, ``store-locked``, ``store-unreadable``)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[sqlite3.Connection], Any]
    resolve: Callable[[Any, BaseException | None], None]


class Database:
    """The gateway's SQLite file. Open with ``Database.open``; close with ``close()``, which loses nothing queued.

    Raises:
        StoreError: another process writes to this file, or it was written by newer software.
    """

    def __init__(self, path: Path, writer: sqlite3.Connection, reader: sqlite3.Connection, lock: int) -> None:
        self.path = path
        self._lock = lock
        self._writer = writer
        self._reader = reader
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, path: Path) -> Database:
        """Opens or creates the file and brings its schema up to date."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = _lock(path.with_name(path.name + ".lock"))
        _make_private(path)
        try:
            writer = _connect(path)
            migrate(writer)
        except NewerStoreError as error:
            raise StoreError("store-newer", str(error)) from error
        except sqlite3.OperationalError as error:
            raise StoreError("store-locked", f"the store is in use or unreadable: {error}") from error
        except sqlite3.DatabaseError as error:
            raise StoreError("store-unreadable", "the store is not a database of this software") from error
        return cls(path, writer, _connect(path), lock)

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs ``work`` in the next group commit; returns its value once that commit is on disk."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(value: T, error: BaseException | None) -> None:
            if future.cancelled():
                return
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)

        def resolve(value: Any, error: BaseException | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is gone: the process is stopping, the row is safe
                loop.call_soon_threadsafe(settle, value, error)

        self._jobs.put(_Job(work, resolve))
        return await future

    def read(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        """All rows of one query, as of the last commit."""
        return self._reader.execute(sql, parameters).fetchall()

    def read_one(self, sql: str, parameters: tuple[Any, ...] = ()) -> sqlite3.Row | None:
        """The first row of one query, or None."""
        row: sqlite3.Row | None = self._reader.execute(sql, parameters).fetchone()
        return row

    def close(self) -> None:
        """Finishes what is queued, then closes."""
        self._jobs.put(None)
        self._thread.join()
        self._writer.close()
        self._reader.close()
        os.close(self._lock)

    def _run(self) -> None:
        while (first := self._jobs.get()) is not None:
            group = [first]
            stop = False
            while len(group) < MAX_GROUP:
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if job is None:
                    stop = True
                    break
                group.append(job)
            self._commit(group)
            if stop:
                return

    def _commit(self, group: list[_Job]) -> None:
        outcomes: list[tuple[_Job, Any, BaseException | None]] = []
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            for job in group:
                self._writer.execute("SAVEPOINT job")
                try:
                    value = job.work(self._writer)
                except BaseException as error:  # noqa: BLE001 - it belongs to the caller, who gets it as raised
                    self._writer.execute("ROLLBACK TO job")
                    outcomes.append((job, None, error))
                else:
                    outcomes.append((job, value, None))
                self._writer.execute("RELEASE job")
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._writer.execute("ROLLBACK")
            outcomes = [(job, None, error) for job in group]
        for job, value, failure in outcomes:
            job.resolve(value, failure)


def _lock(path: Path) -> int:
    # SQLite lets two gateways share a file, and both would then deliver: one owner at a time, as long as it lives.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise StoreError("store-locked", f"another process uses {path.name.removesuffix('.lock')}") from error
    return descriptor


def _make_private(path: Path) -> None:
    # Before SQLite opens it: SQLite gives the -wal and -shm files it makes the mode of the database
    # (sqlite.org/wal.html), and what one of them held when it was readable cannot be taken back.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).chmod(0o600)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    connection.row_factory = sqlite3.Row
    refuse_newer(connection)
    # FULL, not NORMAL: in WAL mode NORMAL may lose acknowledged commits on a power cut
    # (sqlite.org/pragma.html#pragma_synchronous).
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Database]:
    """The database for the length of a block."""
    database = Database.open(path)
    try:
        yield database
    finally:
        database.close()
