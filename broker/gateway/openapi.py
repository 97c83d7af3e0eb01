"""The API's own description (OpenAPI 3.1), served at /openapi.json and compared with the routes by a test."""

from __future__ import annotations

from typing import Any

from broker.gateway.schemas import FLAG, NUMBER, SCHEMAS, TEXT, TIME, UUID, Schema
from broker.gateway.tokens import SCOPES


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


PROBLEM = {"description": "refused", "content": {"application/problem+json": {"schema": _ref("Problem")}}}
ID = {"name": "id", "in": "path", "required": True, "schema": UUID}


def _json(description: str, schema: str) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": _ref(schema)}}}


def _operation(
    name: str,
    summary: str,
    answers: dict[str, Schema],
    *,
    scope: str | None,
    body: str | None = None,
    parameters: list[Schema] | None = None,
) -> Schema:
    operation: Schema = {"operationId": name, "summary": summary, "responses": {**answers, "default": PROBLEM}}
    operation["security"] = [{"token": [scope]}] if scope else []
    if body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(body)}}}
    if parameters:
        operation["parameters"] = parameters
    return operation


def _query(name: str, schema: Schema, *, required: bool = False) -> Schema:
    return {"name": name, "in": "query", "required": required, "schema": schema}


def _submission(name: str, summary: str, *, path_id: bool) -> Schema:
    key = {"name": "Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string", "maxLength": 255}}
    key["description"] = "required unless dry_run; kept 24 hours; the same key with the same body gets the first answer"
    parameters = [*([ID] if path_id else []), key, _query("dry_run", FLAG)]
    answers = {"202": _json("on disk, will be delivered", "Accepted"), "200": _json("dry run", "Decision")}
    return _operation(name, summary, answers, scope="publish", body="Submission", parameters=parameters)


def document() -> dict[str, Any]:
    """The whole description."""
    page = [_query("limit", NUMBER), _query("cursor", TEXT)]
    accepted = {"202": _json("recorded", "Any")}
    paths = {
        "/healthz": {"get": _operation("health", "the process answers", {"200": _json("ok", "Any")}, scope=None)},
        "/readyz": {"get": _operation("ready", "bulletins can be taken", {"200": _json("ready", "Any")}, scope=None)},
        "/metrics": {
            "get": _operation(
                "metrics", "Prometheus", {"200": {"description": "text", "content": {"text/plain": {}}}}, scope=None
            )
        },
        "/openapi.json": {"get": _operation("openapi", "this document", {"200": _json("OpenAPI", "Any")}, scope=None)},
        "/v1/bulletins": {"post": _submission("publish", "Share a bulletin by the rules", path_id=False)},
        "/v1/bulletins/{id}": {
            "get": _operation(
                "bulletin",
                "One bulletin and everything that happened to it",
                {"200": _json("it", "Bulletin")},
                scope="read",
                parameters=[ID],
            )
        },
        "/v1/bulletins/{id}/receipts": {
            "post": _operation(
                "receipt",
                "A person read, acknowledged or acted",
                accepted,
                scope="acknowledge",
                body="Receipt",
                parameters=[ID],
            )
        },
        "/v1/bulletins/{id}/recall": {
            "post": _operation(
                "recall",
                "Take a bulletin back from everybody",
                accepted,
                scope="publish",
                body="Recall",
                parameters=[ID],
            )
        },
        "/v1/bulletins/{id}/correct": {"post": _submission("correct", "Correct one's own bulletin", path_id=True)},
        "/v1/inbox": {
            "get": _operation("inbox", "What arrived", {"200": _json("a page", "Page")}, scope="read", parameters=page)
        },
        "/v1/outbox": {
            "get": _operation(
                "outbox", "What was sent", {"200": _json("a page", "Page")}, scope="read", parameters=page
            )
        },
        "/v1/events": {
            "get": _operation(
                "events",
                "Server-sent events, at least once until confirmed",
                {"200": {"description": "a stream", "content": {"text/event-stream": {"schema": TEXT}}}},
                scope="read",
                parameters=[
                    _query("after", TEXT),
                    {"name": "Last-Event-ID", "in": "header", "required": False, "schema": TEXT},
                ],
            )
        },
        "/v1/events/confirm": {
            "post": _operation(
                "confirm",
                "Everything up to this event is taken",
                {"204": {"description": "noted"}},
                scope="read",
                body="Confirm",
            )
        },
        "/v1/explain": {
            "get": _operation(
                "explain",
                "Why an agency got a portion, or did not, and what would have to be otherwise for it to be shared",
                {"200": _json("reasons", "Explanation")},
                scope="read",
                parameters=[_query("bulletin", UUID, required=True), _query("agency", TEXT, required=True)],
            )
        },
        "/v1/rules/history": {
            "get": _operation(
                "history",
                "What the rules saw of the agency's own submissions, for the replay of a change; never a text",
                {"200": _json("a page", "History")},
                scope="read",
                parameters=[_query("since", TIME), *page],
            )
        },
        "/v1/rules/own": {
            "get": _operation(
                "ownRules",
                "The agency's own rules, and how they read under the rules in force",
                {"200": _json("own rules", "OwnRules")},
                scope="observe",
            ),
            "post": {
                **_operation(
                    "installOwnRules",
                    "The agency's next own rules, as its officer signed them",
                    {"200": _json("in force", "OwnRules")},
                    scope="rules",
                ),
                "requestBody": {
                    "required": True,
                    "content": {"application/cose": {"schema": {"type": "string", "contentEncoding": "binary"}}},
                },
            },
        },
        "/v1/rules/trial": {
            "get": _operation(
                "trial",
                "What rules on trial would have done otherwise with what the agency sent",
                {"200": _json("the trial", "Trial")},
                scope="observe",
            )
        },
        "/v1/releases": {
            "get": _operation(
                "releases",
                "Which releases are in force and staged, here and at every other gateway",
                {"200": _json("releases", "Any")},
                scope="observe",
            )
        },
        "/v1/status": {
            "get": _operation(
                "status", "What waits, for whom, since when", {"200": _json("status", "Any")}, scope="observe"
            )
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tearline gateway",
            "version": "1",
            "summary": "Publish and receive bulletins under the exchange's sharing rules",
            "description": f"Bearer tokens carry scopes: {', '.join(SCOPES)}. Errors are RFC 9457 problem documents.",
        },
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "made by `tearline token new`"}
            },
        },
    }
