"""What a replay found, as values: figures, the matrix of agencies and markings, and examples. Never text, never a name.

Of a portion's attributes only values of the vocabulary are shown: whom it protects or names is nobody's business here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

Effect: TypeAlias = Literal["disclosed", "withdrawn", "loosened", "tightened"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How much of the recorded traffic one kind of difference touches.

    Attributes:
        bulletins: bulletins with at least one such difference.
        portions: portions with at least one.
        deliveries: portions times agencies.
        agencies: agencies with at least one.
        by_precedence: the bulletins by the precedence they travel with, highest first.
    """

    bulletins: int
    portions: int
    deliveries: int
    agencies: int
    by_precedence: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Portions of one marking that agencies would newly get, and would no longer get."""

    gained: int
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One agency, or with `agency` None the `agencies` that have no row of their own.

    Attributes:
        cells: one for each marking of the matrix, in its order.
        started: bulletins of which the agency had nothing before and something after, by precedence.
        stopped: bulletins of which it had something before and nothing after, by precedence.
    """

    agency: str | None
    agencies: int
    cells: tuple[Cell, ...]
    started: Mapping[str, int]
    stopped: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Agencies by markings. The rows add up to `total`, the cells of a row to its agency's deliveries.

    A marking of None stands for all that have no column of their own.
    """

    markings: tuple[str | None, ...]
    rows: tuple[Row, ...]
    total: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One recorded portion that would be shared otherwise, and with whom.

    Attributes:
        agencies: the first of the agencies it is otherwise for; `more` says how many others there are.
        rules: who is responsible at the first of them: what shares it after; what holds it back after, or where nothing
            does, what shared it before; for duties, what shares it after.
        before: the first agency's duties before, in words; empty when it got nothing.
        after: the same after.
    """

    effect: Effect
    bulletin: str
    portion: str
    at: datetime
    precedence: str
    originator: str
    marking: str
    attributes: Mapping[str, str]
    agencies: tuple[str, ...]
    more: int
    rules: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Recorded portions decided under two editions.

    Attributes:
        since: of the first portion that was replayed; None when there was none.
        until: of the last.
        strangers: recorded portions whose originator is in neither directory; they are not replayed.
        departed: portions whose originator is in one directory only: under the other nobody gets them.
    """

    since: datetime | None
    until: datetime | None
    bulletins: int
    portions: int
    strangers: int
    departed: int
    disclosed: Tally
    withdrawn: Tally
    loosened: Tally
    tightened: Tally
    matrix: Matrix
    examples: tuple[Example, ...]

    @property
    def changes(self) -> bool:
        """Whether any recorded portion would have been shared otherwise."""
        return any(tally.deliveries for tally in (self.disclosed, self.withdrawn, self.loosened, self.tightened))
