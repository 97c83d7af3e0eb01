"""GET /v1/events: what happened, pushed, in order, at least once until confirmed (WHATWG HTML, server-sent events)."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from typing import Any
from uuid import UUID

from aiohttp import web

from broker.gateway import views
from broker.gateway.bells import wait
from broker.gateway.clock import text
from broker.gateway.core import Node
from broker.gateway.problems import ProblemError
from broker.gateway.tokens import Grant
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


async def stream(request: web.Request, node: Node, grant: Grant) -> web.StreamResponse:
    """Sends events for ever, from ``Last-Event-ID``, ``?after=`` or the last confirmed one."""
    asked = request.headers.get("Last-Event-ID") or request.query.get("after")
    seq = sequence(asked) if asked else events.confirmed(node.store, grant.id, grant.agency)
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    await response.prepare(request)
    await response.write(f"retry: {RETRY_MILLISECONDS}\n\n".encode())
    try:
        while not node.stopping:
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
    if row["words_sealed"] is not None:
        shown |= node.vault.open_words(row["agency"], row["storage_key"], row["words_sealed"], "event", row["id"])
    if row["event"] == "bulletin" and ident is not None:
        shown["bulletin"] = views.bulletin(node, row["agency"], ident)
    return shown
