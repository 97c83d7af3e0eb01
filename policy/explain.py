"""Why an agency gets a portion, why it does not, and what was closest to letting it through."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from policy.decision import Decision
from policy.errors import PolicyError
from policy.findings import LineReport, report_line
from policy.obligations import Obligations, describe_obligations
from policy.own import AnyDecider
from policy.rules import Item, Rule
from policy.shareable import Shareable, shareable
from policy.vocabulary import Attributes

# An explanation is read by a person: more names, or more ways, say no more.
_NAMED_AT_MOST = 10
_WAYS_AT_MOST = 3

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
class Others:
    """Who else gets the portion by the same rule: how many, and the first of them by id."""

    rule: str
    count: int
    agencies: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One portion, one agency: the outcome and its reasons.

    `others` is only there when it is shared, `shareable` only when it is not, `nearest_miss` when no rule would share.
    """

    agency: str
    outcome: Outcome
    granted_by: tuple[str, ...]
    blocked_by: tuple[str, ...]
    grants: tuple[RuleReport, ...]
    blocks: tuple[RuleReport, ...]
    nearest_miss: NearestMiss | None
    obligations: Obligations
    duties: tuple[str, ...]
    others: tuple[Others, ...]
    shareable: Shareable | None

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
        others=tuple(_others(decision, rule, agency) for rule in granted_by) if shared else (),
        shareable=None if shared else shareable(decider, portion, agency),
    )


def _others(decision: Decision, rule: str, agency: str) -> Others:
    others = [one for one in decision.shared_by(rule) if one != agency]
    return Others(rule=rule, count=len(others), agencies=tuple(others[:_NAMED_AT_MOST]))


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
            for others in explanation.others:
                yield _also(others)
            if explanation.duties:
                yield f"Its duties: {'; '.join(explanation.duties)}."
        case "withheld":
            granting = ", ".join(explanation.granted_by)
            yield f"{agency} does not get this portion: {granting} would share it, but it is withheld."
            for report in explanation.blocks:
                yield from _blocked(report)
            yield from _ways(explanation)
        case "not shared":
            yield f"{agency} does not get this portion: no rule shares it with them."
            yield from _missed(explanation)
            for report in explanation.blocks:
                yield from _blocked(report)
            yield from _ways(explanation)


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


def _also(others: Others) -> str:
    if not others.count:
        return f"Nobody else gets it by {others.rule}."
    more = others.count - len(others.agencies)
    named = ", ".join(others.agencies) + (f" and {more} more" if more else "")
    return f"By {others.rule} it also goes to {named}."


def _ways(explanation: Explanation) -> Iterator[str]:
    found = explanation.shareable
    if found is None:
        return
    # A bulletin about something else is no way to share this one: its rules are named, not how to get under them.
    ways = [way for way in found.ways if all(change.kind != "subject" for change in way.changes)]
    shown = ways[:_WAYS_AT_MOST]
    for way in shown:
        yield from way.sentences()
    if any(change.kind == "marking" for way in shown for change in way.changes):
        yield "How a bulletin is marked follows from what it says, never from whom it should reach."
    if len(ways) > len(shown):
        yield f"There are {len(ways) - len(shown)} more ways, which need as much or more."
    if not found.ways:
        yield "Nothing that the originator or the directory may change would share it."
    elif not ways:
        rules = ", ".join(sorted({way.rule for way in found.ways}))
        yield f"Nothing would share this portion with {explanation.agency}; other bulletins go there by {rules}."
    if not found.complete:
        yield "The rules are too many to look at every way."
