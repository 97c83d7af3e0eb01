"""Accepting no faster than sending, as long as the relay is there.

A submitter that never pauses would take all of the gateway's time for accepting, and what it was promised would leave
the later the more it submits. So a submission waits for its turn while more is due than the outbox sends in a round.
What is urgent waits only for what is urgent too. Nothing waits for a relay that is away: then its place is the disk.
"""

from __future__ import annotations

import asyncio

from broker.gateway.bells import wait
from broker.gateway.core import Node
from broker.gateway.outbox import OTHERS, ROUND, URGENT
from broker.store import deliveries

# A submission is slowed down, never refused for it: after so long it is accepted all the same.
LONGEST_SECONDS = 1.0


async def turn(node: Node, rank: int) -> None:
    """Returns when a submission of this rank may be accepted: at once, unless its lane of the outbox is behind."""
    ranks = URGENT if rank in URGENT else OTHERS
    until = asyncio.get_running_loop().time() + LONGEST_SECONDS
    while node.link.connected:
        sent = node.sent.listen()
        behind = deliveries.due(node.store, node.now_ms(), ranks=ranks, limit=ROUND) >= ROUND
        left = until - asyncio.get_running_loop().time()
        if not behind or left <= 0:
            return
        await wait(sent, left)
