"""One SQLite file, one writer, one fsync for everything that waits: the gateway's only disk.

A write is a function that gets the connection; it runs inside a savepoint of a shared transaction, and its caller
resumes only after that transaction is on disk (WAL, ``synchronous=FULL``). Writes that queue up while a commit is
under way share the next one (group commit). A write that raises undoes only itself.

The statements run in the event loop's own thread and only COMMIT, with its fsync, in another. A thread of its own for
all of it has to win the interpreter back at each statement: beside a busy loop a write of ten of them took 8.7 ms at
the median (4 ms with a shorter switch interval), where the statements themselves are half a millisecond's work.

Reads are in the loop's thread too, and see the last commit: over the writer's own connection, whose page cache is
always right, and over a second one while a commit has the first. The second reads its pages anew after each commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from broker.store.schema import NewerStoreError, migrate, refuse_newer

T = TypeVar("T")

# More than this in one transaction only delays the first caller: an fsync is already shared by far fewer.
MAX_GROUP = 256
# No further write joins a group that has kept the event loop so long: a FLASH may be waiting to be read.
MAX_GROUP_SECONDS = 0.005
# Nobody else writes to this file. Another tool that locks it keeps the event loop waiting, so not for long.
BUSY_TIMEOUT_SECONDS = 1.0


class StoreError(Exception):
    """The store cannot be used: ``code`` says why.

    One of ``store-newer``, ``store-locked``, ``store-unreadable``, ``store-closed``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]

    def settle(self, value: Any, error: BaseException | None) -> None:
        if self.future.done():
            return  # its caller was cancelled; what it asked for is done all the same
        if error is None:
            self.future.set_result(value)
        elif isinstance(error, StopIteration):
            self.future.set_exception(RuntimeError("a write raised StopIteration"))  # a future cannot carry it
        else:
            self.future.set_exception(error)


@dataclass(slots=True)
class _Group:
    """Jobs of one transaction, each with its value or the exception that undid it; ``failure`` undid them all."""

    outcomes: list[tuple[_Job, Any, BaseException | None]] = field(default_factory=list)
    failure: sqlite3.Error | None = None


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
        self._jobs: deque[_Job] = deque()
        self._working = False
        self._in_commit = False
        self._closed = False
        self._commits: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._commit_for_ever, name="store-commit", daemon=True)
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
        """Runs ``work`` in the next group commit; returns its value once that commit is on disk.

        Every caller is in one event loop. What ``work`` raises is raised here, and nothing of it stands.

        Raises:
            sqlite3.Error: the commit failed, and nothing of it stands.
            StoreError: ``store-closed``.
        """
        if self._closed:
            raise StoreError("store-closed", "the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.append(_Job(work, future))
        if not self._working:
            self._working = True
            # Not at once: what the loop is about to run anyway may want to write too.
            loop.call_soon(self._begin, loop)
        return await future

    def read(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        """All rows of one query, as of the last commit."""
        return self._quiet.execute(sql, parameters).fetchall()

    def read_one(self, sql: str, parameters: tuple[Any, ...] = ()) -> sqlite3.Row | None:
        """The first row of one query, or None."""
        row: sqlite3.Row | None = self._quiet.execute(sql, parameters).fetchone()
        return row

    @property
    def _quiet(self) -> sqlite3.Connection:
        return self._reader if self._in_commit else self._writer

    def close(self) -> None:
        """Finishes what is queued, then closes."""
        self._commits.put(None)
        self._thread.join()
        self._closed = True
        self._in_commit = False
        while self._jobs:
            group = self._run_group()
            with contextlib.suppress(RuntimeError):  # the loop is gone, and with it whoever waits
                self._settle(group, self._commit(group))
        self._writer.close()
        self._reader.close()
        os.close(self._lock)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """One group: its statements here, its COMMIT in the thread, then whatever has queued up meanwhile."""
        if not self._jobs or self._closed:
            self._working = False
            return
        group = self._run_group()
        self._in_commit = True

        def commit() -> None:
            failure = self._commit(group)
            with contextlib.suppress(RuntimeError):  # the loop is gone: the process is stopping, the rows are safe
                loop.call_soon_threadsafe(done, failure)

        def done(failure: BaseException | None) -> None:
            self._in_commit = False
            self._settle(group, failure)
            self._begin(loop)

        self._commits.put(commit)

    def _commit_for_ever(self) -> None:
        while (commit := self._commits.get()) is not None:
            commit()

    def _run_group(self) -> _Group:
        """Runs what is queued in one open transaction, each in a savepoint of its own."""
        group = _Group()
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            until = time.monotonic() + MAX_GROUP_SECONDS
            while self._jobs and len(group.outcomes) < MAX_GROUP and (not group.outcomes or time.monotonic() < until):
                job = self._jobs.popleft()
                group.outcomes.append((job, None, None))
                self._writer.execute("SAVEPOINT job")
                try:
                    group.outcomes[-1] = (job, job.work(self._writer), None)
                except BaseException as error:  # noqa: BLE001 - it belongs to the caller, who gets it as raised
                    group.outcomes[-1] = (job, None, error)
                    self._writer.execute("ROLLBACK TO job")
                self._writer.execute("RELEASE job")
        except sqlite3.Error as error:
            # The transaction as a whole is lost (a full disk ends it), and with it what ran before.
            group.failure = error
            if not group.outcomes and self._jobs:
                group.outcomes.append((self._jobs.popleft(), None, error))
        return group

    def _commit(self, group: _Group) -> BaseException | None:
        """Makes the group durable; returns what kept it from that. Nothing of it stands then."""
        failure: BaseException | None = group.failure
        try:
            if failure is None:
                self._writer.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - whoever waits is told; a thread that died would tell nobody
            failure = error
        if failure is not None:
            with contextlib.suppress(sqlite3.Error):
                self._writer.execute("ROLLBACK")
        return failure

    @staticmethod
    def _settle(group: _Group, failure: BaseException | None) -> None:
        for job, value, error in group.outcomes:
            job.settle(value, failure or error)


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
