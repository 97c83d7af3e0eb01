"""What the rules saw of every own submission, kept for the replay of a change, and never its text.

A submission that the rules permit to nobody is recorded too: it is what a new rule would newly disclose.
"""

from __future__ import annotations

import base64
import binascii
import json
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from broker.gateway.clock import from_ms, to_ms
from broker.gateway.core import Node
from broker.gateway.plan import Plan
from broker.gateway.problems import ProblemError
from broker.model import Bulletin
from broker.seal import SealError
from broker.store import audit, recordings
from policy.history import Recorded, RecordedDocument, attributes_document, parse_attributes_document, recorded_document


class NobodyPermittedError(ProblemError):
    """The rules were asked and permit nobody: 422, and what they were asked is recorded with the refusal."""

    def __init__(self, bulletin: Bulletin, decided: Plan, *, extra: Mapping[str, Any]) -> None:
        super().__init__(422, "nobody-permitted", extra=extra)
        self.bulletin = bulletin
        self.decided = decided


def add(node: Node, connection: sqlite3.Connection, bulletin: Bulletin, decided: Plan, key_name: str) -> None:
    """Records a submission under one of its agency's storage keys, in the caller's transaction."""
    portions = [
        [portion.id, attributes_document(seen)] for portion, seen in zip(bulletin.portions, decided.seen, strict=True)
    ]
    recordings.add(
        connection,
        recordings.Recording(
            agency=bulletin.agency,
            id=bulletin.id.bytes,
            control_number=bulletin.control_number,
            at=to_ms(bulletin.created),
            precedence=str(bulletin.precedence),
            portions_sealed=node.vault.seal_words(
                bulletin.agency, key_name, {"portions": portions}, "recording", bulletin.id.bytes
            ),
            storage_key=key_name,
        ),
    )


async def refused(node: Node, agency: str, problem: ProblemError) -> None:
    """Records the refusal of a submission, and where it was the rules that refused it, what they saw."""
    node.metrics.submitted.labels(agency=agency, outcome="refused").inc()
    node.metrics.refused.labels(where="submit", code=problem.code).inc()
    detail: dict[str, Any] = {"code": problem.code, "pointer": problem.pointer}
    if "withheld" in problem.extra:
        detail["withheld"] = [[item["agency"], item["portion"], item["rules"]] for item in problem.extra["withheld"]]

    def record(connection: sqlite3.Connection) -> None:
        audit.record(connection, agency=agency, at=node.now_ms(), event="submission refused", detail=detail)
        if isinstance(problem, NobodyPermittedError):
            bulletin = problem.bulletin
            key_name = node.vault.key_for(agency, bulletin.info_class, bulletin.created)
            add(node, connection, bulletin, problem.decided, key_name)

    await node.store.write(record)


def page(node: Node, agency: str, *, since: str, cursor: str, limit: int) -> dict[str, Any]:
    """One page of an agency's own recorded portions, in order of time; ``limit`` counts submissions.

    ``unreadable`` are submissions of the page whose storage key was destroyed: their retention is over.

    Raises:
        ProblemError: 400 ``bad-request`` (``since`` is no moment), ``cursor-unknown``.
    """
    after = _after(since, cursor)
    rows = recordings.page(node.store, agency, after=after, limit=limit + 1)
    items: list[RecordedDocument] = []
    unreadable = 0
    for row in rows[:limit]:
        try:
            items += [recorded_document(recorded) for recorded in _portions(node, row)]
        except SealError:
            unreadable += 1
    following = _cursor(rows[limit - 1]) if len(rows) > limit else None
    return {"items": items, "next_cursor": following, "unreadable": unreadable}


def _portions(node: Node, row: sqlite3.Row) -> Iterator[Recorded]:
    agency = str(row["agency"])
    words = node.vault.open_words(agency, row["storage_key"], row["portions_sealed"], "recording", bytes(row["id"]))
    for portion, attributes in words["portions"]:
        yield Recorded(
            bulletin=row["control_number"],
            portion=portion,
            originator=agency,
            at=from_ms(row["at"]),
            precedence=row["precedence"],
            attributes=parse_attributes_document(attributes),
        )


def _after(since: str, cursor: str) -> tuple[int, int]:
    if cursor:
        try:
            at, number = json.loads(base64.urlsafe_b64decode(cursor.encode()))
            return int(at), int(number)
        except (ValueError, TypeError, binascii.Error) as error:
            raise ProblemError(400, "cursor-unknown") from error
    if not since:
        return (0, 0)
    try:
        moment = datetime.fromisoformat(since)
    except ValueError as error:
        raise ProblemError(400, "bad-request", "since is a moment (RFC 3339)") from error
    if moment.tzinfo is None:
        raise ProblemError(400, "bad-request", "since says its time zone (RFC 3339)")
    return (to_ms(moment), 0)


def _cursor(row: sqlite3.Row) -> str:
    return base64.urlsafe_b64encode(json.dumps([row["at"], row["number"]]).encode()).decode()
