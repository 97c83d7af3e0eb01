"""The first officer's desk: a change is previewed against the newest release and signed by its author.

What a folder of releases holds is what gateways verified too; nothing here is trusted that is not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from broker.officer import editions, previewing, proposal
from broker.officer.membership import Members, members_of
from broker.officer.previewing import Previewed, Recording
from broker.officer.proposal import Proposal
from broker.seal import cbor
from broker.trust import DIRECTORY_VALID, RULES_VALID, Accepted, Conditions, OfficerKeys, TrustError, TrustStore
from broker.trust.directory import directory_content
from broker.trust.release import EMERGENCY_VALID, ReleaseType
from broker.trust.rules import rules_content


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change that could be proposed, with its preview and what would be signed."""

    type: ReleaseType
    content: cbor.Cbor
    previewed: Previewed
    conditions: Conditions
    valid: timedelta


def change_of_rules(
    store: TrustStore,
    vocabulary_text: str,
    rules_text: str,
    *,
    recordings: Sequence[Recording] = (),
    quorum: int = 100,
    raise_floor: bool = False,
    trial: timedelta | None = None,
) -> Change:
    """The next rules with these texts, or with `trial` rules that decide beside those in force for so long.

    `raise_floor`: receivers shall refuse what was decided under any rules before these.

    Raises:
        TrustError: `no-rules`; `nothing-changed`; `floor-widens` for a floor under a change that is no narrowing.
        PolicyError: the texts are refused, with file and line; `no-solver`.
    """
    rules = editions.newest_rules(store)
    if (vocabulary_text, rules_text) == (rules.vocabulary_text, rules.rules_text):
        raise TrustError("nothing-changed", f"these are the files of rules {rules.number}")
    before = editions.current(store)
    after = editions.with_rules(before, vocabulary_text, rules_text, number=rules.number + 1)
    previewed = previewing.make(before, after, recordings=recordings)
    if raise_floor and previewed.preview.comparison.discloses_more:
        raise TrustError("floor-widens", "a floor is for a change that narrows: this one discloses more")
    floor = 0 if trial is not None else rules.number + 1 if raise_floor else rules.floor
    return Change(
        type="rules" if trial is None else "trial",
        content=rules_content(vocabulary_text, rules_text, floor=floor),
        previewed=previewed,
        conditions=Conditions(quorum=quorum),
        valid=RULES_VALID if trial is None else trial,
    )


def change_of_members(
    store: TrustStore, members: Members, *, recordings: Sequence[Recording] = (), quorum: int = 100
) -> Change:
    """The next directory with these members.

    Raises:
        TrustError: `no-rules`. PolicyError: `no-solver`.
    """
    before = editions.current(store)
    content = directory_content(members.entries.values(), members.gateways)
    return Change(
        type="directory",
        content=content,
        previewed=previewing.make(before, editions.with_members(before, members, content), recordings=recordings),
        conditions=Conditions(quorum=quorum),
        valid=DIRECTORY_VALID,
    )


def rollback(
    store: TrustStore,
    release_type: ReleaseType,
    number: int,
    *,
    recordings: Sequence[Recording] = (),
    quorum: int = 100,
) -> Change:
    """The next release with the content of an earlier one; it is previewed like any change, for it can disclose, too.

    Raises:
        TrustError: `unknown-release`; `nothing-changed` for the newest one.
    """
    head = store.staged(release_type)
    if head is None or number >= head.number:
        raise TrustError("nothing-changed", f"{release_type} {number} is not an earlier one")
    before = editions.current(store)
    conditions = Conditions(quorum=quorum, basis=number)
    if release_type == "directory":
        directory = store.directory_at(number)
        if directory is None:
            raise _unknown(release_type, number)
        content = directory.release.content
        after = editions.with_members(before, members_of(directory), content)
        made = previewing.make(before, after, recordings=recordings)
        return Change(type=release_type, content=content, previewed=made, conditions=conditions, valid=DIRECTORY_VALID)
    rules = store.rules_at(number)
    if release_type != "rules" or rules is None:
        raise _unknown(release_type, number)
    after = editions.with_rules(before, rules.vocabulary_text, rules.rules_text, number=head.number + 1)
    # The floor stays: going back lets in nothing that was decided under rules before it.
    floor = editions.newest_rules(store).floor
    content = rules_content(rules.vocabulary_text, rules.rules_text, floor=floor)
    made = previewing.make(before, after, recordings=recordings)
    return Change(type="rules", content=content, previewed=made, conditions=conditions, valid=RULES_VALID)


def emergency(
    store: TrustStore,
    vocabulary_text: str,
    rules_text: str,
    *,
    author: OfficerKeys,
    basis: int | None = None,
    recordings: Sequence[Recording] = (),
    now: datetime,
) -> tuple[Previewed, Accepted]:
    """Add never rules to the rules in force, alone and at once; they lapse after a day unless another officer confirms.

    `basis` is the number of the rules in force; without it the newest ones, over which an emergency waits as long as
    they do.

    Proved to only narrow and to hold back no recipient of an `always` rule. A case that fails because of it stops
    nothing: the preview says so, and the cases can be put right with the next release.

    Raises:
        TrustError: `nothing-changed`, `unknown-release`, `emergency-not-narrow`, `emergency-blocks-always`,
            `emergency-prolonged`.
        PolicyError: the texts are refused; `no-solver`.
    """
    newest = editions.newest_rules(store)
    standing = newest if basis is None else store.rules_at(basis)
    if standing is None:
        raise _unknown("rules", basis or 0)
    if (vocabulary_text, rules_text) == (standing.vocabulary_text, standing.rules_text):
        raise TrustError("nothing-changed", f"these are the files of rules {standing.number}")
    before = editions.beside(store, standing)
    after = editions.with_rules(before, vocabulary_text, rules_text, number=newest.number + 1)
    previewed = previewing.make(before, after, recordings=recordings)
    comparison, findings = previewed.preview.comparison, previewed.preview.findings
    if comparison.discloses_more:
        raise TrustError("emergency-not-narrow", f"one officer alone only narrows; this is {comparison.verdict()}")
    blocking = [finding for finding in findings if finding.code == "blocks-always"]
    if blocking:
        raise TrustError("emergency-blocks-always", blocking[0].message)
    signed = proposal.draft(
        "rules",
        rules_content(vocabulary_text, rules_text, floor=standing.floor),
        store=store,
        author=author,
        preview=previewed.raw,
        conditions=Conditions(basis=standing.number, lapses=now + EMERGENCY_VALID, failing=_failing(previewed)),
        created=now,
        expires=standing.expires,
    )
    return previewed, proposal.release(signed, store=store, now=now)


def propose(store: TrustStore, change: Change, *, author: OfficerKeys, now: datetime) -> Proposal:
    """Sign a change as its author.

    A directory that only narrows may break cases: a suspension breaks those about the suspended. The release names what
    fails, so that gateways are ready all the same; and what failed before stands in no later release's way.

    Raises:
        TrustError: `does-not-pass` when a case fails, a proof holds something against the rules, or no case touches a
            rule that is new.
    """
    made = change.previewed.preview
    broken = [case.name for case in made.cases if case.failure and case.before != "fails"]
    may_break = change.type == "directory" and "WIDENS" not in made.comparison.audience
    if broken and not may_break:
        raise TrustError("does-not-pass", f"these cases fail: {'; '.join(broken)}")
    if made.findings and change.type != "directory":
        raise TrustError("does-not-pass", f"a proof stands against it: {made.findings[0].message}")
    untouched = sorted(set(made.untouched[1]) - set(made.untouched[0]))
    if untouched and change.type != "directory":
        raise TrustError("does-not-pass", f"no case touches {', '.join(untouched)}: what they do was never looked at")
    conditions = replace(change.conditions, failing=_failing(change.previewed))
    return proposal.draft(
        change.type,
        change.content,
        store=store,
        author=author,
        preview=change.previewed.raw,
        conditions=conditions,
        created=now,
        expires=now + change.valid,
    )


def _failing(previewed: Previewed) -> frozenset[str]:
    return frozenset(case.name for case in previewed.preview.cases if case.failure)


def _unknown(release_type: str, number: int) -> TrustError:
    return TrustError("unknown-release", f"{release_type} {number} was never accepted here")
