"""Times as the store has them (milliseconds since the epoch) and as people read them (RFC 3339, UTC)."""

from __future__ import annotations

from broker.model.times import from_ms, to_ms
from broker.ops import clock

__all__ = ["from_ms", "now_ms", "text", "to_ms"]


def now_ms() -> int:
    """The wall clock in milliseconds."""
    return to_ms(clock.now())


def text(milliseconds: int | None) -> str | None:
    """RFC 3339 with milliseconds, or None."""
    if milliseconds is None:
        return None
    return from_ms(milliseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")
