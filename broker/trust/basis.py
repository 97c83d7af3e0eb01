"""Releases that refer to an earlier one: a rollback repeats it, an emergency adds never rules to it for a day.

An emergency is what one officer may do alone. The officer's desk proves it with a solver; a gateway has none and needs
none: added never rules can only narrow, and whether one can meet a recipient of an `always` rule is decided by a check
that errs towards refusing.
"""

from __future__ import annotations

from broker.trust.directory import Directory
from broker.trust.errors import TrustError
from broker.trust.rules import Rules
from policy import PolicyError, Ruleset
from policy.narrowing import may_block_always, only_adds_nevers


def check_basis(rules: Rules, basis: Rules | None, standing: Rules | None) -> None:
    """Refuse rules that are not what they say of their basis. `standing` is what the basis comes to at their making.

    Raises:
        TrustError: `unknown-basis`, `rollback-differs`, or one of an emergency.
    """
    if basis is None or standing is None:
        raise TrustError("unknown-basis", f"rules {rules.release.basis} was never accepted here")
    if rules.release.lapses is not None:
        check_emergency(rules, basis=basis, in_force=standing.ruleset)
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


def check_emergency(rules: Rules, *, basis: Rules, in_force: Ruleset) -> None:
    """Refuse an emergency that is more than never rules added to `in_force`, the rules of `basis` as they stand.

    Raises:
        TrustError: `emergency-not-narrow`, `emergency-blocks-always`, `emergency-prolonged` (one officer cannot repeat
            an emergency that nobody confirmed, nor outlive it).
    """
    if rules.vocabulary_text != basis.vocabulary_text or rules.floor != basis.floor:
        raise TrustError("emergency-not-narrow", "an emergency changes neither vocabulary nor floor")
    try:
        added = only_adds_nevers(in_force, rules.ruleset)
    except PolicyError as error:
        raise TrustError("emergency-not-narrow", f"an emergency only adds never rules: {error}") from error
    for never in added:
        blocked = may_block_always(rules.ruleset, rules.vocabulary, never)
        if blocked:
            raise TrustError(
                "emergency-blocks-always", f"{never.id} may hold back what {', '.join(blocked)} must deliver"
            )
    _not_prolonged(rules, basis, {(never.when, never.to) for never in added})


def _not_prolonged(rules: Rules, basis: Rules, added: set[object]) -> None:
    before, now = basis.release, rules.release
    if before.lapses is None or before.confirmed or now.confirmed or now.lapses is None:
        return
    if before.lapses > now.created:
        if now.lapses > before.lapses:
            raise TrustError("emergency-prolonged", f"rules {before.number} is an emergency that ends earlier")
        return
    same_person = set(before.signers) & set(now.signers)
    if same_person and any((rule.when, rule.to) in added for rule in basis.ruleset.rules if rule.effect == "never"):
        raise TrustError("emergency-prolonged", f"rules {before.number} lapsed without a second officer")
