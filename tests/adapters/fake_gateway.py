"""A gateway as far as an adapter can see it: a real HTTP server that keeps the contract, with faults on demand."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

from aiohttp import web

from broker.model import Refusal
from tests.adapters import exchange

TOKEN = "test-token-1234567890"


@dataclass
class FakeGateway:
    agency: str = "chicago-pd"
    judge: bool = True
    down: bool = False
    fail_next: int = 0
    lose_answer_of_next: int = 0
    unauthorised: bool = False
    bulletins: dict = field(default_factory=dict)  # id → submission
    keys: dict = field(default_factory=dict)  # idempotency key → (body, answer)
    requests: list = field(default_factory=list)
    confirmed: list = field(default_factory=list)
    receipts: list = field(default_factory=list)
    recalls: list = field(default_factory=list)
    recalled: set = field(default_factory=set)
    in_progress_next: int = 0
    inbox: list = field(default_factory=list)
    events: list = field(default_factory=list)  # (id, event, data)
    streams: list = field(default_factory=list)  # Last-Event-ID of each connection
    cut_after: int | None = None  # events per connection
    publishing: asyncio.Event = field(default_factory=asyncio.Event)
    hold: asyncio.Event | None = None
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    url: str = ""

    async def start(self) -> None:
        app = web.Application(middlewares=[self._border], client_max_size=4 * 1024 * 1024)
        app.router.add_post("/v1/bulletins", self._publish)
        app.router.add_get("/v1/bulletins/{id}", self._get)
        app.router.add_post("/v1/bulletins/{id}/receipts", self._receipt)
        app.router.add_post("/v1/bulletins/{id}/recall", self._recall)
        app.router.add_post("/v1/bulletins/{id}/correct", self._publish)
        app.router.add_get("/v1/inbox", self._inbox)
        app.router.add_get("/v1/outbox", self._outbox)
        app.router.add_get("/v1/events", self._events)
        app.router.add_post("/v1/events/confirm", self._confirm)
        app.router.add_get("/v1/status", self._status)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def until(self, condition, seconds: float = 20) -> None:
        """Wait for the server to have seen something; woken by every request, no polling."""
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(condition)

    async def emit(self, event: str, data: dict) -> None:
        async with self.changed:
            self.events.append((f"c{len(self.events) + 1}", event, {"event": event, **data}))
            self.changed.notify_all()

    @web.middleware
    async def _border(self, request, handler):
        self.requests.append((request.method, request.path_qs, dict(request.headers)))
        if self.down:
            request.transport.abort()
            return web.Response()
        if self.unauthorised or request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._problem(401, "unauthorized")
        if self.fail_next:
            self.fail_next -= 1
            return self._problem(503, "busy")
        response = await handler(request)
        async with self.changed:
            self.changed.notify_all()
        return response

    async def _publish(self, request):
        body = await request.json()
        if request.query.get("dry_run") == "true":
            return await self._json({"audience": []})
        key = request.headers.get("Idempotency-Key")
        if not key:
            return self._problem(400, "idempotency-key-missing")
        self.publishing.set()
        if self.in_progress_next:
            self.in_progress_next -= 1
            return self._problem(409, "idempotency-in-progress")
        if key in self.keys:
            earlier, answer = self.keys[key]
            if earlier != body:
                return self._problem(422, "idempotency-key-reused")
            return web.json_response(answer, status=202, headers={"Idempotent-Replayed": "true"})
        if self.judge:
            try:
                exchange.submitted(body)
            except Refusal as refusal:
                return self._problem(422, refusal.code, refusal.detail, refusal.pointer)
        number = len(self.bulletins) + 1
        identifier = f"018f0000-0000-7000-8000-{number:012d}"
        control = f"{self.agency.upper()}-2026-{number:06d}"
        answer = {"id": identifier, "control_number": control, "precedence": body["precedence"], "audience": []}
        self.keys[key] = (body, answer)
        self.bulletins[identifier] = {"id": identifier, "control_number": control, "body": body}
        if self.hold is not None:
            await self.hold.wait()
        if self.lose_answer_of_next:
            self.lose_answer_of_next -= 1
            request.transport.abort()
            return web.Response()
        return web.json_response(answer, status=202)

    async def _get(self, request):
        found = self.bulletins.get(request.match_info["id"])
        return await self._json(found) if found else self._problem(404, "not-found")

    async def _receipt(self, request):
        self.receipts.append((request.match_info["id"], await request.json()))
        return web.json_response({}, status=202)

    async def _recall(self, request):
        if request.match_info["id"] in self.recalled:
            return self._problem(409, "already-recalled")
        self.recalled.add(request.match_info["id"])
        self.recalls.append((request.match_info["id"], await request.json(), request.headers["Idempotency-Key"]))
        return web.json_response(
            {"id": "018f0000-0000-7000-8000-00000000fffe", "recalls": request.match_info["id"], "audience": []},
            status=202,
        )

    async def _confirm(self, request):
        self.confirmed.append((await request.json())["cursor"])
        return web.Response(status=204)

    async def _events(self, request):
        last = (
            request.headers.get("Last-Event-ID")
            or request.query.get("after")
            or (self.confirmed[-1] if self.confirmed else "")
        )
        self.streams.append(last)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": ping\n\n")
        place = int(last[1:]) if last else 0
        sent = 0
        while True:
            async with self.changed:
                self.changed.notify_all()
                await self.changed.wait_for(lambda place=place: len(self.events) > place)
                ready = self.events[place:]
            for cursor, event, data in ready:
                text = f"id: {cursor}\nevent: {event}\ndata: {json.dumps(data)}\n\n"
                await response.write(text.encode())
                place, sent = place + 1, sent + 1
                if self.cut_after is not None and sent >= self.cut_after:
                    request.transport.abort()
                    return response

    async def _inbox(self, request):
        return await self._json({"items": self.inbox, "next_cursor": None})

    async def _outbox(self, request):
        return await self._json({"items": list(self.bulletins.values()), "next_cursor": None})

    async def _status(self, request):
        return await self._json({"gateway": "fake"})

    async def _json(self, value):
        return web.json_response(value)

    def _problem(self, status, code, detail="", pointer=""):
        body = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": detail}
        if pointer:
            body["errors"] = [{"pointer": pointer, "detail": detail}]
        return web.json_response(body, status=status, content_type="application/problem+json")
