"""What a pair of releases comes to over the fixed probes: equal at every gateway that decides as it should."""

from __future__ import annotations

from broker.trust.directory import Directory
from broker.trust.rules import Rules
from policy import compile_rules
from policy.probe import fingerprint


def probe_of(rules: Rules, directory: Directory) -> bytes:
    """Return the fingerprint, at the moment when the newer of the two was made.

    Compiled anew, on purpose: it is to show what these texts come to, not what is remembered of them.
    """
    at = max(rules.created, directory.created)
    return fingerprint(compile_rules(rules.ruleset, rules.vocabulary, directory.agencies, at=at))
