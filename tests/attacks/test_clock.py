"""Clocks that are wrong: what a gateway cannot judge by its clock is delayed and alarmed, never lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.attacks.ground import CHICAGO, CITY, Relay, Twist, alarms, bend, only, refusals, set_clock, tap, times
from tests.gateway.documents import later, threat
from tests.gateway.exchange import Exchange, eventually, exchange


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Exchange]:
    """One for each test: what a wrong clock has seen stays seen."""
    async with exchange(tmp_path, CHICAGO, CITY, retry_seconds=[1.0]) as started:
        yield started


@pytest.fixture(autouse=True)
def _to_the_city_alone(running: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    bend(monkeypatch, Twist(audience=only(CITY)))


async def test_a_recipient_whose_clock_goes_back_holds_and_alarms_and_delivers_once_it_is_set(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = running.nodes[CITY]
    set_clock(monkeypatch, city, minutes=-30)

    sent = await running.desks[CHICAGO].accepted(threat("from the future, to some"))
    await eventually(lambda: refusals(city, "deliver", "clock-ahead"))
    assert await times(running, CITY, sent["id"]) == 0
    assert alarms(city, "clock-ahead") > 0

    set_clock(monkeypatch, city)
    assert (await running.desks[CITY].received(sent["id"]))["from"] == CHICAGO


async def test_a_sender_whose_clock_is_ahead_is_held_not_dropped(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    city, chicago = running.nodes[CITY], running.nodes[CHICAGO]
    before = refusals(city, "deliver", "clock-ahead")
    set_clock(monkeypatch, chicago, minutes=20)
    sent = await running.desks[CHICAGO].accepted(threat("made in twenty minutes"))
    set_clock(monkeypatch, chicago)
    await eventually(lambda: refusals(city, "deliver", "clock-ahead") > before)
    assert await times(running, CITY, sent["id"]) == 0

    set_clock(monkeypatch, city, minutes=20)  # its time comes
    await running.desks[CITY].received(sent["id"])


async def test_a_difference_within_the_skew_delays_nothing(running: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    city = running.nodes[CITY]
    before = refusals(city, "deliver", "clock-ahead")
    set_clock(monkeypatch, running.nodes[CHICAGO], minutes=4)
    sent = await running.desks[CHICAGO].accepted(threat("four minutes ahead"))

    await running.desks[CITY].received(sent["id"])
    assert refusals(city, "deliver", "clock-ahead") == before


async def test_a_recipient_whose_clock_jumps_days_ahead_believes_nothing_expired_and_delivers_once_it_is_set(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = running.nodes[CITY]
    set_clock(monkeypatch, city, days=10)

    sent = await running.desks[CHICAGO].accepted(threat("long gone, says the city", expires=later(days=2)))
    await eventually(lambda: alarms(city, "clock-in-doubt"))
    # No signed word came, so its originator does not believe it settled.
    assert (await running.desks[CHICAGO].bulletin(sent["id"]))["who_has_not"]["stored"] == [CITY]

    set_clock(monkeypatch, city)
    assert (await running.desks[CITY].received(sent["id"]))["from"] == CHICAGO
    await running.desks[CHICAGO].delivered(sent["id"])


async def test_a_clock_that_ran_ahead_and_back_opens_no_replay(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    city, seen = running.nodes[CITY], tap(monkeypatch, running.nodes[CHICAGO])
    sent = await running.desks[CHICAGO].accepted(threat("kept by the relay", expires=later(hours=3)))
    await running.desks[CHICAGO].delivered(sent["id"])
    envelope = seen[-1]
    # Ten days ahead, an arrival that is still good then; after it the clock is set right.
    set_clock(monkeypatch, city, days=10)
    long = await running.desks[CHICAGO].accepted(threat("a long transit", expires=later(days=29)))
    await running.desks[CITY].received(long["id"])
    set_clock(monkeypatch, city)

    before = refusals(city, "deliver", "replay")
    await Relay(running).publish(envelope.subject, envelope.payload)

    await eventually(lambda: refusals(city, "deliver", "replay") > before)
    assert await times(running, CITY, sent["id"]) == 1
    assert (await running.desks[CHICAGO].bulletin(sent["id"]))["deliveries"][0]["state"] != "refused"
