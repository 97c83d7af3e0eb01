"""The verdict: what was read from the agencies against what was expected. Pure; it believes no script."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from broker.demo.check import Invariant, Matched
from broker.demo.evidence import Evidence, Held, Portion, Sent
from broker.demo.expectation import Expectation, ExpectedBulletin
from broker.demo.invariants import INVARIANTS

UNKNOWN: Final = "unknown text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One expected delivery and what became of it."""

    bulletin: str
    originator: str
    recipient: str
    portions: tuple[str, ...]
    precedence: str
    happened: bool
    detail: str
    latency_ms: float | None
    receipt: str | None
    rules: tuple[str, ...]
    control_number: str | None

    def as_json(self) -> dict[str, Any]:
        """The verdict's words for machines; the schema stands in the README."""
        return {
            "bulletin": self.bulletin,
            "control_number": self.control_number,
            "from": self.originator,
            "to": self.recipient,
            "portions": list(self.portions),
            "precedence": self.precedence,
            "happened": self.happened,
            "detail": self.detail,
            "latency_ms": self.latency_ms,
            "receipt": self.receipt,
            "rules": list(self.rules),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of a demo."""

    expected: tuple[Arrival, ...]
    unexpected: tuple[dict[str, Any], ...]
    refused: tuple[dict[str, Any], ...]
    invariants: tuple[Invariant, ...]

    @property
    def ok(self) -> bool:
        """All that was expected happened, nothing else did, and every invariant holds."""
        return (
            all(one.happened for one in self.expected)
            and not self.unexpected
            and all(one["ok"] for one in self.refused)
            and all(one.ok for one in self.invariants)
        )

    def sentence(self) -> str:
        """The verdict in one sentence."""
        arrived = sum(one.happened for one in self.expected)
        held = sum(one.ok for one in self.invariants)
        refused = sum(bool(one["ok"]) for one in self.refused)
        facts = (
            f"{arrived} of {len(self.expected)} expected deliveries happened, {len(self.unexpected)} unexpected, "
            f"{refused} of {len(self.refused)} illegal submissions refused, "
            f"{held} of {len(self.invariants)} invariants hold"
        )
        return f"{'GOOD' if self.ok else 'NOT GOOD'}: {facts}."

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "ok": self.ok,
            "expected": [one.as_json() for one in self.expected],
            "unexpected": list(self.unexpected),
            "refused": list(self.refused),
            "invariants": {one.name: {"ok": one.ok, "how": one.how} for one in self.invariants},
        }


def judge(expectation: Expectation, evidence: Evidence) -> Verdict:
    """Compare the evidence with the table and check every invariant."""
    matched = match(expectation, evidence)
    return Verdict(
        expected=tuple(
            _arrival(one, recipient, portions, matched, evidence)
            for one in expectation.bulletin
            for recipient, portions in sorted(one.reaches.items())
        ),
        unexpected=tuple(_unexpected(expectation, matched, evidence)),
        refused=tuple(_refusals(expectation, evidence)),
        invariants=tuple(check(expectation, evidence, matched) for check in INVARIANTS),
    )


def match(expectation: Expectation, evidence: Evidence) -> Matched:
    """Which bulletin is which, told by the words in the originator's own decrypted copy."""
    sent: dict[str, Sent] = {}
    for own in (one for agency in evidence.outboxes.values() for one in agency):
        for bulletin in expectation.bulletin:
            if own.agency == bulletin.originator and _holds(own.portions, bulletin):
                sent[bulletin.key] = own
    return Matched(sent=sent, phrases=expectation.phrases())


def _holds(portions: tuple[Portion, ...], bulletin: ExpectedBulletin) -> bool:
    return any(phrase in portion.content for phrase in bulletin.says.values() for portion in portions)


def _arrival(
    bulletin: ExpectedBulletin, recipient: str, portions: tuple[str, ...], matched: Matched, evidence: Evidence
) -> Arrival:
    own = matched.sent.get(bulletin.key)
    held = [one for one in evidence.inboxes.get(recipient, ()) if own is not None and one.id == own.id]
    delivery = next((one for one in own.deliveries if one.agency == recipient), None) if own else None
    detail = _what_is_wrong(bulletin, portions, own, held, stored=delivery is not None and "stored" in delivery.rungs)
    stored = delivery.rungs.get("stored") if delivery else None
    return Arrival(
        bulletin=bulletin.key,
        originator=bulletin.originator,
        recipient=recipient,
        portions=portions,
        precedence=own.precedence if own else bulletin.precedence,
        happened=not detail,
        detail=detail or "readable in the inbox, signed receipt at the originator",
        latency_ms=round((stored - own.created).total_seconds() * 1000, 1) if own and stored else None,
        receipt=delivery.state if delivery else None,
        rules=delivery.rules if delivery else (),
        control_number=own.control_number if own else None,
    )


def _what_is_wrong(
    bulletin: ExpectedBulletin, portions: tuple[str, ...], own: Sent | None, held: list[Held], *, stored: bool
) -> str:
    if own is None:
        return "the originator has no such bulletin"
    if own.precedence != bulletin.precedence:
        return f"it went as {own.precedence} instead of {bulletin.precedence}"
    if len(held) != 1:
        return f"{len(held)} copies in the inbox"
    if not stored:
        return "the originator has no signed receipt"
    if bulletin.recalled:
        return "" if held[0].recalled else "the recipient does not know that it was recalled"
    text = [portion.content for portion in held[0].portions]
    missing = [name for name in portions if not any(bulletin.says[name] in one for one in text)]
    return f"portions missing: {', '.join(missing)}" if missing else ""


def _unexpected(expectation: Expectation, matched: Matched, evidence: Evidence) -> Iterator[dict[str, Any]]:
    keys = {own.id: key for key, own in matched.sent.items()}
    for agency, rows in sorted(evidence.inboxes.items()):
        seen: set[str] = set()
        for held in rows:
            key = keys.get(held.id, "")
            allowed = expectation.by_key(key).reaches.get(agency, ()) if key else ()
            where = {"agency": agency, "from": held.sender, "id": held.id, "control_number": held.control_number}
            if not key or not allowed or held.id in seen:
                yield {
                    **where,
                    "bulletin": key or UNKNOWN,
                    "portion": None,
                    "why": "twice" if held.id in seen else "not expected",
                }
            seen.add(held.id)
            for portion in held.portions:
                # A text is known by its words wherever they stand: a copied sentence is a leak like a copied portion.
                told = [mark for phrase, mark in matched.phrases.items() if phrase in portion.content]
                wrong = [mark for mark in told if mark not in {(key, name) for name in allowed}]
                for bulletin, name in wrong if told else [(UNKNOWN, portion.id)]:
                    yield {
                        **where,
                        "bulletin": bulletin,
                        "portion": name,
                        "why": "not for this agency" if told else "unknown text",
                    }


def _refusals(expectation: Expectation, evidence: Evidence) -> Iterator[dict[str, Any]]:
    for one in expectation.refused:
        found = next((row for row in evidence.refused if row.key == one.key), None)
        right = found is not None and found.code == one.code and found.agency == one.originator
        yield {
            "submission": one.key,
            "what": one.what,
            "from": one.originator,
            "expected": one.code,
            "code": found.code if found else None,
            "rules": list(found.rules) if found else [],
            "ok": right and (not one.rules or tuple(found.rules if found else ()) == one.rules),
        }
