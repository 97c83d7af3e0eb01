"""Writing one row from named values. Table and column names come from this room's code, never from input."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any


def insert(connection: sqlite3.Connection, table: str, values: Mapping[str, Any], *, ignore: bool = False) -> bool:
    """Inserts one row; with ``ignore`` a row that is there already stays. Returns whether a row was added."""
    columns = ", ".join(values)
    marks = ", ".join("?" * len(values))
    verb = "INSERT OR IGNORE" if ignore else "INSERT"
    cursor = connection.execute(f"{verb} INTO {table} ({columns}) VALUES ({marks})", tuple(values.values()))
    return cursor.rowcount > 0
