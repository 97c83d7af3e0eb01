"""The closed lists that belong to the software: kinds, precedence, status, the ladder of receipts, TLP, SAR behaviours.

What an exchange may choose for itself (products, categories, purposes …) is in its signed vocabulary, not here.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum
from typing import Final

from typing_extensions import override


@functools.cache
def _ranks(words: type[StrEnum]) -> dict[str, int]:
    return {word: rank for rank, word in enumerate(words)}


class _Ordered(StrEnum):
    """Words with an order: that of their definition. Comparing with a plain string is an error, not alphabet."""

    @property
    def rank(self) -> int:
        return _ranks(type(self))[self]

    def _rank_of(self, other: str) -> int:
        if not isinstance(other, type(self)):
            raise TypeError(f"{type(self).__name__} has an order of its own; compare it with its own kind")
        return other.rank

    @override
    def __lt__(self, other: str) -> bool:
        return self.rank < self._rank_of(other)

    @override
    def __le__(self, other: str) -> bool:
        return self.rank <= self._rank_of(other)

    @override
    def __gt__(self, other: str) -> bool:
        return self.rank > self._rank_of(other)

    @override
    def __ge__(self, other: str) -> bool:
        return self.rank >= self._rank_of(other)


class Kind(StrEnum):
    BULLETIN = "bulletin"
    REQUEST = "request"
    RESPONSE = "response"
    FEEDBACK = "feedback"
    SIGHTING = "sighting"
    CORRECTION = "correction"
    RECALL = "recall"


class Status(StrEnum):
    """CAP 1.2 `status`."""

    ACTUAL = "Actual"
    EXERCISE = "Exercise"
    SYSTEM = "System"
    TEST = "Test"
    DRAFT = "Draft"


class Precedence(_Ordered):
    """ACP 121 precedence, lowest first."""

    ROUTINE = "ROUTINE"
    PRIORITY = "PRIORITY"
    IMMEDIATE = "IMMEDIATE"
    FLASH = "FLASH"


class Rung(_Ordered):
    """How far a bulletin got at one recipient: `fetched` by an adapter, `read` and on by a person (DESIGN 6.6)."""

    STORED = "stored"
    FETCHED = "fetched"
    READ = "read"
    ACKNOWLEDGED = "acknowledged"
    ACTED = "acted"
    PURGED = "purged"


class Tlp(_Ordered):
    """FIRST TLP 2.0, widest first."""

    CLEAR = "CLEAR"
    GREEN = "GREEN"
    AMBER = "AMBER"
    AMBER_STRICT = "AMBER+STRICT"
    RED = "RED"


KINDS: Final = frozenset(map(str, Kind))
STATUSES: Final = frozenset(map(str, Status))
PRECEDENCES: Final = frozenset(map(str, Precedence))

#: Goal for a person's acknowledgement (DESIGN 11; ACP 121's objectives).
ACKNOWLEDGE_WITHIN: Final = {
    Precedence.FLASH: timedelta(minutes=10),
    Precedence.IMMEDIATE: timedelta(minutes=30),
    Precedence.PRIORITY: timedelta(hours=3),
    Precedence.ROUTINE: timedelta(hours=6),
}

#: ISE-SAR Functional Standard 1.5.5 Part B, by NIEM `sar:SuspiciousActivityCode`: the seven that are criminal or have
#: a potential nexus to terrorism by themselves …
CRIMINAL_BEHAVIORS: Final = {
    "INTRSN": "breach or attempted intrusion",
    "MISREP": "misrepresentation",
    "THEFT": "theft, loss or diversion",
    "SABOT": "sabotage, tampering or vandalism",
    "CYBER": "cyberattack",
    "THREAT": "expressed or implied threat",
    "AVIATION": "aviation activity",
}
#: … and the nine that are lawful in themselves and need articulable facts and a second person's review.
NON_CRIMINAL_BEHAVIORS: Final = {
    "ELICIT": "eliciting information",
    "TESTSEC": "testing or probing of security",
    "RECRUT": "recruiting or financing",
    "PHOTO": "photography",
    "SURVL": "observation or surveillance",
    "MATRLS": "materials acquisition or storage",
    "EXPERT": "acquisition of expertise",
    "WPNS": "weapons collection or discovery",
    "SECTOR": "sector-specific incident",
}
BEHAVIORS: Final = CRIMINAL_BEHAVIORS | NON_CRIMINAL_BEHAVIORS


def highest(precedences: Iterable[Precedence]) -> Precedence:
    """Return the highest of some precedences (the semilattice join)."""
    return max(precedences)


def strictest(labels: Iterable[Tlp]) -> Tlp:
    """Return the narrowest of some TLP labels; a derived text is never lower than a source (FIRST TLP 2.0)."""
    return max(labels)
