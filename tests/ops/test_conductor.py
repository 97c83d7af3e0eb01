"""The hub's conductor over a line in memory: what it beats, after what, and what it makes of a lost or an old file."""

import asyncio
import functools
import json
import pathlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.model.times import to_ms
from broker.ops.conductor import Conductor
from broker.relay import RelayError
from broker.trust import Beat, Minted, Report, TrustError, TrustStore, make_report
from broker.trust.beat import SKEW, Named
from broker.trust.probes import probe_of
from tests.trust.emergencies import confirmed, emergency, head, wide
from tests.trust.exchange import (
    BEATING,
    NOW,
    agency_keys,
    directory,
    entries,
    entry,
    founded,
    root,
    rules,
)

#: One agency of each gateway speaks for it.
SPEAKER = {"state": "il-state-police", "shared": "il-fusion"}


class Line:
    """Keeps the last report under each name, as the relay does, and all beats."""

    def __init__(self) -> None:
        self.beats: list[bytes] = []
        self._stored: list[tuple[str, bytes]] = []
        self.away = False

    def leave(self, gateway: str, raw: bytes) -> None:
        self._stored = [(name, kept if name != gateway else b"") for name, kept in self._stored]
        self._stored.append((gateway, raw))

    def made_anew(self) -> None:
        """The relay lost its disk: streams count from one again."""
        self._stored = []

    async def beat(self, raw: bytes) -> None:
        self.beats.append(raw)

    async def reports(self, sequence: int) -> tuple[dict[str, bytes], int]:
        if self.away:
            raise RelayError("reports-unreadable", "away")
        new = {name: raw for name, raw in self._stored[sequence - 1 :] if raw}
        return new, max(sequence, len(self._stored) + 1)


@functools.cache
def listed() -> Minted:
    return directory()


@functools.cache
def first() -> Minted:
    return rules()


@functools.cache
def second() -> Minted:
    return rules(head(first()))


class Stage:
    """A hub's folder, its conductor, a clock, and gateways that say what they are told to say."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.line = Line()
        self.now = NOW
        self.trust = TrustStore(folder / "releases", root().fingerprint)
        for minted in (founded(), listed(), first()):
            self.add(minted)
        self.conductor = self.started()

    def started(self) -> Conductor:
        self.conductor = Conductor(self.folder, self.line, BEATING, now=lambda: self.now)
        return self.conductor

    def add(self, minted: Minted | bytes) -> None:
        self.trust.offer(minted if isinstance(minted, bytes) else minted.sealed, now=self.now)

    def say(self, gateway: str, rules: int, of_directory: int = 1, *, active: int = 0, **fields: Any) -> None:
        """This gateway is ready for these, and has rules `active` in force."""
        agency = fields.pop("agency", SPEAKER[gateway])
        report = Report(
            gateway=gateway,
            agency=agency,
            at=fields.pop("at", self.now),
            rules=self.named("rules", active),
            directory=self.named("directory", 1) if active else None,
            since=None,
            ready_rules=self.named("rules", rules),
            ready_directory=self.named("directory", of_directory),
            probe=self.probe(rules, of_directory),
            trouble="",
        )
        keys = agency_keys(agency).signing
        self.line.leave(gateway, make_report(replace(report, **fields), keys, root=root().fingerprint))

    def named(self, release_type: Any, number: int) -> Named | None:
        release = self.trust.release(release_type, number)
        return None if release is None else (release.number, release.hash)

    def probe(self, rules: int, of_directory: int) -> bytes:
        return probes(self.trust, rules, of_directory)

    async def turn(self, **later: float) -> bool:
        self.now += timedelta(**later)
        return await self.conductor.turn(self.trust)

    @property
    def beats(self) -> list[Beat]:
        return [self.trust.verified(raw, now=self.now) for raw in self.line.beats[-1:]]

    def last(self) -> tuple[int, int] | None:
        beats = self.beats
        return (beats[-1].rules[0], beats[-1].directory[0]) if beats else None


PROBES: dict[tuple[bytes, bytes], bytes] = {}


def probes(trust: TrustStore, rules: int, of_directory: int) -> bytes:
    known_rules, known_directory = trust.rules_at(rules), trust.directory_at(of_directory)
    if known_rules is None or known_directory is None:
        return b""
    key = known_rules.hash, known_directory.hash
    if key not in PROBES:
        PROBES[key] = probe_of(known_rules, known_directory)
    return PROBES[key]


@pytest.fixture
def stage(tmp_path: pathlib.Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
async def running(stage: Stage) -> Stage:
    """Rules 1 are in force everywhere."""
    for gateway in SPEAKER:
        stage.say(gateway, 1)
    await stage.turn()
    for gateway in SPEAKER:
        stage.say(gateway, 1, active=1)
    assert stage.last() == (1, 1)
    return stage


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


# --- restarts


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
