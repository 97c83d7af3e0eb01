"""GET /v1/events: what happened, pushed, in order, at least once until confirmed (WHATWG HTML, server-sent events)."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Callable
from typing import Any
from uuid import UUID

from aiohttp import web

from broker.gateway import views
from broker.gateway.bells import wait
from broker.gateway.clock import text
from broker.gateway.core import Node
from broker.gateway.problems import ProblemError
from broker.gateway.tokens import Grant
from broker.seal import SealError
from broker.store import events

_CURSOR = re.compile(r"e([0-9a-f]{1,15})")
PING_SECONDS = 15.0
RETRY_MILLISECONDS = 1000
PAGE = 100


def cursor(seq: int) -> str:
    """The opaque id of an event."""
    return f"e{seq:x}"


def sequence(text_: str) -> int:
    """The place an id names.

    Raises:
        ProblemError: 400 ``cursor-unknown``.
    """
    if (match := _CURSOR.fullmatch(text_)) is None:
        raise ProblemError(400, "cursor-unknown")
    return int(match[1], 16)


async def stream(request: web.Request, node: Node, grant: Grant, allowed: Callable[[], bool]) -> web.StreamResponse:
    """Sends events for ever, from ``Last-Event-ID``, ``?after=`` or the last confirmed one.

    ``allowed`` is asked before each page: a revoked token ends the stream.

    Raises:
        ProblemError: 400 ``cursor-unknown``, also for one beyond the last event: it belongs to another store.
    """
    asked = request.headers.get("Last-Event-ID") or request.query.get("after")
    seq = sequence(asked) if asked else events.confirmed(node.store, grant.id, grant.agency)
    if seq > events.newest(node.store):
        raise ProblemError(400, "cursor-unknown")
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    await response.prepare(request)
    await response.write(f"retry: {RETRY_MILLISECONDS}\n\n".encode())
    try:
        while not node.stopping and allowed():
            rung = node.events.listen()
            rows = events.after(node.store, grant.agency, seq, limit=PAGE)
            for row in rows:
                await response.write(_frame(node, row))
                seq = int(row["seq"])
            if not rows and not await wait(rung, PING_SECONDS):
                await response.write(b": ping\n\n")
    except (ConnectionResetError, asyncio.CancelledError):
        pass  # the adapter went away; it resumes where it was
    return response


def _frame(node: Node, row: sqlite3.Row) -> bytes:
    data = json.dumps(_event(node, row), ensure_ascii=False)
    return f"id: {cursor(int(row['seq']))}\nevent: {row['event']}\ndata: {data}\n\n".encode()


def _event(node: Node, row: sqlite3.Row) -> dict[str, Any]:
    ident = UUID(bytes=row["id"]) if row["id"] is not None else None
    shown: dict[str, Any] = {
        "event": row["event"],
        "id": str(ident) if ident else None,
        "at": text(row["at"]),
        "agency": row["agency"],
        **json.loads(row["detail"]),
    }
    try:
        if row["words_sealed"] is not None:
            shown |= node.vault.open_words(row["agency"], row["storage_key"], row["words_sealed"], "event", row["id"])
        if row["event"] == "bulletin" and ident is not None:
            shown["bulletin"] = views.bulletin(node, row["agency"], ident)
    except (SealError, ProblemError) as error:
        # Its storage key was destroyed, which is how a purge looks from here: what follows must still be told.
        shown["unreadable"] = error.code
    return shown
