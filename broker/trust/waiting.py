"""Releases that were refused for a reason that passes, kept to be offered again."""

from __future__ import annotations

import hashlib
from typing import Final

#: Refusals that say nothing against the release: its predecessor or the root has not arrived, or this clock is wrong.
PASSING: Final = frozenset({"no-root", "skipped-number", "release-from-the-future"})
#: A hostile relay that has the fingerprint can send what is refused so: this is all that it can have kept.
MAX_WAITING: Final = 64
MAX_WAITING_BYTES: Final = 256 * 1024 * 1024


class Waiting:
    """Sealed releases in order of arrival, each once; beyond the bounds the oldest are dropped.

    A dropped one is found again in the stream when the gateway starts again.
    """

    def __init__(self) -> None:
        self._kept: dict[bytes, bytes] = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, raw: bytes) -> None:
        digest = hashlib.sha256(raw).digest()
        if digest in self._kept or len(raw) > MAX_WAITING_BYTES:
            return
        self._kept[digest] = raw
        self._size += len(raw)
        while len(self._kept) > MAX_WAITING or self._size > MAX_WAITING_BYTES:
            self._size -= len(self._kept.pop(next(iter(self._kept))))

    def drop(self, raw: bytes) -> None:
        if self._kept.pop(hashlib.sha256(raw).digest(), None) is not None:
            self._size -= len(raw)

    def all(self) -> tuple[bytes, ...]:
        return tuple(self._kept.values())
