"""What a person must know at once: told to the originator's adapters and counted for whoever watches the gateway."""

from __future__ import annotations

import sqlite3
from uuid import UUID

from broker.gateway.core import Node
from broker.store import events
from broker.trust import TrustError


def contact_of(node: Node, agency: str) -> dict[str, str]:
    """Whom to telephone at an agency; empty when the directory in force does not list it any more."""
    try:
        return node.contact(agency)
    except TrustError:
        return {}


def alarm(
    node: Node, connection: sqlite3.Connection, *, agency: str, bulletin: bytes, recipient: str, what: str, code: str
) -> None:
    """Tells an originator, in the caller's transaction, that a recipient does not get its bulletin.

    Args:
        node: the gateway.
        connection: the caller's.
        agency: the originator.
        bulletin: its bulletin, or a recall or escalation of its own.
        recipient: who has not got it; the event names its alternate contact, so that a person can telephone.
        what: what is wrong (``delivery-given-up``, ``delivery-refused``, ``decide-again``).
        code: why.
    """
    node.metrics.alarms.labels(code=what).inc()
    events.append(
        connection,
        agency=agency,
        event="alarm",
        at=node.now_ms(),
        bulletin=UUID(bytes=bulletin),
        detail={"alarm": what, "recipient": recipient, "code": code, "contact": contact_of(node, recipient)},
    )
