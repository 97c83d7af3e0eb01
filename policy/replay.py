"""Recorded portions decided anew under two editions, by the decider that production runs: what would have changed.

Each portion is judged as of the moment it was decided, so that an agreement that was in force then counts.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import final

from policy.comparison import Edition
from policy.decide import Decider, compile_rules
from policy.decision import Decision
from policy.errors import PolicyError
from policy.history import WINDOW, Recorded
from policy.replayed import Replay
from policy.tallying import Tallies
from policy.vocabulary import Attributes, Value


def replay(
    before: Edition,
    after: Edition,
    recorded: Iterable[Recorded],
    *,
    until: datetime | None = None,
    origin: Mapping[str, str] | None = None,
    about: Collection[str] = (),
) -> Replay:
    """Decide what was recorded in the `WINDOW` up to `until` (by default up to the last of it) under both editions.

    Args:
        before: the edition in force.
        after: the edition that is proposed.
        recorded: in any order; what is there twice counts once.
        until: the end of the window.
        origin: portion attributes that come from the originator's directory entry, with their names there. Where the
            two directories differ about the originator, `after` decides with what its own directory says.
        about: agencies that get a row of the matrix whether or not anything changes for them.

    Raises:
        PolicyError: `recorded-twice`: two recordings of one portion differ.
    """
    seats = before.agencies.keys() | after.agencies.keys()
    restated = dict(_restated(before, after, origin or {}))
    was, now = _Side(before, seats), _Side(after, seats)
    tallies = Tallies(before.vocabulary, after.vocabulary, seats)
    for _, group in groupby(_window(_distinct(recorded), until), key=lambda one: (one.at, one.bulletin)):
        portions = list(group)
        if portions[0].originator not in seats:
            tallies.add_stranger(len(portions))
            continue
        changed = restated.get(portions[0].originator, {})
        tallies.add(
            portions,
            [was.decide(one, one.attributes) for one in portions],
            [now.decide(one, _stated(one.attributes, changed)) for one in portions],
        )
    return tallies.result(about=about)


def _distinct(recorded: Iterable[Recorded]) -> list[Recorded]:
    found: dict[tuple[str, str], Recorded] = {}
    for one in recorded:
        if found.setdefault((one.bulletin, one.portion), one) != one:
            raise PolicyError("recorded-twice", f"{one.bulletin} {one.portion} is recorded twice, and differently")
    return sorted(found.values(), key=lambda one: (one.at, one.bulletin, one.portion))


def _window(recorded: list[Recorded], until: datetime | None) -> list[Recorded]:
    if not recorded:
        return []
    end = until or recorded[-1].at
    return [one for one in recorded if end - WINDOW < one.at <= end]


def _restated(before: Edition, after: Edition, origin: Mapping[str, str]) -> Iterator[tuple[str, Attributes]]:
    """For each agency what its bulletins would say of its origin under `after`, where that is something else."""
    for agency, record in after.agencies.items():
        known = before.agencies.get(agency, record)
        changed: dict[str, Value] = {
            name: record.get(field, "") for name, field in origin.items() if record.get(field) != known.get(field)
        }
        if changed:
            yield agency, changed


def _stated(attributes: Attributes, changed: Attributes) -> Attributes:
    """The attributes with the changed ones in place; what the new entry does not state is unknown again."""
    if not changed:
        return attributes
    return {name: value for name, value in {**attributes, **changed}.items() if value != "" or name not in changed}


@final
class _Side:
    """One edition, deciding in order of time; rules are folded again only when an agreement starts or ends."""

    def __init__(self, edition: Edition, seats: Collection[str]) -> None:
        self._timeless = compile_rules(edition.ruleset, edition.vocabulary, edition.agencies, at=None, seats=seats)
        self._decider: Decider | None = None
        self._until: datetime | None = None

    def decide(self, recorded: Recorded, attributes: Attributes) -> Decision | None:
        """The decision, or None where the originator is no member and so can send nothing."""
        if recorded.originator not in self._timeless.agencies:
            return None
        if self._decider is None or (self._until is not None and recorded.at >= self._until):
            self._decider = (self._decider or self._timeless).at(recorded.at)
            self._until = self._decider.valid_until
        return self._decider.decide(attributes)
