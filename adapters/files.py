"""Files that are there whole or not at all, also after a power cut."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PRIVATE = 0o600


def write_whole(path: Path, content: bytes) -> None:
    """Write next to the target, sync, rename over it, sync the folder: a reader sees the old file or the new one."""
    temporary = path.with_name(f".{path.name[:120]}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, _PRIVATE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    sync_folder(path.parent)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    write_whole(path, json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n")


def read_json_file(path: Path) -> dict[str, Any] | None:
    """Return what `write_json` wrote; None when there is nothing."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return value if isinstance(value, dict) else None


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
