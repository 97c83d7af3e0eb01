"""Receipts that arrive: opened, verified, compared with what was really sent, and entered as rungs climbed."""

from __future__ import annotations

import hashlib
import sqlite3
from uuid import UUID

import structlog

from broker.gateway.clock import to_ms
from broker.gateway.core import Node
from broker.seal import Receipt, SealError, check_receipt, open_receipts, receipts_kid
from broker.store import audit, bulletins, claims, deliveries, events

log = structlog.get_logger()


async def take(node: Node, payload: bytes) -> None:
    """Enters a batch of receipts.

    Raises:
        SealError: not for us, not signed by a member, or malformed: nothing of it is entered.
    """
    keys, receipts = _open(node, payload)
    digest = hashlib.sha256(payload).digest()
    entries: list[tuple[sqlite3.Row, Receipt]] = []
    for receipt in receipts:
        copy = bulletins.find_by_header(node.store, keys, receipt.hh)
        if copy is None:
            node.metrics.refused.labels(where="receipt", code="receipt-unknown-bulletin").inc()
            continue
        try:
            check_receipt(receipt, node.sources.of(copy).secrets)
        except SealError as error:
            node.metrics.refused.labels(where="receipt", code=error.code).inc()
            log.warning("receipt refused", code=error.code, signer=receipt.recipient)
            continue
        entries.append((copy, receipt))
    if not entries:
        return

    def enter(connection: sqlite3.Connection) -> None:
        key_name = node.vault.key_for(keys, "administrative", node.now())
        claims.keep_evidence(
            connection,
            digest=digest,
            agency=keys,
            signer=entries[0][1].recipient,
            at=node.now_ms(),
            document_sealed=node.vault.seal(keys, key_name, payload, "evidence", digest),
            storage_key=key_name,
        )
        for copy, receipt in entries:
            _enter(node, connection, copy, receipt)

    await node.store.write(enter)
    node.events.ring()
    node.deadlines.ring()


def _open(node: Node, payload: bytes) -> tuple[str, list[Receipt]]:
    kid = receipts_kid(payload)
    for agency, keys in node.keys.items():
        if keys.kem_key(kid) is not None:
            return agency, open_receipts(payload, keys, node.signer)
    raise SealError("receipt-not-mine")


def _enter(node: Node, connection: sqlite3.Connection, copy: sqlite3.Row, receipt: Receipt) -> None:
    agency, ident, key_name = str(copy["agency"]), bytes(copy["id"]), str(copy["storage_key"])
    words = {name: value for name in ("person", "note") if (value := getattr(receipt, name))}
    sealed = node.vault.seal_words(agency, key_name, words, "receipt", ident, receipt.recipient) if words else None
    at = to_ms(receipt.time)
    fresh = deliveries.climbed(
        connection,
        agency=agency,
        bulletin=ident,
        recipient=receipt.recipient,
        rung=receipt.rung,
        at=at,
        person_sealed=sealed,
        code=receipt.code or None,
    )
    if not fresh:
        return
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
        event="receipt" if receipt.rung != "refused" else "refused",
        at=node.now_ms(),
        bulletin=UUID(bytes=ident),
        detail=detail,
        words=(node.vault.seal_words(agency, key_name, words, "event", ident), key_name) if words else None,
    )
    node.metrics.receipts.labels(rung=receipt.rung).inc()
    if receipt.rung == "stored":
        seconds = max(0.0, (at - int(copy["created"])) / 1000)
        node.metrics.delivery.labels(precedence=copy["precedence"]).observe(seconds)
