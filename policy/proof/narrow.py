"""Whether a change can only take away: what one officer alone may do in an emergency, or for their own agency."""

from policy.comparison import Comparison, Edition
from policy.errors import PolicyError
from policy.proof.compare import compare
from policy.proof.directory import sides_of_changed
from policy.proof.sides import Ground, Sides


def narrows_only(before: Edition, after: Edition) -> Comparison:
    """The comparison of a change that is proved to widen nothing, loosen nothing and stop nothing that must arrive.

    Raises:
        PolicyError: `widens` if anybody could get more; `loosens` if a duty could be weaker; `blocks-always` if anybody
            who gets something by an always rule could get it no more, or no more by such a rule; else as `compare`.
    """
    comparison = compare(before, after)
    if "WIDENS" in comparison.audience:
        raise PolicyError("widens", "the change could share something that is not shared now")
    if "LOOSENED" in comparison.duties:
        raise PolicyError("loosens", "the change could weaken a duty of somebody who gets something")
    stopped = _stopped(Sides(Ground(before, after), before, after))
    if stopped or any(_stopped(sides) for sides in sides_of_changed(before, after)):
        raise PolicyError("blocks-always", "the change could stop something that must always arrive")
    return comparison


def _stopped(sides: Sides) -> bool:
    """Whether something must arrive before the change and arrives, but not so after it."""
    negate, any_of = sides.logic.negate, sides.logic.any_of
    lost = any_of((negate(sides.after.meant), sides.after.blocked))
    return sides.logic.possible(sides.before.meant, negate(sides.before.blocked), lost)
