"""Waking the loops that wait for work, without polling and without losing a wake-up."""

from __future__ import annotations

import asyncio


class Bell:
    """Many may wait, anybody may ring. A ring between two waits is not lost to a listener that asked before it."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wakes everybody who waits now."""
        self._rung.set()
        self._rung = asyncio.Event()

    def listen(self) -> asyncio.Event:
        """An event set at the next ring. Take it *before* looking for work, wait on it after finding none."""
        return self._rung


async def wait(event: asyncio.Event, seconds: float | None) -> bool:
    """Waits for a ring, at most so long; whether it rang."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
