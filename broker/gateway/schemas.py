"""The values of the API's own description: JSON Schema of what is sent and answered."""

from __future__ import annotations

from typing import Any

from broker.gateway.problems import TITLES

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
TIME: Schema = {"type": "string", "format": "date-time"}
UUID: Schema = {"type": "string", "format": "uuid"}
NUMBER: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}


def or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def list_of(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def shape(required: dict[str, Schema], optional: dict[str, Schema] | None = None, *, closed: bool = False) -> Schema:
    made: Schema = {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}
    if closed:
        made["additionalProperties"] = False
    return made


ADDRESSEE = shape(
    {"agency": TEXT, "portions": list_of(TEXT), "rules": list_of(TEXT), "obligations": {"type": "object"}}
)
WITHHELD = shape({"agency": TEXT, "portion": TEXT, "rules": list_of(TEXT)})
EXPLAINED = shape(
    {
        "id": TEXT,
        "outcome": {"enum": ["shared", "withheld", "not shared"]},
        "granted_by": list_of(TEXT),
        "blocked_by": list_of(TEXT),
        "others": list_of(shape({"rule": TEXT, "count": NUMBER, "agencies": list_of(TEXT)})),
        "ways": list_of(
            shape(
                {
                    "rule": TEXT,
                    "title": TEXT,
                    "changes": list_of(shape({"side": TEXT, "name": TEXT, "kind": TEXT, "words": TEXT})),
                    "released": list_of(shape({"rule": TEXT, "lines": list_of(TEXT)})),
                    "sentences": list_of(TEXT),
                }
            )
        ),
        "all_ways": FLAG,
        "sentences": list_of(TEXT),
    }
)
DECISION = {
    "precedence": {"enum": ["ROUTINE", "PRIORITY", "IMMEDIATE", "FLASH"]},
    "rules": shape({"number": NUMBER, "hash": TEXT}),
    "directory": NUMBER,
    "own_rules": NUMBER,
    "audience": list_of(ADDRESSEE),
    "withheld": list_of(WITHHELD),
    "warnings": list_of(TEXT),
}
DELIVERY = shape(
    {
        "agency": TEXT,
        "portions": list_of(TEXT),
        "rules": list_of(TEXT),
        "state": TEXT,
        "rungs": {"type": "object", "additionalProperties": TIME},
        "attempts": NUMBER,
        "due": or_null(TIME),
        "late": FLAG,
        "escalated": FLAG,
    },
    {"person": or_null(TEXT), "note": or_null(TEXT), "code": or_null(TEXT)},
)
LISTED = shape(
    {
        "id": UUID,
        "control_number": TEXT,
        "from": TEXT,
        "kind": TEXT,
        "product": or_null(TEXT),
        "precedence": TEXT,
        "created": TIME,
        "received": TIME,
        "portions": list_of(TEXT),
        "recalled": FLAG,
    },
    {"rung": or_null(TEXT), "superseded_by": or_null(UUID), "deliveries": list_of({"type": "object"})},
)
MARKING = shape(
    {"tlp": {"enum": ["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"]}},
    {"classification": {"const": "U"}, "cui": list_of(TEXT), "dissemination": list_of(TEXT), "caveats": list_of(TEXT)},
)
PORTION = shape(
    {"id": TEXT, "marking": MARKING, "media_type": TEXT, "content": TEXT},
    {"version": {"enum": ["full", "tearline"]}, "content_basis": TEXT},
)
SUBMISSION = shape(
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
        "portions": {**list_of(PORTION), "minItems": 1, "maxItems": 16},
    },
    {
        "valid_until": TIME,
        "area": {"type": "object"},
        "protectee": TEXT,
        "named": list_of(shape({"agency": TEXT, "person": TEXT})),
        "approved": list_of(TEXT),
        "grading": {"type": "object"},
        "references": {"type": "object"},
        "reasonable_suspicion": {"type": "object"},
        "sar": {"type": "object"},
        "due": TIME,
        "source_document": {"type": "object"},
    },
    closed=True,
)
RECORDED = shape(
    {
        "bulletin": TEXT,
        "portion": TEXT,
        "originator": TEXT,
        "at": TIME,
        "precedence": DECISION["precedence"],
        "attributes": {"type": "object", "additionalProperties": {"anyOf": [TEXT, list_of(TEXT)]}},
    },
    closed=True,
)
SCHEMAS: dict[str, Schema] = {
    "Submission": SUBMISSION,
    "Decision": shape(DECISION),
    "Accepted": shape({"id": UUID, "control_number": TEXT, **DECISION}),
    "Bulletin": shape(
        {
            "id": UUID,
            "control_number": TEXT,
            "role": {"enum": ["originator", "recipient"]},
            "from": TEXT,
            "portions": list_of(PORTION),
            "timeline": list_of(shape({"at": TIME, "event": TEXT, "agency": TEXT, "detail": {"type": "object"}})),
        },
        {"deliveries": list_of(DELIVERY), "who_has_not": {"type": "object", "additionalProperties": list_of(TEXT)}},
    ),
    "Page": shape({"items": list_of(LISTED), "next_cursor": or_null(TEXT)}),
    "History": shape({"items": list_of(RECORDED), "next_cursor": or_null(TEXT), "unreadable": NUMBER}),
    "Explanation": shape(
        {
            "bulletin": UUID,
            "agency": TEXT,
            "rules": shape({"number": NUMBER}),
            "own_rules": NUMBER,
            "portions": list_of(EXPLAINED),
        }
    ),
    "OwnRules": shape(
        {"agency": TEXT, "number": NUMBER, "rules": list_of(TEXT), "troubles": list_of(TEXT)},
        {
            "adapted": list_of(TEXT),
            "not_for_recipients_of": {"type": "object", "additionalProperties": list_of(TEXT)},
            "beside": shape({"number": NUMBER, "hash": TEXT}),
            "basis": shape({"number": NUMBER, "hash": TEXT}),
            "hash": TEXT,
            "signer": TEXT,
            "created": TIME,
            "expires": TIME,
            "preview": TEXT,
            "text": TEXT,
        },
    ),
    "Trial": shape(
        {"agency": TEXT, "number": NUMBER, "running": FLAG},
        {
            "hash": TEXT,
            "started": TIME,
            "ends": TIME,
            "bulletins": NUMBER,
            "portions": NUMBER,
            "skipped": NUMBER,
            **{name: {"type": "object"} for name in ("disclosed", "withdrawn", "loosened", "tightened", "matrix")},
            "examples": list_of({"type": "object"}),
        },
    ),
    "Receipt": shape(
        {"rung": {"enum": ["read", "acknowledged", "acted"]}, "person": TEXT}, {"note": TEXT}, closed=True
    ),
    "Recall": shape({"reason": TEXT}, closed=True),
    "Confirm": shape({"cursor": TEXT}, closed=True),
    "Problem": shape(
        {
            "type": {"type": "string", "format": "uri"},
            "title": TEXT,
            "status": NUMBER,
            "code": {"type": "string", "examples": sorted(TITLES)},
            "detail": TEXT,
            "errors": list_of(shape({"pointer": TEXT, "detail": TEXT})),
        }
    ),
    "Any": {"type": "object"},
}
