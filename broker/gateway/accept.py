"""The effect of an accepted envelope, in one transaction: inbox, replay, receipt owed, event, audit (DESIGN 6)."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias
from uuid import UUID

from broker.gateway import owed
from broker.gateway.clock import to_ms
from broker.gateway.core import Node
from broker.gateway.opened import Content
from broker.gateway.recheck import Rechecked
from broker.model import Tlp
from broker.seal import Envelope, Unsealed
from broker.store import audit, bulletins, claims, events, sessions

Connection: TypeAlias = sqlite3.Connection

# The replay key outlives the envelope, so that a copy the relay kept back too long is still recognised (DESIGN 7).
REMEMBER_AFTER_EXPIRY = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One notice of one envelope, opened and judged."""

    agency: str
    envelope: Envelope
    unsealed: Unsealed
    checked: Rechecked
    session: sessions.Kept | None

    @property
    def record(self) -> dict[str, Any]:
        """What rests sealed beside the copy: on what terms this agency has it."""
        documents = self.checked.documents
        names = {number: document.portion.id for number, document in documents.items()}
        return {
            "obligations": {names[number]: dict(value) for number, value in self.checked.obligations.items()},
            "named": list(self.unsealed.terms.named),
            "for_them_alone": any(document.portion.effective.tlp == Tlp.RED for document in documents.values()),
            "note": self.unsealed.terms.note,
        }

    def reference(self, kind: str) -> UUID | None:
        """The bulletin this one refers to in that way."""
        return next((item.bulletin for item in self.unsealed.references if item.kind == kind), None)


def record(node: Node, connection: Connection, arrival: Arrival) -> bool:
    """Writes everything an arrival changes; False for a second copy that raced the first, which changes nothing."""
    unsealed, agency = arrival.unsealed, arrival.agency
    manifest = unsealed.manifest
    ident = arrival.checked.bulletin
    fresh = bulletins.remember(
        connection,
        sender=unsealed.sender,
        envelope=arrival.envelope.header.id,
        recipient=agency,
        body_digest=arrival.envelope.body_digest,
        bulletin=ident.bytes,
        forget=to_ms(manifest.expires + REMEMBER_AFTER_EXPIRY),
    )
    if not fresh:
        return False
    bulletins.high_water(connection, "clock", node.steady.highest())
    if arrival.session is not None:
        sessions.keep(connection, arrival.session)
    copy = _store(node, connection, arrival)
    if copy is None:
        _conflict(node, connection, arrival)
        return True
    hidden = False
    match manifest.kind:
        case "recall" | "purge":
            _withdrawn(node, connection, arrival)
        case "escalation":
            _escalated(node, connection, arrival)
        case _:
            hidden = not _delivered(node, connection, arrival, copy)
    owed.owe_first(node, connection, copy)
    if hidden:
        owed.purge_with_receipt(node, connection, copy)
    return True


def _store(node: Node, connection: Connection, arrival: Arrival) -> sqlite3.Row | None:
    unsealed, manifest, agency = arrival.unsealed, arrival.unsealed.manifest, arrival.agency
    ident = arrival.checked.bulletin
    key_name = node.vault.key_for(agency, manifest.retention, node.now())
    documents = arrival.checked.documents
    first = next(iter(documents.values()), None)
    supersedes, in_reply_to = arrival.reference("supersedes"), arrival.reference("in_reply_to")
    added = bulletins.add(
        connection,
        bulletins.Copy(
            agency=agency,
            id=ident.bytes,
            role="recipient",
            sender=unsealed.sender,
            envelope=arrival.envelope.header.id,
            header_hash=arrival.envelope.hh,
            body_digest=arrival.envelope.body_digest,
            control_number=first.control_number if first else "",
            kind=manifest.kind,
            product=first.product if first else None,
            precedence=arrival.envelope.header.precedence,
            status=manifest.status,
            portions=json.dumps([document.portion.id for document in documents.values()]),
            created=to_ms(manifest.created),
            arrived=node.now_ms(),
            expires=to_ms(manifest.expires),
            due=to_ms(first.due) if first and first.due else None,
            rules=manifest.rules[0],
            directory=manifest.directory,
            header=arrival.envelope.raw_header,
            body=arrival.envelope.body,
            keyring_sealed=node.vault.seal(agency, key_name, unsealed.witness.encode(), "keyring", ident.bytes),
            record_sealed=node.vault.seal_words(agency, key_name, arrival.record, "record", ident.bytes),
            storage_key=key_name,
            supersedes=supersedes.bytes if supersedes else None,
            in_reply_to=in_reply_to.bytes if in_reply_to else None,
            rung=owed.FIRST,
            receipts=1,
        ),
    )
    return _copy(connection, agency, ident) if added else None


def _copy(connection: Connection, agency: str, ident: UUID) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM bulletins WHERE agency = ? AND id = ?", (agency, ident.bytes)
    ).fetchone()
    return row


def _delivered(node: Node, connection: Connection, arrival: Arrival, copy: sqlite3.Row) -> bool:
    """Shows it to the adapters; False when its recall overtook it: then it is never shown, and is to be purged."""
    agency, sender, ident = arrival.agency, arrival.unsealed.sender, arrival.checked.bulletin
    audit.record(
        connection,
        agency=agency,
        at=node.now_ms(),
        event="received",
        bulletin=ident,
        peer=sender,
        detail={"portions": json.loads(copy["portions"]), "rules": copy["rules"], "directory": copy["directory"]},
    )
    if bulletins.buried(connection, agency, sender, ident.bytes):
        return False
    superseded = arrival.reference("supersedes")
    if superseded is not None:
        bulletins.supersede(connection, agency, sender, superseded.bytes, ident.bytes)
    correction = bulletins.superseded_before(connection, agency, sender, ident.bytes)
    if correction is not None:
        bulletins.supersede(connection, agency, sender, ident.bytes, correction)
    events.append(connection, agency=agency, event="bulletin", at=node.now_ms(), bulletin=ident)
    # In here, so that the order of the writes is that of keeping and forgetting: a recall may be in the same commit.
    node.opened.keep(agency, ident.bytes, Content(parts=arrival.unsealed.parts, record=arrival.record))
    node.metrics.received.labels(agency=agency, precedence=copy["precedence"]).inc()
    return True


def _withdrawn(node: Node, connection: Connection, arrival: Arrival) -> None:
    """A recall (or purge notice): only the original signer's counts, and it counts before its bulletin too."""
    about = arrival.reference("recalls") or arrival.reference("purges")
    if about is None:
        return
    agency, sender = arrival.agency, arrival.unsealed.sender
    bulletins.bury(connection, agency=agency, sender=sender, bulletin=about.bytes, at=node.now_ms())
    copy = _copy(connection, agency, about)
    if copy is None or copy["role"] != "recipient" or copy["sender"] != sender:
        return
    if copy["recalled"] is not None:
        claims.again(connection, agency, about.bytes)  # recalled once more: our word that it is gone was lost
        return
    owed.purge_with_receipt(node, connection, copy)
    key_name = str(copy["storage_key"])
    words = node.vault.seal_words(agency, key_name, {"reason": arrival.unsealed.terms.note}, "event", about.bytes)
    events.append(
        connection,
        agency=agency,
        event="recall",
        at=node.now_ms(),
        bulletin=about,
        detail={"from": sender, "control_number": copy["control_number"]},
        words=(words, key_name),
    )


def _escalated(node: Node, connection: Connection, arrival: Arrival) -> None:
    """Nobody here acknowledged in time: the originator asks for the alternate contact of this agency's own entry.

    It may overtake its bulletin, which is then on its way. Where a person has acknowledged, the originator only lacks
    our word: it goes again, and nobody is called.
    """
    about = arrival.reference("escalates")
    if about is None:
        return
    copy = _copy(connection, arrival.agency, about)
    if copy is not None and copy["sender"] != arrival.unsealed.sender:
        return
    if copy is not None and copy["rung"] in ("acknowledged", "acted", "purged"):
        claims.again(connection, arrival.agency, about.bytes)
        return
    contact = node.contact(arrival.agency)
    events.append(
        connection,
        agency=arrival.agency,
        event="escalation",
        at=node.now_ms(),
        bulletin=about,
        detail={
            "from": arrival.unsealed.sender,
            "control_number": copy["control_number"] if copy is not None else "",
            "contact": contact,
            "due": copy["due"] if copy is not None else None,
        },
    )
    audit.record(
        connection,
        agency=arrival.agency,
        at=node.now_ms(),
        event="escalated to the alternate contact",
        bulletin=about,
        peer=arrival.unsealed.sender,
    )


def _conflict(node: Node, connection: Connection, arrival: Arrival) -> None:
    """Another envelope claims a bulletin id this agency holds already: an alarm, never a second delivery.

    The same body of the same sender, whose replay entry was forgotten, is a repeat like any other.
    """
    held = _copy(connection, arrival.agency, arrival.checked.bulletin)
    if held is not None and (held["sender"], held["body_digest"]) == (
        arrival.unsealed.sender,
        arrival.envelope.body_digest,
    ):
        claims.again(connection, arrival.agency, arrival.checked.bulletin.bytes)
        return
    node.metrics.alarms.labels(code="bulletin-id-taken").inc()
    audit.record(
        connection,
        agency=arrival.agency,
        at=node.now_ms(),
        event="envelope refused",
        bulletin=arrival.checked.bulletin,
        peer=arrival.unsealed.sender,
        detail={"code": "bulletin-id-taken", "verified": True},
    )
    owed.owe_refusal(node, connection, arrival.agency, arrival.unsealed.witness, "bulletin-id-taken")
