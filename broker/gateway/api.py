"""The HTTP API: parse, call one flow, answer. Every decision is elsewhere.

Served on loopback, or with TLS; every path under ``/v1`` needs a bearer token with the path's scope.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import structlog
from aiohttp import hdrs, web

from broker.gateway import acts, own_rules, recording, release_status, sse, status, submit, trial, views
from broker.gateway.core import Node, bulletin_id
from broker.gateway.openapi import document
from broker.gateway.problems import ProblemError
from broker.gateway.tokens import Grant, Tokens
from broker.model import MAX_SUBMISSION, Refusal, parse_json
from broker.store import bulletins

log = structlog.get_logger()

NODE = web.AppKey("node", Node)
TOKENS = web.AppKey("tokens", Tokens)
GRANT = web.RequestKey("grant", Grant)
MAX_PAGE = 500

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(node: Node, tokens: Tokens) -> web.Application:
    """The whole API over one node."""
    app = web.Application(middlewares=[problems], client_max_size=MAX_SUBMISSION + 65536)
    app[NODE], app[TOKENS] = node, tokens
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/openapi.json", openapi)
    app.router.add_post("/v1/bulletins", scoped("publish", post_bulletin))
    app.router.add_get("/v1/bulletins/{id}", scoped("read", get_bulletin))
    app.router.add_post("/v1/bulletins/{id}/receipts", scoped("acknowledge", post_receipt))
    app.router.add_post("/v1/bulletins/{id}/recall", scoped("publish", post_recall))
    app.router.add_post("/v1/bulletins/{id}/correct", scoped("publish", post_correction))
    app.router.add_get("/v1/inbox", scoped("read", get_inbox))
    app.router.add_get("/v1/outbox", scoped("read", get_outbox))
    app.router.add_get("/v1/events", scoped("read", get_events))
    app.router.add_post("/v1/events/confirm", scoped("read", post_confirm))
    app.router.add_get("/v1/explain", scoped("read", get_explain))
    app.router.add_get("/v1/rules/history", scoped("read", get_history))
    app.router.add_get("/v1/rules/own", scoped("observe", get_own_rules))
    app.router.add_post("/v1/rules/own", scoped("rules", post_own_rules))
    app.router.add_get("/v1/rules/trial", scoped("observe", get_trial))
    app.router.add_get("/v1/releases", scoped("observe", get_releases))
    app.router.add_get("/v1/status", scoped("observe", get_status))
    return app


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error leaves as a problem document; nothing of the request is repeated in it."""
    try:
        return await handler(request)
    except ProblemError as problem:
        return problem.response()
    except web.HTTPRequestEntityTooLarge:
        return ProblemError(413, "too-large").response()
    except web.HTTPNotFound:
        return ProblemError(404, "not-found").response()
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        return ProblemError(405, "bad-request", f"allowed here: {allowed}").response()
    except ConnectionResetError:
        raise
    except Exception:  # the border: the log keeps the fault's kind and places, never its words (broker.ops.log)
        log.exception("request failed", route=str(request.match_info.route.resource))
        request.app[NODE].metrics.alarms.labels(code="internal-error").inc()
        return ProblemError(500, "internal-error", "the gateway failed; its operators have been told").response()


def scoped(scope: str, handler: Callable[[web.Request, Node, Grant], Awaitable[web.StreamResponse]]) -> Handler:
    """A handler that runs only for a token with this scope."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        return await handler(request, request.app[NODE], _grant(request, scope))

    return guarded


def _grant(request: web.Request, scope: str) -> Grant:
    kind, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    grant = request.app[TOKENS].find(token.strip()) if kind.lower() == "bearer" else None
    if grant is None or grant.agency not in request.app[NODE].keys:
        raise ProblemError(401, "unauthorized")
    if scope not in grant.scopes:
        raise ProblemError(403, "forbidden", f"this needs the scope `{scope}`")
    return grant


async def healthz(_: web.Request) -> web.Response:
    """The process answers."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """Whether bulletins can be taken: verified releases are there. The relay may be away; the outbox keeps."""
    node = request.app[NODE]
    node.in_force()
    return web.json_response({"status": "ready", "relay": "connected" if node.link.connected else "away"})


async def metrics(request: web.Request) -> web.Response:
    """Prometheus text; where others can reach it, for a token that may observe."""
    node = request.app[NODE]
    if not ipaddress.ip_address(node.settings.host).is_loopback:
        _grant(request, "observe")
    status.refresh(node)
    return web.Response(body=node.metrics.text(), content_type="text/plain", charset="utf-8")


async def openapi(_: web.Request) -> web.Response:
    """The description of this API, OpenAPI 3.1."""
    return web.json_response(document())


async def post_bulletin(request: web.Request, node: Node, grant: Grant) -> web.Response:
    """Takes a bulletin, or with ``?dry_run=true`` only says what the rules would do with it."""
    return await _submitted(request, node, grant, None)


async def post_correction(request: web.Request, node: Node, grant: Grant) -> web.Response:
    """Takes a correction of one's own bulletin; who may no longer have it gets a recall."""
    return await _submitted(request, node, grant, bulletin_id(request.match_info["id"]))


async def _submitted(request: web.Request, node: Node, grant: Grant, corrects: UUID | None) -> web.Response:
    raw = await request.read()
    with node.metrics.submit.time():
        if _flag(request, "dry_run"):
            answer = submit.preview(node, grant, raw, corrects=corrects)
        else:
            key = request.headers.get("Idempotency-Key")
            answer = await submit.submit(node, grant, raw, key, corrects=corrects)
    headers: dict[str, str] = {}
    if "id" in answer.body:
        headers[hdrs.LOCATION] = f"/v1/bulletins/{answer.body['id']}"
    if answer.replayed:
        headers["Idempotent-Replayed"] = "true"
    return web.json_response(answer.body, status=answer.status, headers=headers)


async def get_bulletin(request: web.Request, node: Node, grant: Grant) -> web.Response:
    """One bulletin and everything that happened to it."""
    return web.json_response(views.bulletin(node, grant.agency, bulletin_id(request.match_info["id"])))


async def post_receipt(request: web.Request, node: Node, grant: Grant) -> web.Response:
    """A person's act: read, acknowledged or acted."""
    body = await _object(request, {"rung": str, "person": str, "note": str}, required={"rung", "person"})
    answer = await acts.receipt(node, grant, bulletin_id(request.match_info["id"]), **body)
    return web.json_response(answer, status=202)


async def post_recall(request: web.Request, node: Node, grant: Grant) -> web.Response:
    """Recalls one's own bulletin from everybody who was sent it."""
    body = await _object(request, {"reason": str}, required={"reason"})
    answer = await acts.recall(node, grant, bulletin_id(request.match_info["id"]), reason=body["reason"])
    return web.json_response(answer, status=202)


async def get_inbox(request: web.Request, node: Node, grant: Grant) -> web.Response:
    """What this agency received, in order of arrival."""
    return _page(request, node, grant, "recipient")


async def get_outbox(request: web.Request, node: Node, grant: Grant) -> web.Response:
    """What this agency originated, in order."""
    return _page(request, node, grant, "originator")


def _limit(request: web.Request) -> int:
    try:
        return min(MAX_PAGE, max(1, int(request.query.get("limit", "100"))))
    except ValueError as error:
        raise ProblemError(400, "bad-request", "limit is a number") from error


def _page(request: web.Request, node: Node, grant: Grant, role: str) -> web.Response:
    limit = _limit(request)
    after = _cursor(request.query.get("cursor", ""))
    rows = bulletins.page(node.store, grant.agency, role, after=after, limit=limit + 1)
    shown = rows[:limit]
    following = None
    if len(rows) > limit:
        last = json.dumps([shown[-1]["arrived"], bytes(shown[-1]["id"]).hex()])
        following = base64.urlsafe_b64encode(last.encode()).decode()
    return web.json_response({"items": [views.listed(node, row) for row in shown], "next_cursor": following})


def _cursor(text: str) -> tuple[int, bytes]:
    if not text:
        return (0, b"")
    try:
        arrived, ident = json.loads(base64.urlsafe_b64decode(text.encode()))
        return int(arrived), bytes.fromhex(ident)
    except (ValueError, TypeError, binascii.Error) as error:
        raise ProblemError(400, "cursor-unknown") from error


async def get_events(request: web.Request, node: Node, grant: Grant) -> web.StreamResponse:
    """What happened, pushed until the adapter goes away or its token is revoked."""

    def allowed() -> bool:
        try:
            return _grant(request, "read") == grant
        except ProblemError:
            return False

    return await sse.stream(request, node, grant, allowed)


async def post_confirm(request: web.Request, node: Node, grant: Grant) -> web.Response:
    """Everything up to this event is taken; its bulletins become ``fetched``."""
    body = await _object(request, {"cursor": str}, required={"cursor"})
    await acts.confirm(node, grant, sse.sequence(body["cursor"]))
    return web.Response(status=204)


async def get_explain(request: web.Request, node: Node, grant: Grant) -> web.Response:
    """Why an agency got a bulletin's portions, or why not."""
    ident = bulletin_id(request.query.get("bulletin", ""))
    other = request.query.get("agency", "")
    return web.json_response(await views.explained(node, grant.agency, ident, other))


async def get_history(request: web.Request, node: Node, grant: Grant) -> web.Response:
    """What the rules saw of this agency's own submissions, for the replay of a change; never a text."""
    since, cursor = (request.query.get(name, "") for name in ("since", "cursor"))
    return web.json_response(recording.page(node, grant.agency, since=since, cursor=cursor, limit=_limit(request)))


async def get_own_rules(_: web.Request, node: Node, grant: Grant) -> web.Response:
    """This agency's own rules, and how they read under the rules in force."""
    return web.json_response(own_rules.report(node, grant.agency))


async def post_own_rules(request: web.Request, node: Node, grant: Grant) -> web.Response:
    """Puts this agency's next own rules in force: the signed document, as its officer made it."""
    return web.json_response(await own_rules.install(node, grant, await request.read()))


async def get_trial(_: web.Request, node: Node, grant: Grant) -> web.Response:
    """What rules on trial would have done otherwise with what this agency sent."""
    return web.json_response(await trial.report(node, grant.agency))


async def get_releases(_: web.Request, node: Node, __: Grant) -> web.Response:
    """Which releases are in force and staged, here and at every other gateway."""
    return web.json_response(await release_status.releases(node))


async def get_status(_: web.Request, node: Node, grant: Grant) -> web.Response:
    """What an operator of this agency must know of its gateway."""
    return web.json_response(status.report(node, grant.agency))


def _flag(request: web.Request, name: str) -> bool:
    value = request.query.get(name, "false")
    if value not in ("true", "false"):
        raise ProblemError(400, "bad-request", f"{name} is true or false")
    return value == "true"


async def _object(request: web.Request, fields: dict[str, type], *, required: set[str]) -> dict[str, Any]:
    try:
        body = parse_json(await request.read())
    except Refusal as refusal:
        raise ProblemError(400, refusal.code, refusal.detail, pointer=refusal.pointer) from refusal
    if not isinstance(body, dict) or not required <= set(body) <= set(fields):
        raise ProblemError(
            400, "bad-request", f"an object with {', '.join(sorted(fields))}; needed: {', '.join(sorted(required))}"
        )
    for name, value in body.items():
        if not isinstance(value, fields[name]) or (isinstance(value, str) and not value.strip()):
            raise ProblemError(400, "bad-request", "not of the right type, or empty", pointer=f"/{name}")
    return dict(body)
