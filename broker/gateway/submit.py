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

from broker.gateway.clock import to_ms
from broker.gateway import control
from broker.gateway.core import Node
from broker.gateway.plan import Plan, plan
from broker.gateway.problems import ProblemError
from broker.gateway.tokens import Grant
from broker.model import Bulletin, Refusal, Submission, control_number, new_id, parse_bulletin, parse_json
from broker.seal import Draft, Reference, Sealed, seal
from broker.store import audit, bulletins, deliveries
from broker.store.rows import insert
from broker.trust import Directory, Rules
from policy import Decider

IDEMPOTENCY_KEPT_MS = 24 * 3600 * 1000
MAX_KEY = 255


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
    if (answer := _first_answer(node, grant.agency, key, request)) is not None:
        return answer
    slot = (grant.agency, key)
    if slot in node.submitting:
        raise ProblemError(409, "idempotency-in-progress")
    node.submitting.add(slot)
    try:
        return await _accept(node, grant, raw, key, request, corrects)
    except ProblemError as problem:
        await _record_refusal(node, grant.agency, problem)
        raise
    finally:
        node.submitting.discard(slot)


def preview(node: Node, grant: Grant, raw: bytes, *, corrects: UUID | None = None) -> Answer:
    """``?dry_run=true``: the decision alone, from the very code that decides; nothing is stored or sent."""
    prepared = _prepare(node, grant, raw, corrects)
    _require_audience(node, prepared)
    return Answer(200, _decision(prepared))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    bulletin: Bulletin
    plan: Plan
    rules: Rules
    directory: Directory
    decider: Decider
    requester: str | None
    references: tuple[Reference, ...]


def _prepare(node: Node, grant: Grant, raw: bytes, corrects: UUID | None) -> _Prepared:
    rules, directory, decider = node.in_force()
    now = node.now()
    try:
        document = parse_json(raw)
        if corrects is not None and isinstance(document, dict):
            stated = document.get("references")
            references = {**(stated if isinstance(stated, dict) else {}), "supersedes": str(corrects)}
            document = {**document, "kind": "correction", "references": references}
        submission = parse_bulletin(document, vocabulary=rules.vocabulary, now=now)
    except Refusal as refusal:
        status = 400 if refusal.code == "not-json" else 422
        raise ProblemError(status, refusal.code, refusal.detail, pointer=refusal.pointer) from refusal
    if submission.agency != grant.agency:
        raise ProblemError(403, "forbidden", "this token belongs to another agency", pointer="/agency")
    requester = _resolve_references(node, submission)
    number = control_number(submission.agency, now.year, _next_number(node, submission.agency, now.year))
    bulletin = submission.accept(new_id(now, os.urandom), number, now)
    references = _references(bulletin)
    decided = plan(
        bulletin,
        decider=decider,
        directory=directory,
        vocabulary=rules.vocabulary,
        requester=requester,
        references=references,
    )
    return _Prepared(
        bulletin=bulletin,
        plan=decided,
        rules=rules,
        directory=directory,
        decider=decider,
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


def _require_audience(node: Node, prepared: _Prepared) -> None:
    for item in prepared.plan.withheld:
        for rule in item.rules:
            node.metrics.withheld.labels(rule=rule).inc()
    if prepared.plan.addressees:
        return
    extra = {"withheld": _withheld(prepared.plan), "warnings": list(prepared.plan.warnings)}
    raise ProblemError(422, "nobody-permitted", extra=extra)


async def _accept(node: Node, grant: Grant, raw: bytes, key: str, request: bytes, corrects: UUID | None) -> Answer:
    prepared = _prepare(node, grant, raw, corrects)
    _require_audience(node, prepared)
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

    corrected, withdrawal = _withdrawal(node, prepared)

    def record(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM idempotency WHERE at < ?", (now_ms - IDEMPOTENCY_KEPT_MS,))
        values = {"agency": grant.agency, "key": key, "request": request, "status": 202, "at": now_ms}
        insert(connection, "idempotency", {**values, "answer": json.dumps(answer)})
        record_own(node, connection, prepared, sealed, now_ms)
        if bulletin.references.supersedes is not None:
            old = bulletin.references.supersedes
            bulletins.supersede(connection, bulletin.agency, bulletin.agency, old.bytes, bulletin.id.bytes)
            if withdrawal is not None and corrected is not None:
                control.record_recall(node, connection, withdrawal, corrected, whole=False)

    await node.store.write(record)
    node.outbox.ring()
    node.deadlines.ring()
    node.metrics.submitted.labels(agency=bulletin.agency, outcome="accepted").inc()
    return Answer(202, answer)


def _withdrawal(node: Node, prepared: _Prepared) -> tuple[sqlite3.Row | None, control.Control | None]:
    """The recall for those who had the corrected bulletin and may not have its correction."""
    old = prepared.bulletin.references.supersedes
    row = bulletins.find(node.store, prepared.bulletin.agency, old) if old is not None else None
    if row is None:
        return None, None
    still = frozenset(addressee.agency for addressee in prepared.plan.addressees)
    reason = "superseded by a correction that is not shared with you"
    return row, control.recall(node, row, reason=reason, keep=still)


def record_own(node: Node, connection: sqlite3.Connection, prepared: _Prepared, sealed: Sealed, now_ms: int) -> None:
    """Writes the originator's copy, one delivery per recipient and the audit entry, in the caller's transaction."""
    bulletin, decided = prepared.bulletin, prepared.plan
    year, _, number = bulletin.control_number.removeprefix(f"{bulletin.agency.upper()}-").partition("-")
    bulletins.high_water(connection, f"control number {bulletin.agency} {year}", int(number))
    key_name = node.vault.key_for(bulletin.agency, bulletin.info_class, bulletin.created)
    # The portions rest in the body, under keys of their own.
    summary = {name: value for name, value in bulletin.to_json().items() if name != "portions"}
    supersedes, in_reply_to = bulletin.references.supersedes, bulletin.references.in_reply_to
    bulletins.add(
        connection,
        bulletins.Copy(
            agency=bulletin.agency,
            id=bulletin.id.bytes,
            role="originator",
            sender=bulletin.agency,
            envelope=sealed.id,
            header_hash=sealed.secrets.hh,
            body_digest=sealed.secrets.body_digest,
            control_number=bulletin.control_number,
            kind=str(bulletin.kind),
            product=bulletin.product,
            precedence=str(decided.precedence),
            status=str(bulletin.status),
            portions=json.dumps([portion.id for portion in bulletin.portions]),
            created=to_ms(bulletin.created),
            arrived=now_ms,
            expires=to_ms(bulletin.expires),
            due=to_ms(bulletin.due) if bulletin.due else None,
            rules=prepared.rules.number,
            directory=prepared.directory.number,
            header=sealed.header,
            body=sealed.body,
            keyring_sealed=node.vault.seal(
                bulletin.agency, key_name, sealed.secrets.encode(), "keyring", bulletin.id.bytes
            ),
            record_sealed=node.vault.seal_words(bulletin.agency, key_name, summary, "record", bulletin.id.bytes),
            storage_key=key_name,
            supersedes=supersedes.bytes if supersedes else None,
            in_reply_to=in_reply_to.bytes if in_reply_to else None,
        ),
    )
    names = [portion.id for portion in bulletin.portions]
    for addressee in decided.addressees:
        deliveries.add(
            connection,
            deliveries.NewDelivery(
                agency=bulletin.agency,
                id=bulletin.id.bytes,
                recipient=addressee.agency,
                gateway=prepared.directory.gateway_of(addressee.agency),
                rank=decided.precedence.rank,
                portions=json.dumps([names[number - 1] for number in addressee.parts]),
                rules=json.dumps(decided.granted_by[addressee.agency]),
                created=now_ms,
                due=to_ms(decided.due(addressee.agency, bulletin)),
            ),
        )
    audit.record(
        connection,
        agency=bulletin.agency,
        at=now_ms,
        event="accepted",
        bulletin=bulletin.id,
        detail={
            "rules": prepared.rules.number,
            "directory": prepared.directory.number,
            "to": [[a.agency, list(a.parts), list(decided.granted_by[a.agency])] for a in decided.addressees],
            "withheld": [[item.agency, item.portion, list(item.rules)] for item in decided.withheld],
        },
    )


def _decision(prepared: _Prepared) -> dict[str, Any]:
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


async def _record_refusal(node: Node, agency: str, problem: ProblemError) -> None:
    node.metrics.submitted.labels(agency=agency, outcome="refused").inc()
    node.metrics.refused.labels(where="submit", code=problem.code).inc()
    detail: dict[str, Any] = {"code": problem.code, "pointer": problem.pointer}
    if "withheld" in problem.extra:
        detail["withheld"] = [[item["agency"], item["portion"], item["rules"]] for item in problem.extra["withheld"]]
    await node.store.write(
        lambda connection: audit.record(
            connection, agency=agency, at=node.now_ms(), event="submission refused", detail=detail
        )
    )
