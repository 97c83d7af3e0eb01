"""The originator's own copy of what it sends, written in the transaction that 202 stands for."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from broker.gateway import recording
from broker.gateway.clock import to_ms
from broker.gateway.core import Node
from broker.gateway.plan import Plan
from broker.model import Bulletin
from broker.seal import Reference, Sealed
from broker.store import audit, bulletins, deliveries
from broker.trust import Directory, Rules
from policy.own import AnyDecider


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A submission parsed, numbered and decided, not yet sealed. ``own``: number of the agency's own rules, or 0."""

    bulletin: Bulletin
    plan: Plan
    rules: Rules
    directory: Directory
    decider: AnyDecider
    own: int
    cut_off: bool
    requester: str | None
    references: tuple[Reference, ...]


def record_own(node: Node, connection: sqlite3.Connection, prepared: Prepared, sealed: Sealed, now_ms: int) -> None:
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
            own=prepared.own,
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
    _queue_deliveries(connection, prepared, now_ms)
    recording.add(node, connection, bulletin, decided, key_name)
    audit.record(
        connection,
        agency=bulletin.agency,
        at=now_ms,
        event="accepted",
        bulletin=bulletin.id,
        detail={
            "rules": prepared.rules.number,
            "directory": prepared.directory.number,
            "own": prepared.own,
            "to": [[a.agency, list(a.parts), list(decided.granted_by[a.agency])] for a in decided.addressees],
            "withheld": [[item.agency, item.portion, list(item.rules)] for item in decided.withheld],
        },
    )


def _queue_deliveries(connection: sqlite3.Connection, prepared: Prepared, now_ms: int) -> None:
    bulletin, decided = prepared.bulletin, prepared.plan
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
                due=to_ms(decided.due(addressee, bulletin)),
            ),
        )
