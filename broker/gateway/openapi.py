"""The API's own description (OpenAPI 3.1), served at /openapi.json and compared with the routes by a test."""

from __future__ import annotations

from typing import Any

from broker.gateway.problems import TITLES
from broker.gateway.tokens import SCOPES

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
TIME: Schema = {"type": "string", "format": "date-time"}
UUID: Schema = {"type": "string", "format": "uuid"}
NUMBER: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _list(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def _object(required: dict[str, Schema], optional: dict[str, Schema] | None = None, *, closed: bool = False) -> Schema:
    shape: Schema = {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}
    if closed:
        shape["additionalProperties"] = False
    return shape


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


ADDRESSEE = _object({"agency": TEXT, "portions": _list(TEXT), "rules": _list(TEXT), "obligations": {"type": "object"}})
WITHHELD = _object({"agency": TEXT, "portion": TEXT, "rules": _list(TEXT)})
DECISION = {
    "precedence": {"enum": ["ROUTINE", "PRIORITY", "IMMEDIATE", "FLASH"]},
    "rules": _object({"number": NUMBER, "hash": TEXT}),
    "directory": NUMBER,
    "audience": _list(ADDRESSEE),
    "withheld": _list(WITHHELD),
    "warnings": _list(TEXT),
}
DELIVERY = _object(
    {
        "agency": TEXT,
        "portions": _list(TEXT),
        "rules": _list(TEXT),
        "state": TEXT,
        "rungs": {"type": "object", "additionalProperties": TIME},
        "attempts": NUMBER,
        "due": _or_null(TIME),
        "late": FLAG,
        "escalated": FLAG,
    },
    {"person": _or_null(TEXT), "note": _or_null(TEXT), "code": _or_null(TEXT)},
)
LISTED = _object(
    {
        "id": UUID,
        "control_number": TEXT,
        "from": TEXT,
        "kind": TEXT,
        "product": _or_null(TEXT),
        "precedence": TEXT,
        "created": TIME,
        "received": TIME,
        "portions": _list(TEXT),
        "recalled": FLAG,
    },
    {"rung": _or_null(TEXT), "superseded_by": _or_null(UUID), "deliveries": _list({"type": "object"})},
)
MARKING = _object(
    {"tlp": {"enum": ["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"]}},
    {"classification": {"const": "U"}, "cui": _list(TEXT), "dissemination": _list(TEXT), "caveats": _list(TEXT)},
)
PORTION = _object(
    {"id": TEXT, "marking": MARKING, "media_type": TEXT, "content": TEXT},
    {"version": {"enum": ["full", "tearline"]}, "content_basis": TEXT},
)
SUBMISSION = _object(
    {
        "kind": {"enum": ["bulletin", "request", "response", "feedback", "sighting", "correction"]},
        "product": TEXT,
        "precedence": DECISION["precedence"],
        "status": TEXT,
        "expires": TIME,
        "agency": TEXT,
        "control_official": TEXT,
        "purpose": TEXT,
        "info_class": TEXT,
        "category": TEXT,
        "portions": {**_list(PORTION), "minItems": 1, "maxItems": 16},
    },
    {
        "valid_until": TIME,
        "area": {"type": "object"},
        "protectee": TEXT,
        "named": _list(_object({"agency": TEXT, "person": TEXT})),
        "approved": _list(TEXT),
        "grading": {"type": "object"},
        "references": {"type": "object"},
        "reasonable_suspicion": {"type": "object"},
        "sar": {"type": "object"},
        "due": TIME,
        "source_document": {"type": "object"},
    },
    closed=True,
)
SCHEMAS: dict[str, Schema] = {
    "Submission": SUBMISSION,
    "Decision": _object(DECISION),
    "Accepted": _object({"id": UUID, "control_number": TEXT, **DECISION}),
    "Bulletin": _object(
        {
            "id": UUID,
            "control_number": TEXT,
            "role": {"enum": ["originator", "recipient"]},
            "from": TEXT,
            "portions": _list(PORTION),
            "timeline": _list(_object({"at": TIME, "event": TEXT, "agency": TEXT, "detail": {"type": "object"}})),
        },
        {"deliveries": _list(DELIVERY), "who_has_not": {"type": "object", "additionalProperties": _list(TEXT)}},
    ),
    "Page": _object({"items": _list(LISTED), "next_cursor": _or_null(TEXT)}),
    "Receipt": _object(
        {"rung": {"enum": ["read", "acknowledged", "acted"]}, "person": TEXT}, {"note": TEXT}, closed=True
    ),
    "Recall": _object({"reason": TEXT}, closed=True),
    "Confirm": _object({"cursor": TEXT}, closed=True),
    "Problem": _object(
        {
            "type": {"type": "string", "format": "uri"},
            "title": TEXT,
            "status": NUMBER,
            "code": {"type": "string", "examples": sorted(TITLES)},
            "detail": TEXT,
            "errors": _list(_object({"pointer": TEXT, "detail": TEXT})),
        }
    ),
    "Any": {"type": "object"},
}

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
                "Why an agency got a portion, or did not",
                {"200": _json("reasons", "Any")},
                scope="read",
                parameters=[_query("bulletin", UUID, required=True), _query("agency", TEXT, required=True)],
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
