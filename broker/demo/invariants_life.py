"""Invariants about a bulletin after it has arrived: recalled, corrected, escalated, answered, in time."""

from __future__ import annotations

from typing import Final

from broker.demo.check import Invariant, Matched, all_deliveries, delivery_to, expected_escalation, made
from broker.demo.evidence import Evidence
from broker.demo.expectation import Expectation

FLASH_GOAL_MS: Final = 5000.0


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
    return made(
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
    return made(
        "corrected everywhere", bad if count else ["no correction"], f"{count} holders of the old text know the new one"
    )


def escalated(expectation: Expectation, evidence: Evidence, matched: Matched) -> Invariant:
    bad, told = [], 0
    for one in expectation.bulletin:
        own = matched.sent.get(one.key)
        for agency in one.escalates:
            delivery = delivery_to(own, agency)
            event = any(own and row.bulletin == own.id and row.agency == agency for row in evidence.escalations)
            told += 1
            if delivery is None or not delivery.escalated or not event:
                bad.append(f"{agency}: no escalation")
        if own is not None and {row.agency for row in own.deliveries} != set(one.reaches):
            bad.append(f"{one.key}: the audience changed")
    stray = [
        row for row in evidence.escalations if not expected_escalation(row.bulletin, row.agency, expectation, matched)
    ]
    bad += [f"{row.agency}: an escalation nobody expected" for row in stray]
    return made(
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
            delivery = delivery_to(matched.sent.get(one.key), agency)
            if delivery is None or "acknowledged" not in delivery.rungs or not delivery.person:
                bad.append(f"{one.key}: {agency} has not acknowledged")
    return made("acknowledged by persons", bad, f"{count} signed acknowledgements, each with the person's name")


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
    return made(
        "both ways", bad, f"{count} answers and sightings refer to the bulletin they answer and reached its originator"
    )


def flash_in_time(_: Expectation, evidence: Evidence, matched: Matched) -> Invariant:
    del matched
    times = [
        (delivery.rungs["stored"] - own.created).total_seconds() * 1000
        for own, delivery in all_deliveries(evidence)
        if own.precedence == "FLASH" and "stored" in delivery.rungs
    ]
    late = [f"one took {one:.0f} ms" for one in times if one > FLASH_GOAL_MS]
    worst = max(times, default=0.0)
    return made(
        "FLASH in time",
        late if times else ["no FLASH"],
        f"{len(times)} FLASH deliveries, the slowest {worst:.0f} ms (goal 5 s)",
    )


def nothing_refused(_: Expectation, evidence: Evidence, matched: Matched) -> Invariant:
    del matched
    bad = [
        f"{own.control_number} at {row.agency}: {row.code}"
        for own, row in all_deliveries(evidence)
        if row.state == "refused"
    ]
    count = sum(1 for _ in all_deliveries(evidence))
    return made("every recipient agreed", bad, f"{count} recipients re-checked the rules for themselves; none refused")
