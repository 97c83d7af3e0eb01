"""RFC 9457 problem details: every refusal of the API has a code, a sentence and no bulletin text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

TYPE_BASE = "https://tearline.example/problems/"

# What a caller can do about it, in one line; the detail says what is wrong with this request.
TITLES: dict[str, str] = {
    "unauthorized": "a bearer token of this gateway is needed",
    "forbidden": "this token does not allow that",
    "not-found": "there is no such thing for this agency",
    "idempotency-key-missing": "send an Idempotency-Key header",
    "idempotency-key-reused": "this Idempotency-Key was used with another body",
    "idempotency-in-progress": "the first request with this Idempotency-Key is still running",
    "nobody-permitted": "the sharing rules permit no recipient",
    "cut-off": "nothing was heard of the rules in force for 15 minutes: only always rules, CLEAR and GREEN go out",
    "not-ready": "no verified directory and rules release yet",
    "unknown-reference": "the bulletin referred to is not known to this agency",
    "not-the-originator": "only the originator may do that",
    "already-recalled": "that bulletin was recalled",
    "not-named": "this bulletin names the persons it is for, and this is none of them",
    "bad-request": "the request does not fit the interface",
    "cursor-unknown": "that cursor is not one of this gateway's",
    "too-large": "the request is too large",
}


class ProblemError(Exception):
    """A refusal on its way to the caller."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str = "",
        *,
        pointer: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.pointer = pointer
        self.extra = dict(extra or {})

    def body(self) -> dict[str, Any]:
        """The problem document."""
        title = TITLES.get(self.code, "the bulletin was refused")
        errors = [{"pointer": self.pointer, "detail": self.detail}] if self.pointer is not None else []
        return {
            "type": TYPE_BASE + self.code,
            "title": title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail or title,
            "errors": errors,
            **self.extra,
        }

    def response(self) -> web.Response:
        """The HTTP answer."""
        return web.json_response(self.body(), status=self.status, content_type="application/problem+json")
