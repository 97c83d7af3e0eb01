"""The one place where an adapter reads the clock; everything else gets the time as an argument."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_now() -> datetime:
    return _EPOCH + timedelta(microseconds=time.time_ns() // 1000)


def write_time(at: datetime) -> str:
    """RFC 3339 in UTC, whole seconds, as the gateway's API wants it."""
    return at.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
