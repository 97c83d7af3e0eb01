"""Which duties somebody would have otherwise than before, among those who get a portion before and after."""

from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

from policy.comparison import DutyChange, DutyVerdict, Witness
from policy.obligations import ObligationValue, describe_value
from policy.proof.meaning import duty_parts
from policy.proof.sides import Sides, mismatch
from policy.proof.words import common_order
from policy.vocabulary import Obligation, Vocabulary

Direction: TypeAlias = Literal["LOOSENED", "TIGHTENED"]
# The values of one duty that are each enough to be at least as strict as one of them.
_Step: TypeAlias = frozenset[ObligationValue]


def duty_verdict(changes: tuple[DutyChange, ...]) -> DutyVerdict:
    """The one word for all changes."""
    directions = {change.direction for change in changes}
    if len(directions) > 1:
        return "LOOSENED AND TIGHTENED"
    return next(iter(directions), "SAME")


def duty_changes(sides: Sides) -> tuple[DutyChange, ...]:
    """Every duty that some recipient would have weaker or stricter than before, each pair of values once.

    Raises:
        PolicyError: if an example is decided otherwise in production than in the proof.
    """
    known = {**sides.before.vocabulary.obligation, **sides.after.vocabulary.obligation}
    return tuple(
        change
        for name in known
        for direction in ("LOOSENED", "TIGHTENED")
        for change in _changes(sides, name, "LOOSENED" if direction == "LOOSENED" else "TIGHTENED")
    )


def _changes(sides: Sides, name: str, direction: Direction) -> Iterator[DutyChange]:
    stricter, weaker = (sides.before, sides.after) if direction == "LOOSENED" else (sides.after, sides.before)
    told: set[tuple[ObligationValue | None, ObligationValue | None]] = set()
    used = {part for rule in stricter.rules.values() for part in duty_parts(rule.obligations.get(name))}
    also = {part for rule in weaker.rules.values() for part in duty_parts(rule.obligations.get(name))}
    for step in _steps(sides, name, used, also):
        witness = sides.witness(
            sides.before.shared,
            sides.after.shared,
            stricter.obliged(name, step),
            sides.logic.negate(weaker.obliged(name, step)),
        )
        if witness is None:
            continue
        change = _change(sides, name, direction, step, witness)
        if (change.before, change.after) not in told:
            told.add((change.before, change.after))
            yield change


def _steps(sides: Sides, name: str, used: set[ObligationValue], also: set[ObligationValue]) -> Iterator[_Step]:
    """For each value that is used, strictest first, all values that satisfy whoever asks for it."""
    obligation = _obligation(sides, name)
    if obligation.kind == "union":
        yield from (frozenset((word,)) for word in sorted(used, key=str))
        return
    rank = _rank(sides, name)
    for value in sorted(used, key=rank, reverse=True):
        yield frozenset(other for other in used | also if rank(other) >= rank(value))


def _rank(sides: Sides, name: str) -> Callable[[ObligationValue], int]:
    """Higher is stricter."""
    obligation = _obligation(sides, name)
    if obligation.kind == "least":
        return lambda value: -value if isinstance(value, int) else 0
    declared = [vocabulary.obligation[name] for vocabulary in _vocabularies(sides) if name in vocabulary.obligation]
    order = common_order(declared[0], declared[-1])
    return lambda value: order.index(str(value))


def _change(sides: Sides, name: str, direction: Direction, step: _Step, witness: Witness) -> DutyChange:
    before, after = sides.decided(witness, 0), sides.decided(witness, 1)
    if before is None or after is None:
        raise mismatch("a duty's recipient")
    stricter, weaker = (before, after) if direction == "LOOSENED" else (after, before)
    if step.isdisjoint(duty_parts(stricter.get(name))) or not step.isdisjoint(duty_parts(weaker.get(name))):
        raise mismatch(f"the duty '{name}'")
    old, new = before.get(name), after.get(name)
    return DutyChange(
        name=name, direction=direction, before=old, after=new, words=_words(sides, name, old, new), witness=witness
    )


def _words(sides: Sides, name: str, before: ObligationValue | None, after: ObligationValue | None) -> str:
    old = "" if before is None else describe_value(sides.before.vocabulary, name, before)
    new = "" if after is None else describe_value(sides.after.vocabulary, name, after)
    if before is None:
        return f"{name}: {new} is new"
    return f"{name}: {old} is dropped" if after is None else f"{name}: {old} becomes {new}"


def _vocabularies(sides: Sides) -> tuple[Vocabulary, Vocabulary]:
    return sides.before.vocabulary, sides.after.vocabulary


def _obligation(sides: Sides, name: str) -> Obligation:
    before, after = _vocabularies(sides)
    return before.obligation[name] if name in before.obligation else after.obligation[name]
