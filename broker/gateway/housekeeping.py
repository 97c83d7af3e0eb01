"""What this gateway may forget, forgotten once a minute and in small writes: never on the way of a bulletin."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from broker.gateway.core import Node
from broker.store import prune
from policy.history import WINDOW

EVERY_SECONDS = 60.0
# An Idempotency-Key protects a client's repetition, and no client repeats for longer.
IDEMPOTENCY_KEPT = timedelta(hours=24)
# No envelope lives longer than 30 days in transit, and its replay key is kept 24 hours more: what is older than both
# together can be neither sent again nor asked for again.
REPLAY_HORIZON = timedelta(days=31)
# Whoever decides about rules that were on trial looks back a quarter of a year at most.
TRIALS_KEPT = timedelta(days=90)


async def run(node: Node) -> None:
    """Tidies, for ever."""
    while True:
        await tidy(node)
        await asyncio.sleep(EVERY_SECONDS)


async def tidy(node: Node) -> None:
    """Forgets everything that is old now."""
    # Memory first: a disk that fails must not keep plaintext in it.
    node.opened.clear()
    if not node.steady.doubtful:
        node.sessions.tidy(node.now())
    now = node.now_ms()
    horizon = now - REPLAY_HORIZON // timedelta(milliseconds=1)
    await _prune(node, prune.IDEMPOTENCY, now - IDEMPOTENCY_KEPT // timedelta(milliseconds=1))
    await _prune(node, prune.REPLAY, now)
    if not node.steady.doubtful:
        # A clock that is ahead would forget what others still rely on, and there is no way back.
        await _prune(node, prune.SESSIONS, now)
        for statement in (prune.TRIALS, prune.TRIAL_DIFFERENCES):
            await _prune(node, statement, now - TRIALS_KEPT // timedelta(milliseconds=1))
        await _prune(node, prune.RECORDINGS, now - WINDOW // timedelta(milliseconds=1))
    for statement in (prune.CLAIMS, prune.EVENTS, prune.EVIDENCE):
        await _prune(node, statement, horizon)


async def _prune(node: Node, statement: prune.Statement, before: int) -> None:
    full = True
    while full:
        full = await node.store.write(lambda connection: prune.older(connection, statement, before)) == prune.BATCH
