"""What arrives: unseal, re-check the rules for oneself, store, then acknowledge to the relay (DESIGN 6, step 5).

An envelope is acknowledged only when its effect is on disk. What is refused is recorded with its code; what needs a
newer release waits; nothing is dropped without a record.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from broker.gateway import accept, owed, receipts
from broker.gateway.core import Node
from broker.gateway.recheck import Judge
from broker.relay.link import Incoming
from broker.seal import AgencyKeys, Envelope, Hold, SealError, decode_envelope, unseal
from broker.seal.cose import Encrypt
from broker.store import audit, bulletins, claims

log = structlog.get_logger()

HOLD_SECONDS = 2.0
# So many envelopes are worked on at once: their commits share an fsync, and a FLASH waits for no queue behind them.
AT_ONCE = 16


async def run(node: Node) -> None:
    """Takes what the relay has for this gateway, for ever."""
    slots = asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as group:
        async for incoming in node.link.incoming():
            await slots.acquire()
            group.create_task(_guarded(node, incoming, slots))


async def _guarded(node: Node, incoming: Incoming, slots: asyncio.Semaphore) -> None:
    try:
        await take(node, incoming)
    except Exception:  # one message must not stop the others; it stays with the relay
        node.metrics.alarms.labels(code="delivery-fault").inc()
        log.exception("delivery failed")
        await incoming.nak(HOLD_SECONDS)
    finally:
        slots.release()


async def take(node: Node, incoming: Incoming) -> None:
    """Handles one message from the relay to its end: acknowledged, given back, or refused and recorded."""
    try:
        if incoming.kind == "receipts":
            await receipts.take(node, incoming.payload)
        else:
            await _envelope(node, incoming.payload)
    except Hold as hold:
        node.metrics.refused.labels(where="deliver", code=hold.code).inc()
        log.info("envelope held", code=hold.code)
        await incoming.nak(HOLD_SECONDS)
    except SealError as error:
        await _refuse(node, next(iter(node.keys)), error, incoming.sender_gateway)
        await incoming.term()
    else:
        await incoming.ack()


async def _envelope(node: Node, payload: bytes) -> None:
    envelope = decode_envelope(payload)
    addressed = [(notice, keys) for notice in envelope.notices if (keys := _ours(node, notice)) is not None]
    if not addressed:
        raise SealError("notice-not-mine")
    for notice, keys in addressed:
        await _one(node, envelope, notice, keys)


def _ours(node: Node, notice: Encrypt) -> AgencyKeys | None:
    return next((keys for keys in node.keys.values() if keys.kem_key(notice.kid) is not None), None)


async def _one(node: Node, envelope: Envelope, notice: Encrypt, keys: AgencyKeys) -> None:
    judge = Judge(node, keys.agency)
    try:
        unsealed = unseal(
            envelope,
            notice,
            recipient=keys,
            sender_of=node.signer,
            now=node.now(),
            skew=timedelta(seconds=node.settings.skew_seconds),
            seen=lambda sender, ident, recipient: bulletins.seen(node.store, sender, ident, recipient),
            accept_rules=judge.releases,
            recheck=judge.portions,
        )
    except Hold:
        raise
    except SealError as error:
        if error.code == "unknown-signer" and _newer_directory(node, error):
            raise Hold("newer-directory") from error
        if error.code == "replay":
            await _again(node, envelope, keys.agency, str(error.sender))
        else:
            await _refuse(node, keys.agency, error, str(error.sender))
        return
    arrival = accept.Arrival(agency=keys.agency, envelope=envelope, unsealed=unsealed, checked=judge.checked)
    await node.store.write(lambda connection: accept.record(node, connection, arrival))
    node.claims.ring()
    node.events.ring()


def _newer_directory(node: Node, error: SealError) -> bool:
    """Whether the (unverified) manifest names a directory this gateway hasn't: then it may only be late itself."""
    mine = node.trust.directory.number if node.trust.directory else 0
    return error.claimed_directory is not None and error.claimed_directory > mine


async def _again(node: Node, envelope: Envelope, agency: str, sender: str) -> None:
    """The same bytes once more: the originator has not our receipts, so they go again; nothing is delivered twice."""

    def resend(connection: accept.Connection) -> int:
        row = connection.execute(
            "SELECT id FROM replay WHERE sender = ? AND envelope = ? AND recipient = ?",
            (sender, envelope.header.id, agency),
        ).fetchone()
        return claims.again(connection, agency, bytes(row["id"])) if row else 0

    await node.store.write(resend)
    node.metrics.refused.labels(where="deliver", code="replay").inc()
    node.claims.ring()


async def _refuse(node: Node, agency: str, error: SealError, peer: str) -> None:
    """Records a refusal; one whose signer is verified is told so by a signed receipt (DESIGN 7)."""
    node.metrics.refused.labels(where="deliver", code=error.code).inc()
    if error.code in ("equivocation", "recheck-refused"):
        node.metrics.alarms.labels(code=error.code).inc()
    log.warning("envelope refused", code=error.code, step=error.step, peer=peer)

    def record(connection: accept.Connection) -> None:
        audit.record(
            connection,
            agency=agency,
            at=node.now_ms(),
            event="envelope refused",
            peer=peer,
            detail={"code": error.code, "step": error.step, "verified": error.sender is not None},
        )
        if error.witness is not None and error.sender is not None:
            owed.owe_refusal(node, connection, agency, error.witness, error.code)

    await node.store.write(record)
    node.claims.ring()
