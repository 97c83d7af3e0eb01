"""Names of bulletins: UUIDv7 ids and control numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from broker.model.refusal import Refusal

_CONTROL_NUMBER: Final = re.compile(r"[A-Z0-9](?:[A-Z0-9-]{0,78}[A-Z0-9])?", re.ASCII)
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def new_id(now: datetime, random: Callable[[int], bytes]) -> UUID:
    """Make a UUIDv7 (RFC 9562 section 5.7): 48 bits of milliseconds, 74 random bits."""
    milliseconds = int(now.timestamp() * 1000)
    number = (milliseconds << 80) | int.from_bytes(random(10))
    number = number & ~(0xF << 76) | (0x7 << 76)  # version
    number = number & ~(0x3 << 62) | (0x2 << 62)  # variant
    return UUID(int=number)


def parse_id(text: str, pointer: str = "") -> UUID:
    """Read the lower-case text form of a UUID.

    Raises:
        Refusal: `bad-id`; another spelling of one id would be another key for the replay and reference tables.
    """
    if not _UUID.fullmatch(text):
        raise Refusal("bad-id", pointer, "not a UUID in lower case (RFC 9562 section 4)")
    return UUID(text)


def control_number(agency: str, year: int, sequence: int) -> str:
    """Return the number people use: `SPRINGFIELD-PD-2026-000123`. The sequence is the agency's own, per year."""
    return f"{agency.upper()}-{year:04d}-{sequence:06d}"


def is_control_number(text: str) -> bool:
    return _CONTROL_NUMBER.fullmatch(text) is not None
