"""What every flow of the gateway holds in its hands, built once by ``service``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from broker.gateway.bells import Bell, TwoBells
from broker.gateway.clock import to_ms
from broker.gateway.metrics import Metrics
from broker.gateway.opened import Opened
from broker.gateway.own_book import OwnBook
from broker.gateway.problems import ProblemError
from broker.gateway.readiness import Standing
from broker.gateway.sessions import Sessions
from broker.gateway.settings import Settings
from broker.gateway.sources import Sources
from broker.gateway.steady import SteadyClock
from broker.gateway.tally import Tally
from broker.gateway.trial_desk import TrialDesk
from broker.gateway.vault import Vault
from broker.relay.link import Link
from broker.seal import AgencyPublic, Hold
from broker.store.database import Database
from broker.trust import AgencyKeys, Directory, Rules, TrustError, TrustStore
from policy import Decider
from policy.own import AnyDecider


@dataclass(slots=True, kw_only=True)
class Node:
    """One running gateway: its settings, keys, verified releases, disk and line to the relay."""

    settings: Settings
    keys: Mapping[str, AgencyKeys]
    trust: TrustStore
    vault: Vault
    sources: Sources
    sessions: Sessions
    store: Database
    link: Link
    metrics: Metrics
    now: Callable[[], datetime]
    steady: SteadyClock
    standing: Standing
    own: OwnBook
    trial: TrialDesk
    outbox: TwoBells = field(default_factory=TwoBells)
    sent: Bell = field(default_factory=Bell)
    claims: TwoBells = field(default_factory=TwoBells)
    deadlines: Bell = field(default_factory=Bell)
    events: Bell = field(default_factory=Bell)
    releases: Bell = field(default_factory=Bell)
    held: Bell = field(default_factory=Bell)
    tally: Tally = field(default_factory=Tally)
    opened: Opened = field(default_factory=Opened)
    submitting: set[tuple[str, str]] = field(default_factory=set)
    numbers: dict[str, int] = field(default_factory=dict)
    stopping: bool = False

    def now_ms(self) -> int:
        """The wall clock in milliseconds."""
        return to_ms(self.now())

    def gateway_of(self, agency: str) -> str:
        """The gateway that hosts an agency, by the newest directory."""
        return self._directory().gateway_of(agency)

    def contact(self, agency: str) -> dict[str, str]:
        """Whom to reach at an agency when its duty desk is silent."""
        return dict(self._directory().entry(agency).contacts["alternate"])

    def _directory(self) -> Directory:
        if self.trust.directory is None:
            raise TrustError("no-directory", "no directory has been accepted yet")
        return self.trust.directory

    def in_force(self) -> tuple[Rules, Directory, Decider]:
        """The releases a bulletin is decided under now.

        Raises:
            ProblemError: 503 ``not-ready``: no verified release of both kinds yet.
        """
        rules, directory = self.trust.rules, self.trust.directory
        if rules is None or directory is None:
            raise ProblemError(503, "not-ready")
        try:
            return rules, directory, self.trust.decider(self.now())
        except TrustError as error:
            raise ProblemError(503, "not-ready", f"{error.code}: {error}") from error

    def deciding(self, agency: str) -> tuple[Rules, Directory, AnyDecider, int]:
        """What a bulletin of this agency is decided under now: the releases, and the number of its own rules (or 0).

        Raises:
            ProblemError: as ``in_force``.
        """
        rules, directory, decider = self.in_force()
        now = self.now()
        narrowed, number = self.own.narrowed(agency, self.trust.effective(rules, now), decider, now)
        return rules, directory, narrowed, number

    def signer(self, agency: str) -> AgencyPublic | None:
        """An agency's public keys by the newest directory, in force or not, for ``unseal`` and receipts.

        Raises:
            Hold: there is no directory at all yet: nothing can be judged.
        """
        newest = self.trust.staged_directory
        if newest is None:
            raise Hold("newer-directory")
        return newest.entries[agency].public if agency in newest.entries else None


def bulletin_id(text: str) -> UUID:
    """The UUID in a path.

    Raises:
        ProblemError: 404; a malformed id names nothing.
    """
    try:
        return UUID(text)
    except ValueError as error:
        raise ProblemError(404, "not-found") from error
