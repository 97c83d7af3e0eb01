"""How one version of the gateway's store becomes the next."""

from __future__ import annotations

import sqlite3

from broker.store.migrations import MIGRATIONS


class NewerStoreError(sqlite3.DatabaseError):
    """The file was written by newer software, which this one must not touch."""


def refuse_newer(connection: sqlite3.Connection) -> int:
    """The file's version; asked before anything is written to it.

    Raises:
        NewerStoreError: the file was written by newer software.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        message = f"store version {version} is newer than this software's {len(MIGRATIONS)}"
        raise NewerStoreError(message)
    return version


def migrate(connection: sqlite3.Connection) -> None:
    """Brings the schema to the newest version, one committed step at a time.

    Raises:
        NewerStoreError: the file was written by newer software.
    """
    version = refuse_newer(connection)
    # A table is changed by making a new one and dropping the old, which must not count as deleting what it holds
    # (sqlite.org/lang_altertable.html, the twelve steps). Without effect inside a transaction, so it stands out here.
    connection.execute("PRAGMA foreign_keys=OFF")
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE;{script};PRAGMA user_version={number};COMMIT;")
    connection.execute("PRAGMA foreign_keys=ON")
