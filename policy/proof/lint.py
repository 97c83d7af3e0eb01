"""What a proof holds against one rules file: rules without effect, and always rules that could be stopped unawares."""

from collections.abc import Iterator
from dataclasses import replace
from typing import final

from policy.comparison import SOME_AGENCY, Edition, Finding, Witness
from policy.decide import compile_rules
from policy.obligations import ObligationValue
from policy.proof.logic import Formula, Model
from policy.proof.meaning import duty_parts
from policy.proof.sides import Ground, mismatch
from policy.rules import Rule, Ruleset
from policy.vocabulary import Vocabulary


def lint(ruleset: Ruleset, vocabulary: Vocabulary) -> tuple[Finding, ...]:
    """Everything that refuses a rules file although each of its lines is in order; by rule, in the order of the text.

    Raises:
        PolicyError: if nothing could be proved (`not-proved`, `not-provable`), or if the decider of production
            contradicts the proof (`proof-mismatch`).
    """
    return tuple(_Lint(ruleset, vocabulary).findings())


# Whoever has this many always rules to mend needs no more examples.
_SHOWN = 20


@final
class _Lint:
    def __init__(self, ruleset: Ruleset, vocabulary: Vocabulary) -> None:
        self._ruleset = ruleset
        self._vocabulary = vocabulary
        edition = Edition(vocabulary=vocabulary, ruleset=ruleset, agencies={})
        self._ground = Ground(edition)
        self._logic = self._ground.logic
        self._record = self._ground.anyone()
        self._meaning = self._ground.meaning(edition, self._record)
        self._shown = 0
        natural = (*self._ground.portion.natural, *self._record.natural)
        self._complete = self._logic.named(self._logic.all_of(natural))

    def findings(self) -> Iterator[Finding]:
        for rule in self._ruleset.rules:
            matches = self._meaning.matches[rule.id]
            if rule.effect in {"never", "require"}:
                # With nothing stated such a rule is always possible; it must mean something to a complete record, too.
                if not self._logic.possible(matches, self._complete):
                    yield self._finding("never-matches", rule, "matches nothing that is fully stated")
                continue
            if not self._logic.possible(matches):
                yield self._finding("never-matches", rule, "can never match: its lines cannot all hold at once")
                continue
            if not self._logic.possible(matches, self._logic.negate(self._meaning.blocked)):
                yield self._finding("always-blocked", rule, "shares nothing: never rules block all that it matches")
            elif not self._adds(rule):
                yield self._finding(
                    "adds-nothing", rule, "adds nothing: other rules give the same to the same agencies"
                )
            if rule.effect == "always":
                yield from self._yielding(rule)

    def _adds(self, rule: Rule) -> bool:
        """Whether somebody gets something, or has a duty, by this rule alone."""
        reached = (self._meaning.matches[rule.id], self._logic.negate(self._meaning.blocked))
        # A share beside an always rule does not replace it: what must arrive is looked after when it is blocked.
        effects = ("always",) if rule.effect == "always" else ("share", "always")
        others = [other for other in self._ruleset.rules if other.id != rule.id]
        granted = self._any(other for other in others if other.effect in effects)
        if self._logic.possible(*reached, self._logic.negate(granted)):
            return True
        return any(
            self._logic.possible(*reached, self._logic.negate(self._any(self._as_strict(others, name, part))))
            for name, value in rule.obligations.items()
            for part in duty_parts(value)
        )

    def _as_strict(self, others: list[Rule], name: str, value: ObligationValue) -> Iterator[Rule]:
        for other in others:
            if any(self._satisfies(name, part, value) for part in duty_parts(other.obligations.get(name))):
                yield other

    def _satisfies(self, name: str, value: ObligationValue, wanted: ObligationValue) -> bool:
        known = self._vocabulary.obligation[name]
        if known.kind == "union":
            return value == wanted
        if isinstance(value, int) and isinstance(wanted, int):
            return value <= wanted
        return known.values.index(str(value)) >= known.values.index(str(wanted))

    def _any(self, rules: Iterator[Rule]) -> Formula:
        return self._logic.any_of(self._meaning.matches[rule.id] for rule in rules)

    def _yielding(self, rule: Rule) -> Iterator[Finding]:
        """An always rule yields to the never rules that it lists, and each of these can make it."""
        listed = frozenset(rule.yields_to)
        matches = self._meaning.matches[rule.id]
        for never in self._ruleset.rules:
            if never.effect != "never":
                continue
            pair = (matches, self._meaning.matches[never.id])
            if never.id in listed:
                if not self._logic.possible(*pair):
                    message = f"yields to {never.id}, which can never block it: take it out of 'yields to'"
                    yield self._finding("yields-in-vain", rule, message)
                continue
            example = self._example(rule, never) if self._shown < _SHOWN else None
            if example is not None or (self._shown >= _SHOWN and self._logic.possible(*pair)):
                self._shown += 1
                message = f"must always arrive, but {never.id} can block it and is not listed under 'yields to'"
                yield self._finding("blocks-always", rule, message, example)

    def _example(self, rule: Rule, never: Rule) -> Witness | None:
        """A recipient of `rule` that `never` blocks, as the decider of production sees it, too; None if none can be."""
        model: Model | None = self._ground.example(
            self._meaning.matches[rule.id], self._meaning.matches[never.id], record=self._record
        )
        if model is None:
            return None
        witness = Witness(
            portion=self._ground.portion.read(model, SOME_AGENCY),
            agency=None,
            record=self._record.read(model),
            at=self._ground.moment.read(model),
        )
        both = replace(self._ruleset, rules=(rule, never))
        decider = compile_rules(both, self._vocabulary, {SOME_AGENCY: witness.record}, at=witness.at)
        decision = decider.decide(witness.portion)
        if rule.id not in decision.granted_by(SOME_AGENCY) or never.id not in decision.blocked_by(SOME_AGENCY):
            raise mismatch("an always rule")
        return witness

    @staticmethod
    def _finding(code: str, rule: Rule, message: str, example: Witness | None = None) -> Finding:
        return Finding(code=code, rule=rule.id, line=rule.line, message=f"{rule.id} {message}", example=example)
