"""A search for the scenario's words in everything that rests on disk outside the agencies' own folders."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from broker.demo.evidence import Scan


def scan(folders: Iterable[Path], phrases: Collection[str]) -> Scan:
    """Search every file below the folders for every phrase, as UTF-8 bytes."""
    wanted = [(phrase, phrase.encode()) for phrase in phrases]
    files = size = 0
    found: list[str] = []
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if not path.is_file():
                continue
            try:
                raw = path.read_bytes()
            except FileNotFoundError:
                # A journal or a message block that its owner has just removed; what it held is in the others.
                continue
            files += 1
            size += len(raw)
            # The words themselves are not repeated: whoever reads the verdict may not be who may read the bulletin.
            found += [
                f"{path.name} holds marked text {number}" for number, (_, text) in enumerate(wanted) if text in raw
            ]
    return Scan(files=files, bytes=size, found=tuple(found))
