"""Writing one row from named values. Table and column names come from this room's code, never from input."""

from __future__ import annotations

import dataclasses
import functools
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def insert(connection: sqlite3.Connection, table: str, values: Mapping[str, Any], *, ignore: bool = False) -> bool:
    """Inserts one row; with ``ignore`` a row that is there already stays. Returns whether a row was added."""
    return connection.execute(_statement(table, tuple(values), ignore), tuple(values.values())).rowcount > 0


def columns(row: DataclassInstance) -> dict[str, Any]:
    """A row's values by column; unlike ``dataclasses.asdict`` without copying them, which costs more than writing."""
    return {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}


@functools.cache
def _statement(table: str, names: tuple[str, ...], ignore: bool) -> str:  # noqa: FBT001 - part of a cache's key
    verb = "INSERT OR IGNORE" if ignore else "INSERT"
    return f"{verb} INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
