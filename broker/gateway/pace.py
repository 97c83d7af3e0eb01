"""Accepting no faster than sending, as long as the relay is there.

A submitter that never pauses would take all of the gateway's time for accepting, and what it was promised would leave
the later the more it submits. So a submission waits for its turn while more than a round of what is as urgent as it or
more so was not even tried: a FLASH waits for FLASH alone. Nothing waits for a relay that is away or refuses: then its
place is the disk.
"""

from __future__ import annotations

import asyncio

from broker.gateway.bells import wait
from broker.gateway.core import Node
from broker.gateway.outbox import ROUND
from broker.store import deliveries

# A submission is slowed down, never refused for it: after so long it is accepted all the same.
LONGEST_SECONDS = 1.0


async def turn(node: Node, rank: int) -> None:
    """Returns when a submission of this rank may be accepted: at once, unless its lane of the outbox is behind."""
    ranks = tuple(each for each in deliveries.RANKS if each >= rank)
    until = asyncio.get_running_loop().time() + LONGEST_SECONDS
    while node.link.connected:
        sent = node.sent.listen()
        behind = deliveries.untried(node.store, node.now_ms(), ranks=ranks, limit=ROUND) >= ROUND
        left = until - asyncio.get_running_loop().time()
        if not behind or left <= 0:
            return
        await wait(sent, left)
