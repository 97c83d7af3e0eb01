"""Runs the cases of a rules file against a directory: on every change of either."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from policy.decide import compile_rules
from policy.decision import Decision
from policy.obligations import describe_value
from policy.own import AnyDecider
from policy.parse_cases import TEARLINE, VERSION
from policy.rules import Case, Ruleset
from policy.vocabulary import Attributes, Vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """One case, whether it holds, every difference in words, and the rules that had a say in it.

    Attributes:
        passed: it holds; never while an agency that it names is missing.
        failed: it does not hold for agencies that are there, whoever is missing. A case that neither passed nor failed
            waits for agencies.
        missing: agencies that the case expects something of and that are not in the directory.
    """

    name: str
    line: int
    passed: bool
    failed: bool
    detail: str
    touched: frozenset[str]
    missing: frozenset[str]

    @property
    def waits(self) -> bool:
        """Whether nothing speaks against the case but that agencies it names are not in the directory yet."""
        return not self.passed and not self.failed


def run_cases(ruleset: Ruleset, vocabulary: Vocabulary, agencies: Mapping[str, Attributes]) -> list[CaseResult]:
    """Decide every case with the very decider of production; without `at` the agreements are unknown."""
    return run_cases_by(compile_rules(ruleset, vocabulary, agencies, at=None), ruleset.cases)


def run_cases_by(timeless: AnyDecider, cases: Iterable[Case]) -> list[CaseResult]:
    """Decide cases with a decider that was made without a moment, of whatever rules."""
    return [_run(case, timeless if case.at is None else timeless.at(case.at)) for case in cases]


def untouched_rules(ruleset: Ruleset, results: list[CaseResult]) -> tuple[str, ...]:
    """Share, always and never rules that no case touches: whom they reach has never been looked at.

    A require rule changes nobody's audience, so it is not asked for.
    """
    touched = frozenset[str]().union(*(result.touched for result in results))
    return tuple(sorted(rule.id for rule in ruleset.rules if rule.effect != "require" and rule.id not in touched))


def _run(case: Case, decider: AnyDecider) -> CaseResult:
    decision = decider.decide(case.portion)
    touched = decision.touched
    missing = _mentioned(case) - decider.agencies.keys()
    faults = list(_faults(case, decider, decision, missing))
    if case.tearline_reaches is not None:
        tearline = decider.decide({**case.portion, VERSION: TEARLINE})
        touched |= tearline.touched
        beyond = frozenset(tearline.audience) - frozenset(decision.audience)
        faults.extend(_differences("the tearline", beyond, case.tearline_reaches - missing))
    return CaseResult(
        name=case.name,
        line=case.line,
        passed=not faults and not missing,
        failed=bool(faults),
        detail="; ".join([*(f"{agency} is not in the directory" for agency in sorted(missing)), *faults]),
        touched=touched,
        missing=missing,
    )


def _faults(case: Case, decider: AnyDecider, decision: Decision, missing: frozenset[str]) -> Iterator[str]:
    """What does not hold for the agencies that are there."""
    if case.reaches is not None:
        yield from _differences("it", frozenset(decision.audience), case.reaches - missing)
    if case.nobody_because is not None:
        yield from _nobody(decider, decision, case.nobody_because, waiting=bool(missing))
    for agency, expected in sorted(case.obligations.items()):
        if agency in missing:
            continue
        if not decision.reaches(agency):
            yield f"{agency} does not get it and so has no duties"
            continue
        actual = decision.obligations(agency)
        for name, value in expected.items():
            if actual.get(name) != value:
                has = describe_value(decider.vocabulary, name, actual[name]) if name in actual else "nothing"
                wanted = describe_value(decider.vocabulary, name, value)
                yield f"{agency}: {name} is {has}, expected {wanted}"
    for agency, rules in sorted((case.withheld_from or {}).items()):
        actual_rules = decision.withheld.get(agency, ())
        if agency not in missing and frozenset(actual_rules) != rules:
            by = ", ".join(actual_rules) or "no rule"
            yield f"withheld from {agency} by {by}, expected {', '.join(sorted(rules))}"


def _mentioned(case: Case) -> frozenset[str]:
    return frozenset(case.obligations).union(case.reaches or (), case.tearline_reaches or (), case.withheld_from or ())


def _differences(what: str, actual: frozenset[str], expected: frozenset[str]) -> Iterator[str]:
    if actual - expected:
        yield f"{what} also reaches {', '.join(sorted(actual - expected))}"
    if expected - actual:
        yield f"{what} does not reach {', '.join(sorted(expected - actual))}"


def _nobody(decider: AnyDecider, decision: Decision, named: frozenset[str], *, waiting: bool) -> Iterator[str]:
    """The named never rules must between them be reason enough, each taking part.

    Reason enough: they block everyone whom some rule would share with; where no rule would, everyone there is. While
    the case waits for agencies, those may be the ones it is about: then only what is there and wrong counts.
    """
    if decision.size:
        yield f"it reaches {', '.join(decision.audience)}"
    for rule in sorted(named) if not waiting else ():
        if rule not in decision.touched:
            yield f"{rule} blocks nobody"
    for agency in decision.withheld or (() if waiting else decider.agencies):
        if named.isdisjoint(decision.blocked_by(agency)):
            yield f"{agency} is not blocked by {', '.join(sorted(named))}"
            return
