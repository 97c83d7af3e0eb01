"""Strict deterministic CBOR (RFC 8949 §4.2.1), in two layers.

`Reader` walks a *known* shape by hand: a hostile document fails at its first wrong byte, before any general decoder
sees it (4 MB of nested arrays costs a general decoder about a second). `decode` is for the small payloads inside and
uses cbor2 with everything optional switched off, then proves strictness the simple way: encoding the value again must
give the very same bytes.

Map keys are integers in -24..23 only. cbor2's "canonical" order is length-first (RFC 7049), which for one-byte keys is
the same as the bytewise order RFC 8949 wants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NoReturn, TypeAlias

import cbor2

from broker.seal.errors import SealError

# A recursive alias would need forward references at run time; the walk below is the real type check.
Cbor: TypeAlias = Any

MAX_DEPTH: Final = 16
_UINT64_END: Final = 2**64

UINT: Final = 0
NINT: Final = 1
BSTR: Final = 2
TSTR: Final = 3
ARRAY: Final = 4
MAP: Final = 5


def encode(value: Cbor) -> bytes:
    """Deterministic encoding; for values of this room's own making."""
    return cbor2.dumps(value, canonical=True)


def head(major: int, argument: int) -> bytes:
    """The initial bytes of an item in shortest form (RFC 8949 §3)."""
    if argument < 24:  # noqa: PLR2004 - RFC 8949 §3
        return bytes((major << 5 | argument,))
    for extra, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * size:
            return bytes((major << 5 | extra,)) + argument.to_bytes(size, "big")
    raise ValueError("argument above 64 bits")


def bstr(value: bytes) -> bytes:
    """A byte string item, without a general encoder copying it once more."""
    return head(BSTR, len(value)) + value


def tstr(value: str) -> bytes:
    raw = value.encode()
    return head(TSTR, len(raw)) + raw


class _NoTags(Mapping[int, Callable[..., Any]]):
    """Answers every tag number with a refusal; cbor2's own decoders run regex and MIME parsers."""

    # typing.override is of Python 3.12, hence the three ignores.

    def __getitem__(self, tag: int) -> Callable[..., Any]:  # type: ignore[explicit-override]
        return _refuse_tag

    def __iter__(self) -> Iterator[int]:  # type: ignore[explicit-override]
        return iter(())

    def __len__(self) -> int:  # type: ignore[explicit-override]
        return 0


def _refuse_tag(*_: object) -> NoReturn:
    raise ValueError("tags are refused")


_NO_TAGS: Final = _NoTags()


def decode(raw: bytes, *, limit: int, code: str) -> Cbor:
    """The value of exactly one strict CBOR item.

    Raises:
        SealError: `code`, for anything but deterministic CBOR of the permitted types within `limit` bytes.
    """
    if len(raw) > limit:
        raise SealError(code, "over its size limit")
    try:
        value = cbor2.loads(
            raw,
            semantic_decoders=_NO_TAGS,
            tag_hook=_refuse_tag,
            max_depth=MAX_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
        )
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError, MemoryError) as error:
        raise SealError(code, "not decodable") from error
    if not _permitted(value) or encode(value) != raw:
        raise SealError(code, "not deterministic, or of a type that is not permitted")
    return value


def _permitted(value: Cbor) -> bool:
    kind = type(value)
    if kind is bytes or kind is str or kind is bool:
        return True
    if kind is int:
        return bool(-(2**63) <= value < _UINT64_END)
    if kind is list:
        return all(map(_permitted, value))
    if kind is dict:
        return all(type(key) is int and -24 <= key <= 23 for key in value) and all(map(_permitted, value.values()))  # noqa: PLR2004
    return False


class Reader:
    """Reads a known shape item by item; anything else, or anything longer, is refused with `code`."""

    __slots__ = ("_at", "_code", "_raw")

    def __init__(self, raw: bytes, code: str) -> None:
        self._raw = raw
        self._at = 0
        self._code = code

    def refuse(self, why: str) -> NoReturn:
        raise SealError(self._code, f"{why} at byte {self._at}")

    def head(self, major: int, limit: int) -> int:
        """The argument of the next item, which must be of this major type, in shortest form and at most `limit`."""
        raw, at = self._raw, self._at
        if at >= len(raw):
            self.refuse("ends early")
        first = raw[at]
        if first >> 5 != major:
            self.refuse("wrong type")
        argument = first & 31
        if argument >= 24:  # noqa: PLR2004 - RFC 8949 §3
            if argument > 27:  # noqa: PLR2004 - 28..30 reserved, 31 indefinite
                self.refuse("indefinite or reserved length")
            size = 1 << argument - 24
            if at + 1 + size > len(raw):
                self.refuse("ends early")
            argument = int.from_bytes(raw[at + 1 : at + 1 + size], "big")
            if argument < (24, 1 << 8, 1 << 16, 1 << 32)[size.bit_length() - 1]:
                self.refuse("not in shortest form")
            at += size
        if argument > limit:
            self.refuse("over its limit")
        self._at = at + 1
        return argument

    def take(self, size: int) -> bytes:
        start, end = self._at, self._at + size
        if end > len(self._raw):
            self.refuse("ends early")
        self._at = end
        return self._raw[start:end]

    def literal(self, expected: bytes) -> None:
        """The next bytes are exactly these: the cheapest parser there is."""
        if self.take(len(expected)) != expected:
            self.refuse("not the permitted bytes")

    def array(self, least: int, most: int) -> int:
        count = self.head(ARRAY, most)
        if count < least:
            self.refuse("too few items")
        return count

    def bstr(self, most: int, least: int = 0) -> bytes:
        size = self.head(BSTR, most)
        if size < least:
            self.refuse("too short")
        return self.take(size)

    def tstr(self, most: int) -> str:
        raw = self.take(self.head(TSTR, most))
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.refuse("not UTF-8")

    def integer(self) -> int:
        """A negative or unsigned integer of at most 64 bits."""
        if self._at < len(self._raw) and self._raw[self._at] >> 5 == NINT:
            return -1 - self.head(NINT, 2**63 - 1)
        return self.head(UINT, 2**63 - 1)

    @property
    def position(self) -> int:
        return self._at

    def end(self) -> None:
        if self._at != len(self._raw):
            self.refuse("trailing bytes")
