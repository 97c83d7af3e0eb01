"""Files that must be whole and private: written once or replaced at one stroke, refused when others can read them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from broker.trust.errors import TrustError

PRIVATE: Final = 0o600
#: Beside a file while it is written; after a crash it is a leftover and never read.
TEMPORARY: Final = ".tmp"


def read_private(path: Path, *, limit: int) -> bytes:
    """Return the bytes of a private file.

    Raises:
        TrustError: `keys-missing`, `keys-too-open` (any permission for others, or another owner), `keys-malformed`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise TrustError("keys-missing", f"there is no `{path.name}`") from None
    except OSError as error:
        raise TrustError("keys-unreadable", f"`{path.name}` cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        # The open file is asked, not the path: a path may name another file by now.
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise TrustError("keys-malformed", f"`{path.name}` is not a file")
        if stat.S_IMODE(status.st_mode) & ~PRIVATE:
            raise TrustError("keys-too-open", f"`{path.name}` must have mode 0600 or narrower")
        if status.st_uid not in {os.geteuid(), 0}:
            raise TrustError("keys-too-open", f"`{path.name}` belongs to another user")
        raw = file.read(limit + 1)
    if len(raw) > limit:
        raise TrustError("keys-malformed", f"`{path.name}` is too large")
    return raw


def create_private(path: Path, raw: bytes) -> None:
    """Write a new private file, durably; a file that exists is never touched.

    Raises:
        TrustError: `keys-exist`.
    """
    temporary = _write_temporary(path, raw)
    try:
        # A link fails when the name exists, and the name appears with its whole content or not at all.
        path.hardlink_to(temporary)
    except FileExistsError:
        raise TrustError("keys-exist", f"`{path.name}` exists and is not overwritten") from None
    finally:
        temporary.unlink()
    sync_folder(path.parent)


def replace_private(path: Path, raw: bytes) -> None:
    """Write or replace a private file at one stroke, durably."""
    _write_temporary(path, raw).replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; without it a power cut may lose a renamed file."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_temporary(path: Path, raw: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    return temporary
