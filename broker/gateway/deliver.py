"""What arrives: unseal, re-check the rules for oneself, store, then acknowledge to the relay (DESIGN 6, step 5).

A message is acknowledged only when its effect is on disk: delivered, refused with its record, or held here until a
release or a clock allows judging it. Nothing is dropped without a record, and nothing stays with the relay for ever,
where it would stand in the way of others.
"""

from __future__ import annotations

import asyncio
import functools
import sqlite3
from dataclasses import dataclass
from datetime import timedelta

import structlog

from broker.gateway import accept, holding, receipts, refuse
from broker.gateway.core import Node
from broker.gateway.notices import Ours, addressed
from broker.gateway.owed import URGENT
from broker.gateway.recheck import Judge
from broker.relay.link import Incoming
from broker.seal import CODES, Envelope, Hold, SealError, decode_envelope, unseal
from broker.store import bulletins, claims

log = structlog.get_logger()

HOLD_SECONDS = 2.0
# So many envelopes are worked on at once: their commits share an fsync, and a FLASH waits for no queue behind them.
AT_ONCE = 16
# Deliveries of one message that may fail here before it is given up; its originator sends it again.
MAX_FAULTS = 5
# A signature that cannot be verified may be by keys that a directory on its way brings.
KEYS_MAY_BE_NEWER = frozenset({"unknown-signer", "signature-set", "bad-signature"})
RECEIPT_KEYS_MAY_BE_NEWER = frozenset({"receipt-unknown-signer", "receipt-signature-set", "receipt-bad-signature"})
RECEIPT_WAITS = (1.0, 2.0, 5.0)
EXPIRED = frozenset({"header-expired", "expired"})


async def run(node: Node) -> None:
    """Takes what the relay has for this gateway, for ever."""
    slots = asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as group:
        group.create_task(holding.run(node, functools.partial(judge, node, retry=True)))
        async for incoming in node.link.incoming():
            await slots.acquire()
            group.create_task(_guarded(node, incoming, slots))


async def _guarded(node: Node, incoming: Incoming, slots: asyncio.Semaphore) -> None:
    try:
        await _try(node, incoming)
    except Exception:  # a store that cannot be written: the message stays with the relay
        log.exception("delivery failed")
        node.metrics.alarms.labels(code="delivery-fault").inc()
        await incoming.nak(HOLD_SECONDS)
    finally:
        slots.release()


async def _try(node: Node, incoming: Incoming) -> None:
    try:
        await take(node, incoming)
    except (sqlite3.Error, OSError):  # this gateway's own trouble, and no reason to give a message up
        raise
    except Exception:  # one message must not stop the others
        if incoming.delivered_count < MAX_FAULTS:
            raise
        log.exception("message given up")
        await refuse.faulty(node, incoming.sender_gateway, incoming.delivered_count)
        await incoming.term()


async def take(node: Node, incoming: Incoming) -> None:
    """Handles one message from the relay to its end: acknowledged, kept here, or refused and recorded."""
    gateway = incoming.sender_gateway
    try:
        if incoming.kind == "receipts":
            await receipts.take(node, incoming.payload)
        else:
            await judge(node, incoming.payload, gateway)
    except Hold as hold:
        if incoming.kind == "receipts":
            await incoming.nak(HOLD_SECONDS)
            return
        await holding.keep(node, incoming.payload, gateway, hold)
        await incoming.ack()
    except SealError as error:
        tries = incoming.delivered_count
        if error.code in RECEIPT_KEYS_MAY_BE_NEWER and tries <= len(RECEIPT_WAITS):
            node.metrics.refused.labels(where="deliver", code=error.code).inc()
            await incoming.nak(RECEIPT_WAITS[tries - 1])
            return
        await refuse.unsigned(node, gateway, error.code, error.step)
        await incoming.term()
    else:
        await incoming.ack()


async def judge(node: Node, raw: bytes, gateway: str, *, patient: bool = True, retry: bool = False) -> None:
    """Judges every notice of an envelope that is for an agency here; what becomes of one is not the others' trouble.

    Args:
        node: this gateway.
        raw: the envelope as it came.
        gateway: who put it on the relay.
        patient: releases far ahead of mine may still be on their way.
        retry: it was held here; so what was delivered of it needs no second word to its originator.

    Raises:
        Hold: one of them cannot be judged yet.
        SealError: nothing in it is for this gateway.
    """
    envelope = decode_envelope(raw)
    found = addressed(node, gateway, envelope)
    if found.lost:
        # Its originator hears nothing, and sends it again in a way that needs no session.
        await refuse.unsigned(node, gateway, "session-unknown", CODES["session-unknown"][0])
    elif not found.ours:
        raise SealError("notice-not-mine")
    copy = _Copy(envelope=envelope, raw=raw, gateway=gateway, patient=patient, retry=retry)
    holds: list[Hold] = []
    faults: list[Exception] = []
    for ours in found.ours:
        try:
            await _one(node, copy, ours)
        except Hold as hold:
            holds.append(hold)
        except Exception as fault:  # noqa: BLE001 - raised below, when the others have theirs
            faults.append(fault)
    # Where one waits, the whole waits here, and the faulty one with it.
    for error in (*holds, *faults):
        raise error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Copy:
    """An envelope as it came, and how it is to be judged."""

    envelope: Envelope
    raw: bytes
    gateway: str
    patient: bool
    retry: bool


async def _one(node: Node, copy: _Copy, ours: Ours) -> None:
    agency = ours.keys.agency
    checks = Judge(node, agency, patient=copy.patient)
    try:
        unsealed = unseal(
            copy.envelope,
            ours.notice,
            session=ours.session,
            recipient=ours.keys,
            sender_of=node.signer,
            now=node.steady.now(),
            skew=timedelta(seconds=node.settings.skew_seconds),
            seen=lambda sender, ident, recipient: bulletins.seen(node.store, sender, ident, recipient),
            accept_rules=checks.releases,
            recheck=checks.portions,
        )
    except Hold:
        raise
    except SealError as error:
        await _not_accepted(node, copy, checks, error)
        return
    arrival = accept.Arrival(
        agency=agency,
        envelope=copy.envelope,
        unsealed=unsealed,
        checked=checks.checked,
        session=node.sessions.offered(unsealed, agency, node.now()),
    )
    fresh = await node.store.write(lambda connection: accept.record(node, connection, arrival))
    if fresh and arrival.session is not None:
        node.sessions.accepted(arrival.session, unsealed.session)
    node.claims.ring(urgent=copy.envelope.header.precedence in URGENT)
    node.events.ring()


async def _not_accepted(node: Node, copy: _Copy, checks: Judge, error: SealError) -> None:
    """Refuses it, unless the reason may pass.

    Raises:
        Hold: its signer's keys may be newer than my directory, or my clock may be wrong.
    """
    if error.code in KEYS_MAY_BE_NEWER:
        checks.hold_if_newer_directory(error.claimed_directory)
    if error.code in EXPIRED and node.steady.doubtful:
        node.metrics.alarms.labels(code="clock-in-doubt").inc()
        raise Hold("clock-ahead") from error
    if error.sender is None:
        await refuse.unsigned(node, copy.gateway, error.code, error.step)
    elif error.code == "replay":
        if not copy.retry:
            await _again(node, copy.envelope, checks.agency, error.sender)
    else:
        await refuse.signed(node, copy.envelope, checks.agency, error, copy.raw)


async def _again(node: Node, envelope: Envelope, agency: str, sender: str) -> None:
    """The same bytes once more: the originator has not our receipts, so they go again; nothing is delivered twice."""

    def resend(connection: sqlite3.Connection) -> int:
        row = connection.execute(
            "SELECT id FROM replay WHERE sender = ? AND envelope = ? AND recipient = ?",
            (sender, envelope.header.id, agency),
        ).fetchone()
        return claims.again(connection, agency, bytes(row["id"])) if row else 0

    await node.store.write(resend)
    node.metrics.refused.labels(where="deliver", code="replay").inc()
    node.claims.ring()
