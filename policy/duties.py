"""An audience divided by duties: the recipients of equal ones, found in one walk over the rules that oblige them."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias, final

from policy.obligations import Obligations, ObligationValue
from policy.rules import Rule
from policy.vocabulary import Obligation, Vocabulary

# A rule and the agencies it reaches.
Matched: TypeAlias = tuple[Rule, int]
# Some recipients, as a set of agencies, and the duties found for them so far.
_Part: TypeAlias = tuple[int, tuple[tuple[str, ObligationValue], ...]]
# A duty's values, strictest first, each with its number among the values of all duties; the words of a union apart.
_Numbered: TypeAlias = tuple[tuple[str | int, int], ...]


@final
class DutyTable:
    """Every value of every duty that the rules give, numbered: a decision then adds up sets, not obligations."""

    def __init__(self, rules: Sequence[Rule], vocabulary: Vocabulary) -> None:
        given = {
            (name, part) for rule in rules for name, value in rule.obligations.items() for part in _parts(value)
        }  # fmt: skip
        numbers: dict[tuple[str, str | int], int] = {}
        columns: list[tuple[Obligation, _Numbered]] = []
        for name, obligation in sorted(vocabulary.obligation.items()):
            column = []
            for value in _strictest_first(obligation, [part for of, part in given if of == name]):
                column.append((value, len(numbers)))
                numbers[name, value] = len(numbers)
            columns.append((obligation, tuple(column)))
        self._columns = tuple(column for column in columns if column[1])
        self._count = len(numbers)
        self._numbers: Mapping[str, tuple[int, ...]] = {
            rule.id: tuple(numbers[name, part] for name, value in rule.obligations.items() for part in _parts(value))
            for rule in rules
        }

    def reached(self, audience: int, obliging: Sequence[Matched]) -> Sequence[int]:
        """For every value, by its number, the recipients that some rule gives it to."""
        reached = [0] * self._count
        for rule, bits in obliging:
            numbers = self._numbers[rule.id]
            if numbers and (bound := bits & audience):
                for number in numbers:
                    reached[number] |= bound
        return reached

    def classes(self, name: str, reached: Sequence[int]) -> list[tuple[ObligationValue, int]]:
        """Per value of one duty, strictest first, the recipients that have it; words of a union are apart.

        A recipient is in one class, or for a union in one for each of its words; who is in none has no such duty.
        """
        for obligation, column in self._columns:
            if obligation.name == name:
                union = obligation.kind == "union"
                found = [(value, reached[number]) for value, number in column if reached[number]]
                return [((str(word),), bits) for word, bits in found] if union else list(_apart(found))
        return []

    def divide(self, audience: int, reached: Sequence[int]) -> list[tuple[Obligations, int]]:
        """The audience by equal duties, ordered by first member; every recipient is in exactly one part."""
        parts: list[_Part] = [(audience, ())] if audience else []
        for obligation, column in self._columns:
            found = [(value, reached[number]) for value, number in column if reached[number]]
            if found:
                divide = _by_words if obligation.kind == "union" else _by_strictest
                parts = [smaller for part in parts for smaller in divide(part, obligation.name, found)]
        # Below the lowest member all bits of `members - 1` are set, so their length is the place of that member.
        parts.sort(key=lambda part: (part[0] ^ (part[0] - 1)).bit_length())
        return [(MappingProxyType(dict(duties)), members) for members, duties in parts]


def _apart(found: list[tuple[str | int, int]]) -> Iterator[tuple[ObligationValue, int]]:
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


def _by_strictest(part: _Part, name: str, found: list[tuple[str | int, int]]) -> Iterator[_Part]:
    """Each recipient under the strictest value that reaches it; `found` is strictest first."""
    members, duties = part
    for value, bits in found:
        if inside := members & bits:
            yield inside, (*duties, (name, value))
            members ^= inside
            if not members:
                return
    yield members, duties


def _by_words(part: _Part, name: str, found: list[tuple[str | int, int]]) -> Iterator[_Part]:
    """Each recipient under all words that reach it."""
    split: list[tuple[int, tuple[str, ...]]] = [(part[0], ())]
    for word, bits in found:
        smaller: list[tuple[int, tuple[str, ...]]] = []
        for members, words in split:
            inside = members & bits
            if inside:
                smaller.append((inside, (*words, str(word))))
            if inside != members:
                smaller.append((members ^ inside, words))
        split = smaller
    for members, words in split:
        yield members, (*part[1], (name, words)) if words else part[1]
