"""A hub's conductor over a line in memory, and gateways that say what they are told to say."""

import functools
import pathlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

from broker.ops.conductor import Conductor
from broker.relay import RelayError
from broker.trust import Beat, Minted, Report, TrustStore, make_report
from broker.trust.beat import Named
from broker.trust.probes import probe_of
from tests.trust.emergencies import head
from tests.trust.exchange import (
    BEATING,
    NOW,
    agency_keys,
    directory,
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


async def in_force(folder: pathlib.Path) -> Stage:
    """A hub under which rules 1 are in force everywhere."""
    stage = Stage(folder)
    for gateway in SPEAKER:
        stage.say(gateway, 1)
    await stage.turn()
    for gateway in SPEAKER:
        stage.say(gateway, 1, active=1)
    assert stage.last() == (1, 1)
    return stage
