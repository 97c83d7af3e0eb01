"""Rules folded for speed: which rules speak about a portion, and whom each of them reaches.

Portion lines become masks over rules (a 200-bit integer per value); agency lines become sets of agencies; only
relations are left for the decision itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from policy.index import AgencyIndex, Reach
from policy.rules import Item, Rule
from policy.truth import Force, Line, Truth, members, property_truth
from policy.vocabulary import Attributes, Property, Value, Vocabulary

SURELY = 0
POSSIBLY = 1


# One item of `to:` that asks for relations: the agencies its agency lines admit, and the relations still to be looked
# up. A relation is `2 * number + wanted`, so that yes and no of one relation are separate memo slots.
Asking: TypeAlias = tuple[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class PlannedRule:
    """A rule with its `to:` folded over one directory and one state of the agreements.

    `sides` has, for what is sure and for what is possible, the agencies that are reached whatever the portion says and
    the items whose agencies depend on it.
    """

    rule: Rule
    sides: tuple[tuple[int, tuple[Asking, ...]], tuple[int, tuple[Asking, ...]]]
    dated: bool


def plan_rules(
    rules: Sequence[Rule], index: AgencyIndex, force: Force, previous: Sequence[PlannedRule] = ()
) -> tuple[PlannedRule, ...]:
    """Fold every rule; with `previous` plans of the same rules only those that depend on a date are folded again."""
    if previous:
        return tuple(_plan(plan.rule, index, force) if plan.dated else plan for plan in previous)
    return tuple(_plan(rule, index, force) for rule in rules)


def _plan(rule: Rule, index: AgencyIndex, force: Force) -> PlannedRule:
    numbers = {name: number for number, name in enumerate(index.vocabulary.relation)}
    dated = any(line.side == "agency" and index.vocabulary.agency[line.name].dated for item in rule.to for line in item)
    items = [_fold(item, index, force, numbers) for item in rule.to]
    sides = (_side(items, SURELY), _side(items, POSSIBLY))
    return PlannedRule(rule, sides, dated)


def _fold(item: Item, index: AgencyIndex, force: Force, numbers: Mapping[str, int]) -> tuple[Reach, tuple[int, ...]]:
    sure = possible = index.everyone
    relations: list[int] = []
    for line in item:
        if line.side == "relation":
            relations.append(2 * numbers[line.name] + ("yes" in line.values))
            continue
        line_sure, line_possible = index.line_reach(line, force)
        sure &= line_sure
        possible &= line_possible
    return (sure, possible), tuple(relations)


def _side(items: Sequence[tuple[Reach, tuple[int, ...]]], polarity: int) -> tuple[int, tuple[Asking, ...]]:
    reached = 0
    for admitted, relations in items:
        if not relations:
            reached |= admitted[polarity]
    asking = ((admitted[polarity], relations) for admitted, relations in items if relations)
    # An item that can add nobody need not ask.
    return reached, tuple((bits, relations) for bits, relations in asking if bits | reached != reached)


class PortionTables:
    """For a portion: the rules whose `when:` surely holds, and those whose `when:` possibly holds, as bit masks."""

    def __init__(self, rules: Sequence[Rule], vocabulary: Vocabulary) -> None:
        self._all = (1 << len(rules)) - 1
        lines: dict[str, list[tuple[int, Line]]] = {}
        for place, rule in enumerate(rules):
            for line in rule.when:
                lines.setdefault(line.name, []).append((1 << place, line))
        self._single: list[tuple[str, Mapping[Value | None, Reach], Reach]] = []
        self._sets: list[tuple[str, dict[str, int], int]] = []
        for name, found in lines.items():
            silent = self._all & ~sum(bit for bit, _ in found)
            known = vocabulary.bulletin[name]
            if known.kind == "set of":
                self._sets.append((name, dict(_wanting(known, found)), silent))
            else:
                masks: dict[Value | None, Reach] = {
                    value: self._masks(known, value, found, silent) for value in known.values
                }
                self._single.append((name, masks, (silent, self._all)))

    @staticmethod
    def _masks(known: Property, value: str, found: list[tuple[int, Line]], silent: int) -> Reach:
        sure = silent
        for bit, line in found:
            if property_truth(known, line.values, value, {}) is Truth.YES:
                sure |= bit
        return sure, sure

    def speaking(self, portion: Attributes) -> Reach:
        """Masks of the rules whose `when:` surely, and possibly, holds for the portion."""
        sure = possible = self._all
        for name, masks, unknown in self._single:
            value_sure, value_possible = masks.get(portion.get(name), unknown)
            sure &= value_sure
            possible &= value_possible
        for name, wanting, silent in self._sets:
            value = portion.get(name)
            mask, complete = silent, value is not None
            for member in members(value) if value is not None else ():
                wanted = wanting.get(member)
                if wanted is None:
                    complete = False
                else:
                    mask |= wanted
            sure &= mask
            if complete:
                possible &= mask
        return sure, possible


def _wanting(known: Property, found: list[tuple[int, Line]]) -> Iterator[tuple[str, int]]:
    for value in known.values:
        yield value, sum(bit for bit, line in found if value in line.values)
