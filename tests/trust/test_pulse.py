"""How long nothing was heard: no clock that jumps, and no restart, makes a gateway fresher than it is."""

import pathlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.trust import Pulse, TrustStore
from broker.trust.beat import BEAT_VALID
from broker.trust.pulse import CUT_OFF_AFTER
from tests.trust.exchange import NOW, beat_of, directory, founded, put_in_force, root, rules

SECOND = timedelta(seconds=1)


class Clock:
    """Seconds that somebody moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def go(self, by: timedelta) -> None:
        self.seconds += by.total_seconds()


@pytest.mark.parametrize(
    ("after", "hearing"),
    [
        (timedelta(0), "fresh"),
        (BEAT_VALID - SECOND, "fresh"),
        (BEAT_VALID, "silent"),
        (CUT_OFF_AFTER - SECOND, "silent"),
        (CUT_OFF_AFTER, "cut off"),
        (timedelta(days=400), "cut off"),
    ],
)
def test_an_alarm_at_two_minutes_and_less_goes_out_at_fifteen(after: timedelta, hearing: str) -> None:
    assert (timedelta(minutes=2), timedelta(minutes=15)) == (BEAT_VALID, CUT_OFF_AFTER)
    clock = Clock()
    pulse = Pulse(clock, age=timedelta(0))
    clock.go(after)
    assert pulse.hearing == hearing
    pulse.beat()
    assert pulse.hearing == "fresh"


def test_a_gateway_that_begins_without_any_beat_has_its_fifteen_minutes() -> None:
    clock = Clock()
    pulse = Pulse(clock, age=None)
    assert pulse.hearing == "fresh"
    clock.go(CUT_OFF_AFTER)
    assert pulse.hearing == "cut off"


def test_a_clock_that_went_back_over_the_last_beat_is_believed_nothing() -> None:
    assert Pulse(Clock(), age=-SECOND).hearing == "cut off"


def test_a_long_stop_counts_as_silence() -> None:
    assert Pulse(Clock(), age=timedelta(hours=1)).hearing == "cut off"
    assert Pulse(Clock(), age=timedelta(minutes=5)).hearing == "silent"


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(-40, 40), st.booleans()),
        max_size=8,
    )
)
def test_whatever_the_wall_clock_says_at_each_restart_silence_is_never_shorter_than_what_was_noted(
    story: list[tuple[int, int, bool]],
) -> None:
    """Time goes by, the wall clock is put somewhere, and the gateway starts again or goes on; nobody beats."""
    clock, noted = Clock(), timedelta(0)
    pulse = Pulse(clock, age=timedelta(0))
    for passed, wall, restarts in story:
        clock.go(timedelta(minutes=passed))
        if pulse.age >= noted + timedelta(minutes=1):
            noted = pulse.age
        if restarts:
            pulse = Pulse(clock, age=timedelta(minutes=wall), silence=noted)
        assert pulse.age >= noted
    if noted >= CUT_OFF_AFTER:
        assert pulse.hearing == "cut off"


def test_silence_is_noted_on_disk_once_a_minute_and_a_beat_ends_it(tmp_path: pathlib.Path) -> None:
    store = TrustStore(tmp_path / "releases", root().fingerprint)
    for minted in (founded(), directory(), rules()):
        store.offer(minted.sealed, now=NOW)
    put_in_force(store)
    file = tmp_path / "releases" / "force.json"
    written: list[bytes] = []
    for seconds in range(0, 1200, 5):
        store.activation.silent_for(timedelta(seconds=seconds))
        written.append(file.read_bytes())
    assert len(set(written)) == 20
    assert TrustStore(tmp_path / "releases", root().fingerprint).force.silence == timedelta(minutes=19)

    late = NOW + timedelta(minutes=20)
    store.activate(beat_of(rules(), directory(), at=late), now=late)
    assert TrustStore(tmp_path / "releases", root().fingerprint).force.silence == timedelta(0)
