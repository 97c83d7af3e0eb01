"""The hub's half of bringing a release into force: counts who is ready, and beats.

It can hold a release back or repeat the last one, and both are seen by every gateway; it can put nothing in force that
officers did not sign.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

import structlog

from broker.model import JsonLike, canonical_json, parse_json
from broker.relay import RelayError
from broker.seal import SigningKeys
from broker.trust import AgencyPublic, Report, TrustError, TrustStore, make_beat, next_sequence, read_report
from broker.trust.beat import BEAT_EVERY, Named
from broker.trust.conduct import Pair, advance, in_force_elsewhere
from broker.trust.files import replace_private
from broker.trust.force import FORCE_TYPES, ForceType
from broker.trust.probes import probe_of
from broker.trust.release import Release

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
        await self._listen(trust)
        staged: dict[ForceType, Release] = {
            name: release for name in FORCE_TYPES if (release := trust.staged(name)) is not None
        }
        if not self._known:
            self._recover(trust, staged)
        for named in {(one.ready_rules, one.ready_directory) for one in self.reports.values()}:
            await self._probe(trust, *named)
        chosen = advance(self.present, staged, self.reports, gateways=self._counting(trust), expected=self._expected)
        if chosen != self.present:
            self.present = chosen
            self._beaten = None
            log.info("into force", **{name: chosen[name][0] for name in FORCE_TYPES})
        now = self._now()
        if len(self.present) == len(FORCE_TYPES) and (self._beaten is None or now - self._beaten >= BEAT_EVERY):
            await self._beat(trust, now)
        return any(self.present.get(name) != (release.number, release.hash) for name, release in staged.items())

    async def _beat(self, trust: TrustStore, now: datetime) -> None:
        root = trust.root
        if root is None:
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
        )
        await self._line.beat(beat)
        self._beaten = now

    async def _listen(self, trust: TrustStore) -> None:
        root, directory = trust.root, trust.staged_directory
        if root is None or directory is None:
            return
        raws, self._read_from = await self._line.reports(self._read_from)

        def signer(agency: str) -> tuple[AgencyPublic, str] | None:
            entry = directory.entries.get(agency)
            return None if entry is None else (entry.public, entry.gateway)

        for gateway, raw in raws.items():
            try:
                report = read_report(raw, signer, root=root.fingerprint, now=self._now())
            except TrustError as error:
                log.warning("report refused", gateway=gateway, code=error.code)
                continue
            if report.gateway == gateway:
                self.reports[gateway] = report

    def _counting(self, trust: TrustStore) -> frozenset[str]:
        """The gateways whose readiness counts: members now and after; at the beginning, all that are listed."""
        staged = trust.staged_directory
        if staged is None:
            return frozenset()
        present = self.present.get("directory")
        before = trust.directory_at(present[0]) if present else staged
        return frozenset(staged.gateways) & frozenset(before.gateways if before else ())

    def _recover(self, trust: TrustStore, staged: dict[ForceType, Release]) -> None:
        """A hub that lost its file goes on with what gateways have in force, never with something older."""
        found: dict[ForceType, Named] = {}
        for name in staged:
            number = in_force_elsewhere(name, self.reports)
            release = trust.rules_at(number) if name == "rules" else trust.directory_at(number)
            if release is not None:
                found[name] = (release.number, release.hash)
        if len(found) == len(FORCE_TYPES):
            self.present = MappingProxyType(found)
            log.warning("taken from the gateways' reports", **{name: named[0] for name, named in found.items()})

    def _expected(self, rules: Named, directory: Named) -> bytes | None:
        return self._probes.get((rules, directory))

    async def _probe(self, trust: TrustStore, rules: Named | None, directory: Named | None) -> None:
        if rules is None or directory is None or (rules, directory) in self._probes:
            return
        known_rules, known_directory = trust.rules_at(rules[0]), trust.directory_at(directory[0])
        if known_rules is None or known_directory is None:
            return
        if (known_rules.hash, known_directory.hash) == (rules[1], directory[1]):
            known_rules = trust.effective(known_rules, self._now())
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
