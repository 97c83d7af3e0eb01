"""An agency's own rules at its officer's desk: proved to only narrow, tried on their cases, signed by one person.

What is shown is the preview of any change: the exchange's rules before, the same rules with the agency's own after.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from broker.officer import previewing
from broker.officer.checking import Fault
from broker.officer.previewing import Previewed, Recording, Version
from broker.trust import Directory, OfficerKeys, OwnRules, Root, Rules, TrustError, TrustStore
from broker.trust.beat import Named
from broker.trust.own import OWN_SOURCE, parse_own, read_own_rules, reopen_own_rules, sign_own_rules
from policy import PolicyError, Ruleset
from policy.comparison import Edition
from policy.own import blocks_always
from policy.preview import Source
from policy.rules import OWN_PREFIX


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Own rules beside the newest rules of the exchange: what they do, proved, and what stands against them."""

    ruleset: Ruleset
    previewed: Previewed
    faults: tuple[Fault, ...]


def check(store: TrustStore, text: str, *, agency: str, recordings: Sequence[Recording] = ()) -> Checked:
    """Read own rules and prove that they only narrow and keep nothing from whom it must always reach.

    Of `recordings` only what the agency itself sent is replayed: nothing else is decided under its own rules.

    Raises:
        TrustError: `no-rules`, `no-directory`, `unknown-agency`; `own-not-narrow`, `own-id`, `own-rules-invalid`.
        PolicyError: `no-solver`, or the proofs did not come to an end.
    """
    _, rules, directory = _releases(store)
    directory.entry(agency)
    own = parse_own(text, rules)
    before, after = _versions(rules, directory, own, text)
    mine = [
        replace(one, recorded=tuple(recorded for recorded in one.recorded if recorded.originator == agency))
        for one in recordings
    ]
    previewed = previewing.make(before, after, recordings=mine)
    return Checked(ruleset=own, previewed=previewed, faults=tuple(_faults(before, after, own, previewed)))


def sign(
    store: TrustStore,
    text: str,
    *,
    officer: OfficerKeys,
    previous: Named | None,
    recordings: Sequence[Recording] = (),
    now: datetime,
    expires: datetime | None = None,
) -> tuple[bytes, OwnRules, Checked]:
    """Sign own rules for the officer's agency, after the `previous` ones; the empty text withdraws those.

    Raises:
        TrustError: `own-rules-faulty`, with what stands against them; `wrong-role` or `bad-signature` for a person who
            is no officer of the agency; and as `check`.
        PolicyError: as `check`.
    """
    root, rules, directory = _releases(store)
    checked = check(store, text, agency=officer.agency, recordings=recordings)
    if checked.faults:
        raise TrustError("own-rules-faulty", "; ".join(map(str, checked.faults)))
    document = sign_own_rules(
        text,
        officer.signing,
        agency=officer.agency,
        root=root.fingerprint,
        basis=rules,
        previous=previous,
        created=now,
        expires=expires,
        preview=bytes.fromhex(checked.previewed.sha256),
    )
    # Nothing is signed that the gateway would refuse.
    own = read_own_rules(
        document,
        agency=officer.agency,
        directory=directory,
        root=root,
        rules_at=store.rules_at,
        in_force=rules,
        known=None,
        now=now,
    )
    return document, own, checked


def read(store: TrustStore, document: bytes, *, agency: str) -> OwnRules:
    """Read own rules that an officer of the agency signed.

    Raises:
        TrustError: as `reopen_own_rules`; `no-rules`, `no-directory`.
    """
    root, _, directory = _releases(store)
    return reopen_own_rules(document, agency=agency, directory=directory, root=root, rules_at=store.rules_at)


def _releases(store: TrustStore) -> tuple[Root, Rules, Directory]:
    if store.root is None or store.staged_rules is None:
        raise TrustError("no-rules", "there are no verified rules in this folder of releases yet")
    if store.staged_directory is None:
        raise TrustError("no-directory", "there is no verified directory in this folder of releases yet")
    return store.root, store.staged_rules, store.staged_directory


def _versions(rules: Rules, directory: Directory, own: Ruleset, text: str) -> tuple[Version, Version]:
    """The cases of the exchange are about everybody's bulletins; those of the agency are tried, and no others."""
    exchange = previewing.of_releases(rules, directory)
    bare = replace(exchange.edition, ruleset=replace(rules.ruleset, cases=()))
    both = replace(rules.ruleset, rules=(*rules.ruleset.rules, *own.rules), cases=own.cases)
    files = {**exchange.source.files, OWN_SOURCE: hashlib.sha256(text.encode()).hexdigest()}
    source = Source(files=files, rules=rules.number, directory=directory.number)
    return replace(exchange, edition=bare), Version(edition=replace(bare, ruleset=both), source=source)


def _faults(before: Version, after: Version, own: Ruleset, previewed: Previewed) -> Iterator[Fault]:
    lines = {rule.id: rule.line for rule in own.rules}

    def fault(code: str, rule: str | None, line: int, message: str) -> Fault:
        return Fault(code=code, file=OWN_SOURCE, line=line, rule=rule, message=message)

    if (told := _not_proved(before.edition, after.edition)) is not None:
        yield fault(told.code, None, 1, told.message)
    vocabulary = after.edition.vocabulary
    for never, always in blocks_always(before.edition.ruleset, vocabulary, own).items():
        message = f"{never} may hold back what {', '.join(always)} must deliver: say in 'when:' that it is about others"
        yield fault("own-blocks-always", never, lines[never], message)
    for finding in previewed.preview.findings:
        # That a share rule of the exchange gives less now is the very purpose.
        if finding.rule.startswith(OWN_PREFIX):
            yield fault(finding.code, finding.rule, finding.line, f"{finding.rule} {finding.message}")
    for case in previewed.preview.cases:
        if case.failure:
            yield fault("case-fails", None, 1, f"the case '{case.name}' does not hold: {case.detail}")
    for rule in previewed.preview.untouched[1]:
        if rule in lines:
            message = f"no case touches rule {rule}: add one under 'tests:' that shows whom it keeps from"
            yield fault("untouched-rule", rule, lines[rule], message)


def _not_proved(before: Edition, after: Edition) -> PolicyError | None:
    from policy.proof import narrows_only  # noqa: PLC0415 - `check` has asked for the solver before

    try:
        narrows_only(before, after)
    except PolicyError as error:
        if error.code in {"widens", "loosens", "blocks-always"}:
            return error
        raise
    return None
