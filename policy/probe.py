"""A fixed set of portions to try a decider with, so that two gateways can tell whether they decide the same."""

import hashlib
from collections.abc import Iterator

from policy.decide import Decider
from policy.rules import Ruleset
from policy.vocabulary import Attributes, Value, Vocabulary


def probes(ruleset: Ruleset, vocabulary: Vocabulary) -> Iterator[Attributes]:
    """Yield the portions: every case's, one that each rule speaks about, and one for each value of each property."""
    for case in ruleset.cases:
        yield case.portion
    for rule in ruleset.rules:
        yield {line.name: _value(vocabulary, line.name, min(line.values)) for line in rule.when}
    for name, known in vocabulary.bulletin.items():
        for value in known.values:
            yield {name: _value(vocabulary, name, value)}


def fingerprint(decider: Decider) -> bytes:
    """Return the SHA-256 of what every probe comes to: audiences and duties, agency by agency.

    Equal for equal rules, directory and moment, whatever machine computes it.
    """
    digest = hashlib.sha256()
    for portion in probes(decider.ruleset, decider.vocabulary):
        for duties, agencies in decider.decide(portion).groups():
            digest.update(repr((sorted(duties.items()), agencies)).encode())
        digest.update(b"\0")
    return digest.digest()


def _value(vocabulary: Vocabulary, name: str, value: str) -> Value:
    return frozenset((value,)) if vocabulary.bulletin[name].kind == "set of" else value
