"""Rules on trial: how they differ from the rules in force, portion by portion, and what that adds up to.

The values are those of a replay, so that whoever reads previews can read this, too. Precedences are as submitted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import final

from policy.decision import Decision
from policy.difference import Difference, DutyBook
from policy.history import Recorded
from policy.index import AgencyIndex
from policy.ledger import Ledger, highest_first
from policy.replayed import Effect, Example, Replay, Tally
from policy.showing import marking_of, strictness
from policy.tallying import AGENCIES_NAMED, EFFECTS, EXAMPLES_SHOWN, PRECEDENCE, bits_of, lowest, responsible
from policy.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """One portion that the rules on trial would have shared otherwise. Bits of `difference` are places in `ids`.

    `rules` are responsible at the first agency that it differs for.
    """

    bulletin: str
    portion: str
    originator: str
    at: datetime
    precedence: str
    marking: str
    difference: Difference
    ids: Sequence[str]
    rules: tuple[str, ...]


def judge(
    recorded: Recorded, before: Decision, after: Decision, *, book: DutyBook, index: AgencyIndex
) -> Differing | None:
    """Compare what decided a portion with what the rules on trial decide, both over the agencies of `index`.

    Nobody is sent what is their own, so the originator differs in nothing. None: for nobody else does it differ.
    """
    place = index.position.get(recorded.originator)
    difference = book.difference(before, after, besides=0 if place is None else 1 << place)
    if not difference:
        return None
    touched = difference.gained | difference.lost | difference.loosened | difference.tightened
    first = index.ids[next(lowest(touched, 1))]
    return Differing(
        bulletin=recorded.bulletin,
        portion=recorded.portion,
        originator=recorded.originator,
        at=recorded.at,
        precedence=recorded.precedence,
        marking=marking_of(index.vocabulary, recorded.attributes),
        difference=difference,
        ids=index.ids,
        rules=responsible(before, after, first),
    )


@dataclass(slots=True)
class _Kind:
    bulletins: dict[str, str] = field(default_factory=dict)
    portions: int = 0
    deliveries: int = 0
    seats: int = 0
    examples: dict[str, list[Example]] = field(default_factory=dict)

    def add(self, effect: Effect, differing: Differing, ids: Sequence[str]) -> None:
        bits = bits_of(differing.difference, effect)
        if not bits:
            return
        self.portions += 1
        self.deliveries += bits.bit_count()
        self.seats |= bits
        self.bulletins[differing.bulletin] = differing.precedence
        shown = self.examples.setdefault(differing.precedence, [])
        if len(shown) < EXAMPLES_SHOWN:
            shown.append(_example(effect, differing, bits, ids))

    def tally(self, ranks: Sequence[str]) -> Tally:
        counts: dict[str, int] = {}
        for precedence in self.bulletins.values():
            counts[precedence] = counts.get(precedence, 0) + 1
        return Tally(
            bulletins=len(self.bulletins),
            portions=self.portions,
            deliveries=self.deliveries,
            agencies=self.seats.bit_count(),
            by_precedence=highest_first(counts, ranks),
        )

    def shown(self, ranks: Sequence[str]) -> list[Example]:
        urgent = highest_first(self.examples, ranks).values()
        return [example for examples in urgent for example in examples][:EXAMPLES_SHOWN]


def summed(
    differing: Iterable[Differing],
    *,
    bulletins: int,
    portions: int,
    since: datetime | None,
    until: datetime | None,
    vocabulary: Vocabulary,
) -> Replay:
    """What a trial comes to: `bulletins` and `portions` were decided between `since` and `until`, these differed."""
    rows = list(differing)
    directories = list({id(row.ids): row.ids for row in rows}.values())
    ids = tuple(sorted({agency for listed in directories for agency in listed}))
    ranks = vocabulary.obligation[PRECEDENCE].values if PRECEDENCE in vocabulary.obligation else ()
    kinds, ledger, seats = {effect: _Kind() for effect in EFFECTS}, Ledger(), _Seats(ids, directories)
    for row in rows:
        seated = replace(row, difference=seats.of(row))
        ledger.add_portion(row.marking, gained=seated.difference.gained, lost=seated.difference.lost)
        for effect, kind in kinds.items():
            kind.add(effect, seated, ids)
    matrix = ledger.matrix(ids, ranks=ranks, strictness=lambda marking: strictness(vocabulary, marking), about=())
    return Replay(
        since=since,
        until=until,
        bulletins=bulletins,
        portions=portions,
        strangers=0,
        departed=0,
        disclosed=kinds["disclosed"].tally(ranks),
        withdrawn=kinds["withdrawn"].tally(ranks),
        loosened=kinds["loosened"].tally(ranks),
        tightened=kinds["tightened"].tally(ranks),
        matrix=matrix,
        examples=tuple(example for kind in kinds.values() for example in kind.shown(ranks)),
    )


@final
class _Seats:
    """Puts sets over the agencies of several directories over the agencies of all of them."""

    def __init__(self, ids: Sequence[str], directories: Iterable[Sequence[str]]) -> None:
        seat = {agency: place for place, agency in enumerate(ids)}
        # None: every agency sits where it is.
        self._seats = {
            id(one): None if tuple(one) == tuple(ids) else [seat[agency] for agency in one] for one in directories
        }

    def of(self, row: Differing) -> Difference:
        found, seats = row.difference, self._seats[id(row.ids)]
        if seats is None:
            return found
        return Difference(
            gained=_moved(found.gained, seats),
            lost=_moved(found.lost, seats),
            loosened=_moved(found.loosened, seats),
            tightened=_moved(found.tightened, seats),
        )


def _moved(bits: int, seats: Sequence[int]) -> int:
    return sum(1 << seats[place] for place in lowest(bits, bits.bit_count()))


def _example(effect: Effect, differing: Differing, bits: int, ids: Sequence[str]) -> Example:
    named = tuple(ids[place] for place in lowest(bits, AGENCIES_NAMED))
    return Example(
        effect=effect,
        bulletin=differing.bulletin,
        portion=differing.portion,
        at=differing.at,
        precedence=differing.precedence,
        originator=differing.originator,
        marking=differing.marking,
        attributes={},
        agencies=named,
        more=bits.bit_count() - len(named),
        rules=differing.rules,
        before=(),
        after=(),
    )
