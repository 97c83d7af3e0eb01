"""What arrivals are judged by: never behind what was seen, doubted after a jump; and counts that stay small."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from broker.gateway.clock import to_ms
from broker.gateway.steady import SteadyClock
from broker.gateway.tally import WINDOW_MS, Tally

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SKEW = timedelta(minutes=5)


@dataclass
class Clocks:
    wall: datetime = NOON
    steady: float = 0.0

    def watched(self, highest: datetime | None = None) -> SteadyClock:
        seen = to_ms(highest) if highest else 0
        return SteadyClock(lambda: self.wall, lambda: self.steady, skew=SKEW, highest=seen)

    def pass_by(self, time: timedelta) -> None:
        self.wall += time
        self.steady += time.total_seconds()


def test_time_that_passes_is_in_no_doubt_and_raises_the_highest() -> None:
    clocks = Clocks()
    watched = clocks.watched()

    clocks.pass_by(timedelta(days=9))

    assert not watched.doubtful
    assert watched.now() == clocks.wall
    assert watched.highest() == to_ms(clocks.wall)


def test_a_jump_beyond_the_skew_is_doubted_until_the_clock_is_back_and_raises_nothing() -> None:
    clocks = Clocks()
    watched = clocks.watched()
    watched.highest()
    for jump in (timedelta(days=1), -timedelta(days=1)):
        clocks.wall += jump
        assert watched.doubtful
        assert watched.highest() == to_ms(NOON)
        clocks.wall -= jump
        assert not watched.doubtful


def test_a_start_with_a_clock_that_went_back_judges_by_what_was_seen_before() -> None:
    clocks = Clocks()
    watched = clocks.watched(highest=NOON + timedelta(days=1))

    assert watched.doubtful
    assert watched.now() == NOON + timedelta(days=1) - SKEW
    assert watched.highest() == to_ms(NOON + timedelta(days=1))


def test_a_difference_within_the_skew_is_nothing() -> None:
    clocks = Clocks()
    watched = clocks.watched(highest=NOON + timedelta(minutes=4))
    clocks.wall -= timedelta(minutes=1)

    assert not watched.doubtful


def test_the_first_is_recorded_at_once_and_the_rest_of_its_minute_together() -> None:
    tally = Tally()

    assert [tally.note("a", "envelope-shape", at) for at in (0, 1, 2)] == [1, 0, 0]
    assert tally.note("b", "envelope-shape", 3) == 1
    assert tally.due(WINDOW_MS - 1) == []
    assert tally.due(WINDOW_MS + 3) == [("a", "envelope-shape", 2)]
    assert tally.due(2 * WINDOW_MS) == []
    assert tally.note("a", "envelope-shape", 2 * WINDOW_MS) == 1


def test_one_after_its_minute_brings_the_counted_ones_along() -> None:
    tally = Tally()
    for at in (0, 1, 2):
        tally.note("a", "notice-open", at)

    assert tally.note("a", "notice-open", WINDOW_MS) == 3
