"""How long nothing was heard of what is in force, and what that allows.

Measured by a clock that only goes forward; across a restart by what was noted before it, and by the highest wall clock
seen. So a wall clock that jumps, either way, never makes a gateway believe that it is fresher than it is; only a minute
that was not noted yet is lost with a process.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final, Literal, TypeAlias

from broker.trust.beat import BEAT_VALID

#: DESIGN 9, rules.md section 4: from then on only what cannot wait, or harms nobody, goes out.
CUT_OFF_AFTER: Final = timedelta(minutes=15)

Hearing: TypeAlias = Literal["fresh", "silent", "cut off"]


class Pulse:
    """Of one gateway.

    Args:
        monotonic: seconds that never go back, suspension included.
        age: how long ago the last beat was when this began; None when there never was one. Less than nothing means
            that the clock went back, and nobody knows.
        silence: for how long nothing had been heard when it last noted that; it is silent until it hears again.
    """

    def __init__(
        self, monotonic: Callable[[], float], *, age: timedelta | None, silence: timedelta = timedelta(0)
    ) -> None:
        self._monotonic = monotonic
        known = timedelta(0) if age is None else age if age >= timedelta(0) else CUT_OFF_AFTER
        known = max(known, silence)
        self._heard = monotonic() - known.total_seconds()

    def beat(self) -> None:
        """A beat was believed just now."""
        self._heard = self._monotonic()

    @property
    def age(self) -> timedelta:
        """How long ago the last one was."""
        return timedelta(seconds=self._monotonic() - self._heard)

    @property
    def hearing(self) -> Hearing:
        """`silent` is an alarm; `cut off` narrows what goes out."""
        if self.age >= CUT_OFF_AFTER:
            return "cut off"
        return "silent" if self.age >= BEAT_VALID else "fresh"
