"""The own rules of each hosted agency, as they decide: read anew whenever the exchange's change, and never gone.

What an agency keeps back must not go out because a file is missing or a word has changed; what an always rule delivers
must not stay because of it either. So own rules that cannot be had forbid everything but that, and those that were
written in other words are read more widely. Either way somebody is told (`Effective.troubles`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

import structlog

from broker.trust import OwnFiles, OwnRules, Rules, TrustError, TrustStore
from broker.trust.deciders import still
from broker.trust.own import blocked_always, carried_into
from policy import Decider, Ruleset
from policy.own import AnyDecider, Narrowed, closed, narrow

log = structlog.get_logger()

LOST = "own-rules-lost"
EXPIRED = "own-rules-expired"
ADAPTED = "own-rules-adapted"
BLOCKING = "own-rules-block-always"
_CLOSED = closed("LOST", "the own rules of this agency are not readable at its gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """Own rules under one release of the exchange's.

    Attributes:
        own: None when they cannot be had.
        ruleset: what decides.
        adapted: rules that forbid or oblige more than they say, because words they use have changed.
        blocked: never rules that may meet a recipient of an always rule, each with those rules. They do not hold for
            such recipients.
    """

    own: OwnRules | None
    ruleset: Ruleset
    adapted: tuple[str, ...] = ()
    blocked: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def troubles(self, now: datetime) -> tuple[str, ...]:
        """Codes of what the agency's officer must mend, by signing the next own rules."""
        found = {
            LOST: self.own is None,
            EXPIRED: self.own is not None and self.own.text != "" and self.own.expires <= now,
            ADAPTED: bool(self.adapted),
            BLOCKING: bool(self.blocked),
        }
        return tuple(code for code, there in found.items() if there)


class OwnBook:
    """Which own rules narrow what a hosted agency sends. `changing` is held while some are installed.

    Args:
        marks: the highest number that was ever in force for an agency, kept apart from the files.
    """

    def __init__(self, files: OwnFiles, trust: TrustStore, marks: Mapping[str, int]) -> None:
        self._files = files
        self._trust = trust
        self._numbers: dict[str, int] = {}
        self._loaded: dict[str, OwnRules] = {}
        self._effective: dict[str, tuple[bytes, Effective]] = {}
        self._narrowed: dict[str, Narrowed] = {}
        self.changing = asyncio.Lock()
        #: The troubles of each agency that were last told.
        self.told: dict[str, tuple[str, ...]] = {}
        for agency, mark in marks.items():
            self._open(agency, mark)

    def _open(self, agency: str, mark: int) -> None:
        try:
            accepted = self._files.accepted(agency)
        except TrustError:
            # There was something: how much, nobody can say.
            self._numbers[agency] = max(mark, 1)
            return
        newest = max((one.number for one in accepted), default=0)
        if max(newest, mark):
            self._numbers[agency] = max(newest, mark)

    @property
    def agencies(self) -> Iterable[str]:
        """Those that have or had own rules here."""
        return tuple(self._numbers)

    def number(self, agency: str) -> int:
        """The number of an agency's own rules; 0 when it never had any."""
        return self._numbers.get(agency, 0)

    def known(self, agency: str) -> OwnRules | None:
        """An agency's own rules; None when it never had any, or they cannot be had."""
        number = self._numbers.get(agency)
        if number is None:
            return None
        if agency not in self._loaded:
            try:
                self._loaded[agency] = self._files.load(agency, number, self._trust)
            except TrustError as error:
                log.warning("own rules are not readable", agency=agency, number=number, code=error.code)
        return self._loaded.get(agency)

    def effective(self, agency: str, rules: Rules) -> Effective:
        """An agency's own rules under these rules of the exchange; it must have had some."""
        held = self._effective.get(agency)
        if held is None or held[0] != rules.hash or held[1].own is None:
            held = self._effective[agency] = (rules.hash, self._read(self.known(agency), rules))
        return held[1]

    def narrowed(self, agency: str, rules: Rules, decider: Decider, now: datetime) -> tuple[AnyDecider, int]:
        """What decides what an agency sends: `decider` of `rules` under its own rules, if it has any; and their number.

        The same value as long as nothing changes.
        """
        number = self._numbers.get(agency)
        if number is None:
            return decider, 0
        known = self._narrowed.get(agency)
        if known is None or known.exchange is not decider:
            known = narrow(decider, self.effective(agency, rules).ruleset, at=now)
        elif not still(known.own, now):
            known = Narrowed(decider, known.own.at(now))
        self._narrowed[agency] = known
        return known, number

    def at(self, agency: str, number: int, rules: Rules, decider: Decider, moment: datetime) -> AnyDecider:
        """What decided something of an agency's under its own rules of that number; 0: it had none."""
        if not number:
            return decider
        try:
            own = self._files.load(agency, number, self._trust)
        except TrustError:
            own = None
        return narrow(decider, self._read(own, rules).ruleset, at=moment)

    def check_not_older(self, own: OwnRules) -> None:
        """Refuse what is older than anything that ever was in force here, readable or not.

        Raises:
            TrustError: `rollback`.
        """
        newest = self.number(own.agency)
        if own.number < newest or (own.number == newest and not self._was_accepted(own)):
            raise TrustError("rollback", f"own rules {own.number} are not newer than {newest}, which were in force")

    def _was_accepted(self, own: OwnRules) -> bool:
        try:
            accepted = self._files.accepted(own.agency)
        except TrustError:
            return False
        return any((one.number, one.hash) == (own.number, own.hash) for one in accepted)

    def take(self, document: bytes, own: OwnRules, *, directory: int) -> None:
        """Keep verified own rules, durably, and decide by them from now on."""
        self._files.keep(document, own, directory=directory)
        self._numbers[own.agency] = own.number
        self._loaded[own.agency] = own
        self._effective.pop(own.agency, None)
        self._narrowed.pop(own.agency, None)

    def _read(self, own: OwnRules | None, rules: Rules) -> Effective:
        if own is None:
            return Effective(own=None, ruleset=_CLOSED)
        try:
            found = carried_into(own, rules, self._trust.rules_at)
            blocked = blocked_always(own, rules, self._trust.rules_at)
        except TrustError as error:
            log.warning("own rules are not readable", agency=own.agency, number=own.number, code=error.code)
            return Effective(own=None, ruleset=_CLOSED)
        return Effective(own=own, ruleset=found.ruleset, adapted=found.adapted, blocked=blocked)
