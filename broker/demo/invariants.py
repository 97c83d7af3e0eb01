"""The invariants that the demo shows, each with the way it was checked. Pure functions over evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from broker.demo.evidence import Delivery, Evidence, Sent
from broker.demo.expectation import Expectation

FLASH_GOAL_MS: Final = 5000.0


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


def default_deny(expectation: Expectation, evidence: Evidence, matched: Matched) -> Invariant:
    leaks = [
        f"{agency} holds {bulletin}/{portion}"
        for agency, rows in evidence.inboxes.items()
        for held in rows
        for one in held.portions
        for phrase, (bulletin, portion) in matched.phrases.items()
        if phrase in one.content and portion not in _may_hold(expectation, agency, bulletin)
    ]
    opened = sum(len(held.portions) for rows in evidence.inboxes.values() for held in rows)
    return _made(
        "default deny",
        leaks,
        f"{opened} decrypted portions in {len(evidence.inboxes)} inboxes searched for {len(matched.phrases)} marked "
        "texts: each stands only where the table permits it",
    )


def exactly_once(_: Expectation, evidence: Evidence, matched: Matched) -> Invariant:
    del matched
    twice = []
    total = 0
    for agency, rows in evidence.inboxes.items():
        ids = [one.id for one in rows]
        total += len(ids)
        twice += [f"{agency} has {one} {ids.count(one)} times" for one in sorted(set(ids)) if ids.count(one) > 1]
    return _made(
        "exactly once", twice, f"{total} inbox rows in {len(evidence.inboxes)} inboxes, no bulletin twice in one"
    )


def nothing_lost(_: Expectation, evidence: Evidence, matched: Matched) -> Invariant:
    del matched
    lost, count = [], 0
    for own, delivery in _deliveries(evidence):
        count += 1
        here = any(one.id == own.id for one in evidence.inboxes.get(delivery.agency, ()))
        if not here or "stored" not in delivery.rungs:
            lost.append(f"{own.control_number} to {delivery.agency}")
    return _made(
        "nothing lost",
        lost,
        f"all {count} deliveries accepted with 202 are in the recipient's inbox and have its signed receipt",
    )


def sealed_at_rest(_: Expectation, evidence: Evidence, matched: Matched) -> Invariant:
    scan = evidence.scan
    how = (
        f"{len(matched.phrases)} marked texts searched in {scan.files} stored files ({scan.bytes / 1e6:.1f} MB) "
        "of NATS, of every gateway's store and of every log"
    )
    bad = list(scan.found) if scan.files else ["nothing was searched"]
    return _made("sealed in transit and at rest", bad, how)


def relay_killed(_: Expectation, evidence: Evidence, matched: Matched) -> Invariant:
    del matched
    relay = evidence.relay
    bad: list[str] = []
    if relay is None or relay.now is None or relay.now == relay.killed:
        bad.append("the relay was not killed and started again")
    elif not relay.accepted_while_down:
        bad.append("nothing was submitted while it was down")
    else:
        for one in relay.accepted_while_down:
            own = next((sent for rows in evidence.outboxes.values() for sent in rows if sent.id == one), None)
            if own is None or not own.deliveries or any("stored" not in row.rungs for row in own.deliveries):
                bad.append(f"{one} did not arrive after the kill")
    return _made(
        "relay killed, nothing lost, nothing twice",
        bad,
        f"nats-server {relay.killed if relay else '?'} killed with -9, {relay.now if relay else '?'} took over its "
        f"store; {len(relay.accepted_while_down) if relay else 0} bulletins accepted while it was down have every "
        "signed receipt",
    )


def tear_line(expectation: Expectation, evidence: Evidence, matched: Matched) -> Invariant:
    bulletin = expectation.by_key("assessment")
    city = "springfield-pd"
    ids = {own.id for key in ("assessment", "assessment-corrected") if (own := matched.sent.get(key))}
    rows = [held for held in evidence.inboxes.get(city, ()) if held.id in ids]
    full = [
        phrase for key in ("assessment", "assessment-corrected") for phrase in [expectation.by_key(key).says["full"]]
    ]
    bad = [f"{city} holds no tearline"] if not rows else []
    bad += [
        f"{city} reads the full text"
        for held in rows
        for one in held.portions
        if any(text in one.content for text in full)
    ]
    bad += [f"{city} was given a key" for own in map(matched.sent.get, ("assessment", "assessment-corrected")) if own
            for one in own.deliveries if one.agency == city and len(one.portions) != 1]  # fmt: skip
    return _made(
        "below the tear line",
        bad,
        f"{city} opened {len(rows)} bulletins of {bulletin.originator}: only the tearline; "
        "the signed leaf names one portion, so no key of the full text was sent",
    )


def red_stays(expectation: Expectation, evidence: Evidence, matched: Matched) -> Invariant:
    bulletin = expectation.by_key("extremism")
    words = (bulletin.says["red"], *bulletin.hidden.get("red", ()))
    holders = {
        agency
        for agency, rows in evidence.inboxes.items()
        for held in rows
        for one in held.portions
        if any(word in one.content for word in words)
    }
    bad = [f"{agency} holds RED words" for agency in holders if "red" not in bulletin.reaches.get(agency, ())]
    bad += [] if "extremism" in matched.sent and holders else ["nobody holds the RED text, so nothing was shown"]
    return _made(
        "RED stays with the named",
        bad,
        f"the RED object's words stand in {len(holders)} inbox: that of the named agency",
    )


def sole_blockers(_: Expectation, evidence: Evidence, matched: Matched) -> Invariant:
    alone = {
        rules[0]: f"{agency} ({key})"
        for key, own in matched.sent.items()
        for agency, portions in own.withheld.items()
        for rules in portions.values()
        if len(rules) == 1
    }
    alone.update({one.rules[0]: f"{one.agency} ({one.key})" for one in evidence.refused if len(one.rules) == 1})
    bad = [f"{rule} never blocked alone" for rule in evidence.never_rules if rule not in alone]
    shown = ", ".join(f"{rule} {alone[rule]}" for rule in evidence.never_rules if rule in alone)
    return _made("each never rule blocks alone", bad, f"every other rule would have shared: {shown}")


def withheld_as_expected(expectation: Expectation, evidence: Evidence, matched: Matched) -> Invariant:
    del evidence
    bad, count = [], 0
    for one in expectation.bulletin:
        own = matched.sent.get(one.key)
        if own is None:
            continue
        names = {
            portion.id: name
            for portion in own.portions
            for name, phrase in one.says.items()
            if phrase in portion.content
        }
        found = {
            (agency, names.get(portion, portion)): rules
            for agency, portions in own.withheld.items()
            for portion, rules in portions.items()
        }
        wanted = {(agency, name): rules for agency, names_ in one.withheld.items() for name, rules in names_.items()}
        count += len(wanted)
        bad += [f"{one.key}: {pair} {found.get(pair)} instead of {wanted.get(pair)}"
                for pair in sorted(found.keys() | wanted.keys()) if found.get(pair) != wanted.get(pair)]  # fmt: skip
    return _made(
        "withheld with its reason", bad, f"{count} withheld portions, each explained by exactly the expected rules"
    )


def recall_confirmed(expectation: Expectation, evidence: Evidence, matched: Matched) -> Invariant:
    bad, asked = [], 0
    for one in expectation.bulletin:
        own = matched.sent.get(one.key)
        if not one.recalled or own is None:
            continue
        for delivery in own.deliveries:
            asked += 1
            if "purged" not in delivery.rungs:
                bad.append(f"{delivery.agency} has not confirmed")
        bad += [
            f"{agency} can still read it"
            for agency, rows in evidence.inboxes.items()
            for held in rows
            if held.id == own.id and any(phrase in p.content for p in held.portions for phrase in one.says.values())
        ]
    return _made(
        "recalled everywhere",
        bad if asked else ["nothing was recalled"],
        f"{asked} recipients purged it and signed that they did; none can read it any more",
    )


def corrected(expectation: Expectation, evidence: Evidence, matched: Matched) -> Invariant:
    bad, count = [], 0
    for one in expectation.bulletin:
        old, new = matched.sent.get(one.corrects or ""), matched.sent.get(one.key)
        if one.corrects is None or old is None or new is None:
            continue
        for agency, rows in evidence.inboxes.items():
            for held in rows:
                if held.id == old.id:
                    count += 1
                    if held.superseded_by != new.id:
                        bad.append(f"{agency} still takes the old one for the last word")
    return _made(
        "corrected everywhere", bad if count else ["no correction"], f"{count} holders of the old text know the new one"
    )


def escalated(expectation: Expectation, evidence: Evidence, matched: Matched) -> Invariant:
    bad, told = [], 0
    for one in expectation.bulletin:
        own = matched.sent.get(one.key)
        for agency in one.escalates:
            delivery = _delivery(own, agency)
            event = any(own and row.bulletin == own.id and row.agency == agency for row in evidence.escalations)
            told += 1
            if delivery is None or not delivery.escalated or not event:
                bad.append(f"{agency}: no escalation")
        if own is not None and {row.agency for row in own.deliveries} != set(one.reaches):
            bad.append(f"{one.key}: the audience changed")
    stray = [
        row for row in evidence.escalations if not _expected_escalation(row.bulletin, row.agency, expectation, matched)
    ]
    bad += [f"{row.agency}: an escalation nobody expected" for row in stray]
    return _made(
        "late means escalated",
        bad if told else ["nothing was due"],
        f"{told} overdue: the agency's own alternate contact was told, and nobody new",
    )


def acknowledged(expectation: Expectation, evidence: Evidence, matched: Matched) -> Invariant:
    del evidence
    bad, count = [], 0
    for one in expectation.bulletin:
        for agency in one.acknowledged:
            count += 1
            delivery = _delivery(matched.sent.get(one.key), agency)
            if delivery is None or "acknowledged" not in delivery.rungs or not delivery.person:
                bad.append(f"{one.key}: {agency} has not acknowledged")
    return _made("acknowledged by persons", bad, f"{count} signed acknowledgements, each with the person's name")


def answered(expectation: Expectation, evidence: Evidence, matched: Matched) -> Invariant:
    del evidence
    bad, count = [], 0
    for one in expectation.bulletin:
        if one.answers is None:
            continue
        own, asked = matched.sent.get(one.key), matched.sent.get(one.answers)
        count += 1
        if own is None or asked is None or own.in_reply_to != asked.id:
            bad.append(f"{one.key} does not answer {one.answers}")
    return _made(
        "both ways", bad, f"{count} answers and sightings refer to the bulletin they answer and reached its originator"
    )


def flash_in_time(_: Expectation, evidence: Evidence, matched: Matched) -> Invariant:
    del matched
    times = [
        (delivery.rungs["stored"] - own.created).total_seconds() * 1000
        for own, delivery in _deliveries(evidence)
        if own.precedence == "FLASH" and "stored" in delivery.rungs
    ]
    late = [f"one took {one:.0f} ms" for one in times if one > FLASH_GOAL_MS]
    worst = max(times, default=0.0)
    return _made(
        "FLASH in time",
        late if times else ["no FLASH"],
        f"{len(times)} FLASH deliveries, the slowest {worst:.0f} ms (goal 5 s)",
    )


def nothing_refused(_: Expectation, evidence: Evidence, matched: Matched) -> Invariant:
    del matched
    bad = [
        f"{own.control_number} at {row.agency}: {row.code}"
        for own, row in _deliveries(evidence)
        if row.state == "refused"
    ]
    count = sum(1 for _ in _deliveries(evidence))
    return _made("every recipient agreed", bad, f"{count} recipients re-checked the rules for themselves; none refused")


INVARIANTS: Final[tuple[Callable[[Expectation, Evidence, Matched], Invariant], ...]] = (
    default_deny,
    sealed_at_rest,
    exactly_once,
    nothing_lost,
    relay_killed,
    tear_line,
    red_stays,
    withheld_as_expected,
    sole_blockers,
    recall_confirmed,
    corrected,
    escalated,
    acknowledged,
    answered,
    flash_in_time,
    nothing_refused,
)


def _made(name: str, bad: list[str], how: str) -> Invariant:
    return Invariant(name=name, ok=not bad, how=how if not bad else "; ".join(bad[:5]))


def _may_hold(expectation: Expectation, agency: str, bulletin: str) -> tuple[str, ...]:
    return next((one.reaches.get(agency, ()) for one in expectation.bulletin if one.key == bulletin), ())


def _deliveries(evidence: Evidence) -> list[tuple[Sent, Delivery]]:
    return [(own, row) for rows in evidence.outboxes.values() for own in rows for row in own.deliveries]


def _delivery(own: Sent | None, agency: str) -> Delivery | None:
    return next((row for row in own.deliveries if row.agency == agency), None) if own else None


def _expected_escalation(bulletin: str, agency: str, expectation: Expectation, matched: Matched) -> bool:
    keys = [key for key, own in matched.sent.items() if own.id == bulletin]
    return any(agency in expectation.by_key(key).escalates for key in keys)
