"""The envelope `[header, [part, …], [notice, …]]`: one per destination gateway, its body the same bytes for all.

Read by hand, byte by byte: sizes and shape are settled before a general decoder sees anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from broker.seal import cbor, primitives
from broker.seal.cbor import Reader
from broker.seal.cose import Encrypt, Encrypt0
from broker.seal.errors import require
from broker.seal.header import MAX_HEADER, Header, decode_header, header_hash
from broker.seal.parts import MAX_PARTS
from broker.seal.session import SessionNotice, parse_notice

MAX_ENVELOPE: Final = 900_000  # NATS takes 1 MiB by default; above this the notices are split over several envelopes
MAX_BODY: Final = 512 * 1024  # leaves room for some 180 notices of the default KEM
MAX_NOTICES: Final = 512  # agencies one gateway hosts
MAX_NOTICE: Final = 24_576  # bytes; 2.1 KB as usual, more only with long terms

_SHAPE: Final = "envelope-shape"
_OUTER: Final = cbor.head(cbor.ARRAY, 3)
# The most the framing of an envelope adds: array heads and the header's own.
_FRAMING: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """An envelope whose shape and header are sound; nothing in it is authenticated yet.

    Made by `decode_envelope` only; the hashes are over the bytes as received.
    """

    raw_header: bytes
    header: Header
    hh: bytes
    body: bytes
    body_digest: bytes
    parts: tuple[bytes, ...]
    frames: tuple[Encrypt0, ...]
    notices: tuple[Encrypt | SessionNotice, ...]


def encode_body(parts: Iterable[bytes]) -> bytes:
    items = [cbor.bstr(part) for part in parts]
    return cbor.head(cbor.ARRAY, len(items)) + b"".join(items)


def encode_envelope(header: bytes, body: bytes, notices: Sequence[bytes]) -> bytes:
    """One envelope.

    Raises:
        SealError: `too-large` when it must be split; see `encode_envelopes`.
    """
    require(0 < len(notices) <= MAX_NOTICES, "too-large", "not a permitted number of notices")
    raw = b"".join(
        (_OUTER, cbor.bstr(header), body, cbor.head(cbor.ARRAY, len(notices)), *(cbor.bstr(one) for one in notices))
    )
    require(len(raw) <= MAX_ENVELOPE, "too-large", "more notices than one envelope holds")
    return raw


def encode_envelopes(header: bytes, body: bytes, notices: Sequence[bytes]) -> list[bytes]:
    """As few envelopes as carry all notices, each within its cap."""
    room = MAX_ENVELOPE - len(header) - len(body) - _FRAMING
    batches: list[list[bytes]] = []
    left = 0
    for notice in notices:
        size = len(notice) + 5
        if not batches or size > left or len(batches[-1]) == MAX_NOTICES:
            batches.append([])
            left = room
        batches[-1].append(notice)
        left -= size
    return [encode_envelope(header, body, batch) for batch in batches]


def _read_body(reader: Reader) -> tuple[bytes, ...]:
    return tuple(reader.bstr(MAX_BODY) for _ in range(reader.array(1, MAX_PARTS)))


def decode_body(body: bytes) -> tuple[bytes, ...]:
    """The parts of a stored body.

    Raises:
        SealError: `envelope-shape`, `envelope-too-large`.
    """
    require(len(body) <= MAX_BODY, "envelope-too-large")
    reader = Reader(body, _SHAPE)
    parts = _read_body(reader)
    reader.end()
    return parts


def decode_envelope(raw: bytes) -> Envelope:
    """Steps 1 to 3 of the order in `broker.seal.unseal`: size, shape and header; in time linear in the size.

    Raises:
        SealError: step 1, 2 or 3.
    """
    # 1. Size and shape.
    require(len(raw) <= MAX_ENVELOPE, "envelope-too-large")
    reader = Reader(raw, _SHAPE)
    reader.literal(_OUTER)
    raw_header = reader.bstr(MAX_HEADER)
    start = reader.position
    parts = _read_body(reader)
    body = raw[start : reader.position]
    require(len(body) <= MAX_BODY, "envelope-too-large")
    raw_notices = [reader.bstr(MAX_NOTICE) for _ in range(reader.array(1, MAX_NOTICES))]
    reader.end()
    frames = tuple(Encrypt0.parse(part, "part-shape") for part in parts)
    notices = tuple(parse_notice(notice, "notice-shape") for notice in raw_notices)

    # 2. Strict CBOR; 3. header.
    header = decode_header(raw_header)
    return Envelope(
        raw_header=raw_header,
        header=header,
        hh=header_hash(raw_header),
        body=body,
        body_digest=primitives.sha256(body),
        parts=parts,
        frames=frames,
        notices=notices,
    )


__all__ = [
    "MAX_BODY",
    "MAX_ENVELOPE",
    "MAX_NOTICE",
    "MAX_NOTICES",
    "Envelope",
    "decode_body",
    "decode_envelope",
    "encode_body",
    "encode_envelope",
    "encode_envelopes",
]
