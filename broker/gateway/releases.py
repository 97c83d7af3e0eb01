"""New releases, as they come; and again, when they came too early or the clock was wrong."""

from __future__ import annotations

import asyncio

import structlog

from broker.gateway.core import Node
from broker.trust import Accepted, TrustError

log = structlog.get_logger()

# The stream brings each release once; meanwhile a clock may have been set right.
AGAIN_SECONDS = 30.0


async def run(node: Node) -> None:
    """Takes releases for ever; one that doesn't verify is recorded and changes nothing."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_keep_trying(node))
        async for raw in node.link.releases():
            if _offer(node, raw):
                _retry(node)


async def _keep_trying(node: Node) -> None:
    while True:
        await asyncio.sleep(AGAIN_SECONDS)
        _retry(node)


def _offer(node: Node, raw: bytes) -> bool:
    """Whether the chain has grown: then another one that is kept may follow."""
    try:
        accepted = node.trust.offer(raw, now=node.now())
    except TrustError as error:
        _refused(node, error)
        return error.code == "release-expired"
    if accepted is not None:
        _in_force(node, accepted)
    return accepted is not None


def _retry(node: Node) -> None:
    again = node.trust.retry(node.now())
    for accepted in again.accepted:
        _in_force(node, accepted)
    for error in again.refused:
        _refused(node, error)


def _in_force(node: Node, accepted: Accepted) -> None:
    log.info("release in force", type=accepted.type, number=accepted.number)
    node.outbox.ring()
    node.releases.ring()
    node.held.ring()


def _refused(node: Node, error: TrustError) -> None:
    node.metrics.refused.labels(where="release", code=error.code).inc()
    log.warning("release refused", code=error.code)
