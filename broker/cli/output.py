"""Words to stderr, data to stdout; colour only where a person asked for it by not asking against it (NO_COLOR)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def words(text: str) -> None:
    """A sentence for the person: stderr."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(text))


def fail_words(text: str) -> None:
    """A sentence about what went wrong: stderr, red where colours are welcome."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(text, style="red"))


def data(text: str) -> None:
    """A line of data: stdout, exactly as it is."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def json_data(value: Any) -> None:
    """A value for machines: stdout."""
    data(json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows for a person: aligned on a terminal, tab-separated in a pipe, so that `cut` and `awk` work."""
    if not sys.stdout.isatty():
        for row in rows:
            data("\t".join(_one_line(cell) for cell in row))
        return
    made = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    Console(highlight=False).print(made)


def terminal_safe(text: str) -> str:
    """Foreign text without control characters: a bulletin must not drive the reader's terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in text)


def _one_line(cell: str) -> str:
    return terminal_safe(cell).replace("\n", " ").replace("\t", " ")
