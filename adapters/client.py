"""The gateway client: the one way in for adapters, the command line and third parties.

Every call either returns the gateway's answer, raises :class:`GatewayRefusedError` (sending it again changes nothing)
or raises :class:`GatewayUnreachableError` (send it again, with the same idempotency key, later).
"""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
from typing_extensions import override

from adapters.access import Retry, check_url, read_token
from adapters.errors import GatewayError, GatewayRefusedError, GatewayUnreachableError, SettingsError
from adapters.sse import EventDecoder, EventStreamError, ServerEvent

__all__ = [
    "EventStreamError",
    "GatewayClient",
    "GatewayError",
    "GatewayRefusedError",
    "GatewayUnreachableError",
    "Retry",
    "ServerEvent",
    "SettingsError",
    "read_token",
]

JsonObject = dict[str, Any]

MAX_ANSWER = 64 * 1024 * 1024  # a full page of the inbox; beyond it the peer is no gateway
_SILENCE_SECONDS = 45.0  # the gateway pings every 15 s: three missing pings mean the connection is dead
_NO_CONTENT, _OK, _CONFLICT, _TOO_MANY, _SERVER_ERROR = 204, 200, 409, 429, 500


def _refusal(status: int, body: bytes) -> GatewayRefusedError:
    try:
        problem = json.loads(body)
    except (ValueError, RecursionError):
        problem = None
    if not isinstance(problem, dict):
        return GatewayRefusedError("not-a-problem", f"HTTP {status} without problem details", status=status)
    errors = problem.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    known = {"type", "title", "status", "code", "detail"}
    return GatewayRefusedError(
        str(problem.get("code", "refused")),
        str(problem.get("title", "refused")),
        str(problem.get("detail", "") or first.get("detail", "")),
        str(problem.get("pointer", "") or first.get("pointer", "")),
        {name: value for name, value in problem.items() if name not in known},
        status=status,
    )


class GatewayClient:
    """One agency's access to its gateway; an async context manager.

    Args:
        url: the gateway, `https://…`, or `http://` on loopback.
        token: the adapter's bearer token, see :func:`read_token`.
        ca_file: certificates to trust instead of the system's.
        retry: patience of one call; a caller that must not give up calls again.
        jitter: a number in [0, 1) per retry; argument so that tests decide it.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        ca_file: Path | None = None,
        retry: Retry | None = None,
        jitter: Callable[[], float] | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._url = check_url(url)
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, application/problem+json"}
        self._ca_file = ca_file
        self._retry = retry or Retry()
        self._jitter = jitter or secrets.SystemRandom().random
        self._pause = pause
        self._open: aiohttp.ClientSession | None = None

    @override
    def __repr__(self) -> str:
        return f"GatewayClient({self._url!r})"

    async def __aenter__(self) -> Self:
        tls: ssl.SSLContext | bool = True
        if self._ca_file is not None:
            tls = ssl.create_default_context(cafile=str(self._ca_file))
        # No proxy from the environment and no cookies: the token goes to the configured gateway and nowhere else.
        self._open = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls, limit=32),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=30, sock_connect=5),
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open is not None:
            await self._open.close()
            self._open = None

    # ------------------------------------------------------------------ bulletins

    async def publish(self, bulletin: Mapping[str, Any], *, idempotency_key: str) -> JsonObject:
        """Submit; the answer is the gateway's 202 body. Safe to repeat with the same key and the same bulletin."""
        return await self._call("POST", "/v1/bulletins", body=bulletin, key=idempotency_key)

    async def dry_run(self, bulletin: Mapping[str, Any]) -> JsonObject:
        """Ask who would get it; nothing is stored or sent."""
        return await self._call("POST", "/v1/bulletins", body=bulletin, query={"dry_run": "true"})

    async def get(self, bulletin_id: str) -> JsonObject:
        return await self._call("GET", f"/v1/bulletins/{quote(bulletin_id, safe='')}")

    async def inbox(self, *, limit: int | None = None, cursor: str | None = None) -> JsonObject:
        """One page, in order of arrival: `{"items", "next_cursor"}`."""
        return await self._call("GET", "/v1/inbox", query=_page(limit, cursor))

    async def outbox(self, *, limit: int | None = None, cursor: str | None = None) -> JsonObject:
        """One page of the agency's own bulletins with their deliveries."""
        return await self._call("GET", "/v1/outbox", query=_page(limit, cursor))

    async def receipts(self, bulletin_id: str, rung: str, *, person: str = "", note: str = "") -> JsonObject:
        """Record what a person did with a bulletin: `read`, `acknowledged` or `acted`."""
        body = {"rung": rung, **({"person": person} if person else {}), **({"note": note} if note else {})}
        return await self._call("POST", f"/v1/bulletins/{quote(bulletin_id, safe='')}/receipts", body=body)

    async def recall(self, bulletin_id: str, *, reason: str, idempotency_key: str | None = None) -> JsonObject:
        path = f"/v1/bulletins/{quote(bulletin_id, safe='')}/recall"
        return await self._call("POST", path, body={"reason": reason}, key=idempotency_key or f"recall-{bulletin_id}")

    async def correct(self, bulletin_id: str, bulletin: Mapping[str, Any], *, idempotency_key: str) -> JsonObject:
        """Replace an own bulletin; the gateway sets kind and reference."""
        path = f"/v1/bulletins/{quote(bulletin_id, safe='')}/correct"
        return await self._call("POST", path, body=bulletin, key=idempotency_key)

    async def explain(self, bulletin_id: str, agency: str) -> JsonObject:
        """Why it went, or did not go, to `agency`."""
        return await self._call("GET", "/v1/explain", query={"bulletin": bulletin_id, "agency": agency})

    async def rules_history(
        self, *, since: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> JsonObject:
        """One page of what the rules saw of the agency's own submissions: `{"items", "next_cursor"}`."""
        query = {**({"since": since} if since else {}), **_page(limit, cursor)}
        return await self._call("GET", "/v1/rules/history", query=query)

    async def own_rules(self) -> JsonObject:
        """The agency's own rules, how they read under the rules in force, and what is wrong with them."""
        return await self._call("GET", "/v1/rules/own")

    async def install_own_rules(self, document: bytes) -> JsonObject:
        """Put the agency's next own rules in force, as its officer signed them."""
        return await self._call("POST", "/v1/rules/own", document=document)

    async def trial(self) -> JsonObject:
        """What rules on trial would have done otherwise with what the agency sent."""
        return await self._call("GET", "/v1/rules/trial")

    async def releases(self) -> JsonObject:
        """Which releases are in force and staged, here and at every other gateway."""
        return await self._call("GET", "/v1/releases")

    async def status(self) -> JsonObject:
        return await self._call("GET", "/v1/status")

    # ------------------------------------------------------------------ events

    async def confirm(self, cursor: str) -> None:
        """Everything up to `cursor` is safely taken; the gateway will not send it again."""
        await self._call("POST", "/v1/events/confirm", body={"cursor": cursor})

    async def events(self, *, after: str | None = None) -> AsyncGenerator[ServerEvent, None]:
        """Every event from `after`, or from the last confirmed one; reconnects for ever and resumes where it was.

        At least once: an event may come again until it is confirmed. Ends only when the gateway answers 204
        (EventSource: do not reconnect) or the caller stops.

        Raises:
            GatewayRefusedError: the token or the cursor is not accepted; reconnecting would not help.
            EventStreamError: the peer does not speak the protocol.
        """
        cursor, failures = after or "", 0
        while True:
            wait = 0.0
            try:
                async with self._stream(cursor) as response:
                    if response.status == _NO_CONTENT:
                        return
                    decoder = EventDecoder(cursor)
                    async for chunk in response.content.iter_any():
                        for event in decoder.feed(chunk):
                            yield event
                        cursor, failures = decoder.last_event_id, 0
                    wait = decoder.retry_seconds or 0.0
            except (aiohttp.ClientError, OSError, TimeoutError, GatewayUnreachableError):
                pass  # lost, or silent for three pings: resume after the last whole event
            await self._pause(max(wait, self._retry.delay(failures, self._jitter())))
            failures += 1

    @asynccontextmanager
    async def _stream(self, cursor: str) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        headers = self._headers | {"Accept": "text/event-stream, application/problem+json", "Cache-Control": "no-store"}
        if cursor:
            headers["Last-Event-ID"] = cursor
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=_SILENCE_SECONDS)
        url = f"{self._url}/v1/events"
        async with self._session.get(url, headers=headers, timeout=timeout, allow_redirects=False) as response:
            if response.status >= _SERVER_ERROR or response.status == _TOO_MANY:
                raise GatewayUnreachableError(f"the gateway answered {response.status} to the event stream")
            if response.status not in {_OK, _NO_CONTENT}:
                raise _refusal(response.status, await _read(response))
            if response.status == _OK and response.content_type != "text/event-stream":
                raise GatewayRefusedError("not-an-event-stream", "the gateway answered something else than events")
            yield response

    # ------------------------------------------------------------------ one call

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        document: bytes | None = None,
        query: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> JsonObject:
        headers = {**self._headers, **({"Idempotency-Key": key} if key else {})}
        payload = document
        if document is not None:
            headers["Content-Type"] = "application/cose"
        if body is not None:
            headers["Content-Type"] = "application/json"
            payload = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        for attempt in range(self._retry.attempts):
            wait = None
            try:
                async with self._session.request(
                    method, self._url + path, data=payload, params=query, headers=headers, allow_redirects=False
                ) as response:
                    status, raw = response.status, await _read(response)
                    wait = _retry_after(response)
            except (aiohttp.ClientError, OSError, TimeoutError):
                status, raw = 0, b""
            # Every call here may be repeated: reads, keyed and numbered writes, and receipts and confirmations, which
            # are a ladder.
            again = status in {0, _TOO_MANY} or status >= _SERVER_ERROR or _still_running(status, raw)
            if not again:
                return _answer(status, raw)
            if attempt + 1 < self._retry.attempts:
                await self._pause(max(wait or 0.0, self._retry.delay(attempt, self._jitter())))
        raise GatewayUnreachableError(
            f"no answer from the gateway at {self._url} after {self._retry.attempts} attempts"
        )

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._open is None:
            raise GatewayUnreachableError("the client is not open: use `async with`")
        return self._open


async def _read(response: aiohttp.ClientResponse) -> bytes:
    raw = bytearray()
    async for chunk in response.content.iter_any():
        raw += chunk
        if len(raw) > MAX_ANSWER:
            raise GatewayUnreachableError("the answer is larger than a gateway's")
    return bytes(raw)


def _answer(status: int, raw: bytes) -> JsonObject:
    if not _OK <= status < 300:  # noqa: PLR2004 - redirects are never followed: a token is for one gateway
        raise _refusal(status, raw)
    if not raw:
        return {}
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise GatewayUnreachableError("the gateway's answer is not JSON") from error
    if not isinstance(value, dict):
        raise GatewayUnreachableError("the gateway's answer is not a JSON object")
    return value


def _still_running(status: int, raw: bytes) -> bool:
    """Whether the first request with this key has not been answered yet (its connection was lost, its work was not)."""
    return status == _CONFLICT and _refusal(status, raw).code == "idempotency-in-progress"


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    text = response.headers.get("Retry-After", "")
    return min(float(text), 60.0) if text.isascii() and text.isdigit() else None


def _page(limit: int | None, cursor: str | None) -> dict[str, str]:
    return {**({"limit": str(limit)} if limit is not None else {}), **({"cursor": cursor} if cursor else {})}
