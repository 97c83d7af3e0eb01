"""Receipts that arrive: opened, verified, compared with what was really sent, and entered as rungs climbed."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog

from broker.gateway.alarms import alarm, contact_of
from broker.gateway.clock import to_ms
from broker.gateway.core import Node
from broker.seal import Receipt, SealError, check_receipt, open_receipts, receipts_kid
from broker.store import audit, bulletins, claims, deliveries, events
from broker.trust import TrustError

log = structlog.get_logger()


# The signer may be new, or may have new keys: our directory may be the one that is late.
MAY_BE_LATE = frozenset({"receipt-unknown-signer", "receipt-signature-set"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A receipt that holds, the bulletin it is about, and its words sealed for that bulletin's place on the disk."""

    copy: sqlite3.Row
    receipt: Receipt
    person_sealed: bytes | None
    words: tuple[bytes, str] | None


async def take(node: Node, payload: bytes) -> None:
    """Enters a batch of receipts. One that does not hold keeps none of the others out.

    Raises:
        Hold: there is no directory yet to judge by.
        SealError: nothing of it is entered. A code in ``MAY_BE_LATE`` may become right with the next directory; any
            other never will: not for us, not signed by its recipient, or malformed.
    """
    agency, receipts = _open(node, payload)
    digest = hashlib.sha256(payload).digest()
    copies = bulletins.find_by_headers(node.store, agency, {receipt.hh for receipt in receipts})
    entries = [entry for receipt in receipts if (entry := _checked(node, agency, receipt, copies)) is not None]
    if not entries:
        return

    def enter(connection: sqlite3.Connection) -> list[_Entry]:
        fresh = [entry for entry in entries if _enter(node, connection, entry)]
        if not fresh:
            return fresh  # said before: the evidence for it is kept
        key_name = node.vault.key_for(agency, "administrative", node.now())
        claims.keep_evidence(
            connection,
            digest=digest,
            agency=agency,
            signer=entries[0].receipt.recipient,
            at=node.now_ms(),
            document_sealed=node.vault.seal(agency, key_name, payload, "evidence", digest),
            storage_key=key_name,
        )
        return fresh

    for entry in await node.store.write(enter):
        node.sessions.named(agency, entry.receipt.recipient, entry.receipt.session)
    node.events.ring()
    node.deadlines.ring()


def _checked(node: Node, agency: str, receipt: Receipt, copies: Mapping[bytes, sqlite3.Row]) -> _Entry | None:
    copy = copies.get(receipt.hh)
    if copy is None:
        node.metrics.refused.labels(where="receipt", code="receipt-unknown-bulletin").inc()
        return None
    ident, key_name = bytes(copy["id"]), str(copy["storage_key"])
    said = {name: value for name in ("person", "note") if (value := getattr(receipt, name))}
    try:
        check_receipt(receipt, node.sources.of(copy))
        person = node.vault.seal_words(agency, key_name, said, "receipt", ident, receipt.recipient) if said else None
        words = (node.vault.seal_words(agency, key_name, said, "event", ident), key_name) if said else None
    except (SealError, TrustError) as error:
        node.metrics.refused.labels(where="receipt", code=error.code).inc()
        log.warning("receipt refused", code=error.code, signer=receipt.recipient)
        return None
    return _Entry(copy=copy, receipt=receipt, person_sealed=person, words=words)


def _open(node: Node, payload: bytes) -> tuple[str, list[Receipt]]:
    kid = receipts_kid(payload)
    for agency, keys in node.keys.items():
        if keys.kem_key(kid) is not None:
            return agency, open_receipts(payload, keys, node.signer)
    raise SealError("receipt-not-mine")


def _enter(node: Node, connection: sqlite3.Connection, entry: _Entry) -> bool:
    copy, receipt = entry.copy, entry.receipt
    agency, ident = str(copy["agency"]), bytes(copy["id"])
    at, refused = to_ms(receipt.time), receipt.rung == "refused"
    fresh = deliveries.climbed(
        connection,
        agency=agency,
        bulletin=ident,
        recipient=receipt.recipient,
        rung=receipt.rung,
        at=at,
        person_sealed=entry.person_sealed,
        code=receipt.code or None,
    )
    if not fresh:
        return False
    detail = {"recipient": receipt.recipient, "rung": receipt.rung, "code": receipt.code}
    audit.record(
        connection,
        agency=agency,
        at=node.now_ms(),
        event=f"receipt: {receipt.rung}",
        bulletin=UUID(bytes=ident),
        peer=receipt.recipient,
        detail={"at": at, "code": receipt.code} if receipt.code else {"at": at},
    )
    events.append(
        connection,
        agency=agency,
        event="refused" if refused else "receipt",
        at=node.now_ms(),
        bulletin=UUID(bytes=ident),
        detail={**detail, "contact": contact_of(node, receipt.recipient)} if refused else detail,
        words=entry.words,
    )
    if refused:
        alarm(
            node,
            connection,
            agency=agency,
            bulletin=ident,
            recipient=receipt.recipient,
            what="delivery-refused",
            code=receipt.code,
        )
    node.metrics.receipts.labels(rung=receipt.rung).inc()
    if receipt.rung == "stored":
        seconds = max(0.0, (at - int(copy["created"])) / 1000)
        node.metrics.delivery.labels(precedence=copy["precedence"]).observe(seconds)
    return True
