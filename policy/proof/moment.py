"""A moment, as far as agreements can tell: its place among the edges of all their dates."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import final

from policy.agreements import SKEW, Agreement
from policy.proof.logic import Formula, Logic, Model

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


@final
class Moment:
    """One symbolic moment, shared by both sides of a comparison, so that changed dates are compared exactly.

    Between two neighbouring edges no agreement changes, so to know which edges have passed is to know enough.
    """

    def __init__(self, logic: Logic, agreements: Iterable[Agreement]) -> None:
        bounds = {bound for agreement in agreements for bound in (agreement.start, agreement.end)}
        self._logic = logic
        self.edges = tuple(sorted({edge for bound in bounds for edge in (bound - SKEW, bound + SKEW)}))
        # A decision may be asked for without a moment; nothing is then known of any agreement.
        self.known = logic.fact("moment is known")
        self._passed = {edge: logic.fact(f"moment >= {edge.isoformat()}") for edge in self.edges}
        for earlier, later in zip(self.edges, self.edges[1:], strict=False):
            logic.require(logic.implies(self._passed[later], self._passed[earlier]))

    def surely_in_force(self, agreement: Agreement) -> Formula:
        """Inside the dates and outside the skew band of either end."""
        begun, over = agreement.start + SKEW, agreement.end - SKEW
        return begun < over and self._logic.all_of((self.known, self._between(begun, over)))

    def possibly_in_force(self, agreement: Agreement) -> Formula:
        """Anything but surely out of force."""
        within = self._between(agreement.start - SKEW, agreement.end + SKEW)
        return self._logic.any_of((self._logic.negate(self.known), within))

    def _between(self, start: datetime, end: datetime) -> Formula:
        return self._logic.all_of((self._passed[start], self._logic.negate(self._passed[end])))

    def facts_at(self, at: datetime | None) -> list[tuple[Formula, bool]]:
        """The truth of every fact of this moment at a given time."""
        passed = [(fact, at is not None and at >= edge) for edge, fact in self._passed.items()]
        return [(self.known, at is not None), *passed]

    def read(self, model: Model) -> datetime | None:
        """A time that is such a moment, well inside its stretch; None when it is not known."""
        if not model.holds(self.known) or not self.edges:
            return None
        passed = [edge for edge in self.edges if model.holds(self._passed[edge])]
        if not passed:
            return self.edges[0] - _DAY
        if len(passed) == len(self.edges):
            return passed[-1] + _DAY
        start, end = passed[-1], self.edges[len(passed)]
        middle = start + (end - start) / 2
        return middle.replace(second=0, microsecond=0) if end - start >= 2 * _MINUTE else middle
