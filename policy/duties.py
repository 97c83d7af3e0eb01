"""An audience divided by duties: the recipients of equal ones, found in one walk over the rules that oblige them."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias, final

from policy.obligations import Obligations, ObligationValue
from policy.rules import Rule
from policy.vocabulary import Obligation, Vocabulary

# A rule and the agencies it reaches.
Matched: TypeAlias = tuple[Rule, int]
# Some recipients, as a set of agencies, and their values of the duties gone through so far; None where they have none.
_Part: TypeAlias = tuple[int, tuple[ObligationValue | None, ...]]
# The values of one duty that somebody has, strictest first, each with whom it reaches; the words of a union apart.
Found: TypeAlias = list[tuple[str | int, int]]


@final
class DutyTable:
    """Every value of every duty that the rules give, numbered: a decision then adds up sets, not obligations.

    The numbers go through the duties by name, and through the values of each strictest first.
    """

    def __init__(self, rules: Sequence[Rule], vocabulary: Vocabulary) -> None:
        given = {(name, part) for rule in rules for name, value in rule.obligations.items() for part in _parts(value)}
        self._values = tuple(
            (obligation, value)
            for name, obligation in sorted(vocabulary.obligation.items())
            for value in _strictest_first(obligation, [part for of, part in given if of == name])
        )
        numbers = {(obligation.name, value): number for number, (obligation, value) in enumerate(self._values)}
        self._numbers: Mapping[str, tuple[int, ...]] = {
            rule.id: tuple(numbers[name, part] for name, value in rule.obligations.items() for part in _parts(value))
            for rule in rules
        }

    def reached(self, audience: int, obliging: Sequence[Matched]) -> Mapping[str, Found]:
        """By duty, for every value that some recipient has, the recipients that some rule gives it to."""
        reached: dict[int, int] = {}
        for rule, bits in obliging:
            for number in self._numbers[rule.id]:
                reached[number] = reached[number] | bits if number in reached else bits
        found: dict[str, Found] = {}
        for number in sorted(reached):
            if bits := reached[number] & audience:
                obligation, value = self._values[number]
                found.setdefault(obligation.name, []).append((value, bits))
        return found


def classes(obligation: Obligation, found: Found) -> list[tuple[ObligationValue, int]]:
    """Per value of one duty, strictest first, the recipients that have it; words of a union are apart.

    A recipient is in one class, or for a union in one for each of its words; who is in none has no such duty.
    """
    return [((str(word),), bits) for word, bits in found] if obligation.kind == "union" else list(_apart(found))


def divide(audience: int, reached: Mapping[str, Found], vocabulary: Vocabulary) -> list[tuple[Obligations, int]]:
    """The audience by equal duties, ordered by first member; every recipient is in exactly one part."""
    parts: list[_Part] = [(audience, ())] if audience else []
    # What divides least goes first: every later duty then has fewer parts to look at.
    names = sorted(reached, key=lambda name: len(reached[name]))
    for name in names:
        cut = _by_words if vocabulary.obligation[name].kind == "union" else _by_strictest
        parts = cut(parts, reached[name])
    # Below the lowest member all bits of `members - 1` are set, so their length is the place of that member.
    parts.sort(key=lambda part: (part[0] ^ (part[0] - 1)).bit_length())
    columns = sorted((name, place) for place, name in enumerate(names))
    return [(MappingProxyType(_named(columns, values)), members) for members, values in parts]


def _named(columns: list[tuple[str, int]], values: tuple[ObligationValue | None, ...]) -> dict[str, ObligationValue]:
    return {name: value for name, place in columns if (value := values[place]) is not None}


def _apart(found: Found) -> Iterator[tuple[ObligationValue, int]]:
    """Each recipient under the strictest value alone; values that are left with nobody stay out."""
    taken = 0
    for value, bits in found:
        if mine := bits ^ (bits & taken):
            yield value, mine
        taken |= bits


def _parts(value: ObligationValue) -> tuple[str | int, ...]:
    return value if isinstance(value, tuple) else (value,)


def _strictest_first(obligation: Obligation, values: list[str | int]) -> list[str | int]:
    if obligation.kind in ("highest of", "strictest of"):
        return sorted(values, key=lambda value: -obligation.values.index(str(value)))
    # The shortest duration; the words of a union have no rank and stand as they are read.
    return sorted(values, key=lambda value: (0, value) if isinstance(value, int) else (1, str(value)))


def _by_strictest(parts: list[_Part], found: Found) -> list[_Part]:
    """Each recipient under the strictest value that reaches it; `found` is strictest first."""
    smaller: list[_Part] = []
    for part, values in parts:
        members = part
        for value, bits in found:
            if inside := members & bits:
                smaller.append((inside, (*values, value)))
                if inside == members:
                    break
                members ^= inside
        else:
            smaller.append((members, (*values, None)))
    return smaller


def _by_words(parts: list[_Part], found: Found) -> list[_Part]:
    """Each recipient under all words that reach it."""
    split: list[tuple[int, tuple[ObligationValue | None, ...], tuple[str, ...]]]
    split = [(members, values, ()) for members, values in parts]
    for word, bits in found:
        smaller = []
        for members, values, words in split:
            inside = members & bits
            if inside:
                smaller.append((inside, values, (*words, str(word))))
            if inside != members:
                smaller.append((members ^ inside, values, words))
        split = smaller
    return [(members, (*values, words or None)) for members, values, words in split]
