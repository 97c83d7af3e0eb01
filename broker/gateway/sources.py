"""The opened secrets of bulletins on their way: what notices are made from and receipts are compared with.

Opening them costs time in proportion to the audience, and a bulletin to N recipients needs them for N notices and at
least N receipts. The last few are kept, bounded by how many recipients they name.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict

from broker.gateway.vault import Vault
from broker.seal import NoticeSource, Secrets, grow

# Some 200 bytes a recipient: a few tens of megabytes at the most, whatever the audiences are.
MAX_RECIPIENTS = 100_000
MAX_BULLETINS = 512


class Sources:
    """The sources of the bulletins this gateway originated, the last used kept in memory."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._kept: OrderedDict[tuple[str, bytes], NoticeSource] = OrderedDict()
        self._recipients = 0

    def of(self, copy: sqlite3.Row) -> NoticeSource:
        """The source of one of our own bulletins.

        Raises:
            SealError: its keyring does not open: changed on disk, or its storage key was destroyed.
        """
        key = (str(copy["agency"]), bytes(copy["id"]))
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept
        keyring = self._vault.open(key[0], copy["storage_key"], copy["keyring_sealed"], "keyring", key[1])
        return self.keep(*key, grow(Secrets.decode(keyring)))

    def keep(self, agency: str, bulletin: bytes, source: NoticeSource) -> NoticeSource:
        """Keeps a source that was just made: what was accepted is about to be sent."""
        if (replaced := self._kept.pop((agency, bulletin), None)) is not None:
            self._recipients -= len(replaced.addressees)
        self._kept[agency, bulletin] = source
        self._recipients += len(source.addressees)
        while self._kept and (len(self._kept) > MAX_BULLETINS or self._recipients > MAX_RECIPIENTS):
            _, dropped = self._kept.popitem(last=False)
            self._recipients -= len(dropped.addressees)
        return source
