"""The cases of two editions side by side, each as it stood and as it stands.

Whoever changes rules may change the cases that would speak against them. So a case that was removed or rewritten is
also run as it was written before, on the rules as they would be.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from policy.cases import CaseResult, run_cases
from policy.comparison import Edition
from policy.rules import Case

Outcome: TypeAlias = Literal["holds", "fails", "waits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseChange:
    """One case, by its name.

    Attributes:
        before: how it fared on the rules and directory before; None when it is new.
        after: how it fares after; None when it was removed.
        as_before: for one that was removed or rewritten, how it would fare after as it was written before.
        detail: every difference in words, of `after` or else of `as_before`.
        failure: it fails, or it held for agencies that have left: no such change passes.
    """

    name: str
    kind: Literal["kept", "added", "removed", "rewritten"]
    before: Outcome | None
    after: Outcome | None
    as_before: Outcome | None
    detail: str
    failure: bool


def compare_cases(
    before: Edition, after: Edition, were: Sequence[CaseResult], results: Sequence[CaseResult]
) -> tuple[CaseChange, ...]:
    """Compare the cases of two editions, of which `were` and `results` are the results; those of `after` come first."""
    old = {case.name: case for case in before.ruleset.cases}
    was = {result.name: result for result in were}
    new = {case.name: case for case in after.ruleset.cases}
    dropped = [case for name, case in old.items() if name not in new or _meaning(new[name]) != _meaning(case)]
    again = _as_before(dropped, after)
    changes = [_changed(result, was.get(result.name), again.get(result.name)) for result in results]
    return (*changes, *(_removed(was[name], again.get(name)) for name in old if name not in new))


def _changed(result: CaseResult, was: CaseResult | None, again: CaseResult | None) -> CaseChange:
    after = _outcome(result)
    return CaseChange(
        name=result.name,
        kind="added" if was is None else "kept" if again is None else "rewritten",
        before=None if was is None else _outcome(was),
        after=after,
        as_before=None if again is None else _outcome(again),
        detail=result.detail or ("" if again is None else again.detail),
        failure=after == "fails" or (after == "waits" and was is not None and not was.waits),
    )


def _removed(was: CaseResult, again: CaseResult | None) -> CaseChange:
    return CaseChange(
        name=was.name,
        kind="removed",
        before=_outcome(was),
        after=None,
        as_before=None if again is None else _outcome(again),
        detail="" if again is None else again.detail,
        failure=False,
    )


def _as_before(cases: list[Case], after: Edition) -> Mapping[str, CaseResult]:
    """The results of old cases on the new rules; one that expects a duty the vocabulary no longer has fits no rules."""
    known = after.vocabulary.obligation.keys()
    runnable = tuple(case for case in cases if all(duties.keys() <= known for duties in case.obligations.values()))
    results = run_cases(replace(after.ruleset, cases=runnable), after.vocabulary, after.agencies)
    return {result.name: result for result in results}


def _meaning(case: Case) -> Case:
    return replace(case, line=0)


def _outcome(result: CaseResult) -> Outcome:
    return "holds" if result.passed else "waits" if result.waits else "fails"
