"""The directory turned round: for every value, the set of agencies that have it, as one big integer.

Bit i stands for the i-th agency in the order of ids. 18,000 agencies are 2.2 kB, so AND and OR take half a microsecond.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import compress
from struct import Struct
from typing import TypeAlias, final, overload

from typing_extensions import override

from policy.truth import Force, Line, Truth, known_members, property_truth
from policy.vocabulary import AGENCY_ID, Attributes, Relation, Value, Vocabulary

# Agencies that surely, and agencies that possibly, satisfy something; the first is always within the second.
Reach: TypeAlias = tuple[int, int]

# "0" of a binary text becomes the byte 0, which itertools.compress drops.
DIGITS = bytes(0 if digit == ord("0") else digit for digit in range(256))
# Sets are taken apart in words of 64 bits; above so many members writing all digits out is faster (measured).
_WORD = 64
_MANY = 800


class AgencyIndex:
    """All agencies by attribute value. Holds no rule and no date; shared by every decider of one directory.

    With `seats` there is a bit for each of these ids as well, so that sets over two directories can be compared. An id
    that only has a seat is no agency: it is in no set, `everyone` included.
    """

    def __init__(
        self, vocabulary: Vocabulary, agencies: Mapping[str, Attributes], *, seats: Collection[str] = ()
    ) -> None:
        self.vocabulary = vocabulary
        self.agencies = agencies
        self.ids = tuple(sorted({*agencies, *seats}))
        self.position = {agency: place for place, agency in enumerate(self.ids)}
        self._members = tuple((self.position[agency], agency) for agency in sorted(agencies))
        self.everyone = self._bits(place for place, _ in self._members)
        self._having = {
            name: {value: self._bits(places) for value, places in self._by_value(name).items()}
            for name in vocabulary.agency
        }
        self._listed = {name: self._by_member(name, domain) for name, domain in vocabulary.indexes.items()}
        self._undated: dict[Line, Reach] = {}
        self._words = Struct(f"<{len(self.ids) // _WORD + 1}Q")

    def _bits(self, places: Iterable[int]) -> int:
        buffer = bytearray(len(self.ids) // 8 + 1)
        for place in places:
            buffer[place >> 3] |= 1 << (place & 7)
        return int.from_bytes(buffer, "little")

    def _by_value(self, name: str) -> dict[Value | None, list[int]]:
        places: dict[Value | None, list[int]] = {}
        for place, agency in self._members:
            places.setdefault(self.agencies[agency].get(name), []).append(place)
        return places

    def _by_member(self, name: str, domain: frozenset[str] | None) -> tuple[dict[str, int], int]:
        """For each meaningful value the agencies that list it, and the agencies whose list is not fully known."""
        places: dict[str, list[int]] = {}
        incomplete: list[int] = []
        # Most lists are those of many agencies: each is looked at once.
        for value, having in self._by_value(name).items():
            known, complete = (frozenset[str](), False) if value is None else known_members(value, domain)
            for member in known:
                places.setdefault(member, []).extend(having)
            if not complete:
                incomplete.extend(having)
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
        domain = self.vocabulary.keys[relation.key]
        known, complete = known_members(key, domain)
        if complete and not known:
            return 0, 0
        if relation.index == AGENCY_ID:
            # A set per agency would be most of the memory, and a name says which bit it is.
            sure = self._named(known)
            incomplete = 0 if domain is None else self.everyone ^ self._named(domain)
            return sure, (sure | incomplete) if complete else self.everyone
        having, incomplete = self._listed[relation.index]
        sure = 0
        for member in known:
            sure |= having.get(member, 0)
        return sure, (sure | incomplete) if complete else self.everyone

    def _named(self, ids: Iterable[str]) -> int:
        return self._bits(self.position[agency] for agency in ids if agency in self.agencies)

    def expand(self, bits: int) -> tuple[str, ...]:
        """The ids in a set, sorted."""
        if not bits:
            return ()
        if bits.bit_count() > _MANY:
            return tuple(compress(self.ids, f"{bits:b}"[::-1].encode().translate(DIGITS)))
        found: list[str] = []
        for number, word in enumerate(self._words.unpack(bits.to_bytes(self._words.size, "little"))):
            rest = word
            while rest:
                lowest = rest & -rest
                found.append(self.ids[_WORD * number + lowest.bit_length() - 1])
                rest ^= lowest
        return tuple(found)


@final
class Members(Sequence[str]):
    """The ids in a set of agencies, sorted. They are listed when first looked at: mostly only their number matters."""

    __slots__ = ("_bits", "_index", "_listed")

    def __init__(self, index: AgencyIndex, bits: int) -> None:
        self._index = index
        self._bits = bits
        self._listed: tuple[str, ...] | None = None

    def _list(self) -> tuple[str, ...]:
        if self._listed is None:
            self._listed = self._index.expand(self._bits)
        return self._listed

    @override
    def __len__(self) -> int:
        return self._bits.bit_count()

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[str, ...]: ...

    @override
    def __getitem__(self, place: int | slice) -> str | tuple[str, ...]:
        return self._list()[place]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._list())

    @override
    def __eq__(self, other: object) -> bool:
        return self._list() == tuple(other) if isinstance(other, Members | tuple) else NotImplemented

    @override
    def __hash__(self) -> int:
        return hash(self._list())

    @override
    def __repr__(self) -> str:
        return repr(self._list())
