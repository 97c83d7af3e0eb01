"""Padding that says as little as possible about a length (Padmé, PURBs §4) and can be checked to the byte.

A `0x80` and zeros (ISO/IEC 7816-4) up to a length that follows from the content's, so the receiver can demand the very
padding it would have made itself: no bytes are left in which a sender could hide or vary something.
"""

from __future__ import annotations

from broker.seal.errors import SealError, require

#: Below this every plaintext looks alike.
FLOOR = 256


def padme(size: int, floor: int = FLOOR) -> int:
    """The bucket for `size`: at most 12 % more, and only O(log log) bits of the length leak."""
    if size <= floor:
        return floor
    exponent = size.bit_length() - 1
    free_bits = exponent - exponent.bit_length()
    mask = (1 << free_bits) - 1
    return size + mask & ~mask


def pad(content: bytes, size: int) -> bytes:
    """`content`, the mark and zeros up to `size`, which leaves room for the mark."""
    return content + b"\x80" + bytes(size - len(content) - 1)


def unpad(padded: bytes, code: str) -> bytes:
    """The content; `code` unless it ends with a mark and zeros."""
    content = padded.rstrip(b"\x00")
    if not content.endswith(b"\x80"):
        raise SealError(code)
    return content[:-1]


def unpad_exact(padded: bytes, code: str, floor: int = FLOOR) -> bytes:
    """As `unpad`, and `code` unless the bucket is the one derived from the content's length."""
    content = unpad(padded, code)
    require(len(padded) == padme(len(content) + 1, floor), code)
    return content
