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


class TwoBells:
    """One for the loop of what is urgent, one for the loop of the rest: a FLASH need not wake both."""

    def __init__(self) -> None:
        self._urgent = Bell()
        self._others = Bell()

    def ring(self, *, urgent: bool = False) -> None:
        """Wakes both loops; with ``urgent`` only the one of what is urgent."""
        self._urgent.ring()
        if not urgent:
            self._others.ring()

    def listen(self, *, urgent: bool) -> asyncio.Event:
        """As ``Bell.listen``."""
        return (self._urgent if urgent else self._others).listen()


async def wait(event: asyncio.Event, seconds: float | None) -> bool:
    """Waits for a ring, at most so long; whether it rang."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
