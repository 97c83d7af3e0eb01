"""Storage keys: one per retention class and month. Destroying one makes everything under it unreadable: the purge."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

from broker.seal import STORAGE_KEY_SIZE, SealError
from broker.trust.errors import TrustError
from broker.trust.files import create_private, read_private, sync_folder

Random: TypeAlias = Callable[[int], bytes]

#: The information classes (DESIGN 5). The class of a received bulletin is its sender's word, and a name that nobody
#: knows must not make a file.
_CLASSES: Final = frozenset(
    {
        "tip-or-lead",
        "suspicious-activity",
        "ise-sar",
        "criminal-intelligence",
        "investigative",
        "public-safety",
        "administrative",
    }
)
OTHER: Final = "other"
_NAME: Final = re.compile(r"([a-z-]+)-([0-9]{4}-[0-9]{2})")
_SUFFIX: Final = ".key"


class StorageKeys:
    """The storage keys of one agency, in a folder of their own."""

    def __init__(self, folder: Path, *, random: Random = os.urandom) -> None:
        self._folder = folder
        self._random = random
        self._held: dict[str, bytes] = {}

    def current(self, retention: str, now: datetime) -> str:
        """Return the name of the key for this class and month, made at its first use and durable before it is used."""
        slug = retention.casefold().replace(" ", "-")
        name = f"{slug if slug in _CLASSES else OTHER}-{now:%Y-%m}"
        if name in self._held:
            return name
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._path(name).exists():
            try:
                create_private(self._path(name), self._random(STORAGE_KEY_SIZE))
            except TrustError as error:
                if error.code != "keys-exist":  # another task of this gateway was first
                    raise
        self.key(name)
        return name

    def key(self, name: str) -> bytes:
        """Return a key.

        Raises:
            SealError: `rest-open` when it was destroyed: what rested under it is gone.
            TrustError: `keys-too-open`, `keys-malformed`.
        """
        if name not in self._held:
            try:
                key = read_private(self._path(name), limit=STORAGE_KEY_SIZE)
            except TrustError as error:
                if error.code != "keys-missing":
                    raise
                raise SealError("rest-open", "the storage key was destroyed") from None
            if len(key) != STORAGE_KEY_SIZE:
                raise TrustError("keys-malformed", f"`{name}{_SUFFIX}` is not a storage key")
            self._held[name] = key
        return self._held[name]

    def names(self) -> tuple[str, ...]:
        """Return the names of all keys that exist, in order of their names."""
        found = (path.name.removesuffix(_SUFFIX) for path in self._folder.glob(f"*{_SUFFIX}"))
        return tuple(sorted(name for name in found if _NAME.fullmatch(name)))

    def destroy(self, name: str) -> None:
        """Destroy a key for ever; a key that is gone already is no error."""
        self._held.pop(name, None)
        if self._path(name).exists():
            self._path(name).unlink()
            sync_folder(self._folder)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise TrustError("bad-name", "not the name of a storage key")
        return self._folder / f"{name}{_SUFFIX}"
