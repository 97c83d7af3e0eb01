"""Everything an approver must know of a change before signing it: proved, tried on the cases, and replayed.

A value of its inputs alone. Whoever has the same two editions and the same recordings gets the same preview.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from policy.case_changes import CaseChange, compare_cases
from policy.cases import run_cases, untouched_rules
from policy.comparison import Comparison, Edition, Finding
from policy.history import Recorded
from policy.replay import replay
from policy.replayed import Replay
from policy.say import Reworded, reworded, sentences

# Each of so many changed agencies has its own row in the matrix; of more, those for whom most changes.
_MANY_AGENCIES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where an edition comes from: the SHA-256 of each of its files, and its releases where they have numbers."""

    files: Mapping[str, str]
    rules: int | None = None
    directory: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One file of recorded portions: its SHA-256 and how many portions it holds."""

    sha256: str
    portions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryChange:
    """What changes of one agency beside its attributes, in words: keys, gateway, contacts, officers."""

    agency: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A change, and all that is known of it.

    Attributes:
        sentences: what the rules and agreements say otherwise than before.
        findings: what the proofs hold against the rules as they would be.
        cases: of both editions; see `CaseChange`.
        untouched: share, always and never rules that no case touches, before and after.
        replay: None when nothing recorded was given.
        history: the files that were replayed, by hash.
        entries: what changes in the directory beside what the rules see.
    """

    before: Edition
    after: Edition
    sources: tuple[Source, Source]
    comparison: Comparison
    sentences: tuple[Reworded, ...]
    findings: tuple[Finding, ...]
    cases: tuple[CaseChange, ...]
    untouched: tuple[tuple[str, ...], tuple[str, ...]]
    replay: Replay | None
    history: tuple[History, ...]
    entries: tuple[EntryChange, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing stands against the change: no case fails and no proof holds anything against the rules.

        That it discloses more is no reason: this is what the approvers decide.
        """
        return not self.findings and not any(case.failure for case in self.cases)


def preview(
    before: Edition,
    after: Edition,
    *,
    sources: tuple[Source, Source],
    comparison: Comparison,
    findings: Iterable[Finding],
    recorded: Iterable[Recorded] | None = None,
    history: Iterable[History] = (),
    until: datetime | None = None,
    origin: Mapping[str, str] | None = None,
    entries: Iterable[EntryChange] = (),
) -> Preview:
    """Try a change: run the cases of both editions and decide anew what was recorded.

    `comparison` and `findings` are the proofs (`policy.proof`); `until` and `origin` are those of `replay`.

    Raises:
        PolicyError: `recorded-twice`.
    """
    changed = [change.agency for change in comparison.agencies]
    results = run_cases(after.ruleset, after.vocabulary, after.agencies)
    were = run_cases(before.ruleset, before.vocabulary, before.agencies)
    replayed = None
    if recorded is not None:
        about = changed if len(changed) <= _MANY_AGENCIES else ()
        replayed = replay(before, after, recorded, until=until, origin=origin, about=about)
    return Preview(
        before=before,
        after=after,
        sources=sources,
        comparison=comparison,
        sentences=reworded(sentences(before.ruleset, before.vocabulary), sentences(after.ruleset, after.vocabulary)),
        findings=tuple(findings),
        cases=compare_cases(before, after, were, results),
        untouched=(untouched_rules(before.ruleset, were), untouched_rules(after.ruleset, results)),
        replay=replayed,
        history=tuple(sorted(history, key=lambda one: (one.sha256, one.portions))),
        entries=tuple(entries),
    )
