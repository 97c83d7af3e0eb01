"""The hub's conductor: what it beats, and after what."""

import pathlib
from datetime import timedelta

import pytest

from broker.trust import TrustStore
from tests.ops.stage import SPEAKER, Stage, first, in_force, listed, second
from tests.trust.emergencies import confirmed, emergency, head, wide
from tests.trust.exchange import (
    directory,
    entries,
    entry,
    founded,
    root,
    rules,
)


@pytest.fixture
def stage(tmp_path: pathlib.Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
async def running(tmp_path: pathlib.Path) -> Stage:
    return await in_force(tmp_path)


async def test_nothing_is_beaten_before_all_gateways_are_ready_for_the_first_pair(stage: Stage) -> None:
    assert await stage.turn()
    assert stage.last() is None
    stage.say("state", 1)
    assert await stage.turn(seconds=1)
    assert stage.last() is None
    stage.say("shared", 1)
    assert not await stage.turn(seconds=1)
    assert stage.last() == (1, 1)


async def test_a_beat_every_half_minute_and_at_once_when_something_comes(running: Stage) -> None:
    await running.turn(seconds=29)
    assert len(running.line.beats) == 1
    await running.turn(seconds=1)
    assert len(running.line.beats) == 2
    running.add(second())
    for gateway in SPEAKER:
        running.say(gateway, 2, active=1)
    await running.turn(seconds=1)
    assert running.last() == (2, 1)
    assert running.beats[0].confirmed


async def test_an_emergency_is_beaten_at_once_and_its_confirmation_is_told(running: Stage) -> None:
    added = emergency(first())
    running.add(added)
    await running.turn(seconds=1)
    assert running.last() == (2, 1)
    assert not running.beats[0].confirmed
    running.add(confirmed(added))
    await running.turn(seconds=30)
    assert running.beats[0].confirmed


async def test_an_emergency_over_old_rules_is_not_beaten_however_many_are_ready_for_it(stage: Stage) -> None:
    stage.trust = TrustStore(stage.folder / "wide", root().fingerprint)
    narrow = rules(head(wide()))
    for minted in (founded(), listed(), wide(), narrow):
        stage.add(minted)
    for gateway in SPEAKER:
        stage.say(gateway, 2)
    await stage.turn()
    stage.add(emergency(narrow, basis=wide()))
    for gateway in SPEAKER:
        stage.say(gateway, 3, active=2)
    await stage.turn(seconds=30)
    assert stage.last() == (2, 1)


async def test_a_gateway_that_decides_otherwise_is_not_ready(running: Stage) -> None:
    running.add(second())
    running.say("state", 2, active=1)
    running.say("shared", 2, active=1, probe=bytes(32))
    assert await running.turn(seconds=1)
    assert running.last() == (1, 1)


async def test_only_what_may_be_beaten_is_worked_out_whatever_a_gateway_says(running: Stage) -> None:
    """One member could otherwise have the hub compile every old pair there ever was, twice a second."""
    running.add(second())
    for number in (1, 2):
        running.say("shared", number, active=1)
        await running.turn(seconds=1)
    third = rules(head(second()))
    running.add(third)
    running.say("shared", 2, active=1)
    await running.turn(seconds=1)
    assert len(running.conductor._probes) <= 1


async def test_the_newest_word_of_a_gateway_counts_also_when_an_older_one_comes_again(running: Stage) -> None:
    """It was ready; then its cases failed. The relay brings what it said before."""
    running.add(second())
    running.say("state", 2, active=1)
    running.say("shared", 1, active=1, trouble="cases-failed")
    await running.turn(seconds=1)
    running.say("shared", 2, active=1, at=running.now - timedelta(minutes=1))
    await running.turn(seconds=30)
    assert running.last() == (1, 1)


async def test_a_revocation_waits_for_no_word_of_the_revoked(running: Stage) -> None:
    revoking = directory(head(listed()), listed=entries(il_state_police=entry("il-state-police", revoked=True)))
    running.add(revoking)
    running.say("shared", 1, 2, active=1)
    await running.turn(seconds=1)
    assert running.last() == (1, 2)


async def test_reports_that_cannot_be_read_stop_no_beat(running: Stage) -> None:
    running.line.away = True
    await running.turn(seconds=31)
    assert len(running.line.beats) == 2


async def test_a_relay_that_counts_from_one_again_is_heard_again(running: Stage) -> None:
    for _ in range(5):
        running.say("state", 1, active=1)
    await running.turn(seconds=1)
    running.line.made_anew()
    running.add(second())
    for gateway in SPEAKER:
        running.say(gateway, 2, active=1)
    await running.turn(seconds=31)
    await running.turn(seconds=1)
    assert running.last() == (2, 1)
