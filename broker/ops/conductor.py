"""The hub's half of bringing a release into force: counts who is ready, and beats.

It can hold a release back or repeat the last one, and both are seen by every gateway; it can put nothing in force that
officers did not sign.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

import structlog

from broker.model import JsonLike, canonical_json, parse_json
from broker.relay import RelayError
from broker.seal import SigningKeys
from broker.trust import Directory, Report, TrustError, TrustStore, make_beat, next_sequence, read_report
from broker.trust.beat import BEAT_EVERY, Named
from broker.trust.conduct import Pair, advance, agreed_in_force, counting, in_force_elsewhere
from broker.trust.emergency import Coming
from broker.trust.files import replace_private
from broker.trust.force import FORCE_TYPES, ForceType
from broker.trust.probes import probe_of
from broker.trust.report import places_in

log = structlog.get_logger()

_FILE: Final = "in-force.json"
#: While something waits to come into force: an officer watches, and a rollback has two seconds.
_EAGER_SECONDS: Final = 0.1
_IDLE_SECONDS: Final = 1.0


class Line(Protocol):
    """What the conductor needs of the hub."""

    async def beat(self, raw: bytes) -> None: ...
    async def reports(self, sequence: int) -> tuple[dict[str, bytes], int]: ...


class Conductor:
    """Keeps what is in force at this hub in one small file, so that a restart goes on where it was."""

    def __init__(self, folder: Path, line: Line, keys: SigningKeys, *, now: Callable[[], datetime]) -> None:
        self._path = folder / _FILE
        self._line = line
        self._keys = keys
        self._now = now
        self._known = self._path.exists()
        self.present, self._sequence = _load(self._path)
        self.reports: dict[str, Report] = {}
        self._read_from = 1
        self._beaten: datetime | None = None
        self._probes: dict[tuple[Named, Named], bytes] = {}

    async def run(self, trust: Callable[[], TrustStore], changed: Callable[[], asyncio.Event]) -> None:
        """Beat for ever; a relay that is away is tried again."""
        while True:
            rung = changed()
            try:
                eager = await self.turn(trust())
            except (RelayError, TrustError) as error:
                log.warning("no beat", code=error.code)
                eager = False
            try:
                async with asyncio.timeout(_EAGER_SECONDS if eager else _IDLE_SECONDS):
                    await rung.wait()
            except TimeoutError:
                pass

    async def turn(self, trust: TrustStore) -> bool:
        """Read what gateways say, beat if it is time or something has come into force; whether something waits to.

        Raises:
            RelayError: the relay is away. TrustError: the folder of releases cannot be read.
        """
        now = self._now()
        try:
            await self._listen(trust, now)
        except RelayError as error:
            # What is in force is said all the same; only nothing new can be counted.
            log.warning("reports not readable", code=error.code)
        gateways = self._counting(trust)
        self._catch_up(trust, gateways)
        staged: dict[ForceType, Sequence[Coming]] = {
            name: trust.coming(name, self.present.get(name), now) for name in FORCE_TYPES
        }
        await self._probe_all(trust, staged)
        chosen = advance(self.present, staged, self.reports, gateways=gateways, expected=self._expected)
        if chosen != self.present:
            self.present = chosen
            self._beaten = None
            log.info("into force", **{name: chosen[name][0] for name in FORCE_TYPES})
        if len(self.present) == len(FORCE_TYPES) and self._due(now):
            await self._beat(trust, now)
        return any(
            release.number > self.present[name][0] if name in self.present else True
            for name, waiting in staged.items()
            for release, _ in waiting
        )

    def _due(self, now: datetime) -> bool:
        """Whether it is time to beat; a clock that went back must not make the hub wait until it is where it was."""
        return self._beaten is None or not timedelta(0) <= now - self._beaten < BEAT_EVERY

    async def _beat(self, trust: TrustStore, now: datetime) -> None:
        root, rules = trust.root, trust.release("rules", self.present["rules"][0])
        if root is None or rules is None:
            return
        self._sequence = next_sequence(self._sequence, now)
        _keep(self._path, self.present, self._sequence)
        self._known = True
        beat = make_beat(
            self._keys,
            root=root.fingerprint,
            sequence=self._sequence,
            issued=now,
            rules=self.present["rules"],
            directory=self.present["directory"],
            confirmed=rules.confirmed,
        )
        await self._line.beat(beat)
        self._beaten = now
        # With each beat all reports are read once more: a stream that was made anew counts from one again.
        self._read_from = 1

    async def _listen(self, trust: TrustStore, now: datetime) -> None:
        root, directory = trust.root, trust.staged_directory
        if root is None or directory is None:
            return
        raws, self._read_from = await self._line.reports(self._read_from)
        places = places_in(directory, self._directory(trust))
        for gateway, raw in raws.items():
            try:
                report = read_report(raw, places, root=root.fingerprint, now=now)
            except TrustError as error:
                log.warning("report refused", gateway=gateway, code=error.code)
                continue
            known = self.reports.get(gateway)
            # The relay may bring an older one once more: a gateway that was ready and is not any more.
            if report.gateway == gateway and (known is None or known.at <= report.at):
                self.reports[gateway] = report

    def _directory(self, trust: TrustStore) -> Directory | None:
        present = self.present.get("directory")
        return trust.directory_at(present[0]) if present else None

    def _counting(self, trust: TrustStore) -> frozenset[str]:
        staged = trust.staged_directory
        return frozenset() if staged is None else counting(staged, self._directory(trust))

    def _catch_up(self, trust: TrustStore, gateways: frozenset[str]) -> None:
        """A hub that lost its file, or has an old one, goes on with what gateways have in force, never with less.

        More than half of them must have been heard: the first one to speak may be late, or bought.
        """
        heard = {gateway: self.reports[gateway] for gateway in gateways & self.reports.keys()}
        if 2 * len(heard) <= len(gateways):
            return
        found: dict[ForceType, Named] = {}
        for name in FORCE_TYPES:
            number = agreed_in_force(name, heard) if self._known else in_force_elsewhere(name, heard, holds=trust.holds)
            release = trust.release(name, number)
            if release is not None and number > (self.present[name][0] if name in self.present else 0):
                found[name] = (release.number, release.hash)
        if len({**self.present, **found}) == len(FORCE_TYPES) and found:
            self.present = MappingProxyType({**self.present, **found})
            self._beaten = None
            log.warning("taken from the gateways' reports", **{name: named[0] for name, named in found.items()})

    def _expected(self, rules: Named, directory: Named) -> bytes | None:
        return self._probes.get((rules, directory))

    async def _probe_all(self, trust: TrustStore, staged: Mapping[ForceType, Sequence[Coming]]) -> None:
        """Work out the probes of what may be beaten next, and of nothing else that a gateway says it is ready for."""
        wanted: dict[ForceType, set[Named]] = {
            name: {(release.number, release.hash) for release, quorum in staged[name] if quorum}
            | ({self.present[name]} if name in self.present else set())
            for name in FORCE_TYPES
        }
        reported = {(one.ready_rules, one.ready_directory) for one in self.reports.values()}
        pairs = {pair for pair in product(wanted["rules"], wanted["directory"]) if pair in reported}
        self._probes = {pair: probe for pair, probe in self._probes.items() if pair in pairs}
        for rules, directory in pairs - self._probes.keys():
            known_rules, known_directory = trust.rules_at(rules[0]), trust.directory_at(directory[0])
            if known_rules is not None and known_directory is not None:
                self._probes[rules, directory] = await asyncio.to_thread(probe_of, known_rules, known_directory)


def _load(path: Path) -> tuple[Pair, int]:
    if not path.exists():
        return MappingProxyType({}), 0
    match parse_json(path.read_bytes()):
        case {
            "rules": [int(rules), str(of_rules)],
            "directory": [int(directory), str(of_directory)],
            "sequence": int(s),
        }:
            present: dict[ForceType, Named] = {
                "rules": (rules, bytes.fromhex(of_rules)),
                "directory": (directory, bytes.fromhex(of_directory)),
            }
            return MappingProxyType(present), s
        case _:
            raise TrustError("store-damaged", f"`{path.name}` is not readable; without it gateways' reports are asked")


def _keep(path: Path, present: Pair, sequence: int) -> None:
    written: dict[str, JsonLike] = {name: [present[name][0], present[name][1].hex()] for name in FORCE_TYPES}
    replace_private(path, canonical_json({**written, "sequence": sequence}))
