"""What a changed directory does: each agency that came, went or changed, for every possible portion and moment."""

from collections.abc import Iterator

from policy.comparison import AgencyChange, DutyChange, Edition
from policy.proof.duties import duty_changes, duty_verdict
from policy.proof.record import members
from policy.proof.sides import Ground, Sides
from policy.vocabulary import Attributes, Value

# The members that are told apart are those of all agencies of one ground: few agencies make small questions.
_AT_ONCE = 40
_NOT_STATED = "(not stated)"


def agency_changes(before: Edition, after: Edition) -> tuple[tuple[AgencyChange, ...], tuple[DutyChange, ...]]:
    """Every agency whose record differs, by id, with all duties that one of them would have otherwise.

    Raises:
        PolicyError: as `compare`.
    """
    changes: list[AgencyChange] = []
    duties: list[DutyChange] = []
    for sides in sides_of_changed(before, after):
        audiences, of_it = sides.audiences(), duty_changes(sides)
        old, new = sides.records
        changes.append(
            AgencyChange(
                agency=sides.agency,
                kind="added" if old is None else "removed" if new is None else "changed",
                before=old,
                after=new,
                audience=audiences.verdict,
                duties=duty_verdict(of_it),
                words=tuple(_differences(old, new)),
                widening=audiences.widening,
                narrowing=audiences.narrowing,
            )
        )
        duties.extend(of_it)
    return tuple(changes), tuple(duties)


def sides_of_changed(before: Edition, after: Edition) -> Iterator[Sides]:
    """Both sides for each agency whose record differs, by id."""
    changed = [
        agency
        for agency in sorted({*before.agencies, *after.agencies})
        if before.agencies.get(agency) != after.agencies.get(agency)
    ]
    for start in range(0, len(changed), _AT_ONCE):
        agencies = changed[start : start + _AT_ONCE]
        records = tuple(
            (agency, record)
            for agency in agencies
            for edition in (before, after)
            if (record := edition.agencies.get(agency)) is not None
        )
        ground = Ground(before, after, records=records)
        for agency in agencies:
            both = (before.agencies.get(agency), after.agencies.get(agency))
            yield Sides(ground, before, after, agency=agency, records=both)


def _differences(before: Attributes | None, after: Attributes | None) -> Iterator[str]:
    """One line for each attribute: what it is, what it was and is, or for a list what it lost and won."""
    if before is None or after is None:
        yield from (f"{name}: {_words(value)}" for name, value in sorted((before or after or {}).items()))
        return
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if old is None or new is None or (isinstance(old, str) and isinstance(new, str)):
            yield f"{name}: {_words(old)} becomes {_words(new)}"
            continue
        lost, won = sorted(members(old) - members(new)), sorted(members(new) - members(old))
        said = [f"without {', '.join(lost)}"] if lost else []
        said += [f"with {', '.join(won)}"] if won else []
        yield f"{name}: now {' and '.join(said)}" if said else f"{name}: {_words(old)} is written otherwise"


def _words(value: Value | None) -> str:
    if value is None:
        return _NOT_STATED
    return ", ".join(sorted(members(value))) or "none"
