"""Names of bulletins: ids that belong to their sender, and control numbers.

If an id were only random, any member that saw it, or guessed it, could take it first at another recipient, and the
bulletin it was made for would find its place taken. So an id carries a hash of its sender: nobody can give a bulletin
another agency's id, and every recipient checks that (docs/wire-format.md, section 4).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from broker.model.refusal import Refusal

_CONTROL_NUMBER: Final = re.compile(r"[A-Z0-9](?:[A-Z0-9-]{0,78}[A-Z0-9])?", re.ASCII)
_TIME_ORDERED: Final = 7
# The rest is random, because a gateway makes many ids in a millisecond; and to hit one given id of another agency is
# a matter of 2^48, whatever one tries, since one's own name cannot be varied.
_SEAL_BITS: Final = 48
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def new_id(now: datetime, random: Callable[[int], bytes], sender: str) -> UUID:
    """Make a UUIDv7 (RFC 9562 section 5.7): 48 bits of milliseconds, 26 random bits, 48 bits of the sender's hash."""
    milliseconds = int(now.timestamp() * 1000)
    number = (milliseconds << 80) | int.from_bytes(random(10))
    number = number & ~(0xF << 76) | (0x7 << 76)  # version
    number = number & ~(0x3 << 62) | (0x2 << 62)  # variant
    return UUID(int=_with_seal(number, sender))


def is_bound(bulletin: UUID, sender: str) -> bool:
    """Tell whether this is an id that `new_id` could have made for that sender, and for no other."""
    return bulletin.version == _TIME_ORDERED and bulletin.int == _with_seal(bulletin.int, sender)


def control_id(sender: str, envelope: bytes) -> UUID:
    """Return the id of a message without portions: a UUIDv8 (RFC 9562 section 5.8) over its sender and its envelope.

    Both sides derive it, so it is nobody's choice; and being of version 8 it is never a bulletin's.
    """
    digest = hashlib.sha256(b"tearline control\0" + sender.encode() + b"\0" + envelope).digest()
    number = int.from_bytes(digest[:16])
    number = number & ~(0xF << 76) | (0x8 << 76)  # version
    return UUID(int=number & ~(0x3 << 62) | (0x2 << 62))  # variant


def _with_seal(number: int, sender: str) -> int:
    head = number >> _SEAL_BITS << _SEAL_BITS
    digest = hashlib.sha256(b"tearline id\0" + sender.encode() + b"\0" + head.to_bytes(16)).digest()
    return head | int.from_bytes(digest[: _SEAL_BITS // 8])


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


def is_control_number_of(text: str, agency: str) -> bool:
    """Tell whether a control number is that agency's own: nobody shows up in an inbox under another's number."""
    return re.fullmatch(rf"{re.escape(agency.upper())}-[0-9]{{4}}-[0-9]{{6,}}", text, re.ASCII) is not None
