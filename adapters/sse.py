"""Server-sent events, sans I/O: bytes in, events out (WHATWG HTML §9.2.6)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from adapters.errors import GatewayError

# A bulletin of 512 KiB may grow sixfold when JSON escapes it; beyond that somebody is filling our memory.
MAX_EVENT = 8 * 1024 * 1024


class EventStreamError(GatewayError):
    """The bytes are not an event stream of a gateway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEvent:
    """One event; `id` is the opaque cursor to confirm or to resume after."""

    event: str
    id: str
    data: dict[str, Any]


class EventDecoder:
    """Reassembles events from chunks cut anywhere; comments (pings) vanish, `retry` is remembered."""

    def __init__(self, last_event_id: str = "") -> None:
        self.last_event_id = last_event_id
        self.retry_seconds: float | None = None
        self._rest = b""
        self._started = False
        self._size = 0
        self._event = ""
        self._id = last_event_id
        self._lines: list[str] = []

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """Take the next bytes and return the events they complete.

        Raises:
            EventStreamError: not UTF-8, larger than `MAX_EVENT`, or an event whose data is not a JSON object.
        """
        buffer = self._rest + chunk
        if not self._started and len(buffer) >= 3:  # noqa: PLR2004 - the length of a byte order mark
            self._started = True
            buffer = buffer.removeprefix(b"\xef\xbb\xbf")
        # A final CR may be the first half of CRLF: keep it until the next byte is known.
        held = b"\r" if buffer.endswith(b"\r") else b""
        lines = buffer.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = lines.pop() + held
        if len(self._rest) > MAX_EVENT:
            raise EventStreamError("an event line is larger than a bulletin can be")
        found = [self._take(line) for line in lines]
        return [event for event in found if event is not None]

    def _take(self, raw: bytes) -> ServerEvent | None:
        if not raw:
            return self._dispatch()
        self._size += len(raw)
        if self._size > MAX_EVENT:
            raise EventStreamError("an event is larger than a bulletin can be")
        try:
            line = raw.decode()
        except UnicodeDecodeError as error:
            raise EventStreamError("the event stream is not UTF-8") from error
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._lines.append(value)
            case "event":
                self._event = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit():
                self.retry_seconds = min(int(value) / 1000, 60.0)
            case _:
                pass  # a comment (empty name) or a field of a later version: the standard says ignore
        return None

    def _dispatch(self) -> ServerEvent | None:
        lines, event, self._lines, self._event, self._size = self._lines, self._event, [], "", 0
        # The id counts only once its event is whole, else a cut connection would skip what was never taken.
        self.last_event_id = self._id
        if not lines:
            return None
        try:
            value = json.loads("\n".join(lines))
        except (ValueError, RecursionError) as error:
            raise EventStreamError("the data of an event is not JSON") from error
        if not isinstance(value, dict):
            raise EventStreamError("the data of an event is not a JSON object")
        return ServerEvent(event=event or "message", id=self._id, data=value)
