"""What has just been opened, kept for the moment in which it is shown: its adapters ask for it at once.

Opening a stored copy again costs more than sending it. So the portions of the last arrivals stay in memory for a minute
at the most; on the disk they rest sealed as ever, and whether a copy may be read is asked of its row, not here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_BULLETINS = 64
MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Content:
    """The portions an agency holds of one bulletin, as they travelled, and the record that rests beside them."""

    parts: Mapping[int, bytes]
    record: Mapping[str, Any]

    @property
    def size(self) -> int:
        """Bytes of the portions."""
        return sum(map(len, self.parts.values()))


class Opened:
    """The last arrivals, by agency and bulletin."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, bytes], Content] = OrderedDict()
        self._bytes = 0

    def keep(self, agency: str, bulletin: bytes, content: Content) -> None:
        """Keeps one; the oldest make room."""
        self.forget(agency, bulletin)
        self._kept[agency, bulletin] = content
        self._bytes += content.size
        while len(self._kept) > MAX_BULLETINS or self._bytes > MAX_BYTES:
            self.forget(*next(iter(self._kept)))

    def of(self, agency: str, bulletin: bytes) -> Content | None:
        """What is still here."""
        return self._kept.get((agency, bulletin))

    def forget(self, agency: str, bulletin: bytes) -> None:
        """It is purged, or gives way."""
        if (content := self._kept.pop((agency, bulletin), None)) is not None:
            self._bytes -= content.size

    def clear(self) -> None:
        """The minute is over."""
        self._kept.clear()
        self._bytes = 0
