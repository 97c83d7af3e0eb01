"""Why an agency gets a portion, why it does not, and what was closest to letting it through."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from policy.errors import PolicyError
from policy.findings import LineReport, report_line
from policy.obligations import Obligations, describe_obligations
from policy.own import AnyDecider
from policy.rules import Item, Rule
from policy.vocabulary import Attributes

Outcome: TypeAlias = Literal["shared", "withheld", "not shared"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReport:
    """One rule that matched, with the lines of the item of `to:` by which it did."""

    rule: str
    title: str
    because: str
    lines: tuple[LineReport, ...]

    @property
    def undecided(self) -> tuple[LineReport, ...]:
        """Lines that a never rule counted as holding because data is missing."""
        return tuple(line for line in self.lines if line.missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class NearestMiss:
    """The share or always rule that came closest, and the lines that did not surely hold."""

    rule: str
    title: str
    lines: tuple[LineReport, ...]

    @property
    def single(self) -> LineReport | None:
        """The one line that stood between the agency and the portion, if it was only one."""
        return self.lines[0] if len(self.lines) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One portion, one agency: the outcome and its reasons. `nearest_miss` only when no rule would share."""

    agency: str
    outcome: Outcome
    granted_by: tuple[str, ...]
    blocked_by: tuple[str, ...]
    grants: tuple[RuleReport, ...]
    blocks: tuple[RuleReport, ...]
    nearest_miss: NearestMiss | None
    obligations: Obligations
    duties: tuple[str, ...]

    def sentences(self) -> list[str]:
        """The explanation in plain sentences, the verdict first."""
        return list(_sentences(self))


def explain(decider: AnyDecider, portion: Attributes, agency: str) -> Explanation:
    """Explain the decision of `decider` for one agency.

    Raises:
        PolicyError: if the agency is not in the directory.
    """
    if agency not in decider.agencies:
        raise PolicyError("unknown-agency", f"`{agency}` is not in the directory")
    decision = decider.decide(portion)
    granted_by, blocked_by = decision.granted_by(agency), decision.blocked_by(agency)
    rules = {rule.id: rule for rule in decider.ruleset.rules}
    shared = decision.reaches(agency)
    duties = decision.obligations(agency) if shared else {}
    return Explanation(
        agency=agency,
        outcome="shared" if shared else "withheld" if granted_by else "not shared",
        granted_by=granted_by,
        blocked_by=blocked_by,
        grants=tuple(_report(decider, rules[rule], portion, agency) for rule in granted_by),
        blocks=tuple(_report(decider, rules[rule], portion, agency) for rule in blocked_by),
        nearest_miss=None if granted_by else _nearest(decider, portion, agency),
        obligations=duties,
        duties=tuple(describe_obligations(decider.vocabulary, duties)),
    )


def _report(decider: AnyDecider, rule: Rule, portion: Attributes, agency: str) -> RuleReport:
    lines = min((_lines(decider, rule, item, portion, agency) for item in rule.to), key=_doubt)
    return RuleReport(rule=rule.id, title=rule.title, because=rule.because, lines=lines)


def _lines(decider: AnyDecider, rule: Rule, item: Item, portion: Attributes, agency: str) -> tuple[LineReport, ...]:
    return tuple(report_line(decider, line, portion, agency) for line in (*rule.when, *item))


def _doubt(lines: Iterable[LineReport]) -> tuple[int, int]:
    """The item by which a rule matched comes first: one where nothing surely fails, and least is undecided."""
    failing = [line for line in lines if not line.holds]
    return sum(not line.missing for line in failing), len(failing)


def _distance(lines: Iterable[LineReport]) -> tuple[int, int]:
    """Fewest failing lines; among equals fewest that surely fail, so that missing data counts as nearer."""
    failing = [line for line in lines if not line.holds]
    return len(failing), sum(not line.missing for line in failing)


def _nearest(decider: AnyDecider, portion: Attributes, agency: str) -> NearestMiss | None:
    candidates = (
        (rule, _lines(decider, rule, item, portion, agency))
        for rule in sorted(decider.ruleset.rules, key=lambda rule: rule.id)
        if rule.effect in ("share", "always")
        for item in rule.to
    )
    # Among equally near rules the one that is about such a bulletin tells more than one that is about such an agency.
    closest = min(
        candidates,
        key=lambda found: (_distance(found[1]), sum(line.side == "portion" and not line.holds for line in found[1])),
        default=None,
    )
    if closest is None:
        return None
    rule, lines = closest
    return NearestMiss(rule=rule.id, title=rule.title, lines=tuple(line for line in lines if not line.holds))


def _sentences(explanation: Explanation) -> Iterator[str]:
    agency = explanation.agency
    match explanation.outcome:
        case "shared":
            yield f"{agency} gets this portion."
            for report in explanation.grants:
                yield f"{report.rule} ({report.title}) shares it, because: {report.because}."
            if explanation.duties:
                yield f"Its duties: {'; '.join(explanation.duties)}."
        case "withheld":
            granting = ", ".join(explanation.granted_by)
            yield f"{agency} does not get this portion: {granting} would share it, but it is withheld."
            for report in explanation.blocks:
                yield from _blocked(report)
        case "not shared":
            yield f"{agency} does not get this portion: no rule shares it with them."
            yield from _missed(explanation)
            for report in explanation.blocks:
                yield from _blocked(report)


def _blocked(report: RuleReport) -> Iterator[str]:
    yield f"{report.rule} ({report.title}) forbids it, because: {report.because}."
    for line in report.lines:
        if line.missing:
            yield (f"{report.rule} forbids it to be safe, because data is missing for '{line.text}': {line.found}.")
        elif line.side != "portion":
            yield f"It applies to them by '{line.text}': {line.found}."


def _missed(explanation: Explanation) -> Iterator[str]:
    miss = explanation.nearest_miss
    if miss is None:
        yield "There is no rule that shares anything."
        return
    count = "a single line" if miss.single is not None else f"{len(miss.lines)} lines"
    yield f"The nearest rule is {miss.rule} ({miss.title}); {count} kept it from matching."
    for line in miss.lines:
        reason = "is undecided because data is missing" if line.missing else "does not hold"
        yield f"'{line.text}' {reason}: {line.found}."
