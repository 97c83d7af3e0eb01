"""Releases that refer to an earlier one: a rollback repeats it, an emergency adds never rules to it for a day.

Whether one is what it says depends on the two texts and on nothing else, so that every gateway, whatever it has heard
besides, keeps the same chain.
"""

from __future__ import annotations

from broker.trust.directory import Directory
from broker.trust.emergency import check_emergency
from broker.trust.errors import TrustError
from broker.trust.rules import Rules


def check_basis(rules: Rules, basis: Rules | None) -> None:
    """Refuse rules that are not what they say of their basis.

    Raises:
        TrustError: `unknown-basis`, `rollback-differs`, or one of an emergency.
    """
    if basis is None:
        raise TrustError("unknown-basis", f"rules {rules.release.basis} was never accepted here")
    if rules.release.lapses is not None:
        check_emergency(rules, basis)
    elif (rules.vocabulary_text, rules.rules_text) != (basis.vocabulary_text, basis.rules_text):
        raise TrustError("rollback-differs", f"it says that it repeats rules {basis.number}, and does not")


def check_directory_basis(directory: Directory, basis: Directory | None) -> Directory:
    """Return a directory; refuse one that says it repeats an earlier one and does not.

    Raises:
        TrustError: `unknown-basis`, `rollback-differs`.
    """
    if not directory.release.basis:
        return directory
    if basis is None:
        raise TrustError("unknown-basis", f"directory {directory.release.basis} was never accepted here")
    if directory.release.content != basis.release.content:
        raise TrustError("rollback-differs", f"it says that it repeats directory {basis.number}, and does not")
    return directory
