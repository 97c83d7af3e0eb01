"""What stands against a folder of rules before anybody signs it: cases, rules nobody looked at, proofs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from typing_extensions import override

from broker.officer.rulebook import RULES, Rulebook
from policy import Attributes, CaseResult, run_cases, untouched_rules
from policy.comparison import Witness

Proofs: TypeAlias = Literal["made", "not made"]

#: What whoever has no solver is told to do about it.
INSTALL: Final = "pip install 'tearline[officer]'"
# Nearer than this is a slip of the hand rather than another agency.
_SLIP: Final = 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that stands against the rules: its code, where it is written, which rule it is about, and in words.

    `example` is a possible bulletin and agency that show it, where the proofs found one.
    """

    code: str
    file: str
    line: int
    rule: str | None
    message: str
    example: str | None = None

    @override
    def __str__(self) -> str:
        shown = f"; for example {self.example}" if self.example else ""
        return f"{self.file}:{self.line}: {self.message}{shown}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Everything that was looked at. The rules pass when there is no fault; without proofs less was looked at."""

    cases: tuple[CaseResult, ...]
    faults: tuple[Fault, ...]
    proofs: Proofs

    @property
    def passed(self) -> bool:
        """Whether nothing stands against the rules."""
        return not self.faults


def check(rulebook: Rulebook, *, growing: bool = False) -> Check:
    """Run every case, look for rules that no case touches, and prove what can be proved.

    `growing`: the exchange is still taking in agencies, so a case that waits for one, and a rule that only such a case
    touches, is no fault.

    Raises:
        PolicyError: `not-proved`, `not-provable`, `proof-mismatch`: the proofs did not come to an end.
    """
    cases = tuple(run_cases(rulebook.ruleset, rulebook.vocabulary, rulebook.agencies))
    found, proofs = _proved(rulebook)
    faults = [*_cases(rulebook, cases, growing=growing), *_untouched(rulebook, cases, growing=growing), *found]
    return Check(cases=cases, faults=tuple(sorted(faults, key=lambda fault: fault.line)), proofs=proofs)


def _cases(rulebook: Rulebook, cases: Iterable[CaseResult], *, growing: bool) -> Iterator[Fault]:
    for case in cases:
        if case.failed:
            told = f"the case '{case.name}' does not hold: {case.detail}{_meant(case.missing, rulebook)}"
            yield Fault(code="case-fails", file=RULES, line=case.line, rule=None, message=told)
        elif case.waits and not growing:
            told = f"the case '{case.name}' cannot hold: {case.detail}{_meant(case.missing, rulebook)}"
            yield Fault(code="case-waits", file=RULES, line=case.line, rule=None, message=told)


def _meant(missing: frozenset[str], rulebook: Rulebook) -> str:
    near = [
        close[0] for name in sorted(missing) if (close := difflib.get_close_matches(name, rulebook.agencies, 1, _SLIP))
    ]
    return f"; did you mean {', '.join(near)}?" if near else ""


def _untouched(rulebook: Rulebook, cases: tuple[CaseResult, ...], *, growing: bool) -> Iterator[Fault]:
    if growing and any(case.waits for case in cases):
        return
    lines = {rule.id: rule.line for rule in rulebook.ruleset.rules}
    for rule in untouched_rules(rulebook.ruleset, list(cases)):
        told = f"no case touches rule {rule}: add one under 'tests:' that shows whom it reaches or keeps from"
        yield Fault(code="untouched-rule", file=RULES, line=lines[rule], rule=rule, message=told)


def _proved(rulebook: Rulebook) -> tuple[list[Fault], Proofs]:
    try:
        from policy.proof.lint import lint  # noqa: PLC0415 - the solver is an extra that not every desk has
    except ModuleNotFoundError as error:
        if error.name != "z3":
            raise
        return [], "not made"
    found = [
        Fault(
            code=one.code, file=RULES, line=one.line, rule=one.rule, message=one.message, example=_example(one.example)
        )
        for one in lint(rulebook.ruleset, rulebook.vocabulary)
    ]
    return found, "made"


def _example(witness: Witness | None) -> str | None:
    if witness is None:
        return None
    who = witness.agency or f"an agency with {_attributes(witness.record)}"
    return f"a bulletin with {_attributes(witness.portion)}, to {who}"


def _attributes(attributes: Attributes) -> str:
    said = [
        f"{name} {value if isinstance(value, str) else ', '.join(sorted(value)) or 'none'}"
        for name, value in sorted(attributes.items())
    ]
    return "; ".join(said) or "nothing stated"
