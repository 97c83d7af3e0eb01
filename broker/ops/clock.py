"""The only reader of the clock. Pure rooms are given the time; whoever gives it asks here."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the wall clock, aware and in UTC."""
    return datetime.now(tz=UTC)  # noqa: TID251 - the one place


def steady() -> float:
    """Return seconds that never go back and go on while the machine is suspended: to check the wall clock by."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def monotonic() -> float:
    """Return seconds that never go back; only differences mean something."""
    return time.monotonic()
