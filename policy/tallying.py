"""Adds up a replay bulletin by bulletin: what changes for whom, how urgent it is, and which examples to show."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import final

from policy.decision import Decision
from policy.difference import Difference, DutyBook, without
from policy.history import Recorded
from policy.ledger import Ledger, highest_first
from policy.obligations import describe_obligations
from policy.replayed import Effect, Example, Replay, Tally
from policy.showing import marking_of, shown_attributes, strictness
from policy.vocabulary import Vocabulary

#: Of each kind of difference, the most urgent first.
EXAMPLES_SHOWN = 12
#: The duty that raises the precedence a bulletin travels with, as the gateway reads it.
PRECEDENCE = "precedence"
AGENCIES_NAMED = 8
EFFECTS: tuple[Effect, ...] = ("disclosed", "withdrawn", "loosened", "tightened")


@dataclass(slots=True)
class _Kind:
    """The running figures of one kind of difference."""

    effect: Effect
    bulletins: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[Example]] = field(default_factory=dict)
    portions: int = 0
    deliveries: int = 0
    seats: int = 0

    def add(self, bits: int) -> None:
        self.portions += 1
        self.deliveries += bits.bit_count()
        self.seats |= bits

    def add_bulletin(self, precedence: str) -> None:
        self.bulletins[precedence] = self.bulletins.get(precedence, 0) + 1

    def wants(self, precedence: str) -> bool:
        return len(self.examples.get(precedence, ())) < EXAMPLES_SHOWN

    def keep(self, example: Example) -> None:
        self.examples.setdefault(example.precedence, []).append(example)

    def tally(self, ranks: Sequence[str]) -> Tally:
        return Tally(
            bulletins=sum(self.bulletins.values()),
            portions=self.portions,
            deliveries=self.deliveries,
            agencies=self.seats.bit_count(),
            by_precedence=highest_first(self.bulletins, ranks),
        )

    def shown(self, ranks: Sequence[str]) -> list[Example]:
        kept = highest_first(self.examples, ranks).values()
        return [example for examples in kept for example in examples][:EXAMPLES_SHOWN]


@final
class Tallies:
    """A replay in the making; bulletins are added in order of time."""

    def __init__(self, before: Vocabulary, after: Vocabulary, seats: Collection[str]) -> None:
        self._before, self._after = before, after
        self._ids = tuple(sorted(seats))
        self._seat = {agency: place for place, agency in enumerate(self._ids)}
        self._book = DutyBook(before, after)
        self._ranks = _ranks(after) or _ranks(before)
        self._kinds = {effect: _Kind(effect) for effect in EFFECTS}
        self._ledger = Ledger()
        self._bulletins = self._portions = self._strangers = self._departed = 0
        self._first: Recorded | None = None
        self._last: Recorded | None = None

    def add_stranger(self, portions: int) -> None:
        """Portions whose originator is in neither directory."""
        self._strangers += portions

    def add(
        self, portions: Sequence[Recorded], before: Sequence[Decision | None], after: Sequence[Decision | None]
    ) -> None:
        """One bulletin with what each edition decides of each portion; None where the originator is no member."""
        self._first = self._first or portions[0]
        self._last = portions[-1]
        self._bulletins += 1
        self._portions += len(portions)
        if None in (before[0], after[0]):
            self._departed += len(portions)
        # Nobody is sent what is their own.
        own = 1 << self._seat[portions[0].originator]
        differences = [self._difference(was, now, own) for was, now in zip(before, after, strict=True)]
        if not any(differences):
            return
        was = self._precedence(self._before, portions[0], before, own)
        now = self._precedence(self._after, portions[0], after, own)
        had, has = without(_union(before), own), without(_union(after), own)
        self._ledger.add_bulletin(started=without(has, had), by=now, stopped=without(had, has), was=was)
        # A duty that is looser may be the precedence itself: the higher one says what is at stake.
        either = max(was, now, key=self._rank)
        urgency: dict[Effect, str] = {"disclosed": now, "withdrawn": was, "loosened": either, "tightened": either}
        for portion, one, other, difference in zip(portions, before, after, differences, strict=True):
            if difference:
                self._portion(portion, one, other, difference, urgency)
        for effect, kind in self._kinds.items():
            if any(bits_of(difference, effect) for difference in differences):
                kind.add_bulletin(urgency[effect])

    def result(self, *, about: Collection[str]) -> Replay:
        """The finished replay; agencies in `about` have a row of the matrix in any case."""
        kinds, ranks = self._kinds, self._ranks
        return Replay(
            since=self._first.at if self._first else None,
            until=self._last.at if self._last else None,
            bulletins=self._bulletins,
            portions=self._portions,
            strangers=self._strangers,
            departed=self._departed,
            disclosed=kinds["disclosed"].tally(ranks),
            withdrawn=kinds["withdrawn"].tally(ranks),
            loosened=kinds["loosened"].tally(ranks),
            tightened=kinds["tightened"].tally(ranks),
            matrix=self._ledger.matrix(
                self._ids, ranks=ranks, strictness=lambda marking: strictness(self._after, marking), about=about
            ),
            examples=tuple(example for kind in kinds.values() for example in kind.shown(ranks)),
        )

    def _difference(self, was: Decision | None, now: Decision | None, own: int) -> Difference:
        if was is not None and now is not None:
            return self._book.difference(was, now, besides=own)
        return Difference(
            gained=without(_union((now,)), own), lost=without(_union((was,)), own), loosened=0, tightened=0
        )

    def _portion(
        self,
        portion: Recorded,
        before: Decision | None,
        after: Decision | None,
        difference: Difference,
        urgency: dict[Effect, str],
    ) -> None:
        marking = marking_of(self._after, portion.attributes)
        self._ledger.add_portion(marking, gained=difference.gained, lost=difference.lost)
        for effect, kind in self._kinds.items():
            if not (bits := bits_of(difference, effect)):
                continue
            kind.add(bits)
            if kind.wants(urgency[effect]):
                kind.keep(self._example(effect, portion, bits, (before, after), urgency[effect]))

    def _example(
        self,
        effect: Effect,
        portion: Recorded,
        bits: int,
        decided: tuple[Decision | None, Decision | None],
        precedence: str,
    ) -> Example:
        named = tuple(self._ids[seat] for seat in lowest(bits, AGENCIES_NAMED))
        before, after = decided
        return Example(
            effect=effect,
            bulletin=portion.bulletin,
            portion=portion.portion,
            at=portion.at,
            precedence=precedence,
            originator=portion.originator,
            marking=marking_of(self._after, portion.attributes),
            attributes=shown_attributes(self._after, portion.attributes),
            agencies=named,
            more=bits.bit_count() - len(named),
            rules=responsible(before, after, named[0]),
            before=_duties(self._before, before, named[0]),
            after=_duties(self._after, after, named[0]),
        )

    def _precedence(
        self, vocabulary: Vocabulary, portion: Recorded, decided: Sequence[Decision | None], own: int
    ) -> str:
        """The highest of what was submitted and what the rules ask for anybody who is sent some of it."""
        asked = [portion.precedence]
        obligation = vocabulary.obligation.get(PRECEDENCE)
        for decision in decided if obligation is not None else ():
            if decision is not None and obligation is not None:
                asked += [str(value) for value, bits in decision.classes(obligation) if without(bits, own)][:1]
        return max(asked, key=self._rank)

    def _rank(self, precedence: str) -> int:
        return self._ranks.index(precedence) if precedence in self._ranks else -1


def _ranks(vocabulary: Vocabulary) -> tuple[str, ...]:
    obligation = vocabulary.obligation.get(PRECEDENCE)
    return obligation.values if obligation is not None else ()


def bits_of(difference: Difference, effect: Effect) -> int:
    """The agencies that one kind of difference is about."""
    match effect:
        case "disclosed":
            return difference.gained
        case "withdrawn":
            return difference.lost
        case "loosened":
            return difference.loosened
        case "tightened":
            return difference.tightened


def _union(decided: Sequence[Decision | None]) -> int:
    found = 0
    for decision in decided:
        found |= decision.recipients if decision is not None else 0
    return found


def lowest(bits: int, most: int) -> Iterator[int]:
    """The first places of a set, at most so many."""
    while bits and most:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
        most -= 1


def responsible(before: Decision | None, after: Decision | None, agency: str) -> tuple[str, ...]:
    """What shares it after; else what holds it back after; else what shared it before."""
    if after is not None and after.reaches(agency):
        return after.granted_by(agency)
    blocked = after.blocked_by(agency) if after is not None else ()
    return blocked or (before.granted_by(agency) if before is not None else ())


def _duties(vocabulary: Vocabulary, decision: Decision | None, agency: str) -> tuple[str, ...]:
    if decision is None or not decision.reaches(agency):
        return ()
    return tuple(describe_obligations(vocabulary, decision.obligations(agency)))
