"""A hub that lost its file, has an old one, or a wrong clock: it never beats anything older, and never falls silent."""

import asyncio
import json
import pathlib
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.model.times import to_ms
from broker.trust import TrustError, TrustStore
from broker.trust.beat import SKEW
from tests.ops.stage import SPEAKER, Stage, first, in_force, listed, second
from tests.trust.emergencies import head
from tests.trust.exchange import (
    NOW,
    founded,
    root,
    rules,
)


@pytest.fixture
async def running(tmp_path: pathlib.Path) -> Stage:
    return await in_force(tmp_path)


async def test_a_restart_goes_on_where_it_was(running: Stage) -> None:
    before = running.beats[0]
    running.line.made_anew()
    running.started()
    await running.turn(seconds=1)
    assert running.last() == (1, 1)
    assert running.beats[0].sequence > before.sequence


async def test_a_lost_file_is_made_good_by_what_gateways_have_in_force(running: Stage) -> None:
    running.add(second())
    (running.folder / "in-force.json").unlink()
    running.started()
    await running.turn(seconds=1)
    # Rules 2 wait, and rules 1 are what is in force.
    assert running.last() == (1, 1)


async def test_a_lost_file_waits_for_more_than_the_first_who_speaks(running: Stage) -> None:
    """It may be a late one, or a bought one that names something old."""
    running.add(second())
    for gateway in SPEAKER:
        running.say(gateway, 2, active=2)
    await running.turn(seconds=1)
    (running.folder / "in-force.json").unlink()
    running.line.made_anew()
    running.started()
    count = len(running.line.beats)
    running.say("shared", 1, active=1)
    await running.turn(seconds=1)
    assert len(running.line.beats) == count
    running.say("state", 2, active=2)
    running.say("shared", 2, active=2)
    await running.turn(seconds=1)
    assert running.last() == (2, 1)


async def test_an_old_file_from_a_backup_is_overtaken_by_what_most_gateways_have(running: Stage) -> None:
    old = (running.folder / "in-force.json").read_bytes()
    running.add(second())
    for gateway in SPEAKER:
        running.say(gateway, 2, active=2)
    await running.turn(seconds=1)
    (running.folder / "in-force.json").write_bytes(old)
    # Rules 3 came meanwhile and wait: they are no way out.
    running.add(rules(head(second())))
    running.started()
    await running.turn(seconds=1)
    assert running.last() == (2, 1)


async def test_a_folder_of_releases_from_a_backup_takes_nothing_back(running: Stage) -> None:
    running.add(second())
    for gateway in SPEAKER:
        running.say(gateway, 2, active=1)
    await running.turn(seconds=1)
    older = TrustStore(running.folder / "older", root().fingerprint)
    for minted in (founded(), listed(), first()):
        older.offer(minted.sealed, now=NOW)
    running.trust = older
    running.started()
    count = len(running.line.beats)
    await running.turn(seconds=31)
    assert len(running.line.beats) == count  # it has not what it would have to name
    assert running.conductor.present["rules"][0] == 2


async def test_a_file_nobody_can_read_stops_the_hub(running: Stage) -> None:
    (running.folder / "in-force.json").write_text("{}")
    with pytest.raises(TrustError) as refused:
        running.started()
    assert refused.value.code == "store-damaged"


# --- clocks


async def test_a_clock_that_was_a_year_ahead_and_is_set_right_silences_no_beat(running: Stage) -> None:
    await running.turn(days=365)
    running.now = NOW + timedelta(minutes=1)
    await running.turn()
    assert running.beats[0].sequence <= to_ms(running.now + SKEW)
    assert running.beats[0].issued == running.now


async def test_a_clock_within_the_skew_never_takes_a_number_twice(running: Stage) -> None:
    await running.turn(minutes=4)
    ahead = running.beats[0].sequence
    running.now -= timedelta(minutes=4)
    await running.turn()
    assert running.beats[0].sequence == ahead + 1


async def test_what_is_kept_is_kept_before_it_is_said(running: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    class DeathError(Exception):
        pass

    async def dies(_: bytes) -> None:
        raise DeathError

    running.add(second())
    for gateway in SPEAKER:
        running.say(gateway, 2, active=1)
    monkeypatch.setattr(running.line, "beat", dies)
    with pytest.raises(DeathError):
        await running.turn(seconds=1)
    assert json.loads((running.folder / "in-force.json").read_bytes())["rules"][0] == 2


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_never_older_whatever_is_lost_and_said(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Rules 1, 2 and 3 are staged one by one; gateways report, the hub's file is lost or old, clocks jump a little."""
    asyncio.run(_story(Stage(tmp_path_factory.mktemp("story")), data))


async def _story(stage: Stage, data: st.DataObject) -> None:
    waiting, kept, active = [second(), rules(head(second()))], b"", 0
    for _ in range(data.draw(st.integers(1, 12))):
        event = data.draw(st.sampled_from(["stage", "ready", "lose", "old", "turn", "restart"]))
        file = stage.folder / "in-force.json"
        newest = stage.trust.staged("rules")
        assert newest is not None
        if event == "stage" and waiting:
            stage.add(waiting.pop(0))
        elif event == "ready":
            for gateway in SPEAKER:
                stage.say(gateway, newest.number, active=active)
        elif event == "lose" and active:
            file.unlink()
            stage.started()
        elif event == "old" and kept and active:
            file.write_bytes(kept)
            stage.started()
        elif event == "restart":
            stage.started()
        count = len(stage.line.beats)
        await stage.turn(seconds=data.draw(st.sampled_from([1, 31, -20])))
        if len(stage.line.beats) > count:
            last = stage.last()
            assert last is not None
            assert last[0] >= active
            active = last[0]
            kept = kept or file.read_bytes()
            for gateway in SPEAKER:  # honest gateways take what was beaten, and say so
                stage.say(gateway, newest.number, active=active)
