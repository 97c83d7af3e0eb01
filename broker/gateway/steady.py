"""The time arrivals are judged by: the wall clock, never behind what this gateway has seen, and watched for jumps.

A clock that went back would accept what has expired and reopen replay windows; so judging never goes below the highest
time persisted, less the permitted skew. A clock that jumped forward would refuse everything as expired; so a jump
against the steady clock is an alarm, what seems expired waits, and no new highest time is taken from it (DESIGN 7:
beyond skew delay and alarm, never drop). A jump ends when the wall clock comes back, or when the gateway is restarted
by somebody who has looked at it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from broker.gateway.clock import from_ms, to_ms


class SteadyClock:
    """The wall clock, checked against a monotonic one and the highest time seen.

    Args:
        wall: reads the wall clock.
        monotonic: seconds that never go back, suspension included.
        skew: how far they may drift apart.
        highest: the highest time seen so far, milliseconds; 0 when none was.
    """

    def __init__(
        self, wall: Callable[[], datetime], monotonic: Callable[[], float], *, skew: timedelta, highest: int
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._skew = skew
        self._highest = highest
        self._began = (wall(), monotonic())

    @property
    def doubtful(self) -> bool:
        """Whether nobody can say what time it is: the clock jumped, or it is behind what was seen before."""
        return self.jumped or to_ms(self._wall() + self._skew) < self._highest

    @property
    def jumped(self) -> bool:
        """Whether the wall clock has left the steady one by more than the skew since the start."""
        wall, steady = self._began
        expected = wall + timedelta(seconds=self._monotonic() - steady)
        return abs(self._wall() - expected) > self._skew

    def now(self) -> datetime:
        """The time to judge arrivals by."""
        return max(self._wall(), from_ms(self._highest) - self._skew) if self._highest else self._wall()

    def highest(self) -> int:
        """The highest time seen, raised to now; unless that is in doubt, as there is no way back."""
        if not self.doubtful:
            self._highest = max(self._highest, to_ms(self._wall()))
        return self._highest
