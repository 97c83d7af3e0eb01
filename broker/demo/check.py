"""What every check of an invariant needs: its form, the bulletins found, and a few look-ups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from broker.demo.evidence import Delivery, Evidence, Sent
from broker.demo.expectation import Expectation


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """One promise, kept or not, and how that was found out."""

    name: str
    ok: bool
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """The expected bulletins found in the originators' outboxes, and every phrase with what it marks."""

    sent: Mapping[str, Sent]
    phrases: Mapping[str, tuple[str, str]]


def made(name: str, bad: list[str], how: str) -> Invariant:
    return Invariant(name=name, ok=not bad, how=how if not bad else "; ".join(bad[:5]))


def may_hold(expectation: Expectation, agency: str, bulletin: str) -> tuple[str, ...]:
    return next((one.reaches.get(agency, ()) for one in expectation.bulletin if one.key == bulletin), ())


def all_deliveries(evidence: Evidence) -> list[tuple[Sent, Delivery]]:
    return [(own, row) for rows in evidence.outboxes.values() for own in rows for row in own.deliveries]


def delivery_to(own: Sent | None, agency: str) -> Delivery | None:
    return next((row for row in own.deliveries if row.agency == agency), None) if own else None


def expected_escalation(bulletin: str, agency: str, expectation: Expectation, matched: Matched) -> bool:
    keys = [key for key, own in matched.sent.items() if own.id == bulletin]
    return any(agency in expectation.by_key(key).escalates for key in keys)
