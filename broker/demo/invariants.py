"""The invariants that the demo shows, each with the way it was checked. Pure functions over evidence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from broker.demo.check import Invariant, Matched, all_deliveries, made, may_hold
from broker.demo.evidence import Evidence
from broker.demo.expectation import Expectation
from broker.demo.invariants_life import (
    acknowledged,
    answered,
    corrected,
    escalated,
    flash_in_time,
    nothing_refused,
    recall_confirmed,
)


def default_deny(expectation: Expectation, evidence: Evidence, matched: Matched) -> Invariant:
    leaks = [
        f"{agency} holds {bulletin}/{portion}"
        for agency, rows in evidence.inboxes.items()
        for held in rows
        for one in held.portions
        for phrase, (bulletin, portion) in matched.phrases.items()
        if phrase in one.content and portion not in may_hold(expectation, agency, bulletin)
    ]
    opened = sum(len(held.portions) for rows in evidence.inboxes.values() for held in rows)
    return made(
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
    return made(
        "exactly once", twice, f"{total} inbox rows in {len(evidence.inboxes)} inboxes, no bulletin twice in one"
    )


def nothing_lost(_: Expectation, evidence: Evidence, matched: Matched) -> Invariant:
    del matched
    lost, count = [], 0
    for own, delivery in all_deliveries(evidence):
        count += 1
        here = any(one.id == own.id for one in evidence.inboxes.get(delivery.agency, ()))
        if not here or "stored" not in delivery.rungs:
            lost.append(f"{own.control_number} to {delivery.agency}")
    return made(
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
    return made("sealed in transit and at rest", bad, how)


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
    return made(
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
    return made(
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
    return made(
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
    return made("each never rule blocks alone", bad, f"every other rule would have shared: {shown}")


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
    return made(
        "withheld with its reason", bad, f"{count} withheld portions, each explained by exactly the expected rules"
    )


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
