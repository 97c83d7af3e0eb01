"""Typed reading of decoded CBOR: a value of the stated type and range, or the stated code."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final, NoReturn

from broker.seal.cbor import Cbor
from broker.seal.errors import SealError

MAX_AGENCY: Final = 64  # bytes of an agency id; the directory's own limit
_AGENCY: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")

MAX_MS: Final = 253_402_300_799_999  # 9999-12-31, the last instant a datetime can hold
HOUR_MS: Final = 3_600_000


_bytes = bytes  # the method of that name hides the type inside the class


class Shape:
    """Checks for one structure; all of them refuse with that structure's code."""

    __slots__ = ("_code",)

    def __init__(self, code: str) -> None:
        self._code = code

    def refuse(self, why: str) -> NoReturn:
        raise SealError(self._code, why)

    def map(self, value: Cbor, keys: frozenset[int]) -> dict[int, Cbor]:
        """A map with exactly these keys: an unknown field is refused, not skipped."""
        if type(value) is not dict or value.keys() != keys:
            self.refuse("fields are not exactly those of this version")
        return value

    def list(self, value: Cbor, most: int, least: int = 0) -> list[Cbor]:
        if type(value) is not list or not least <= len(value) <= most:
            self.refuse("not an array within its limits")
        return value

    def bytes(self, value: Cbor, size: int) -> _bytes:
        if type(value) is not _bytes or len(value) != size:
            self.refuse(f"not {size} bytes")
        return value

    def bytes_upto(self, value: Cbor, most: int) -> _bytes:
        if type(value) is not _bytes or len(value) > most:
            self.refuse("not bytes within their limit")
        return value

    def text(self, value: Cbor, most: int) -> str:
        if type(value) is not str or len(value.encode(errors="surrogatepass")) > most:
            self.refuse("not text within its limit")
        return value

    def uint(self, value: Cbor, most: int = 2**53) -> int:
        if type(value) is not int or not 0 <= value <= most:
            self.refuse("not an unsigned number within its limit")
        return value

    def bool(self, value: Cbor) -> bool:
        if type(value) is not bool:
            self.refuse("not true or false")
        return value

    def agency(self, value: Cbor) -> str:
        if type(value) is not str or not _AGENCY.match(value):
            self.refuse("not an agency id")
        return value

    def one_of(self, value: Cbor, allowed: frozenset[str]) -> str:
        if type(value) is not str or value not in allowed:
            self.refuse("not one of the permitted words")
        return value

    def instant(self, value: Cbor) -> datetime:
        """Milliseconds since 1970 as an aware datetime."""
        ms = self.uint(value, MAX_MS)
        return datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)


def milliseconds(at: datetime) -> int:
    """Whole milliseconds since 1970, rounded down.

    Raises:
        SealError: `bad-draft` for a naive datetime: nobody can know which clock it was read from.
    """
    if at.tzinfo is None:
        raise SealError("bad-draft", "a time without a zone")
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
