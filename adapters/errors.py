"""Errors by what one does about them: show a refusal to a person, wait for an unreachable gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class GatewayError(Exception):
    """The gateway did not do what was asked."""


class GatewayUnreachableError(GatewayError):
    """Nothing is known about the outcome: the same request may be sent again with the same key."""


class GatewayRefusedError(GatewayError):
    """The gateway answered with problem details (RFC 9457); sending the same again gives the same answer."""

    def __init__(
        self,
        code: str,
        title: str,
        detail: str = "",
        pointer: str = "",
        extra: Mapping[str, Any] | None = None,
        *,
        status: int = 0,
    ) -> None:
        super().__init__(f"{code}: {detail or title}")
        self.code = code
        self.title = title
        self.detail = detail
        self.pointer = pointer
        self.extra: dict[str, Any] = dict(extra or {})
        self.status = status


class SettingsError(ValueError):
    """A setting is missing, unknown or unsafe; the start stops."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class DocumentRefusedError(ValueError):
    """A foreign document will not be taken; `detail` never repeats its text.

    `pointer` is an RFC 6901 pointer into a JSON document or a path of element names into an XML one.
    """

    def __init__(self, code: str, pointer: str = "", detail: str = "") -> None:
        super().__init__(f"{code} at `{pointer}`: {detail}")
        self.code = code
        self.pointer = pointer
        self.detail = detail

    @property
    def may_be_incomplete(self) -> bool:
        """Whether a file that is still being written would look like this."""
        return self.code in {"not-json", "not-xml", "empty", "invalid-utf-8"}
