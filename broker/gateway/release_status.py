"""What ``GET /v1/releases`` shows: what is in force here, what is staged, and where every other gateway stands."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from broker.gateway import standing
from broker.gateway.core import Node
from broker.relay.errors import RelayError
from broker.trust import Report
from broker.trust.beat import Named
from broker.trust.force import FORCE_TYPES
from broker.trust.release import Release

# Reports come every half minute; two that are missing are silence.
SILENT_AFTER = timedelta(seconds=90)


async def releases(node: Node) -> dict[str, Any]:
    """This gateway's releases and, as far as the relay can be asked, everybody's."""
    trust, now = node.trust, node.now()
    force = trust.force
    try:
        known: dict[str, Report] | None = await standing.reports(node)
    except RelayError:
        known = None
    directory = trust.staged_directory
    staged = {name: trust.staged(name) for name in FORCE_TYPES}
    on_trial = trust.trial(now)
    return {
        "gateway": node.settings.name,
        "in_force": {name: _in_force(force.named(name), force.since[name]) for name in FORCE_TYPES},
        "staged": {name: _staged(release) for name, release in staged.items()},
        "trouble": node.standing.readiness.trouble or None,
        "failing_cases": list(node.standing.readiness.failing),
        "hearing": node.standing.pulse.hearing,
        "heard": _text(force.heard),
        "floor": trust.rules.floor if trust.rules else None,
        "trial": None if on_trial is None else {"number": on_trial.number, "until": _text(on_trial.expires)},
        "gateways": None
        if known is None or directory is None
        else [
            {"gateway": name, **state_of(known.get(name), force.rules, force.directory, staged, now=now)}
            for name in sorted(directory.gateways)
        ],
    }


def state_of(
    report: Report | None,
    rules: Named | None,
    directory: Named | None,
    staged: dict[Any, Release | None],
    *,
    now: datetime,
) -> dict[str, Any]:
    """One gateway's state in a word, by its last report: ``active``, ``ready``, ``staging``, ``lagging``, ``silent``.

    ``active`` has in force what is in force here and nothing newer waits; ``ready`` could take what waits, ``staging``
    cannot yet; ``lagging`` has something else in force; ``silent`` has said nothing for a minute and a half.
    """
    if report is None:
        return {"state": "silent", "rules": None, "directory": None, "since": None, "reported": None, "trouble": None}
    newest = {name: (release.number, release.hash) for name, release in staged.items() if release is not None}
    ready = {"rules": report.ready_rules, "directory": report.ready_directory}
    if now - report.at > SILENT_AFTER:
        state = "silent"
    elif (report.rules, report.directory) != (rules, directory):
        state = "lagging"
    elif newest == {"rules": rules, "directory": directory}:
        state = "active"
    else:
        state = "ready" if all(ready[name] == named for name, named in newest.items()) else "staging"
    return {
        "state": state,
        "rules": _named(report.rules),
        "directory": _named(report.directory),
        "since": _text(report.since),
        "reported": _text(report.at),
        "trouble": report.trouble or None,
    }


def _in_force(named: Named | None, since: Any) -> dict[str, Any] | None:
    return None if named is None else {**(_named(named) or {}), "since": _text(since.get(named[0]))}


def _staged(release: Release | None) -> dict[str, Any] | None:
    if release is None:
        return None
    return {
        "number": release.number,
        "hash": release.hash.hex(),
        "created": _text(release.created),
        "expires": _text(release.expires),
        "signers": list(release.signers),
        "preview": release.preview.hex(),
        "quorum": release.quorum,
        "basis": release.basis or None,
        "lapses": None if release.confirmed else _text(release.lapses),
    }


def _named(named: Named | None) -> dict[str, Any] | None:
    return None if named is None else {"number": named[0], "hash": named[1].hex()}


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
