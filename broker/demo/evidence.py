"""What was read through the API when the scenario had been played: the only thing the verdict looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """One decrypted portion."""

    id: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One row of an agency's inbox, opened."""

    agency: str
    id: str
    sender: str
    control_number: str
    kind: str
    precedence: str
    rung: str
    recalled: bool
    superseded_by: str | None
    portions: tuple[Portion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What the originator knows, from signed receipts, about one recipient."""

    agency: str
    portions: tuple[str, ...]
    rules: tuple[str, ...]
    state: str
    rungs: Mapping[str, datetime]
    person: str = ""
    escalated: bool = False
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One own bulletin in an agency's outbox, opened."""

    agency: str
    id: str
    control_number: str
    kind: str
    precedence: str
    created: datetime
    recalled: bool
    in_reply_to: str | None
    portions: tuple[Portion, ...]
    deliveries: tuple[Delivery, ...]
    # Per agency and portion id: the never rules that alone stand between them, as the gateway explains it.
    withheld: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A refusal that a submitter saw: in the HTTP answer or beside the document in the adapter's `refused` folder."""

    key: str
    agency: str
    code: str
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """An escalation event at the recipient: whose alternate contact was told about which bulletin."""

    agency: str
    bulletin: str
    contact: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayKill:
    """The nats-server before and after kill -9, and what was accepted while it was down."""

    killed: int
    now: int | None
    accepted_while_down: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The search for the scenario's words in stored bytes."""

    files: int
    bytes: int
    found: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything the verdict may look at."""

    inboxes: Mapping[str, tuple[Held, ...]]
    outboxes: Mapping[str, tuple[Sent, ...]]
    refused: tuple[Refused, ...]
    escalations: tuple[Escalation, ...]
    relay: RelayKill | None
    scan: Scan
    # Never rules as the signed release has them, for "each of them blocks alone somewhere".
    never_rules: tuple[str, ...]
