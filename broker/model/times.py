"""Times as the store and the beat have them: whole milliseconds since the epoch."""

from datetime import UTC, datetime


def to_ms(moment: datetime) -> int:
    """Milliseconds since the epoch."""
    return int(moment.timestamp() * 1000)


def from_ms(milliseconds: int) -> datetime:
    """The moment, aware and in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
