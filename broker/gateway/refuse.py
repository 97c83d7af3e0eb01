"""What becomes of a message that is refused: its record, its alarm, and the signed word to a verified sender."""

from __future__ import annotations

import sqlite3

import structlog

from broker.gateway import owed
from broker.gateway.core import Node
from broker.seal import Envelope, SealError
from broker.store import audit, claims, held
from broker.trust import TrustError

log = structlog.get_logger()

# A repeat is recognised as long as the longest transit life, and a day more.
REMEMBER_MS = 31 * 24 * 3_600_000
ALARMING = frozenset({"equivocation", "recheck-refused"})
# Nothing honest comes so: somebody signed two things under one number, repeats what was replaced, or does alone what
# takes two.
LIES = frozenset(
    {
        "equivocation",
        "fork",
        "wrong-role",
        "beat-equivocation",
        "beat-rollback",
        "emergency-not-narrow",
        "emergency-blocks-always",
        "emergency-prolonged",
    }
)
# In the tally beside gateways; no gateway's name begins so.
_OWN_KIND = ":"


async def unsigned(node: Node, gateway: str, code: str, step: int = 0) -> None:
    """Nobody can be held to it: counted per sending gateway, recorded at most once a minute."""
    node.metrics.refused.labels(where="deliver", code=code).inc()
    number = node.tally.note(gateway, code, node.now_ms())
    if number:
        log.warning("message refused", code=code, step=step, peer=gateway)
        await node.store.write(lambda connection: _record_count(node, connection, gateway, (code, step, number)))


async def release(node: Node, what: str, error: TrustError) -> None:
    """A release, a beat or a report is not believed: counted, alarmed where somebody lied, recorded once a minute."""
    node.metrics.refused.labels(where=what, code=error.code).inc()
    if error.code in LIES:
        node.metrics.alarms.labels(code=error.code).inc()
    number = node.tally.note(_OWN_KIND + what, error.code, node.now_ms())
    if number:
        log.warning("not believed", what=what, code=error.code)
        kept = (error.code, 0, number)
        await node.store.write(lambda connection: _record_count(node, connection, _OWN_KIND + what, kept))


async def flush(node: Node) -> None:
    """Records the counts whose minute is over."""
    due = node.tally.due(node.now_ms())
    if not due:
        return

    def record(connection: sqlite3.Connection) -> None:
        for gateway, code, number in due:
            _record_count(node, connection, gateway, (code, 0, number))

    await node.store.write(record)


def _record_count(node: Node, connection: sqlite3.Connection, gateway: str, counted: tuple[str, int, int]) -> None:
    code, step, number = counted
    if gateway.startswith(_OWN_KIND):
        audit.record(
            connection,
            agency=next(iter(node.keys)),
            at=node.now_ms(),
            event=f"{gateway.removeprefix(_OWN_KIND)} refused",
            detail={"code": code, "count": number},
        )
        return
    audit.record(
        connection,
        agency=next(iter(node.keys)),
        at=node.now_ms(),
        event="envelope refused",
        peer=gateway,
        detail={"code": code, "step": step, "verified": False, "count": number},
    )


async def signed(node: Node, envelope: Envelope, agency: str, error: SealError, raw: bytes) -> None:
    """The signer is verified: recorded, and it is told by a signed receipt; for a repeat the same one goes again."""
    witness, sender = error.witness, error.sender
    if witness is None or sender is None:
        raise RuntimeError  # the caller asks `error.sender` first
    node.metrics.refused.labels(where="deliver", code=error.code).inc()

    def record(connection: sqlite3.Connection) -> bool:
        now = node.now_ms()
        key = held.Refused(
            sender=sender, envelope=envelope.header.id, recipient=agency, body_digest=envelope.body_digest
        )
        held.forget_refusals(connection, now)
        if not held.refused_first(connection, key, forget=now + REMEMBER_MS):
            claims.again(connection, agency, witness.id)
            return False
        audit.record(
            connection,
            agency=agency,
            at=now,
            event="envelope refused",
            peer=sender,
            detail={"code": error.code, "step": error.step, "verified": True},
        )
        if error.code == "equivocation":
            held.keep_contradiction(connection, key, at=now, raw=raw)
        owed.owe_refusal(node, connection, agency, witness, error.code)
        return True

    if await node.store.write(record):
        log.warning("envelope refused", code=error.code, step=error.step, peer=sender)
        if error.code in ALARMING:
            node.metrics.alarms.labels(code=error.code).inc()
    node.claims.ring()


async def faulty(node: Node, gateway: str, attempts: int) -> None:
    """A message that this gateway cannot take, try as it may: recorded, an alarm, and no more tries."""
    node.metrics.alarms.labels(code="delivery-fault").inc()
    await node.store.write(
        lambda connection: audit.record(
            connection,
            agency=next(iter(node.keys)),
            at=node.now_ms(),
            event="message given up",
            peer=gateway,
            detail={"code": "delivery-fault", "attempts": attempts},
        )
    )
