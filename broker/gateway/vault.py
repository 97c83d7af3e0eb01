"""What rests on this gateway's disk, sealed: one storage key per agency, class and month (DESIGN 7, at rest).

Destroying a storage key is the purge of everything under it; until then its name stands beside each blob.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from broker.seal import unwrap_at_rest, wrap_at_rest
from broker.trust import StorageKeys


class Vault:
    """Seals and opens the blobs of the agencies this gateway hosts.

    Raises (from ``open``):
        SealError: the blob was changed, belongs elsewhere, or its key was destroyed.
    """

    def __init__(self, keys: Mapping[str, StorageKeys]) -> None:
        self._keys = dict(keys)

    def key_for(self, agency: str, retention: str, now: datetime) -> str:
        """The name of the storage key that new blobs of this class go under; made at first use."""
        return self._keys[agency].current(retention, now)

    def seal(self, agency: str, key_name: str, plaintext: bytes, *context: bytes | str) -> bytes:
        """Seals bytes so that they open only in the same place: agency, use and id are bound in."""
        return wrap_at_rest(self._keys[agency].key(key_name), plaintext, _context(agency, context))

    def open(self, agency: str, key_name: str, blob: bytes, *context: bytes | str) -> bytes:
        """Opens what ``seal`` made with the same context."""
        return unwrap_at_rest(self._keys[agency].key(key_name), blob, _context(agency, context))

    def seal_words(self, agency: str, key_name: str, words: Mapping[str, Any], *context: bytes | str) -> bytes:
        """Seals a small JSON object (persons, notes, reasons)."""
        return self.seal(agency, key_name, json.dumps(words, ensure_ascii=False).encode(), *context)

    def open_words(self, agency: str, key_name: str, blob: bytes | None, *context: bytes | str) -> dict[str, Any]:
        """The object ``seal_words`` sealed; empty when there is no blob."""
        if blob is None:
            return {}
        words: dict[str, Any] = json.loads(self.open(agency, key_name, blob, *context))
        return words


def _context(agency: str, context: tuple[bytes | str, ...]) -> bytes:
    fields = [agency.encode(), *(item.encode() if isinstance(item, str) else item for item in context)]
    return b"".join(len(field).to_bytes(2, "big") + field for field in fields)
