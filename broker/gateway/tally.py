"""Refusals nobody signed for: counted, and recorded at most once a minute for each gateway and code.

Anybody can put bytes on the relay, and a record for each of them would fill the audit log with what costs a sender
nothing. The number of codes is fixed and gateways are the directory's, so this stays small.
"""

from __future__ import annotations

from dataclasses import dataclass

WINDOW_MS = 60_000


@dataclass(slots=True)
class _Count:
    until: int
    number: int = 0


class Tally:
    """Counts by (gateway, code). The first is due for recording at once, those after it together a minute later."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], _Count] = {}

    def note(self, gateway: str, code: str, now: int) -> int:
        """Counts one; how many are to be recorded now, 0 for none yet."""
        count = self._counts.get((gateway, code))
        if count is None or now >= count.until:
            self._counts[gateway, code] = _Count(until=now + WINDOW_MS)
            return 1 + (count.number if count else 0)
        count.number += 1
        return 0

    def due(self, now: int) -> list[tuple[str, str, int]]:
        """The counts whose minute is over: (gateway, code, number)."""
        over = [(key, count) for key, count in self._counts.items() if now >= count.until]
        for key, _ in over:
            del self._counts[key]
        return [(*key, count.number) for key, count in over if count.number]
