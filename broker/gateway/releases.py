"""New releases, as they come; and again, when they came too early or the clock was wrong. Staged here, not in force."""

from __future__ import annotations

import asyncio

import structlog

from broker.gateway import refuse, standing
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
            if await _offer(node, raw):
                await _retry(node)


async def _keep_trying(node: Node) -> None:
    while True:
        await asyncio.sleep(AGAIN_SECONDS)
        await _retry(node)


async def _offer(node: Node, raw: bytes) -> bool:
    """Whether the chain has grown: then another one that is kept may follow."""
    try:
        accepted = node.trust.offer(raw, now=node.now())
    except TrustError as error:
        await refuse.release(node, "release", error)
        return error.code == "release-expired"
    if accepted is not None:
        _staged(node, accepted)
    return accepted is not None


async def _retry(node: Node) -> None:
    again = node.trust.retry(node.now())
    for accepted in again.accepted:
        _staged(node, accepted)
    for error in again.refused:
        await refuse.release(node, "release", error)


def _staged(node: Node, accepted: Accepted) -> None:
    log.info("release staged", type=accepted.type, number=accepted.number)
    node.standing.staged.ring()
    if accepted.type == "trial":
        node.trial.bell.ring()
    # What was decided under it by others can be judged from now on.
    standing.wake_all(node)
