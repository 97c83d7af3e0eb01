"""The directory turned round: for every value, the set of agencies that have it, as one big integer.

Bit i stands for the i-th agency in the order of ids. 18,000 agencies are 2.2 kB, so AND and OR take half a microsecond.
"""

from collections.abc import Iterable, Mapping
from itertools import compress
from typing import TypeAlias

from policy.truth import Force, Line, Truth, known_members, property_truth
from policy.vocabulary import AGENCY_ID, Attributes, Relation, Value, Vocabulary

# Agencies that surely, and agencies that possibly, satisfy something; the first is always within the second.
Reach: TypeAlias = tuple[int, int]

# "0" of a binary text becomes the byte 0, which itertools.compress drops.
_DIGITS = bytes(0 if digit == ord("0") else digit for digit in range(256))
# Below this many members peeling single bits is faster than writing all digits out (measured, 18,000 agencies).
_FEW = 128


class AgencyIndex:
    """All agencies by attribute value. Holds no rule and no date; shared by every decider of one directory."""

    def __init__(self, vocabulary: Vocabulary, agencies: Mapping[str, Attributes]) -> None:
        self.vocabulary = vocabulary
        self.agencies = agencies
        self.ids = tuple(sorted(agencies))
        self.position = {agency: place for place, agency in enumerate(self.ids)}
        self.everyone = (1 << len(self.ids)) - 1
        self._having = {name: self._by_value(name) for name in vocabulary.agency}
        lookups = {relation.index: vocabulary.keys[relation.key] for relation in vocabulary.relation.values()}
        self._listed = {name: self._by_member(name, domain) for name, domain in lookups.items()}
        self._undated: dict[Line, Reach] = {}

    def _bits(self, places: Iterable[int]) -> int:
        buffer = bytearray(len(self.ids) // 8 + 1)
        for place in places:
            buffer[place >> 3] |= 1 << (place & 7)
        return int.from_bytes(buffer, "little")

    def _by_value(self, name: str) -> dict[Value | None, int]:
        places: dict[Value | None, list[int]] = {}
        for place, agency in enumerate(self.ids):
            places.setdefault(self.agencies[agency].get(name), []).append(place)
        return {value: self._bits(found) for value, found in places.items()}

    def _by_member(self, name: str, domain: frozenset[str] | None) -> tuple[dict[str, int], int]:
        """For each meaningful value the agencies that list it, and the agencies whose list is not fully known."""
        places: dict[str, list[int]] = {}
        incomplete: list[int] = []
        for place, agency in enumerate(self.ids):
            value: Value | None = agency if name == AGENCY_ID else self.agencies[agency].get(name)
            known, complete = (frozenset[str](), False) if value is None else known_members(value, domain)
            for member in known:
                places.setdefault(member, []).append(place)
            if not complete:
                incomplete.append(place)
        return {member: self._bits(found) for member, found in places.items()}, self._bits(incomplete)

    def line_reach(self, line: Line, force: Force) -> Reach:
        """Agencies that satisfy one line about the agency, under what is known of the agreements."""
        dated = self.vocabulary.agency[line.name].dated
        if not dated and line in self._undated:
            return self._undated[line]
        known = self.vocabulary.agency[line.name]
        sure = possible = 0
        for value, bits in self._having[line.name].items():
            truth = property_truth(known, line.values, value, force)
            sure |= bits if truth is Truth.YES else 0
            possible |= bits if truth is not Truth.NO else 0
        if not dated:
            self._undated[line] = (sure, possible)
        return sure, possible

    def related(self, relation: Relation, portion: Attributes) -> Reach:
        """Agencies for which the relation is yes; the same meaning as `truth.relation_truth`, for all at once."""
        key = portion.get(relation.key)
        if key is None:
            return 0, self.everyone
        having, incomplete = self._listed[relation.index]
        known, complete = known_members(key, self.vocabulary.keys[relation.key])
        if complete and not known:
            return 0, 0
        sure = 0
        for member in known:
            sure |= having.get(member, 0)
        return sure, (sure | incomplete) if complete else self.everyone

    def expand(self, bits: int) -> tuple[str, ...]:
        """The ids in a set, sorted."""
        if bits.bit_count() <= _FEW:
            found: list[str] = []
            while bits:
                place = bits.bit_length() - 1
                found.append(self.ids[place])
                bits ^= 1 << place
            return tuple(reversed(found))
        return tuple(compress(self.ids, f"{bits:b}"[::-1].encode().translate(_DIGITS)))
