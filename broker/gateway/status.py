"""One look at a gateway: what waits, for whom, since when, and whether anything must not be as it is."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from broker.gateway.clock import text
from broker.gateway.core import Node
from broker.store import deliveries
from broker.trust.force import FORCE_TYPES

SHOWN = 50


def report(node: Node, agency: str) -> dict[str, Any]:
    """What ``GET /v1/status`` shows one hosted agency: the gateway's state, and its own late deliveries alone."""
    backlog = deliveries.backlog(node.store)
    rules, directory = node.trust.rules, node.trust.directory
    return {
        "gateway": node.settings.name,
        "agencies": list(node.settings.agencies),
        "relay": {"connected": node.link.connected},
        "releases": {
            "rules": {"number": rules.number, "hash": rules.hash.hex()} if rules else None,
            "directory": {"number": directory.number, "hash": directory.hash.hex()} if directory else None,
            "hearing": node.standing.pulse.hearing,
        },
        "own_rules": {"number": node.own.number(agency), "troubles": list(node.own.told.get(agency, ()))},
        "queue": {"waiting": backlog["waiting"], "oldest": text(backlog["oldest"])},
        "late": [
            {
                "agency": row["agency"],
                "bulletin": str(UUID(bytes=row["id"])),
                "recipient": row["recipient"],
                "state": row["state"],
                "code": row["code"],
                "due": text(row["due"]),
                "escalated": row["escalated"] is not None,
            }
            for row in deliveries.late(node.store, agency, node.now_ms(), limit=SHOWN)
        ],
        "alarms": _alarms(node),
    }


def refresh(node: Node) -> None:
    """Brings the gauges up to now."""
    backlog = deliveries.backlog(node.store)
    node.metrics.waiting.set(backlog["waiting"])
    node.metrics.oldest.set((backlog["oldest"] or 0) / 1000)
    node.metrics.connected.set(node.link.connected)
    node.metrics.beat.set(node.standing.pulse.age.total_seconds())
    for name in FORCE_TYPES:
        present, newest = node.trust.force.named(name), node.trust.staged(name)
        if present is not None:
            node.metrics.release.labels(type=name).set(present[0])
        if newest is not None:
            node.metrics.staged.labels(type=name).set(newest.number)


def _alarms(node: Node) -> dict[str, int]:
    return {
        sample.labels["code"]: int(sample.value)
        for metric in node.metrics.alarms.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }
