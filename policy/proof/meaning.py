"""What rules mean, as formulas: three-valued lines, polarity, audience and duties.

Written from DESIGN 9 and `policy.truth` (the definition) alone, and sharing no code with the bitsets of
`policy.compile`: one of the three deciders that must agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import final

from policy.agreements import Agreement
from policy.obligations import ObligationValue
from policy.proof.logic import Formula, Logic
from policy.proof.moment import Moment
from policy.proof.portion import Portion
from policy.proof.record import Record
from policy.rules import Item, Rule, Ruleset
from policy.truth import Line, Side
from policy.vocabulary import Property, Relation, Vocabulary


@dataclass(frozen=True, slots=True)
class Truth3:
    """A three-valued truth: it is surely so, it is possibly so; unknown is the one without the other."""

    surely: Formula
    possibly: Formula


@final
class Whens:
    """What lines about the portion mean by one vocabulary: the same for every agency."""

    def __init__(self, logic: Logic, vocabulary: Vocabulary, portion: Portion) -> None:
        self._logic = logic
        self._vocabulary = vocabulary
        self._portion = portion
        self._lines: dict[Line, Truth3] = {}
        self._items: dict[tuple[Item, bool], Formula] = {}

    def item(self, item: Item, *, surely: bool) -> Formula:
        """Whether all lines hold."""
        if (item, surely) not in self._items:
            truths = (self.line(line) for line in item)
            self._items[item, surely] = self._logic.named(
                self._logic.all_of(truth.surely if surely else truth.possibly for truth in truths)
            )
        return self._items[item, surely]

    def line(self, line: Line) -> Truth3:
        """The truth of one line: of one value surely one of the wanted, possibly so unless it surely is another."""
        if line not in self._lines:
            self._lines[line] = self._line(self._vocabulary.bulletin[line.name], line.values)
        return self._lines[line]

    def _line(self, known: Property, wanted: frozenset[str]) -> Truth3:
        attribute, any_of = self._portion.attributes[known.name], self._logic.any_of
        if known.kind == "set of":
            surely = any_of(attribute.member[value] for value in sorted(wanted))
            return Truth3(surely, any_of((surely, attribute.some(self._logic, frozenset(known.values)))))
        others = any_of(attribute.text[value] for value in known.values if value not in wanted)
        return Truth3(any_of(attribute.text[value] for value in sorted(wanted)), self._logic.negate(others))


@final
class Meaning:
    """One side of a comparison: rules, read by one vocabulary, for a portion, an agency and a moment."""

    def __init__(
        self, logic: Logic, *, vocabulary: Vocabulary, ruleset: Ruleset, portion: Portion, whens: Whens,
        record: Record, moment: Moment,
    ) -> None:  # fmt: skip
        self._logic = logic
        self._portion = portion
        self._whens = whens
        self._record = record
        self._moment = moment
        self._agreements: Mapping[str, Agreement] = ruleset.agreements
        self._lines: dict[Line, Truth3] = {}
        self.vocabulary = vocabulary
        self.rules = {rule.id: rule for rule in ruleset.rules}
        # Whether a rule matches, by the polarity of its effect.
        self.matches = {rule.id: logic.named(self.rule(rule)) for rule in ruleset.rules}

    @cached_property
    def granted(self) -> Formula:
        """Some share or always rule surely matches."""
        return self._any("share", "always")

    @cached_property
    def meant(self) -> Formula:
        """Some always rule surely matches."""
        return self._any("always")

    @cached_property
    def blocked(self) -> Formula:
        """Some never rule possibly matches."""
        return self._any("never")

    @cached_property
    def shared(self) -> Formula:
        return self._logic.named(self._logic.all_of((self.granted, self._logic.negate(self.blocked))))

    def _any(self, *effects: str) -> Formula:
        return self._logic.named(
            self._logic.any_of(self.matches[rule.id] for rule in self.rules.values() if rule.effect in effects)
        )

    def rule(self, rule: Rule, *, surely: bool | None = None) -> Formula:
        """Whether the rule matches: by its effect's polarity unless said otherwise."""
        sure = rule.effect in ("share", "always") if surely is None else surely
        to = self._logic.any_of(self._item(item, surely=sure) for item in rule.to)
        # Of one known agency most rules do not speak at all.
        return to is not False and self._logic.all_of((self._whens.item(rule.when, surely=sure), to))

    def _item(self, item: Item, *, surely: bool) -> Formula:
        truths = (self.line(line) for line in item)
        return self._logic.all_of(truth.surely if surely else truth.possibly for truth in truths)

    def line(self, line: Line) -> Truth3:
        """The truth of one line."""
        if line not in self._lines:
            self._lines[line] = self._line(line)
        return self._lines[line]

    def _line(self, line: Line) -> Truth3:
        match line.side:
            case "portion":
                return self._whens.line(line)
            case "agency":
                return self._agency_line(self.vocabulary.agency[line.name], line.values)
            case "relation":
                truth = self.relation(self.vocabulary.relation[line.name])
                return truth if "yes" in line.values else self._flip(truth)

    def _flip(self, truth: Truth3) -> Truth3:
        return Truth3(self._logic.negate(truth.possibly), self._logic.negate(truth.surely))

    def _agency_line(self, known: Property, wanted: frozenset[str]) -> Truth3:
        if known.kind != "set of":
            others = self._record.is_one_of(known.name, frozenset(known.values) - wanted)
            return Truth3(self._record.is_one_of(known.name, wanted), self._logic.negate(others))
        sure, possible = [], [self._record.more(known.name, frozenset(known.values))]
        for value in sorted(wanted):
            held = self._record.has(known.name, value)
            force = self.force(value) if known.dated else Truth3(True, True)
            sure.append(self._logic.all_of((held, force.surely)))
            possible.append(self._logic.all_of((held, force.possibly)))
        return Truth3(self._logic.any_of(sure), self._logic.any_of(possible))

    def force(self, name: str) -> Truth3:
        """Whether a dated agreement is in force; one without dates is never known to be."""
        agreement = self._agreements.get(name)
        if agreement is None:
            return Truth3(False, True)
        return Truth3(self._moment.surely_in_force(agreement), self._moment.possibly_in_force(agreement))

    def dates(self, names: frozenset[str]) -> tuple[Agreement, ...]:
        """The dates on which these agreements depend."""
        return tuple(self._agreements[name] for name in sorted(names) if name in self._agreements)

    def stated(self, side: Side, name: str, values: frozenset[str]) -> Mapping[str, Formula]:
        """For a property with one value: whether it is this one, whichever side knows the word."""
        if side == "portion":
            return {value: self._portion.attributes[name].text[value] for value in sorted(values)}
        return {value: self._record.is_one_of(name, (value,)) for value in sorted(values)}

    def relation(self, relation: Relation) -> Truth3:
        """Whether key and index meet; a key that is known to be empty surely meets nothing."""
        known = self.vocabulary.keys[relation.key]
        meets = self._record.meets(relation.key, relation.index, known)
        key_more = self._portion.attributes[relation.key].some(self._logic, known)
        unclear = self._logic.any_of((key_more, self._record.unlisted(relation.index, known)))
        could = self._logic.all_of((self._logic.negate(self._portion.empty(relation.key)), unclear))
        return Truth3(meets, self._logic.any_of((meets, could)))

    def obliged(self, name: str, at_least: frozenset[ObligationValue]) -> Formula:
        """Whether some matching rule gives the duty `name` one of these values (of a union: any of these words)."""
        return self._logic.named(
            self._logic.any_of(
                self.matches[rule.id]
                for rule in self.rules.values()
                if not at_least.isdisjoint(duty_parts(rule.obligations.get(name)))
            )
        )


def duty_parts(value: ObligationValue | None) -> tuple[ObligationValue, ...]:
    """The words of a union, or the one value; nothing where there is no such duty."""
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (value,)
