"""Two decisions about one portion, side by side: who gets it that did not, who does not that did, whose duties changed.

Both must be over the same seats (`AgencyIndex`): bit i is the same agency on either side.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from policy.decision import Decision
from policy.obligations import ObligationValue
from policy.vocabulary import Obligation, Vocabulary

# What `Decision.classes` gives: values, strictest first, each with the agencies that have it.
_Classes: TypeAlias = list[tuple[ObligationValue, int]]


def without(agencies: int, these: int) -> int:
    """The set without `these`. Python's `& ~` makes a negative number on the way and takes ten times as long."""
    return agencies ^ (agencies & these)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Sets of agencies, as bits over the seats. `loosened` and `tightened` are about agencies that get it either way.

    An agency with one duty looser and another stricter is in both.
    """

    gained: int
    lost: int
    loosened: int
    tightened: int

    def __bool__(self) -> bool:
        return bool(self.gained | self.lost | self.loosened | self.tightened)


class DutyBook:
    """Which duties of two vocabularies can be compared, worked out once for many portions."""

    def __init__(self, before: Vocabulary, after: Vocabulary) -> None:
        names = sorted({*before.obligation, *after.obligation})
        self._pairs = tuple((before.obligation.get(name), after.obligation.get(name)) for name in names)

    def difference(self, before: Decision, after: Decision, *, besides: int = 0) -> Difference:
        """What changed for everybody who is not in `besides`."""
        was, now = without(before.recipients, besides), without(after.recipients, besides)
        both = was & now
        loosened, tightened = self._duties(before, after, both) if both and not _alike(before, after, both) else (0, 0)
        return Difference(gained=now ^ both, lost=was ^ both, loosened=loosened, tightened=tightened)

    def _duties(self, before: Decision, after: Decision, both: int) -> tuple[int, int]:
        loosened = tightened = 0
        for old, new in self._pairs:
            looser, stricter = _compare(old, new, _classes(before, old), _classes(after, new))
            loosened |= looser
            tightened |= stricter
        return loosened & both, tightened & both


def _alike(before: Decision, after: Decision, both: int) -> bool:
    """Whether the very same duties bind the same agencies: then nothing need be joined to see that nothing changed."""
    return list(_binding(before, both)) == list(_binding(after, both))


def _binding(decision: Decision, both: int) -> Iterator[tuple[object, int]]:
    for rule, bits in decision.obliging:
        if rule.obligations and (bits := bits & both):
            yield rule.obligations, bits


def _classes(decision: Decision, obligation: Obligation | None) -> _Classes:
    return decision.classes(obligation) if obligation is not None else []


def _compare(old: Obligation | None, new: Obligation | None, was: _Classes, now: _Classes) -> tuple[int, int]:
    """The agencies for which one duty is looser, and those for which it is stricter."""
    same = new if old is None or old == new else old if new is None else None
    if same is None and old is not None and new is not None and not old.kind == new.kind == "union":
        # Its words mean something else now, so neither value can be called the stricter: both, and a person looks.
        kept = dict(now)
        differs = without(_everybody(was) | _everybody(now), sum(bits & kept.get(value, 0) for value, bits in was))
        return differs, differs
    if same is None or same.kind == "union":
        return _missing(was, dict(now)), _missing(now, dict(was))
    return _below(was, now, same), _below(now, was, same)


def _everybody(classes: _Classes) -> int:
    found = 0
    for _, bits in classes:
        found |= bits
    return found


def _missing(held: _Classes, kept: Mapping[ObligationValue, int]) -> int:
    """Agencies that have a word of `held` no longer."""
    found = 0
    for word, bits in held:
        found |= without(bits, kept.get(word, 0))
    return found


def _below(held: _Classes, other: _Classes, obligation: Obligation) -> int:
    """Agencies whose value in `other` is weaker than in `held`; both are strictest first, and no value is weakest."""
    found = as_strict = place = 0
    for value, bits in held:
        while place < len(other) and not _stricter(value, other[place][0], obligation):
            as_strict |= other[place][1]
            place += 1
        found |= without(bits, as_strict)
    return found


def _stricter(one: ObligationValue, than: ObligationValue, obligation: Obligation) -> bool:
    if isinstance(one, int) and isinstance(than, int):
        return one < than
    return obligation.values.index(str(one)) > obligation.values.index(str(than))
