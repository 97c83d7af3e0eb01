"""What one officer may do alone: add never rules to the rules in force, for a day.

An officer's desk proves with a solver that an emergency only narrows. A gateway has none and needs none: added never
rules can only narrow, and whether one can meet a recipient of an `always` rule is decided by a check that errs towards
refusing (`check_emergency`, when it arrives).

To only narrow *something* is not enough: what it adds to must be what is in force, or newer. That is asked when it is
to come into force (`check_alone`), of the chain as it is known then: what is in force differs for a moment from one
gateway to the next, and all of them have to keep the same chain.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from broker.trust.beat import Named
from broker.trust.errors import TrustError
from broker.trust.release import Release
from broker.trust.rules import Rules
from policy import PolicyError
from policy.narrowing import may_block_always, only_adds_nevers

#: How long somebody whose emergency nobody confirmed signs no other one alone: one day in eight is the most that one
#: person holds back from everybody.
REST: Final = timedelta(days=7)

# The release with a number, of the chain that is asked about; None when there is none.
Read: TypeAlias = Callable[[int], Release | None]
# A release that may come into force, and how many in a hundred of the gateways must be ready for it.
Coming: TypeAlias = tuple[Release, int]


def check_emergency(rules: Rules, basis: Rules) -> None:
    """Refuse an emergency that is more than never rules added to the text of its basis.

    Raises:
        TrustError: `emergency-not-narrow`, `emergency-blocks-always`.
    """
    if rules.vocabulary_text != basis.vocabulary_text or rules.floor != basis.floor:
        raise TrustError("emergency-not-narrow", "an emergency changes neither vocabulary nor floor")
    if rules.expires != basis.expires:
        # Earlier, it would end all sharing then; later, it would prolong what two officers gave an end.
        raise TrustError("emergency-not-narrow", "an emergency expires when the rules do that it adds to")
    try:
        added = only_adds_nevers(basis.ruleset, rules.ruleset)
    except PolicyError as error:
        raise TrustError("emergency-not-narrow", f"an emergency only adds never rules: {error}") from error
    if not added:
        raise TrustError("emergency-not-narrow", "an emergency adds a never rule, and this one adds none")
    for never in added:
        blocked = may_block_always(rules.ruleset, rules.vocabulary, never)
        if blocked:
            raise TrustError(
                "emergency-blocks-always", f"{never.id} may hold back what {', '.join(blocked)} must deliver"
            )


def check_alone(release: Release, present: Release | None, read: Read, *, now: datetime) -> None:
    """Refuse to let what one officer signed alone replace `present` with anything wider, or last for more than a day.

    What the emergency adds to, step by step, leads to what `present` comes to now, or to a newer release that two
    officers signed. A release that two officers signed always may.

    Raises:
        TrustError: `emergency-not-narrow`, `emergency-prolonged`.
    """
    if release.confirmed:
        return
    check_rested(release, read)
    if present is None:
        return
    standing = _standing(present, read, now)
    basis = release
    while not basis.confirmed and basis.number != standing.number:
        basis = _basis(basis, read)
    if basis.number < standing.number:
        raise TrustError(
            "emergency-not-narrow", f"rules {release.number} add to rules {basis.number}, which were replaced"
        )


def check_rested(release: Release, read: Read) -> None:
    """Refuse a second emergency of somebody whose last one nobody confirmed, if it ends later.

    Whoever alone signed one has that day and no more, until two officers sign a release or a week is over. By person
    and not by what is added: the same thing can be written in many ways.

    Raises:
        TrustError: `emergency-prolonged`.
    """
    for number in range(release.number - 1, 0, -1):
        earlier = read(number)
        if earlier is None or earlier.confirmed or earlier.lapses is None or release.lapses is None:
            return
        if set(earlier.signers) & set(release.signers) and not (
            release.lapses <= earlier.lapses or earlier.lapses + REST <= release.created
        ):
            raise TrustError("emergency-prolonged", f"nobody confirmed rules {number}, an emergency of the same person")


def quorum_of(release: Release, present: Release | None, read: Read, *, now: datetime) -> int | None:
    """Return how many in a hundred of the gateways must be ready before a release replaces `present`.

    An emergency that adds to what is in force waits for nobody. One that adds to a release which waits itself comes
    after that; and one that may not replace `present` never does: None, as long as nothing changes.
    """
    if release.lapses is None:
        return release.quorum
    try:
        check_alone(release, present, read, now=now)
    except TrustError:
        return None
    standing = None if present is None else _standing(present, read, now).number
    basis = release
    while basis.lapses is not None and basis.number != standing:
        basis = _basis(basis, read)
    if basis.number == standing and not release.lapsed(now):
        return 0
    return release.quorum if release.confirmed else None


def coming(head: Release, present: Named | None, read: Read, *, now: datetime) -> tuple[Coming, ...]:
    """Return what of a chain up to `head` may replace `present`, the newest first.

    Of those that wait for gateways the newest alone. An emergency that may not come into force, or not yet, stands in
    nobody's way; nor does a release that waits stand in the way of an emergency before it.
    """
    since = present[0] if present else 0
    standing = read(since)
    found: list[Coming] = []
    waiting = False
    for number in range(head.number, since, -1):
        release = read(number)
        quorum = None if release is None else quorum_of(release, standing, read, now=now)
        if release is None or quorum is None or (waiting and quorum):
            continue
        found.append((release, quorum))
        waiting = waiting or quorum > 0
    return tuple(found)


def _standing(release: Release, read: Read, now: datetime) -> Release:
    while release.lapsed(now):
        release = _basis(release, read)
    return release


def _basis(release: Release, read: Read) -> Release:
    basis = read(release.basis)
    if basis is None:
        raise TrustError("unknown-basis", f"rules {release.basis} were never accepted here")
    return basis
