"""Messages that carry no portion: recalls, a correction's withdrawals, escalations. Made here, obeyed here.

They go to the *recorded* audience of a bulletin, whatever the rules say today: no rule may keep a recall from somebody
who has the bulletin (DESIGN 6). An escalation goes to one recipient of it: never a new audience.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from broker.gateway.clock import from_ms, to_ms
from broker.gateway.core import Node
from broker.model import Precedence
from broker.seal import Addressee, Draft, Reference, Sealed, Terms, seal
from broker.store import audit, bulletins, deliveries

# A recall of a ROUTINE bulletin is still urgent: what was wrong or unlawful is being read meanwhile.
SLOWEST = Precedence.IMMEDIATE
TRANSIT = timedelta(days=7)
# How a control's reference to its bulletin is named, by kind.
REFERENCE = {"recall": "recalls", "escalation": "escalates", "purge": "purges"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A sealed control message, ready to be recorded."""

    agency: str
    kind: str
    about: UUID
    recipients: tuple[str, ...]
    precedence: Precedence
    created: datetime
    expires: datetime
    sealed: Sealed
    rules: int
    directory: int

    @property
    def id(self) -> UUID:
        """A control's id is its envelope's: it has no portion that could carry another."""
        return UUID(bytes=self.sealed.id)


def prepare(node: Node, *, kind: str, about: sqlite3.Row, recipients: tuple[str, ...], note: str) -> Control:
    """Seals a control message about one of this agency's own bulletins."""
    rules, directory, _ = node.in_force()
    now = node.now()
    precedence = max(Precedence(about["precedence"]), SLOWEST)
    expires = max(from_ms(about["expires"]), now + TRANSIT)
    reference = Reference(kind=REFERENCE[kind], bulletin=UUID(bytes=about["id"]))
    terms = Terms(obligations={}, named=(), approved=False, note=note)
    draft = Draft(
        sender=str(about["agency"]),
        created=now,
        expires=expires,
        precedence=str(precedence),
        kind=kind,
        status=str(about["status"]),
        parts=(),
        audience=tuple(Addressee(agency=name, parts=(), terms=terms, references=(reference,)) for name in recipients),
        rules=(rules.number, rules.hash),
        directory=directory.number,
        retention="administrative",
    )
    return Control(
        agency=str(about["agency"]),
        kind=kind,
        about=UUID(bytes=about["id"]),
        recipients=recipients,
        precedence=precedence,
        created=now,
        expires=expires,
        sealed=seal(draft, node.keys[str(about["agency"])].signing),
        rules=rules.number,
        directory=directory.number,
    )


def record(node: Node, connection: sqlite3.Connection, message: Control, *, status: str) -> None:
    """Writes the control message and its deliveries in the caller's transaction."""
    now_ms = node.now_ms()
    key_name = node.vault.key_for(message.agency, "administrative", message.created)
    ident = message.id.bytes
    bulletins.add(
        connection,
        bulletins.Copy(
            agency=message.agency,
            id=ident,
            role="originator",
            sender=message.agency,
            envelope=message.sealed.id,
            header_hash=message.sealed.secrets.hh,
            body_digest=message.sealed.secrets.body_digest,
            control_number="",
            kind=message.kind,
            product=None,
            precedence=str(message.precedence),
            status=status,
            portions="[]",
            created=to_ms(message.created),
            arrived=now_ms,
            expires=to_ms(message.expires),
            due=None,
            rules=message.rules,
            directory=message.directory,
            header=message.sealed.header,
            body=message.sealed.body,
            keyring_sealed=node.vault.seal(message.agency, key_name, message.sealed.secrets.encode(), "keyring", ident),
            record_sealed=None,
            storage_key=key_name,
            supersedes=message.about.bytes,
        ),
    )
    directory = node.trust.directory_at(message.directory)
    if directory is None:
        raise RuntimeError  # it was in force when the message was prepared
    for recipient in message.recipients:
        deliveries.add(
            connection,
            deliveries.NewDelivery(
                agency=message.agency,
                id=ident,
                recipient=recipient,
                gateway=directory.gateway_of(recipient),
                rank=message.precedence.rank,
                portions="[]",
                rules="[]",
                created=now_ms,
                due=None,
            ),
        )
    audit.record(
        connection,
        agency=message.agency,
        at=now_ms,
        event=f"{message.kind} issued",
        bulletin=message.about,
        detail={"message": str(message.id), "to": list(message.recipients)},
    )


def recall(node: Node, about: sqlite3.Row, *, reason: str, keep: frozenset[str] = frozenset()) -> Control | None:
    """Prepares the recall of a bulletin from its recorded audience (less ``keep``); None when nobody is left."""
    rows = deliveries.of_bulletin(node.store, str(about["agency"]), bytes(about["id"]))
    recipients = tuple(str(row["recipient"]) for row in rows if row["recipient"] not in keep)
    if not recipients:
        return None
    return prepare(node, kind="recall", about=about, recipients=recipients, note=reason)


def record_recall(
    node: Node, connection: sqlite3.Connection, message: Control, about: sqlite3.Row, *, whole: bool
) -> None:
    """Writes a recall: the bulletin is no longer sent to those recipients, nor waited for; ``whole``: to anybody."""
    record(node, connection, message, status=str(about["status"]))
    deliveries.withdraw(connection, message.agency, message.about.bytes, () if whole else message.recipients)
    if whole:
        connection.execute(
            "UPDATE bulletins SET recalled = ? WHERE agency = ? AND id = ?",
            (node.now_ms(), message.agency, message.about.bytes),
        )
