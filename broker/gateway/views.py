"""What the API shows: one bulletin with everything that happened to it, lists, explanations. Opened on read only."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from typing import Any
from uuid import UUID

from broker.gateway.clock import from_ms, text
from broker.gateway.core import Node
from broker.gateway.opened import Content
from broker.gateway.plan import attributes_of
from broker.gateway.problems import ProblemError
from broker.model import parse_portion_document
from broker.seal import SealError, Secrets, Witness, open_own, reopen
from broker.store import audit, bulletins, deliveries
from policy import explain
from policy.explained import document as explained_in_full

# The bulletin-level fields every portion repeats (broker.model.portions), as far as a reader wants them.
READABLE = (
    "valid_until",
    "control_official",
    "purpose",
    "info_class",
    "category",
    "area",
    "protectee",
    "grading",
)
RUNG_COLUMNS = ("relayed", "stored", "fetched", "read", "acknowledged", "acted", "purged", "refused")
# Whom a bulletin still waits for is asked of these rungs: that it is there, and that a person has said so.
ASKED = ("stored", "fetched", "acknowledged")


def bulletin(node: Node, agency: str, ident: UUID) -> dict[str, Any]:
    """One bulletin as this agency may see it.

    Raises:
        ProblemError: 404 when this agency neither sent nor received it.
    """
    row = bulletins.find(node.store, agency, ident)
    if row is None or row["kind"] in ("recall", "purge", "escalation"):
        raise ProblemError(404, "not-found")
    shown = {
        "id": str(ident),
        "control_number": row["control_number"],
        "role": row["role"],
        "from": row["sender"],
        "kind": row["kind"],
        "product": row["product"],
        "precedence": row["precedence"],
        "status": row["status"],
        "created": text(row["created"]),
        "received": text(row["arrived"]) if row["role"] == "recipient" else None,
        "expires": text(row["expires"]),
        "due": text(row["due"]),
        "references": _references(row),
        "rules": row["rules"],
        "directory": row["directory"],
        "rung": row["rung"],
        "recalled": row["recalled"] is not None,
        "superseded_by": _uuid(row["superseded_by"]),
        **_content(node, row),
        "timeline": _timeline(node, agency, ident),
    }
    if row["role"] == "originator":
        rows = deliveries.of_bulletin(node.store, agency, ident.bytes)
        shown["deliveries"] = [delivery(node, row, item) for item in rows]
        shown["who_has_not"] = {
            rung: [item["recipient"] for item in rows if item[rung] is None and item["state"] != "withdrawn"]
            for rung in ASKED
        }
    return shown


def delivery(node: Node, copy: sqlite3.Row, row: sqlite3.Row) -> dict[str, Any]:
    """One recipient's line: how far it has climbed and who said so."""
    ident = bytes(row["id"])
    words = node.vault.open_words(
        row["agency"], copy["storage_key"], row["person_sealed"], "receipt", ident, row["recipient"]
    )
    late = row["acknowledged"] is None and row["due"] is not None and row["due"] <= node.now_ms()
    return {
        "agency": row["recipient"],
        "portions": json.loads(row["portions"]),
        "rules": json.loads(row["rules"]),
        "state": row["state"],
        "rungs": {rung: text(row[rung]) for rung in RUNG_COLUMNS if row[rung] is not None},
        "attempts": row["attempts"],
        "person": words.get("person"),
        "note": words.get("note"),
        "due": text(row["due"]),
        "late": late,
        "escalated": row["escalated"] is not None,
        "code": row["code"],
    }


def listed(node: Node, row: sqlite3.Row) -> dict[str, Any]:
    """One line of an inbox or outbox."""
    shown = {
        "id": str(UUID(bytes=row["id"])),
        "control_number": row["control_number"],
        "from": row["sender"],
        "kind": row["kind"],
        "product": row["product"],
        "precedence": row["precedence"],
        "created": text(row["created"]),
        "received": text(row["arrived"]),
        "rung": row["rung"],
        "portions": json.loads(row["portions"]),
        "recalled": row["recalled"] is not None,
        "superseded_by": _uuid(row["superseded_by"]),
    }
    if row["sender"] == row["agency"]:
        shown["deliveries"] = [
            {"agency": item["recipient"], "state": item["state"], "portions": json.loads(item["portions"])}
            for item in deliveries.of_bulletin(node.store, row["agency"], bytes(row["id"]))
        ]
    return shown


async def explained(node: Node, agency: str, ident: UUID, other: str) -> dict[str, Any]:
    """Why another agency got each portion of one's own bulletin, or why not, under the release it was decided by.

    Looking for what would make it shareable decides some hundred times: beside the loop, in which a FLASH may wait.

    Raises:
        ProblemError: 404 (not one's own bulletin), 422 ``unknown-agency``, 410 ``purged``.
    """
    row = bulletins.find(node.store, agency, ident)
    if row is None or row["role"] != "originator" or row["record_sealed"] is None:
        raise ProblemError(404, "not-found")
    rules, directory = node.trust.rules_at(row["rules"]), node.trust.directory_at(row["directory"])
    if rules is None or directory is None or row["keyring_sealed"] is None:
        raise ProblemError(410, "purged", "what this decision was about is gone")
    if other not in directory.agencies:
        raise ProblemError(422, "unknown-agency", "no such agency in the directory this was decided under")
    record = node.vault.open_words(agency, row["storage_key"], row["record_sealed"], "record", ident.bytes)
    made = from_ms(row["created"])
    exchange = node.trust.decider_at(rules.number, directory.number, made, decided=made)
    decider = node.own.at(agency, row["own"], node.trust.effective(rules, made), exchange, made)
    asked = []
    for part in _own_parts(node, row).values():
        attributes = attributes_of(
            part,
            agency=agency,
            named=frozenset(item["agency"] for item in record.get("named") or ()),
            approved=frozenset(record.get("approved") or ()),
            directory=directory,
            vocabulary=rules.vocabulary,
            requester=_asker(node, row),
        )
        asked.append((parse_portion_document(part).portion.id, attributes))

    def told() -> list[dict[str, Any]]:
        return [
            {"id": portion, **explained_in_full(explain(decider, attributes, other))} for portion, attributes in asked
        ]

    return {
        "bulletin": str(ident),
        "agency": other,
        "rules": {"number": rules.number},
        "own_rules": row["own"],
        "portions": await asyncio.to_thread(told),
    }


def _asker(node: Node, row: sqlite3.Row) -> str | None:
    if row["in_reply_to"] is None:
        return None
    asked = bulletins.find(node.store, row["agency"], UUID(bytes=row["in_reply_to"]))
    return str(asked["sender"]) if asked else None


def _content(node: Node, row: sqlite3.Row) -> dict[str, Any]:
    if row["keyring_sealed"] is None:
        return {"portions": [], "named": [], "obligations": {}}
    own = row["role"] == "originator"
    content = (None if own else node.opened.of(row["agency"], bytes(row["id"]))) or _reopened(node, row)
    record = content.record
    if own:
        named = [item["person"] for item in record.get("named") or ()]
        extra = {"source_document": record.get("source_document")}
    else:
        named, extra = record["named"], {}
    documents: list[dict[str, Any]] = [json.loads(part) for part in content.parts.values()]
    common = {name: documents[0][name] for name in READABLE if documents and name in documents[0]}
    return {
        **common,
        "portions": [document["portion"] for document in documents],
        "named": named,
        "obligations": record.get("obligations") or {},
        **extra,
    }


def _reopened(node: Node, row: sqlite3.Row) -> Content:
    agency, ident, key_name = row["agency"], bytes(row["id"]), row["storage_key"]
    record = node.vault.open_words(agency, key_name, row["record_sealed"], "record", ident)
    if row["role"] == "originator":
        return Content(parts=_own_parts(node, row), record=record)
    keyring = node.vault.open(agency, key_name, row["keyring_sealed"], "keyring", ident)
    return Content(parts=reopen(_body(node, row), Witness.decode(keyring)), record=record)


def _own_parts(node: Node, row: sqlite3.Row) -> dict[int, bytes]:
    keyring = node.vault.open(row["agency"], row["storage_key"], row["keyring_sealed"], "keyring", bytes(row["id"]))
    return open_own(_body(node, row), Secrets.decode(keyring))


def _body(node: Node, row: sqlite3.Row) -> bytes:
    body = bulletins.body(node.store, row["agency"], bytes(row["id"]))
    if body is None:
        raise SealError("own-body", "the body was purged")
    return body


def _references(row: sqlite3.Row) -> dict[str, str]:
    found = {"in_reply_to": _uuid(row["in_reply_to"]), "supersedes": _uuid(row["supersedes"])}
    return {name: value for name, value in found.items() if value is not None}


def _timeline(node: Node, agency: str, ident: UUID) -> list[dict[str, Any]]:
    return [
        {
            "at": text(row["at"]),
            "event": row["event"],
            "agency": row["peer"] or agency,
            "detail": json.loads(row["detail"]),
        }
        for row in audit.about(node.store, agency, ident)
    ]


def _uuid(value: bytes | None) -> str | None:
    return str(UUID(bytes=value)) if value is not None else None
