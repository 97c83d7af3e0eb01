"""POST /v1/bulletins: parse, decide, seal, record, answer (DESIGN 6, steps 1 to 3).

202 means that the sealed bytes, the decision and the audit entry are on disk. Nothing is sent from here: the outbox
takes it from the disk.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from broker.gateway import control, pace, recording
from broker.gateway.core import Node
from broker.gateway.outbox import URGENT
from broker.gateway.own import Prepared, record_own
from broker.gateway.plan import Plan, plan
from broker.gateway.problems import ProblemError
from broker.gateway.tokens import Grant
from broker.model import Bulletin, Refusal, Submission, control_number, new_id, parse_bulletin, parse_json
from broker.seal import Draft, Reference, SealError, seal
from broker.store import bulletins, deliveries
from broker.store.rows import insert
from policy.rules import OWN_PREFIX

IDEMPOTENCY_KEPT_MS = 24 * 3600 * 1000
MAX_KEY = 255
SUPERSEDED = "superseded by a correction that is not shared with you"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller gets; ``replayed`` when it is the first answer once more."""

    status: int
    body: dict[str, Any]
    replayed: bool = False


async def submit(node: Node, grant: Grant, raw: bytes, key: str | None, *, corrects: UUID | None = None) -> Answer:
    """Takes one bulletin for dissemination, exactly once per Idempotency-Key.

    Raises:
        ProblemError: refused, with its code; a refusal is recorded.
    """
    if not key or len(key) > MAX_KEY:
        raise ProblemError(400, "idempotency-key-missing")
    request = hashlib.sha256(raw + (corrects.bytes if corrects else b"")).digest()
    # The key is the client's text and may say anything: only its hash is kept.
    key = hashlib.sha256(key.encode()).hexdigest()
    if (answer := _first_answer(node, grant.agency, key, request)) is not None:
        return answer
    slot = (grant.agency, key)
    if slot in node.submitting:
        raise ProblemError(409, "idempotency-in-progress")
    node.submitting.add(slot)
    try:
        prepared = _prepare(node, grant, raw, corrects)
        _permitted(node, prepared)
        await pace.turn(node, prepared.plan.precedence.rank)
        decided_under = (prepared.rules, prepared.directory, prepared.decider, prepared.own)
        if node.deciding(grant.agency) != decided_under or node.standing.cut_off != prepared.cut_off:
            # A release, own rules, the end of an agreement or a long silence came while it waited: decided as of now.
            prepared = _prepare(node, grant, raw, corrects)
            _permitted(node, prepared)
        return await _accept(node, prepared, key, request)
    except SealError as error:
        # What the rules permit may still not fit the wire format: too large, a name too long.
        problem = ProblemError(422, error.code, error.detail)
        await recording.refused(node, grant.agency, problem)
        raise problem from error
    except ProblemError as problem:
        await recording.refused(node, grant.agency, problem)
        raise
    finally:
        node.submitting.discard(slot)


def preview(node: Node, grant: Grant, raw: bytes, *, corrects: UUID | None = None) -> Answer:
    """``?dry_run=true``: the decision alone, from the very code that decides; nothing is stored or sent."""
    prepared = _prepare(node, grant, raw, corrects, number=0)
    _require_audience(node, prepared)
    return Answer(200, _decision(prepared))


def _prepare(node: Node, grant: Grant, raw: bytes, corrects: UUID | None, *, number: int | None = None) -> Prepared:
    rules, directory, decider, own = node.deciding(grant.agency)
    now = node.now()
    try:
        document = parse_json(raw)
        if corrects is not None and isinstance(document, dict):
            stated = document.get("references")
            named = {**(stated if isinstance(stated, dict) else {}), "supersedes": str(corrects)}
            document = {**document, "kind": "correction", "references": named}
        submission = parse_bulletin(document, vocabulary=rules.vocabulary, now=now)
    except Refusal as refusal:
        status = 400 if refusal.code == "not-json" else 422
        raise ProblemError(status, refusal.code, refusal.detail, pointer=refusal.pointer) from refusal
    if submission.agency != grant.agency:
        raise ProblemError(403, "forbidden", "this token belongs to another agency", pointer="/agency")
    requester = _resolve_references(node, submission)
    if number is None:
        number = _next_number(node, submission.agency, now.year)
    name = control_number(submission.agency, now.year, number)
    bulletin = submission.accept(new_id(now, os.urandom, submission.agency), name, now)
    references = _references(bulletin)
    cut_off = node.standing.cut_off
    decided = plan(
        bulletin,
        decider=decider,
        directory=directory,
        vocabulary=rules.vocabulary,
        requester=requester,
        references=references,
        cut_off=cut_off,
    )
    return Prepared(
        bulletin=bulletin,
        plan=decided,
        rules=rules,
        directory=directory,
        decider=decider,
        own=own,
        cut_off=cut_off,
        requester=requester,
        references=references,
    )


def _resolve_references(node: Node, submission: Submission) -> str | None:
    """Checks what the submission refers to; returns who asked, when it answers something."""
    requester: str | None = None
    if (asked := submission.references.in_reply_to) is not None:
        row = bulletins.find(node.store, submission.agency, asked)
        if row is None:
            raise ProblemError(422, "unknown-reference", pointer="/references/in_reply_to")
        if str(submission.kind) == "response" and row["kind"] != "request":
            raise ProblemError(422, "unknown-reference", "that is no request", pointer="/references/in_reply_to")
        requester = str(row["sender"])
    if (corrected := submission.references.supersedes) is not None:
        row = bulletins.find(node.store, submission.agency, corrected)
        if row is None:
            raise ProblemError(422, "unknown-reference", pointer="/references/supersedes")
        if row["role"] != "originator":
            raise ProblemError(403, "not-the-originator", pointer="/references/supersedes")
        if row["recalled"] is not None:
            raise ProblemError(409, "already-recalled", pointer="/references/supersedes")
    return requester


def _references(bulletin: Bulletin) -> tuple[Reference, ...]:
    found = [
        Reference(kind=kind, bulletin=target)
        for kind in ("in_reply_to", "supersedes")
        if (target := getattr(bulletin.references, kind)) is not None
    ]
    return tuple(found)


def _permitted(node: Node, prepared: Prepared) -> None:
    """As ``_require_audience``; rules on trial may permit what these permit to nobody."""
    try:
        _require_audience(node, prepared)
    except recording.NobodyPermittedError:
        node.trial.offer(prepared)
        raise


def _require_audience(node: Node, prepared: Prepared) -> None:
    for item in prepared.plan.withheld:
        for rule in item.rules:
            # What one agency calls its own rules is nothing for whoever reads the figures of all of them.
            node.metrics.withheld.labels(rule="own" if rule.startswith(OWN_PREFIX) else rule).inc()
    if prepared.plan.addressees:
        return
    if node.standing.cut_off:
        raise ProblemError(503, "cut-off")
    extra = {"withheld": _withheld(prepared.plan), "warnings": list(prepared.plan.warnings)}
    raise recording.NobodyPermittedError(prepared.bulletin, prepared.plan, extra=extra)


async def _accept(node: Node, prepared: Prepared, key: str, request: bytes) -> Answer:
    bulletin, decided = prepared.bulletin, prepared.plan
    sealed = seal(
        Draft(
            sender=bulletin.agency,
            created=bulletin.created,
            expires=bulletin.expires,
            precedence=str(decided.precedence),
            kind=str(bulletin.kind),
            status=str(bulletin.status),
            parts=decided.documents,
            audience=decided.addressees,
            rules=(prepared.rules.number, prepared.rules.hash),
            directory=prepared.directory.number,
            retention=bulletin.info_class,
        ),
        node.keys[bulletin.agency].signing,
    )
    answer = {"id": str(bulletin.id), "control_number": bulletin.control_number, **_decision(prepared)}
    now_ms = node.now_ms()

    withdrawals = _withdrawals(node, prepared)

    def record(connection: sqlite3.Connection) -> None:
        # This key's own answer, if it is too old to count; the others are housekeeping's.
        connection.execute(
            "DELETE FROM idempotency WHERE agency = ? AND key = ? AND at < ?",
            (bulletin.agency, key, now_ms - IDEMPOTENCY_KEPT_MS),
        )
        values = {"agency": bulletin.agency, "key": key, "request": request, "status": 202, "at": now_ms}
        insert(connection, "idempotency", {**values, "answer": json.dumps(answer)})
        record_own(node, connection, prepared, sealed, now_ms)
        if bulletin.references.supersedes is not None:
            old = bulletin.references.supersedes
            if not bulletins.supersede(connection, bulletin.agency, bulletin.agency, old.bytes, bulletin.id.bytes):
                raise ProblemError(409, "already-recalled", pointer="/references/supersedes")
            for row, message in withdrawals:
                control.record_recall(node, connection, message, row, whole=False)

    await node.store.write(record)
    node.sources.keep(bulletin.agency, bulletin.id.bytes, sealed.source)
    node.outbox.ring(urgent=prepared.plan.precedence.rank in URGENT)
    node.deadlines.ring()
    node.metrics.submitted.labels(agency=bulletin.agency, outcome="accepted").inc()
    node.trial.offer(prepared)
    return Answer(202, answer)


def _withdrawals(node: Node, prepared: Prepared) -> list[tuple[sqlite3.Row, control.Control]]:
    """The recalls that a correction brings: for each earlier version, from whoever held more of it than they get now.

    Every ancestor counts, not the last version alone: who dropped out of the chain later still holds the first.
    """
    agency, old = prepared.bulletin.agency, prepared.bulletin.references.supersedes
    names = [portion.id for portion in prepared.bulletin.portions]
    given = {one.agency: {names[number - 1] for number in one.parts} for one in prepared.plan.addressees}
    found: list[tuple[sqlite3.Row, control.Control]] = []
    while old is not None and (row := bulletins.find(node.store, agency, old)) is not None:
        rows = deliveries.of_bulletin(node.store, agency, old.bytes)
        narrowed = tuple(
            str(item["recipient"])
            for item in rows
            if item["purged"] is None
            and item["state"] != "withdrawn"
            and not set(json.loads(item["portions"])) <= given.get(item["recipient"], set())
        )
        if narrowed:
            message = control.prepare(node, kind="recall", about=row, recipients=narrowed, note=SUPERSEDED)
            found.append((row, message))
        old = UUID(bytes=row["supersedes"]) if row["supersedes"] is not None else None
    return found


def _decision(prepared: Prepared) -> dict[str, Any]:
    names = [portion.id for portion in prepared.bulletin.portions]
    audience = [
        {
            "agency": addressee.agency,
            "portions": [names[number - 1] for number in addressee.parts],
            "rules": list(prepared.plan.granted_by[addressee.agency]),
            "obligations": {
                names[number - 1]: dict(obligations) for number, obligations in addressee.terms.obligations.items()
            },
        }
        for addressee in prepared.plan.addressees
    ]
    return {
        "precedence": prepared.plan.precedence,
        "rules": {"number": prepared.rules.number, "hash": prepared.rules.hash.hex()},
        "directory": prepared.directory.number,
        "own_rules": prepared.own,
        "audience": audience,
        "withheld": _withheld(prepared.plan),
        "warnings": list(prepared.plan.warnings),
    }


def _withheld(decided: Plan) -> list[dict[str, Any]]:
    return [{"agency": item.agency, "portion": item.portion, "rules": list(item.rules)} for item in decided.withheld]


def _first_answer(node: Node, agency: str, key: str, request: bytes) -> Answer | None:
    row = node.store.read_one("SELECT * FROM idempotency WHERE agency = ? AND key = ?", (agency, key))
    if row is None or row["at"] < node.now_ms() - IDEMPOTENCY_KEPT_MS:
        return None
    if row["request"] != request:
        raise ProblemError(422, "idempotency-key-reused")
    return Answer(int(row["status"]), json.loads(row["answer"]), replayed=True)


def _next_number(node: Node, agency: str, year: int) -> int:
    """The agency's next number of the year. A number that a refused submission took is not used again."""
    counter = f"control number {agency} {year}"
    last = max(node.numbers.get(counter, 0), bulletins.meta(node.store, counter))
    node.numbers[counter] = last + 1
    return last + 1
