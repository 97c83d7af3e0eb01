"""The two sides of a change at the desk: the newest releases, and what a change makes of them."""

from __future__ import annotations

import hashlib
from types import MappingProxyType

from broker.officer import previewing
from broker.officer.membership import Members, members_of
from broker.officer.previewing import Version
from broker.officer.rulebook import RULES, VOCABULARY
from broker.seal import cbor
from broker.trust import Rules, TrustError, TrustStore
from broker.trust.directory import read_directory
from broker.trust.release import Release
from broker.trust.rules import read_rules
from policy import parse_ruleset, parse_vocabulary
from policy.comparison import Edition
from policy.preview import Source


def current(store: TrustStore) -> Version:
    """The newest release of each chain, in force or not: what the next one follows.

    Raises:
        TrustError: `no-rules`.
    """
    rules, directory = newest_rules(store), store.staged_directory
    if directory is not None:
        return previewing.of_releases(rules, directory)
    files = {VOCABULARY: _sha256(rules.vocabulary_text.encode()), RULES: _sha256(rules.rules_text.encode())}
    edition = Edition(vocabulary=rules.vocabulary, ruleset=rules.ruleset, agencies=MappingProxyType({}))
    return Version(edition=edition, source=Source(files=files, rules=rules.number))


def beside(store: TrustStore, rules: Rules) -> Version:
    """Earlier rules over the newest directory: what an emergency adds to while newer rules still wait."""
    directory = store.staged_directory
    if directory is None:
        raise TrustError("no-directory", "there is no verified directory in this folder of releases yet")
    return previewing.of_releases(rules, directory)


def after(before: Version, release: Release) -> Version:
    if release.type == "directory":
        directory = read_directory(release)
        return with_members(before, members_of(directory), release.content)
    rules = read_rules(release)
    return with_rules(before, rules.vocabulary_text, rules.rules_text, number=(before.source.rules or 0) + 1)


def with_rules(before: Version, vocabulary_text: str, rules_text: str, *, number: int) -> Version:
    vocabulary = parse_vocabulary(vocabulary_text, source=VOCABULARY)
    ruleset = parse_ruleset(rules_text, vocabulary, source=RULES)
    files = {VOCABULARY: _sha256(vocabulary_text.encode()), RULES: _sha256(rules_text.encode())}
    kept = {name: digest for name, digest in before.source.files.items() if name == "directory"}
    return Version(
        edition=Edition(vocabulary=vocabulary, ruleset=ruleset, agencies=before.edition.agencies),
        source=Source(files={**files, **kept}, rules=number, directory=before.source.directory),
        members=before.members,
    )


def with_members(before: Version, members: Members, content: cbor.Cbor) -> Version:
    edition = before.edition
    return Version(
        edition=Edition(vocabulary=edition.vocabulary, ruleset=edition.ruleset, agencies=members.agencies),
        source=Source(
            files={**before.source.files, "directory": _sha256(cbor.encode(content))},
            rules=before.source.rules,
            directory=(before.source.directory or 0) + 1,
        ),
        members=members,
    )


def newest_rules(store: TrustStore) -> Rules:
    """Return the newest rules.

    Raises:
        TrustError: `no-rules`.
    """
    rules = store.staged_rules
    if rules is None:
        raise TrustError("no-rules", "there are no verified rules in this folder of releases yet")
    return rules


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
