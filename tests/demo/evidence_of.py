"""Evidence of a perfect run, made from the table by code that the product does not use."""

from datetime import UTC, datetime, timedelta

from broker.demo.evidence import Delivery, Escalation, Evidence, Held, Portion, Refused, RelayKill, Scan, Sent
from broker.demo.expectation import Expectation

BEGAN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
AGENCIES = (
    *("springfield-pd", "chicago-pd", "peoria-pd", "cook-sheriff", "lake-sheriff", "il-state-police", "il-fusion"),
    *("north-il-fusion", "jttf-springfield", "jttf-chicago", "ero-chicago", "springfield-mayor", "newtown-pd"),
)
NEVER = ("R01", "R04", "R05", "R06", "R07", "R08", "R10", "R14", "R15")


def perfect(expectation: Expectation) -> Evidence:
    inboxes = {agency: [] for agency in AGENCIES}
    outboxes = {agency: [] for agency in AGENCIES}
    ids = {one.key: f"id-{one.key}" for one in expectation.bulletin}
    newer = {one.corrects: ids[one.key] for one in expectation.bulletin if one.corrects}
    for one in expectation.bulletin:
        pid = {name: f"p{number}" for number, name in enumerate(one.says, 1)}
        deliveries = []
        for agency, names in one.reaches.items():
            rungs = {"stored": BEGAN + timedelta(milliseconds=40)}
            if one.recalled:
                rungs["purged"] = BEGAN + timedelta(seconds=1)
            if agency in one.acknowledged:
                rungs["acknowledged"] = BEGAN + timedelta(seconds=2)
            deliveries.append(
                Delivery(
                    agency=agency,
                    portions=tuple(pid[name] for name in names),
                    rules=("R02",),
                    state="stored",
                    rungs=rungs,
                    person="Sgt. C. Example" if agency in one.acknowledged else "",
                    escalated=agency in one.escalates,
                )
            )
            inboxes[agency].append(
                Held(
                    agency=agency,
                    id=ids[one.key],
                    sender=one.originator,
                    control_number=f"X-{one.key}",
                    kind="bulletin",
                    precedence=one.precedence,
                    rung="stored",
                    recalled=one.recalled,
                    superseded_by=newer.get(one.key),
                    portions=()
                    if one.recalled
                    else tuple(Portion(id=pid[name], content=f"so {one.says[name]} and on") for name in names),
                )
            )
        outboxes[one.originator].append(
            Sent(
                agency=one.originator,
                id=ids[one.key],
                control_number=f"X-{one.key}",
                kind="bulletin",
                precedence=one.precedence,
                created=BEGAN,
                recalled=one.recalled,
                in_reply_to=ids[one.answers] if one.answers else None,
                portions=tuple(Portion(id=pid[name], content=f"so {text} and on") for name, text in one.says.items()),
                deliveries=tuple(deliveries),
                withheld={a: {pid[n]: rules for n, rules in names.items()} for a, names in one.withheld.items()},
            )
        )
    return Evidence(
        inboxes={agency: tuple(rows) for agency, rows in inboxes.items()},
        outboxes={agency: tuple(rows) for agency, rows in outboxes.items()},
        refused=tuple(
            Refused(key=one.key, agency=one.originator, code=one.code, rules=one.rules) for one in expectation.refused
        ),
        escalations=tuple(
            Escalation(agency=agency, bulletin=ids[one.key], contact="duty desk")
            for one in expectation.bulletin
            for agency in one.escalates
        ),
        relay=RelayKill(killed=10, now=11, accepted_while_down=(ids["bolo"],)),
        scan=Scan(files=7, bytes=1_000_000, found=()),
        never_rules=NEVER,
    )
