"""What a change does rule by rule, in words: where each rule matches more or less, and what other rules stand there."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Literal, TypeAlias, cast, final

from policy.comparison import RuleChange
from policy.proof.boxes import Box, Questions, merged, minus, overlap, tangled
from policy.proof.logic import Formula
from policy.proof.meaning import Meaning
from policy.proof.regions import in_words
from policy.proof.sides import Sides
from policy.rules import Rule
from policy.say import sentence

Kind: TypeAlias = Literal["added", "removed", "matches more", "matches less", "duties", "reworded"]
# More lines than this hide the change; the rule's own items then stand for it, as far as it is in them.
_LINES = 8
_LOSING = frozenset(("matches less", "removed"))
_GRANTS = ("share", "always")


def rule_changes(sides: Sides) -> tuple[RuleChange, ...]:
    """Every rule that is not the same before and after, in the order of the text after it, removed ones last."""
    return tuple(_Changes(sides).all())


@final
class _Changes:
    def __init__(self, sides: Sides) -> None:
        self._sides = sides
        self._logic = sides.logic
        self._questions = Questions(sides.logic, sides.ground.words, (sides.after, sides.before))
        self._known: dict[tuple[bool, str], list[Box]] = {}

    def all(self) -> Iterator[RuleChange]:
        before, after = self._sides.before.rules, self._sides.after.rules
        for name, rule in after.items():
            old = before.get(name)
            if old is None or old.effect != rule.effect:
                yield from self._lost(old) if old is not None else ()
                yield self._change("added", None, rule, (self._sides.after.matches[name],))
            elif (
                _literal(old) != _literal(rule)
                or self._sides.before.matches[name] is not (self._sides.after.matches[name])
            ):
                yield from self._altered(old, rule)
        for name, old in before.items():
            if name not in after:
                yield from self._lost(old)

    def _lost(self, old: Rule) -> Iterator[RuleChange]:
        yield self._change("removed", old, None, (self._sides.before.matches[old.id],))

    def _altered(self, old: Rule, new: Rule) -> Iterator[RuleChange]:
        was, now = self._sides.before.matches[old.id], self._sides.after.matches[new.id]
        more, less = (now, self._logic.negate(was)), (was, self._logic.negate(now))
        same = True
        if self._logic.possible(*more):
            same = False
            yield self._change("matches more", old, new, more)
        if self._logic.possible(*less):
            same = False
            yield self._change("matches less", old, new, less)
        if dict(old.obligations) != dict(new.obligations):
            yield self._change("duties", old, new, (now,))
        elif same and _literal(old) != _literal(new):
            yield self._change("reworded", old, new, (now,))

    def _change(self, kind: Kind, old: Rule | None, new: Rule | None, where: tuple[Formula, ...]) -> RuleChange:
        """`where` the rule matters otherwise than before."""
        rule = new if new is not None else cast("Rule", old)
        after = None if new is None else sentence(new, self._sides.after.vocabulary)
        parts, lines = self._regions(kind, old, new, where)
        grants = self._sides.after if kind in _LOSING else self._sides.before
        return RuleChange(
            rule=rule.id,
            title=rule.title,
            effect=rule.effect,
            kind=kind,
            before=None if old is None else sentence(old, self._sides.before.vocabulary),
            after=after,
            regions=lines,
            held_back_by=self._standing(self._sides.after, rule.id, ("never",), parts, where),
            granted_already_by=self._standing(grants, rule.id, _GRANTS, parts, where),
        )

    def _standing(
        self, meaning: Meaning, but: str, effects: Sequence[str], parts: Sequence[Box], where: tuple[Formula, ...]
    ) -> tuple[str, ...]:
        """Other rules of these effects that match somewhere in the parts."""
        return tuple(
            sorted(
                name
                for name, rule in meaning.rules.items()
                if rule.effect in effects and name != but and self._stands(meaning, rule, parts, where)
            )
        )

    def _stands(self, meaning: Meaning, rule: Rule, parts: Sequence[Box], where: tuple[Formula, ...]) -> bool:
        doubtful = False
        for part, box in product(parts, self._boxes(meaning, rule)):
            both = overlap(part, box)
            if both is not None and not tangled(both):
                return True
            doubtful = doubtful or both is not None
        return doubtful and self._logic.possible(*where, meaning.matches[rule.id])

    def _boxes(self, meaning: Meaning, rule: Rule) -> list[Box]:
        key = (meaning is self._sides.after, rule.id)
        if key not in self._known:
            self._known[key] = self._questions.boxes(meaning, rule)
        return self._known[key]

    def _regions(
        self, kind: Kind, old: Rule | None, new: Rule | None, where: tuple[Formula, ...]
    ) -> tuple[Sequence[Box], tuple[str, ...]]:
        """Boxes that hold all of the difference, and the lines that say it; nothing but the difference if they can."""
        words = self._sides.ground.words
        was = [] if old is None else self._boxes(self._sides.before, old)
        now = [] if new is None else self._boxes(self._sides.after, new)
        whole, without = (was, now) if kind in _LOSING else (now, was)
        if kind in {"duties", "reworded"}:
            without = []
        found: list[Box] | None = []
        for box in whole:
            rest = minus(box, without)
            found = None if rest is None or found is None else [*found, *rest]
        if found is not None:
            found = [box for box in merged(found) if not tangled(box) or self._possible(box)]
            if 0 < len(found) <= _LINES:
                return found, tuple(in_words(words, box) for box in found)
        # What changed is what the vocabulary knows, or is too scattered to list.
        touched = [box for box in whole if self._possible(box, *where)]
        return touched, tuple(f"some of: {in_words(words, box)}" for box in touched)

    def _possible(self, box: Box, *where: Formula) -> bool:
        return self._logic.possible(self._questions.formula(box), *where)


def _literal(rule: Rule) -> Rule:
    """The rule without its place in the text."""
    return replace(rule, line=0)
