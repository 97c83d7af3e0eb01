"""Changes on their way: previewed against the newest release, proposed by one officer, approved by another.

What a folder of releases holds is what gateways verified too; nothing here is trusted that is not in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from broker.model import JsonValue, Refusal, parse_json
from broker.officer import previewing, proposal
from broker.officer.membership import Members
from broker.officer.previewing import Previewed, Recording, Version
from broker.officer.proposal import Proposal
from broker.officer.rulebook import RULES, VOCABULARY
from broker.seal import cbor
from broker.trust import (
    DIRECTORY_VALID,
    RULES_VALID,
    Accepted,
    Conditions,
    Directory,
    OfficerKeys,
    Rules,
    TrustError,
    TrustStore,
)
from broker.trust.directory import directory_content, read_directory
from broker.trust.release import EMERGENCY_VALID, Release, ReleaseType
from broker.trust.rules import read_rules, rules_content
from policy import parse_ruleset, parse_vocabulary
from policy.comparison import Edition
from policy.preview import Source

#: What a solver may tell otherwise at another desk, and what needs the same recordings: shown, not compared.
_NOT_COMPARED: Final = frozenset({"widening", "narrowing", "example", "replay", "history", "replayed"})
_MAX_PREVIEW: Final = 64 * 1024 * 1024


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
    rules = _rules(store)
    if (vocabulary_text, rules_text) == (rules.vocabulary_text, rules.rules_text):
        raise TrustError("nothing-changed", f"these are the files of rules {rules.number}")
    before = current(store)
    after = _with_rules(before, vocabulary_text, rules_text, number=rules.number + 1)
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
    before = current(store)
    content = directory_content(members.entries.values(), members.gateways)
    return Change(
        type="directory",
        content=content,
        previewed=previewing.make(before, _with_members(before, members.agencies, content), recordings=recordings),
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
        TrustError: `unknown-release`; `nothing-changed` for the newest one; `rollback-floor` to rules under the floor.
    """
    head = store.staged(release_type)
    if head is None or number >= head.number:
        raise TrustError("nothing-changed", f"{release_type} {number} is not an earlier one")
    before = current(store)
    conditions = Conditions(quorum=quorum, basis=number)
    if release_type == "directory":
        directory = store.directory_at(number)
        if directory is None:
            raise _unknown(release_type, number)
        content = directory.release.content
        after = _with_members(before, directory.agencies, content)
        made = previewing.make(before, after, recordings=recordings)
        return Change(type=release_type, content=content, previewed=made, conditions=conditions, valid=DIRECTORY_VALID)
    rules = store.rules_at(number)
    if release_type != "rules" or rules is None:
        raise _unknown(release_type, number)
    after = _with_rules(before, rules.vocabulary_text, rules.rules_text, number=head.number + 1)
    # Going back ends a floor, too: the next one has the old rules' own, and nothing older than before is let in.
    floor = _rules(store).floor
    content = rules_content(rules.vocabulary_text, rules.rules_text, floor=floor)
    made = previewing.make(before, after, recordings=recordings)
    return Change(type="rules", content=content, previewed=made, conditions=conditions, valid=RULES_VALID)


def emergency(
    store: TrustStore,
    vocabulary_text: str,
    rules_text: str,
    *,
    author: OfficerKeys,
    recordings: Sequence[Recording] = (),
    now: datetime,
) -> tuple[Previewed, Accepted]:
    """Add never rules to the newest rules, alone and at once; they lapse after a day unless another officer confirms.

    Proved to only narrow and to hold back no recipient of an `always` rule. A case that fails because of it stops
    nothing: the preview says so, and the cases can be put right with the next release.

    Raises:
        TrustError: `nothing-changed`, `emergency-not-narrow`, `emergency-blocks-always`, `emergency-prolonged`.
        PolicyError: the texts are refused; `no-solver`.
    """
    change = change_of_rules(store, vocabulary_text, rules_text, recordings=recordings)
    comparison, findings = change.previewed.preview.comparison, change.previewed.preview.findings
    if comparison.discloses_more:
        raise TrustError("emergency-not-narrow", f"one officer alone only narrows; this is {comparison.verdict()}")
    blocking = [finding for finding in findings if finding.code == "blocks-always"]
    if blocking:
        raise TrustError("emergency-blocks-always", blocking[0].message)
    basis = _rules(store)
    conditions = Conditions(
        basis=basis.number, lapses=now + EMERGENCY_VALID, failing=_failing(change.previewed)
    )
    signed = proposal.draft(
        "rules",
        change.content,
        store=store,
        author=author,
        preview=change.previewed.raw,
        conditions=conditions,
        created=now,
        expires=basis.expires,
    )
    return change.previewed, proposal.release(signed, store=store, now=now)


def propose(store: TrustStore, change: Change, *, author: OfficerKeys, now: datetime) -> Proposal:
    """Sign a change as its author.

    A directory that only narrows may break cases: a suspension breaks those about the suspended. The release names what
    fails, so that gateways are ready all the same; and what failed before stands in no later release's way.

    Raises:
        TrustError: `does-not-pass` when a case fails or a proof holds something against the rules.
    """
    made = change.previewed.preview
    broken = [case.name for case in made.cases if case.failure and case.before != "fails"]
    may_break = change.type == "directory" and "WIDENS" not in made.comparison.audience
    if broken and not may_break:
        raise TrustError("does-not-pass", f"these cases fail: {'; '.join(broken)}")
    if made.findings and change.type != "directory":
        raise TrustError("does-not-pass", f"a proof stands against it: {made.findings[0].message}")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What an approver looks at: the release as drafted, the signed preview, and where a new one differs from it."""

    release: Release
    preview: Mapping[str, Any]
    preview_sha256: str
    differing: tuple[str, ...]
    replayed: bool


def examine(store: TrustStore, proposed: Proposal, *, recordings: Sequence[Recording] = ()) -> Examined:
    """Verify a proposal, and make its preview again from the releases in this folder.

    With the same recordings the replay is compared, too; without, `replayed` is False and the author's is shown.

    Raises:
        TrustError: those of `proposal.examine`; `not-a-proposal` for a preview that is none.
        PolicyError: `no-solver`.
    """
    release = proposal.examine(proposed, store)
    try:
        signed = parse_json(proposed.preview, limit=_MAX_PREVIEW)
    except Refusal as refusal:
        raise TrustError("not-a-proposal", f"its preview is not JSON ({refusal.code})") from None
    if not isinstance(signed, dict):
        raise TrustError("not-a-proposal", "its preview is not a preview")
    before = current(store)
    made = previewing.make(before, _after(before, release), recordings=recordings)
    mine = parse_json(made.raw, limit=_MAX_PREVIEW)
    same_history = bool(recordings) and isinstance(mine, dict) and mine["history"] == signed.get("history")
    differing = _differing(signed, mine, compared_replay=same_history)
    return Examined(
        release=release,
        preview=signed,
        preview_sha256=hashlib.sha256(proposed.preview).hexdigest(),
        differing=differing,
        replayed=same_history,
    )


def approve(
    store: TrustStore,
    proposed: Proposal,
    *,
    approver: OfficerKeys,
    verdict: str,
    recordings: Sequence[Recording] = (),
    now: datetime,
) -> Accepted:
    """Sign a proposal as its approver, and put it into the folder of releases.

    `verdict` is what the approver believes that they approve: the audience verdict of the preview, in its words.

    Raises:
        TrustError: `preview-differs` when the preview made here says something else than the signed one,
            `other-verdict`, and those of `proposal.approve` and `proposal.release`.
    """
    examined = examine(store, proposed, recordings=recordings)
    if examined.differing:
        raise TrustError("preview-differs", f"made here it says otherwise: {', '.join(examined.differing)}")
    if verdict.strip().upper() != examined.preview["audience"]:
        raise TrustError("other-verdict", f"the preview's verdict is {examined.preview['audience']}")
    return proposal.release(proposal.approve(proposed, store=store, approver=approver), store=store, now=now)


def current(store: TrustStore) -> Version:
    """The newest release of each chain, in force or not: what the next one follows.

    Raises:
        TrustError: `no-rules`.
    """
    rules, directory = _rules(store), store.staged_directory
    if directory is not None:
        return previewing.of_releases(rules, directory)
    files = {VOCABULARY: _sha256(rules.vocabulary_text.encode()), RULES: _sha256(rules.rules_text.encode())}
    edition = Edition(vocabulary=rules.vocabulary, ruleset=rules.ruleset, agencies=MappingProxyType({}))
    return Version(edition=edition, source=Source(files=files, rules=rules.number))


def _after(before: Version, release: Release) -> Version:
    if release.type == "directory":
        directory: Directory = read_directory(release)
        return _with_members(before, directory.agencies, release.content)
    rules = read_rules(release)
    return _with_rules(before, rules.vocabulary_text, rules.rules_text, number=(before.source.rules or 0) + 1)


def _with_rules(before: Version, vocabulary_text: str, rules_text: str, *, number: int) -> Version:
    vocabulary = parse_vocabulary(vocabulary_text, source=VOCABULARY)
    ruleset = parse_ruleset(rules_text, vocabulary, source=RULES)
    files = {VOCABULARY: _sha256(vocabulary_text.encode()), RULES: _sha256(rules_text.encode())}
    kept = {name: digest for name, digest in before.source.files.items() if name == "directory"}
    return Version(
        edition=Edition(vocabulary=vocabulary, ruleset=ruleset, agencies=before.edition.agencies),
        source=Source(files={**files, **kept}, rules=number, directory=before.source.directory),
    )


def _with_members(before: Version, agencies: Mapping[str, Any], content: cbor.Cbor) -> Version:
    edition = before.edition
    return Version(
        edition=Edition(vocabulary=edition.vocabulary, ruleset=edition.ruleset, agencies=agencies),
        source=Source(
            files={**before.source.files, "directory": _sha256(cbor.encode(content))},
            rules=before.source.rules,
            directory=(before.source.directory or 0) + 1,
        ),
    )


def _differing(signed: Mapping[str, Any], mine: JsonValue, *, compared_replay: bool) -> tuple[str, ...]:
    if not isinstance(mine, dict):
        return ("everything",)
    skipped = _NOT_COMPARED - ({"replay", "history", "replayed"} if compared_replay else set())
    names = sorted({*signed, *mine} - skipped)
    return tuple(name for name in names if _without(signed.get(name), skipped) != _without(mine.get(name), skipped))


def _without(value: Any, skipped: frozenset[str] | set[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(item, skipped) for name, item in value.items() if name not in skipped}
    return [_without(item, skipped) for item in value] if isinstance(value, list) else value


def _rules(store: TrustStore) -> Rules:
    rules = store.staged_rules
    if rules is None:
        raise TrustError("no-rules", "there are no verified rules in this folder of releases yet")
    return rules


def _unknown(release_type: str, number: int) -> TrustError:
    return TrustError("unknown-release", f"{release_type} {number} was never accepted here")


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
