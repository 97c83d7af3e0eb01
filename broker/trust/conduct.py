"""When a staged release comes into force: the hub's rule, and what a gateway that lost its state may believe.

Pure. The hub is trusted with neither: it can hold a release back, and everyone sees that it does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias

from broker.trust.beat import Named
from broker.trust.force import FORCE_TYPES, ForceType
from broker.trust.release import ALL, Release
from broker.trust.report import Report

# The pair that a hub beats.
Pair: TypeAlias = Mapping[ForceType, Named]
# What the fixed probes come to for (rules, directory), by the hub's own copy; None when it has not both.
Expected: TypeAlias = Callable[[Named, Named], bytes | None]


def advance(
    present: Pair,
    staged: Mapping[ForceType, Release],
    reports: Mapping[str, Report],
    *,
    gateways: Collection[str],
    expected: Expected,
) -> Pair:
    """Return the pair to beat: what is in force, and whatever staged release enough gateways are ready for.

    Each chain goes its own way, so that rules nobody can be ready for never hold back a suspension. An emergency waits
    for nobody. Nothing is beaten before there are both rules and a directory.

    Args:
        present: what is in force; empty at the beginning.
        staged: the newest of each chain.
        reports: the verified report of each gateway.
        gateways: those that count: of the directory in force, or at the beginning of the staged one.
        expected: a gateway that decides otherwise than this is not ready, whatever it says.
    """
    chosen = {
        name: (release.number, release.hash)
        for name, release in staged.items()
        if present.get(name) == (release.number, release.hash)
        or release.lapses is not None
        or _enough(name, release, reports, gateways, expected)
    }
    pair = {**present, **chosen}
    return pair if len(pair) == len(FORCE_TYPES) else present


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


def in_force_elsewhere(release_type: ForceType, reports: Mapping[str, Report], *, own: str = "") -> int:
    """Return the newest number that others, believably, have in force: of two gateways, or one's own last word.

    One gateway that lies could otherwise keep a new one from ever starting.
    """
    numbers = {
        gateway: named[0]
        for gateway, report in reports.items()
        if (named := report.rules if release_type == "rules" else report.directory) is not None
    }
    others = sorted((number for gateway, number in numbers.items() if gateway != own), reverse=True)
    agreed = others[min(1, len(others) - 1)] if others else 0
    return max(agreed, numbers.get(own, 0))


def _enough(
    release_type: ForceType,
    release: Release,
    reports: Mapping[str, Report],
    gateways: Collection[str],
    expected: Expected,
) -> bool:
    ready = ready_for(release_type, release, reports, expected) & set(gateways)
    return len(ready) * ALL >= release.quorum * len(gateways) and bool(ready)
