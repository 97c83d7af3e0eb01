"""The matrix of agencies and markings while a replay fills it: counted in sets of agencies, listed once at the end."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar, final

from policy.counting import Counter
from policy.difference import without
from policy.replayed import Cell, Matrix, Row

#: More rows or columns nobody reads; what they would say is in the last row and the last column.
AGENCIES_SHOWN = 60
MARKINGS_SHOWN = 12

_T = TypeVar("_T")


@final
class _Counts:
    """Counters by name, and one for all of them together."""

    def __init__(self) -> None:
        self.named: dict[str, Counter] = {}
        self.all = Counter()

    def add(self, name: str, bits: int) -> None:
        if bits:
            self.named.setdefault(name, Counter()).add(bits)
            self.all.add(bits)

    def total(self, name: str) -> int:
        return self.named[name].total if name in self.named else 0

    def of(self, name: str, seat: int) -> int:
        return self.named[name].of(seat) if name in self.named else 0


@final
class Ledger:
    """Portions by marking and bulletins by precedence, for every agency."""

    def __init__(self) -> None:
        self._gained, self._lost = _Counts(), _Counts()
        self._started, self._stopped = _Counts(), _Counts()

    def add_portion(self, marking: str, *, gained: int, lost: int) -> None:
        """One portion of that marking."""
        self._gained.add(marking, gained)
        self._lost.add(marking, lost)

    def add_bulletin(self, *, started: int, by: str, stopped: int, was: str) -> None:
        """One bulletin: who gets something of it after and had nothing before, and the reverse, by its precedences."""
        self._started.add(by, started)
        self._stopped.add(was, stopped)

    def matrix(
        self,
        ids: Sequence[str],
        *,
        ranks: Sequence[str],
        strictness: Callable[[str], int],
        about: Collection[str],
    ) -> Matrix:
        """The matrix; agencies in `about` have a row in any case, then those for whom most changes."""
        markings = self._markings(strictness)
        seats = self._rows(ids, about)
        rows = [self._row(ids[seat], seat, markings, ranks) for seat in seats]
        total = tuple(self._total(marking, markings) for marking in markings)
        others = without(self._gained.all.seats | self._lost.all.seats, sum(1 << seat for seat in seats))
        if others:
            rows.append(self._others(others.bit_count(), rows, total, ranks))
        return Matrix(markings=markings, rows=tuple(rows), total=total)

    def _markings(self, strictness: Callable[[str], int]) -> tuple[str | None, ...]:
        """The columns: the most frequent markings, the least strict first; None is all that are left."""
        names = {*self._gained.named, *self._lost.named}
        frequent = sorted(names, key=lambda name: (-self._gained.total(name) - self._lost.total(name), name))
        shown = frequent if len(frequent) <= MARKINGS_SHOWN else frequent[: MARKINGS_SHOWN - 1]
        ordered = sorted(shown, key=lambda name: (strictness(name), name))
        return (*ordered, None) if len(shown) < len(frequent) else tuple(ordered)

    def _rows(self, ids: Sequence[str], about: Collection[str]) -> list[int]:
        weights = dict(self._gained.all.counts())
        for seat, count in self._lost.all.counts():
            weights[seat] = weights.get(seat, 0) + count
        named = [seat for seat, agency in enumerate(ids) if agency in about]
        heaviest = sorted(weights.keys() - set(named), key=lambda seat: (-weights[seat], seat))
        return [*named, *heaviest][: max(AGENCIES_SHOWN, len(named))]

    def _total(self, marking: str | None, markings: Sequence[str | None]) -> Cell:
        if marking is not None:
            return Cell(gained=self._gained.total(marking), lost=self._lost.total(marking))
        apart = [name for name in markings if name is not None]
        return Cell(
            gained=self._gained.all.total - sum(map(self._gained.total, apart)),
            lost=self._lost.all.total - sum(map(self._lost.total, apart)),
        )

    def _row(self, agency: str, seat: int, markings: Sequence[str | None], ranks: Sequence[str]) -> Row:
        cells = [
            Cell(gained=self._gained.of(marking, seat), lost=self._lost.of(marking, seat))
            for marking in markings
            if marking is not None
        ]
        if None in markings:
            # What is left of all markings, rather than a look at hundreds of them.
            gained = self._gained.all.of(seat) - sum(cell.gained for cell in cells)
            lost = self._lost.all.of(seat) - sum(cell.lost for cell in cells)
            cells.append(Cell(gained=gained, lost=lost))
        started, stopped = (
            {name: counter.of(seat) for name, counter in counts.named.items()}
            for counts in (self._started, self._stopped)
        )
        return Row(
            agency=agency,
            agencies=1,
            cells=tuple(cells),
            started=highest_first(started, ranks),
            stopped=highest_first(stopped, ranks),
        )

    def _others(self, agencies: int, rows: Sequence[Row], total: Sequence[Cell], ranks: Sequence[str]) -> Row:
        cells = (
            Cell(
                gained=whole.gained - sum(row.cells[place].gained for row in rows),
                lost=whole.lost - sum(row.cells[place].lost for row in rows),
            )
            for place, whole in enumerate(total)
        )
        started = {
            name: counter.total - sum(row.started.get(name, 0) for row in rows)
            for name, counter in self._started.named.items()
        }
        stopped = {
            name: counter.total - sum(row.stopped.get(name, 0) for row in rows)
            for name, counter in self._stopped.named.items()
        }
        return Row(
            agency=None,
            agencies=agencies,
            cells=tuple(cells),
            started=highest_first(started, ranks),
            stopped=highest_first(stopped, ranks),
        )


def highest_first(by_precedence: Mapping[str, _T], ranks: Sequence[str]) -> Mapping[str, _T]:
    """What there is, ordered by precedence; one that `ranks` does not know comes last."""
    ordered = sorted(by_precedence, key=lambda name: (-ranks.index(name) if name in ranks else 1, name))
    return {name: by_precedence[name] for name in ordered if by_precedence[name]}
