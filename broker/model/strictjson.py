"""JSON as RFC 8259 and I-JSON (RFC 7493) want it, and nothing more: what two readers could read differently is refused.

A lenient parser is an attack here: of two members with one name, the gateway would judge one marking and the
recipient's adapter show the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn, TypeAlias

from broker.model.refusal import Refusal

JsonValue: TypeAlias = "str | int | float | bool | list[JsonValue] | dict[str, JsonValue] | None"
#: What `canonical_json` takes: the same, but read-only containers will do.
JsonLike: TypeAlias = "str | int | float | bool | Sequence[JsonLike] | Mapping[str, JsonLike] | None"

#: A body holds 512 KiB (DESIGN 6) and padding adds at most 12 % (Padmé), so more than this could never be sealed.
MAX_SUBMISSION: Final = 448 * 1024
#: Deeper documents are not intelligence but attacks on recursive readers (STIX bundles stay below 12).
MAX_DEPTH: Final = 32
#: I-JSON (RFC 7493 section 2.2): beyond this, readers with doubles see another number.
MAX_INTEGER: Final = 2**53 - 1
_MAX_DIGITS: Final = 17

_BOM: Final = b"\xef\xbb\xbf"
# Possessive, and an unterminated string runs to the end of input, so no byte is visited twice (a hostile run of
# quotes would otherwise cost the square of its length).
_STRING_OR_BRACKET: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_SURROGATE_ESCAPE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def parse_json(raw: bytes, *, limit: int = MAX_SUBMISSION) -> JsonValue:
    """Read one JSON text.

    Raises:
        Refusal: `too-large`, `byte-order-mark`, `invalid-utf-8`, `too-deep`, `duplicate-key`, `not-a-number`,
            `number-out-of-range`, `lone-surrogate`, `not-json`.
    """
    if len(raw) > limit:
        raise Refusal("too-large", detail=f"at most {limit} bytes are taken")
    if raw.startswith(_BOM):
        raise Refusal("byte-order-mark", detail="JSON starts with its value (RFC 8259 section 8.1)")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal("invalid-utf-8", detail="JSON is UTF-8 (RFC 8259 section 8.1)") from None
    _check_depth(raw)
    try:
        value: JsonValue = _DECODER.decode(text)
    except Refusal:
        raise
    except (ValueError, RecursionError):
        # The library's message quotes nothing, but its position is of no use to an adapter either.
        raise Refusal("not-json", detail="the input is not one JSON value (RFC 8259)") from None
    if _SURROGATE_ESCAPE.search(raw):
        _check_text(value)
    return value


def canonical_json(value: JsonLike) -> bytes:
    """Encode with sorted names and no spaces: equal values give equal bytes (RFC 8785 for values without fractions)."""
    return _ENCODER.encode(value).encode()


def _check_depth(raw: bytes) -> None:
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return  # not that deep wherever they stand
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(raw):
        match token[0]:
            case b"[" | b"{":
                depth += 1
                if depth > MAX_DEPTH:
                    raise Refusal("too-deep", detail=f"at most {MAX_DEPTH} levels of arrays and objects are taken")
            case b"]" | b"}":
                depth -= 1


def _check_text(value: JsonValue) -> None:
    match value:
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise Refusal("lone-surrogate", detail="half of a surrogate pair is no character") from None
        case list():
            for item in value:
                _check_text(item)
        case dict():
            for name, item in value.items():
                _check_text(name)
                _check_text(item)
        case _:
            pass


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Refusal("duplicate-key", detail="a name stands twice in one object")
    return members


def _constant(_: str) -> NoReturn:
    raise Refusal("not-a-number", detail="NaN and Infinity are not JSON (RFC 8259 section 6)")


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS or abs(int(digits)) > MAX_INTEGER:
        raise Refusal("number-out-of-range", detail="integers stay within 2^53 - 1 (RFC 7493 section 2.2)")
    return int(digits)


def _fraction(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise Refusal("number-out-of-range", detail="the number does not fit a double (RFC 7493 section 2.2)")
    return number


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_fraction, strict=True
)
