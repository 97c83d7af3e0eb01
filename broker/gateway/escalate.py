"""Deadlines: an acknowledgement that is late goes to the recipient agency's alternate contact, and is alarmed here.

The originator's own event names that contact, too: when the recipient's gateway is down, nobody else can telephone.
"""

from __future__ import annotations

import sqlite3
from uuid import UUID

import structlog

from broker.gateway import control
from broker.gateway.alarms import contact_of
from broker.gateway.bells import wait
from broker.gateway.core import Node
from broker.gateway.problems import ProblemError
from broker.store import bulletins, deliveries, events

log = structlog.get_logger()

IDLE_SECONDS = 30.0


async def run(node: Node) -> None:
    """Escalates what is late, for ever."""
    while True:
        rung = node.deadlines.listen()
        await wait(rung, await escalate_due(node))


async def escalate_due(node: Node) -> float:
    """Escalates what is late now; returns for how long to wait before the next look, in seconds.

    One that fails stays late and is looked at again after the longest pause, not in a loop.
    """
    now = node.now_ms()
    for row in deliveries.overdue(node.store, now):
        try:
            await _escalate(node, row)
        except Exception:  # one bulletin that cannot be escalated keeps back none of those behind it
            node.metrics.alarms.labels(code="escalation-fault").inc()
            log.exception("escalation failed", bulletin=str(UUID(bytes=row["id"])), recipient=row["recipient"])
    upcoming = deliveries.next_due(node.store, after=now)
    if upcoming is None:
        return IDLE_SECONDS
    return min(IDLE_SECONDS, max(0.05, (upcoming - node.now_ms()) / 1000))


async def _escalate(node: Node, row: sqlite3.Row) -> None:
    agency, ident, recipient = str(row["agency"]), bytes(row["id"]), str(row["recipient"])
    about = bulletins.find(node.store, agency, UUID(bytes=ident))
    if about is None:
        raise RuntimeError  # a delivery's bulletin is never deleted
    message = _message(node, row, about)

    def mark(connection: sqlite3.Connection) -> bool:
        # Acknowledged or recalled between the look and this transaction: then nobody is to be called.
        if not deliveries.escalated(connection, agency=agency, bulletin=ident, recipient=recipient, at=node.now_ms()):
            return False
        if message is not None:
            control.record(node, connection, message, status=str(about["status"]))
        events.append(
            connection,
            agency=agency,
            event="escalation",
            at=node.now_ms(),
            bulletin=UUID(bytes=ident),
            detail={
                "recipient": recipient,
                "due": row["due"],
                "state": row["state"],
                "contact": contact_of(node, recipient),
                "sent": message is not None,
            },
        )
        return True

    if not await node.store.write(mark):
        return
    log.warning("acknowledgement late, escalated", recipient=recipient, bulletin=str(UUID(bytes=ident)))
    node.metrics.escalations.labels(recipient=recipient).inc()
    node.outbox.ring()
    node.events.ring()


def _message(node: Node, row: sqlite3.Row, about: sqlite3.Row) -> control.Control | None:
    """The escalation to the recipient; None when only a telephone can reach it.

    That is so for one that refused the bulletin, for one that has left or was revoked, and while no releases are in
    force to send anything under.
    """
    public = node.signer(str(row["recipient"]))
    if row["state"] == "refused" or public is None or public.revoked:
        return None
    try:
        return control.prepare(node, kind="escalation", about=about, recipients=(str(row["recipient"]),), note="")
    except ProblemError as problem:
        log.warning("escalation cannot be sent", code=problem.code)
        return None
