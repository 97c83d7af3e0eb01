"""Files that officers write: replaced at one stroke, never overwritten by accident."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from broker.trust.files import sync_folder


def create(path: Path, text: str) -> None:
    """Write a new file, durably.

    Raises:
        FileExistsError: there is one already; it is not touched.
    """
    with path.open("x", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def copy_beside(path: Path) -> Path:
    """A private copy in the same folder, for an editor; it ends like the original, so that editors know what it is."""
    descriptor, name = tempfile.mkstemp(prefix=f"{path.stem}.edit-", suffix=path.suffix, dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(path.read_bytes())
    return Path(name)


def replace_by(path: Path, text: str) -> None:
    """Put a text in the place of a file at one stroke, durably; who may read the file stays as it was."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(path, temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
