"""The header: the only part of an envelope that travels in the clear. Its hash is bound into everything else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from broker.seal import cbor, primitives
from broker.seal.errors import SealError
from broker.seal.shape import HOUR_MS, MAX_MS, Shape

VERSION: Final = 1
SUITE: Final = 1  # body: A256GCM, HKDF-SHA256, SHA-256; the KEM is each notice's own
ID_SIZE: Final = 16
MAX_HEADER: Final = 64  # bytes; as built it is at most 36
#: Ordered: a later one overtakes an earlier one.
PRECEDENCES: Final = ("ROUTINE", "PRIORITY", "IMMEDIATE", "FLASH")

_KEYS: Final = frozenset(range(1, 6))
_SHAPE: Final = Shape("header-field")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """`{1: version, 2: suite, 3: id, 4: expiry in hours since 1970, 5: precedence}`."""

    id: bytes
    expiry_hours: int
    precedence: str

    def encode(self) -> bytes:
        return cbor.encode(
            {1: VERSION, 2: SUITE, 3: self.id, 4: self.expiry_hours, 5: PRECEDENCES.index(self.precedence)}
        )


def expiry_hours(expires_ms: int) -> int:
    """ceil(expires / 1 h): the relay learns the hour, not the minute."""
    return -(-expires_ms // HOUR_MS)


def decode_header(raw: bytes) -> Header:
    """The header.

    Raises:
        SealError: `header-cbor`, `unknown-version`, `unknown-suite` or `header-field`.
    """
    value = cbor.decode(raw, limit=MAX_HEADER, code="header-cbor")
    if type(value) is dict and type(value.get(1)) is int and value[1] != VERSION:
        raise SealError("unknown-version")  # first, because another version may have other fields
    fields = _SHAPE.map(value, _KEYS)
    _SHAPE.uint(fields[1])
    if _SHAPE.uint(fields[2]) != SUITE:
        raise SealError("unknown-suite")
    return Header(
        id=_SHAPE.bytes(fields[3], ID_SIZE),
        expiry_hours=_SHAPE.uint(fields[4], MAX_MS // HOUR_MS),
        precedence=PRECEDENCES[_SHAPE.uint(fields[5], len(PRECEDENCES) - 1)],
    )


def header_hash(raw: bytes) -> bytes:
    """`hh`, named in every AAD, HPKE info and HKDF info and in the signed manifest."""
    return primitives.sha256(raw)
