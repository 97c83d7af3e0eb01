"""What this gateway is ready for: the newest staged releases, compiled, their cases run against its own directory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from broker.gateway.bells import Bell
from broker.trust import Directory, Pulse, Rules, TrustStore
from broker.trust.beat import Named
from broker.trust.force import ForceType
from broker.trust.pulse import Hearing
from policy import Decider, compile_rules, run_cases
from policy.probe import fingerprint

#: Codes that a report names; they never name a case.
CASES_FAILED = "cases-failed"
INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """The newest pair that could be in force here, what it comes to, and what keeps a newer one from being ready."""

    rules: Named | None = None
    directory: Named | None = None
    probe: bytes = b""
    trouble: str = INCOMPLETE
    failing: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Standing:
    """Where a gateway stands between two beats. `changing` is held while a pair is compiled or put in force.

    Attributes:
        alarmed: what of the silence was alarmed about, until a beat is heard.
        asked: the others were asked what they have in force, since this process began.
        last_word: the report that this gateway had left when it began, if it had.
    """

    pulse: Pulse
    readiness: Readiness = field(default_factory=Readiness)
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    staged: Bell = field(default_factory=Bell)
    report: Bell = field(default_factory=Bell)
    alarmed: Hearing = "fresh"
    asked: bool = False
    last_word: bytes | None = None

    @property
    def cut_off(self) -> bool:
        """Whether only what cannot wait, or harms nobody, goes out."""
        return self.pulse.hearing == "cut off"


async def assess(trust: TrustStore, now: datetime) -> Readiness:
    """Compile what is staged and run its cases, beside the loop that decides.

    Rules are tried over the directory in force, a directory under the rules in force: each may come into force without
    the other. Before anything is in force they are tried together.
    """
    rules = trust.rules_at(_next(trust, "rules", now))
    directory = trust.directory_at(_next(trust, "directory", now))
    if rules is None or directory is None:
        return Readiness()
    failing: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    if trust.rules is None or trust.rules.number < rules.number:
        failing = await _failing(trust, rules, trust.directory or directory, now)
    if trust.directory is None or trust.directory.number < directory.number:
        others = await _failing(trust, trust.rules or rules, directory, now)
    ready_rules = trust.rules if failing else rules
    ready_directory = trust.directory if others else directory
    probe = b""
    if ready_rules is not None and ready_directory is not None:
        # The texts as they are signed, also of an emergency that has lapsed, and as `broker.trust.probes` has them: two
        # gateways that look at different hours must find the same.
        decider = await _compiled(trust, ready_rules, ready_directory, now)
        moment = max(ready_rules.created, ready_directory.created)
        probe = await asyncio.to_thread(lambda: fingerprint(decider.at(moment)))
    return Readiness(
        rules=_named(ready_rules),
        directory=_named(ready_directory),
        probe=probe,
        trouble=CASES_FAILED if failing or others else "",
        failing=tuple(dict.fromkeys((*failing, *others))),
    )


def _next(trust: TrustStore, release_type: ForceType, now: datetime) -> int:
    """The number of the newest release that may come into force here; of the one in force when none may."""
    present = trust.force.named(release_type)
    coming = trust.coming(release_type, present, now)
    return coming[0][0].number if coming else present[0] if present else 0


async def _failing(trust: TrustStore, rules: Rules, directory: Directory, now: datetime) -> tuple[str, ...]:
    """The cases that fail and are not known to; those about agencies that are no members yet wait for them."""
    await _compiled(trust, trust.effective(rules, now), directory, now)
    results = await asyncio.to_thread(run_cases, rules.ruleset, rules.vocabulary, directory.agencies)
    expected = rules.release.failing | directory.release.failing
    return tuple(result.name for result in results if result.failed and result.name not in expected)


async def _compiled(trust: TrustStore, rules: Rules, directory: Directory, now: datetime) -> Decider:
    if trust.deciders.compiled(rules, directory):
        return trust.deciders.get(rules, directory, now)
    made = await asyncio.to_thread(compile_rules, rules.ruleset, rules.vocabulary, directory.agencies, at=now)
    return trust.deciders.keep(rules, directory, made)


def _named(release: Rules | Directory | None) -> Named | None:
    return None if release is None else (release.number, release.hash)
