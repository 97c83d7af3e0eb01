"""Messages that carry no portion: recalls, a correction's withdrawals, escalations. Made here, obeyed here.

They go to the *recorded* audience of a bulletin, whatever the rules say today: no rule may keep a recall from somebody
who has the bulletin (DESIGN 6). An escalation goes to one recipient of it: never a new audience.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from broker.gateway.clock import to_ms
from broker.gateway.core import Node
from broker.gateway.problems import ProblemError
from broker.model import MAX_TRANSIT, Precedence, control_id
from broker.seal import Addressee, Draft, Reference, Sealed, Terms, seal
from broker.store import audit, bulletins, deliveries

# A recall of a ROUTINE bulletin is still urgent: what was wrong or unlawful is being read meanwhile.
SLOWEST = Precedence.IMMEDIATE
# Why a delivery ends whose recipient is no longer in the directory.
LEFT = "recipient-left"
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
        """Derived, by its recipients too: it has no portion that could carry an id."""
        return control_id(self.agency, self.sealed.id)


def prepare(node: Node, *, kind: str, about: sqlite3.Row, recipients: tuple[str, ...], note: str) -> Control:
    """Seals a control message about one of this agency's own bulletins.

    Nothing is decided here, so releases that have expired do: keeping back their successors must not stop a recall.

    Raises:
        ProblemError: 503 ``not-ready``: no verified release of both kinds was ever here.
    """
    rules, directory = node.trust.rules, node.trust.directory
    if rules is None or directory is None:
        raise ProblemError(503, "not-ready")
    now = node.now()
    precedence = max(Precedence(about["precedence"]), SLOWEST)
    expires = now + MAX_TRANSIT
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
    for recipient in message.recipients:
        _deliver(node, connection, message, recipient)
    audit.record(
        connection,
        agency=message.agency,
        at=now_ms,
        event=f"{message.kind} issued",
        bulletin=message.about,
        detail={"message": str(message.id), "to": list(message.recipients)},
    )


def _deliver(node: Node, connection: sqlite3.Connection, message: Control, recipient: str) -> None:
    """Queues the message for one recipient; who left the exchange since then cannot be reached, and that is said."""
    agency, ident, now_ms = message.agency, message.id.bytes, node.now_ms()
    directory = node.trust.directory
    here = directory is not None and recipient in directory.entries
    deliveries.add(
        connection,
        deliveries.NewDelivery(
            agency=agency,
            id=ident,
            recipient=recipient,
            gateway=node.gateway_of(recipient) if here else _recorded_gateway(connection, message, recipient),
            rank=message.precedence.rank,
            portions="[]",
            rules="[]",
            created=now_ms,
            due=None,
        ),
    )
    if here:
        return
    deliveries.give_up(connection, agency=agency, bulletin=ident, recipient=recipient, code=LEFT, at=now_ms)
    audit.record(
        connection,
        agency=agency,
        at=now_ms,
        event="delivery given up",
        bulletin=message.about,
        peer=recipient,
        detail={"code": LEFT, "message": str(message.id)},
    )


def _recorded_gateway(connection: sqlite3.Connection, message: Control, recipient: str) -> str:
    row = connection.execute(
        "SELECT gateway FROM deliveries WHERE agency = ? AND id = ? AND recipient = ?",
        (message.agency, message.about.bytes, recipient),
    ).fetchone()
    return str(row["gateway"]) if row else ""


def recall(node: Node, about: sqlite3.Row, *, reason: str) -> Control | None:
    """Prepares the recall of a bulletin from its recorded audience; None when there was none.

    One that is recalled already goes again to whoever has it and has not confirmed that it is gone.
    """
    rows = deliveries.of_bulletin(node.store, str(about["agency"]), bytes(about["id"]))
    if about["recalled"] is not None:
        rows = [row for row in rows if row["stored"] is not None and row["purged"] is None]
    recipients = tuple(str(row["recipient"]) for row in rows)
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
