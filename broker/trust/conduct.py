"""When a staged release comes into force: the hub's rule, and what a gateway that lost its state may believe.

Pure. The hub is trusted with neither: it can hold a release back, and everyone sees that it does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeAlias

from broker.trust.beat import Named
from broker.trust.directory import Directory
from broker.trust.emergency import Coming
from broker.trust.force import FORCE_TYPES, ForceType
from broker.trust.release import ALL, Release
from broker.trust.report import Report

# The pair that a hub beats.
Pair: TypeAlias = Mapping[ForceType, Named]
# What the fixed probes come to for (rules, directory), by the hub's own copy; None when it has not both.
Expected: TypeAlias = Callable[[Named, Named], bytes | None]


def advance(
    present: Pair,
    coming: Mapping[ForceType, Sequence[Coming]],
    reports: Mapping[str, Report],
    *,
    gateways: Collection[str],
    expected: Expected,
) -> Pair:
    """Return the pair to beat: what is in force, and whatever staged release enough gateways are ready for.

    Each chain goes its own way, so that rules nobody can be ready for never hold back a suspension. What needs no
    gateway, an emergency, waits for nobody. Nothing goes back, and nothing is beaten before there are both rules and a
    directory.

    Args:
        present: what is in force; empty at the beginning.
        coming: what may come into force, by chain, the newest first.
        reports: the verified report of each gateway.
        gateways: those that count (`counting`).
        expected: a gateway that decides otherwise than this is not ready, whatever it says.
    """
    chosen: dict[ForceType, Named] = {}
    for name, releases in coming.items():
        number = present[name][0] if name in present else 0
        for release, quorum in releases:
            ready = ready_for(name, release, reports, expected) & set(gateways)
            if release.number > number and _enough(quorum, ready, gateways):
                chosen[name] = (release.number, release.hash)
                break
    pair = {**present, **chosen}
    return pair if len(pair) == len(FORCE_TYPES) else present


def counting(staged: Directory, present: Directory | None) -> frozenset[str]:
    """Return the gateways whose readiness counts: members now and after, with an agency that may still speak.

    A gateway whose every agency is being revoked is not asked whether it is ready to be.
    """
    speaking = {entry.gateway for entry in staged.entries.values() if not entry.public.revoked}
    return frozenset(speaking) & frozenset((present or staged).gateways)


def ready_for(
    release_type: ForceType, release: Release, reports: Mapping[str, Report], expected: Expected
) -> frozenset[str]:
    """Return the gateways that are ready for a release and decide as everybody should."""
    named = (release.number, release.hash)
    return frozenset(
        gateway
        for gateway, report in reports.items()
        if (report.ready_rules if release_type == "rules" else report.ready_directory) == named
        and report.ready_rules is not None
        and report.ready_directory is not None
        and report.probe == expected(report.ready_rules, report.ready_directory)
    )


def in_force_elsewhere(
    release_type: ForceType,
    reports: Mapping[str, Report],
    *,
    holds: Callable[[ForceType, Named], bool],
    own: str = "",
) -> int:
    """Return the newest number that others, believably, have in force.

    That is what one's own last word says; what two gateways say of a release that is known here (or one, while no other
    says anything); and, of one that has not arrived, what two and more than half of them say. So one that lies, or two
    that invent a number, keep no other gateway from ever starting.
    """
    named = {
        gateway: at
        for gateway, report in reports.items()
        if (at := report.rules if release_type == "rules" else report.directory) is not None
    }
    others = sorted((at[0] for gateway, at in named.items() if gateway != own), reverse=True)
    held = sorted((at[0] for gateway, at in named.items() if gateway != own and holds(release_type, at)), reverse=True)
    mine = named[own][0] if own in named else 0
    known = held[min(1, len(held) - 1)] if held else 0
    return max(mine, known, _of_most(others) if len(others) > 1 else 0)


def agreed_in_force(release_type: ForceType, reports: Mapping[str, Report]) -> int:
    """Return the newest number that more than half of the gateways say they have in force, or a newer one."""
    said = (report.rules if release_type == "rules" else report.directory for report in reports.values())
    return _of_most(sorted((0 if named is None else named[0] for named in said), reverse=True))


def _of_most(falling: Sequence[int]) -> int:
    return falling[len(falling) // 2] if falling else 0


def _enough(quorum: int, ready: Collection[str], gateways: Collection[str]) -> bool:
    return quorum == 0 or (bool(ready) and len(ready) * ALL >= quorum * len(gateways))
