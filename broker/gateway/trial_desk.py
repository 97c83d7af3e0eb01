"""Where submissions wait to be decided by rules on trial, too: a short queue that nobody ever waits for."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from broker.gateway.bells import Bell
from broker.trust import Directory, Rules, TrustStore
from policy import Decider
from policy.history import Recorded
from policy.own import AnyDecider

if TYPE_CHECKING:
    from broker.gateway.own import Prepared

log = structlog.get_logger()

#: Bulletins that may wait to be decided by the trial.
QUEUE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One submission as it was decided: attributes, never a text."""

    portions: tuple[Recorded, ...]
    decider: AnyDecider
    directory: Directory
    own: int
    cut_off: bool


@dataclass(slots=True)
class TrialDesk:
    """The trial that is running here, if any, and the submissions that wait for it."""

    trust: TrustStore
    rules: Rules | None = None
    jobs: deque[Job] = field(default_factory=deque)
    skipped: dict[str, int] = field(default_factory=dict)
    bell: Bell = field(default_factory=Bell)
    narrowed: dict[str, tuple[Decider, int, AnyDecider]] = field(default_factory=dict)

    def offer(self, prepared: Prepared) -> None:
        """Leaves a submission, accepted or permitted to nobody, for the trial; never waits."""
        if self.rules is None:
            return
        bulletin = prepared.bulletin
        if len(self.jobs) >= QUEUE:
            self.skipped[bulletin.agency] = self.skipped.get(bulletin.agency, 0) + 1
            return
        seen = zip(bulletin.portions, prepared.plan.seen, strict=True)
        self.jobs.append(
            Job(
                portions=tuple(
                    Recorded(
                        bulletin=bulletin.control_number,
                        portion=portion.id,
                        originator=bulletin.agency,
                        at=bulletin.created,
                        precedence=str(bulletin.precedence),
                        attributes=attributes,
                    )
                    for portion, attributes in seen
                ),
                decider=prepared.decider,
                directory=prepared.directory,
                own=prepared.own,
                cut_off=prepared.cut_off,
            )
        )
        self.bell.ring()

    def look(self, now: datetime) -> Rules | None:
        """The rules on trial now. A trial that has ended, or that another one follows, decides nothing more."""
        head = self.trust.staged("trial")
        if head is None or head.expires <= now:
            self.rules = None
        elif self.rules is None or self.rules.hash != head.hash:
            self.rules = self.trust.trial(now)
            log.info("rules on trial", number=head.number, until=head.expires.isoformat())
        if self.rules is None:
            self.jobs.clear()
            self.skipped.clear()
        return self.rules
