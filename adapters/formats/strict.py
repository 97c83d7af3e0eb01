"""Foreign JSON, read as strictly as a submission: what two readers could read differently is refused."""

from __future__ import annotations

from typing import Any

from adapters.errors import DocumentRefusedError
from broker.model import Refusal, parse_json

JsonObject = dict[str, Any]


def read_json(raw: bytes) -> Any:
    """Read one JSON value.

    Raises:
        DocumentRefusedError: with the codes of `broker.model.parse_json`, and `empty`.
    """
    if not raw.strip(b" \t\r\n"):
        raise DocumentRefusedError("empty", detail="the document is empty")
    try:
        return parse_json(raw)
    except Refusal as refusal:
        raise DocumentRefusedError(refusal.code, refusal.pointer, refusal.detail) from None


def read_object(raw: bytes) -> JsonObject:
    """Read one JSON object; anything else is `not-an-object`."""
    value = read_json(raw)
    if not isinstance(value, dict):
        raise DocumentRefusedError("not-an-object", detail="the document must be one JSON object")
    return value


def token(name: str | int) -> str:
    """Escape one step of a JSON pointer (RFC 6901 §3)."""
    return str(name).replace("~", "~0").replace("/", "~1")
