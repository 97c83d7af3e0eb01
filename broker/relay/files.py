"""Files this room writes: whole or not at all, and for nobody else's eyes."""

import fcntl
import os
from pathlib import Path

from broker.relay.errors import RelayError


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically, mode 0600, on disk when this returns."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def try_lock(path: Path) -> int | None:
    """Take an exclusive lock; None if another process holds it. The lock lives as long as any copy of the descriptor.

    Raises:
        RelayError: `store-unusable` when the lock file cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise RelayError("store-unusable", f"cannot open the lock file `{path.name}`") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
