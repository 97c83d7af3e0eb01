"""Times as the store has them (milliseconds since the epoch) and as people read them (RFC 3339, UTC)."""

from __future__ import annotations

from datetime import UTC, datetime

from broker.ops import clock


def now_ms() -> int:
    """The wall clock in milliseconds."""
    return to_ms(clock.now())


def to_ms(moment: datetime) -> int:
    """Milliseconds since the epoch."""
    return int(moment.timestamp() * 1000)


def from_ms(milliseconds: int) -> datetime:
    """The moment, aware and in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


def text(milliseconds: int | None) -> str | None:
    """RFC 3339 with milliseconds, or None."""
    if milliseconds is None:
        return None
    return from_ms(milliseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")
