"""Deadlines: an acknowledgement that is late goes to the recipient agency's alternate contact, and is alarmed here."""

from __future__ import annotations

import sqlite3
from uuid import UUID

import structlog

from broker.gateway import control
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
        for row in deliveries.overdue(node.store, node.now_ms()):
            await _escalate(node, row)
        upcoming = deliveries.next_due(node.store)
        pause = IDLE_SECONDS
        if upcoming is not None:
            pause = min(pause, max(0.05, (upcoming - node.now_ms()) / 1000))
        await wait(rung, pause)


async def _escalate(node: Node, row: sqlite3.Row) -> None:
    agency, ident, recipient = str(row["agency"]), bytes(row["id"]), str(row["recipient"])
    about = bulletins.find(node.store, agency, UUID(bytes=ident))
    if about is None or about["recalled"] is not None:
        return
    try:
        message = control.prepare(node, kind="escalation", about=about, recipients=(recipient,), note="")
    except ProblemError:
        return  # no releases: nothing can be sent; the deadline stays and is looked at again

    def mark(connection: sqlite3.Connection) -> None:
        if not deliveries.escalated(connection, agency=agency, bulletin=ident, recipient=recipient, at=node.now_ms()):
            return
        control.record(node, connection, message, status=str(about["status"]))
        events.append(
            connection,
            agency=agency,
            event="escalation",
            at=node.now_ms(),
            bulletin=UUID(bytes=ident),
            detail={"recipient": recipient, "due": row["due"]},
        )

    await node.store.write(mark)
    log.warning("acknowledgement late, escalated", recipient=recipient, bulletin=str(UUID(bytes=ident)))
    node.metrics.escalations.labels(recipient=recipient).inc()
    node.outbox.ring()
    node.events.ring()
