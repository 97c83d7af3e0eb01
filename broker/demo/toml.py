"""TOML out: the settings files of a run folder. What it writes, `tomllib` reads back as the same value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_toml(document: Mapping[str, Any]) -> str:
    """Tables as `[name]`, lists of tables as `[[name]]`, everything deeper inline. None is left out."""
    lines: list[str] = []
    plain = {name: value for name, value in document.items() if not _is_table(value)}
    lines += [f"{_key(name)} = {_value(value)}" for name, value in plain.items() if value is not None]
    for name, value in document.items():
        if not _is_table(value):
            continue
        for table in [value] if isinstance(value, Mapping) else value:
            head = f"[{_key(name)}]" if isinstance(value, Mapping) else f"[[{_key(name)}]]"
            lines += ["", head]
            lines += [f"{_key(key)} = {_value(one)}" for key, one in table.items() if one is not None]
    return "\n".join(lines).lstrip("\n") + "\n"


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and bool(value) and isinstance(value[0], Mapping))


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if bare else _text(name)


def _text(value: str) -> str:
    # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str() | Path():
            return _text(str(value))
        case list() | tuple():
            return "[" + ", ".join(_value(one) for one in value) + "]"
        case Mapping():
            inner = ", ".join(f"{_key(name)} = {_value(one)}" for name, one in value.items() if one is not None)
            return "{ " + inner + " }" if inner else "{}"
        case _:
            raise TypeError(f"{type(value).__name__} has no TOML form")
