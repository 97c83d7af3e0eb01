"""What the scenario's persons write: bulletins as JSON, with the dates of today. Invented; no real person or place."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

JsonObject = dict[str, Any]

SANGAMON: Final = "IL-SANGAMON"
COOK: Final = "IL-COOK"

# Time that the unanswered bulletin gives a person; short, because the audience of a demo waits for it.
DUE_SECONDS: Final = 5


def assessment(now: datetime) -> JsonObject:
    return _assessment(
        now,
        "Assessment for task force members: federal intercept summary names the courier and the meeting place.",
        "The task force has a credible but unspecific threat to the Mayor of Springfield. Raise the detail's posture.",
    )


def assessment_corrected(now: datetime) -> JsonObject:
    return _assessment(
        now,
        "Assessment for task force members: federal intercept summary, corrected: the meeting is on Tuesday.",
        "The task force has corrected: the threat to the Mayor of Springfield concerns Tuesday, not Monday.",
    )


def _assessment(now: datetime, full: str, tearline: str) -> JsonObject:
    return _bulletin(
        now,
        "jttf-chicago",
        "SSA E. Example",
        product="THREAT",
        precedence="IMMEDIATE",
        category="threat to a public official",
        purpose="protection of life",
        area=SANGAMON,
        protectee="mayor-springfield",
        portions=[
            _text("p1", full, caveats=["LES"], dissemination=["FED ONLY"]),
            _text("p2", tearline, version="tearline", caveats=["LES"]),
        ],
    )


def question(now: datetime) -> JsonObject:
    return _bulletin(
        now,
        "springfield-pd",
        "Lt. A. Example",
        kind="request",
        product="RFI",
        precedence="PRIORITY",
        category="violent crime",
        purpose="criminal investigation",
        area=SANGAMON,
        portions=[
            _text("p1", "Do you hold any reporting on a white van with a ladder rack since Thursday?", caveats=["LES"])
        ],
    )


def answer(now: datetime, *, to: str) -> JsonObject:
    return _bulletin(
        now,
        "il-fusion",
        "Analyst F. Example",
        kind="response",
        product="RFI-RESPONSE",
        precedence="PRIORITY",
        category="violent crime",
        purpose="criminal investigation",
        area=SANGAMON,
        references={"in_reply_to": to},
        portions=[
            _text(
                "p1", "Yes: the van was reported twice near the armory, Friday and Saturday evening.", caveats=["LES"]
            )
        ],
    )


def sighting(now: datetime, *, of: str) -> JsonObject:
    return _bulletin(
        now,
        "springfield-pd",
        "Lt. A. Example",
        kind="sighting",
        product="BOLO",
        precedence="IMMEDIATE",
        category="officer safety",
        purpose="officer safety",
        area=SANGAMON,
        references={"in_reply_to": of},
        portions=[
            _text("p1", "The grey pickup seen northbound on Sixth Street at Lawrence, one person.", caveats=["LES"])
        ],
    )


def withdrawn(now: datetime) -> JsonObject:
    return _bulletin(
        now,
        "il-fusion",
        "Analyst F. Example",
        product="SAB",
        precedence="PRIORITY",
        category="domestic violent extremism",
        purpose="counter-terrorism",
        area=COOK,
        portions=[_text("p1", "Reporting that rests on a statement its source later withdrew.", caveats=["LES"])],
    )


def overdue(now: datetime) -> JsonObject:
    document = _bulletin(
        now,
        "chicago-pd",
        "Sgt. G. Example",
        product="BOLO",
        precedence="IMMEDIATE",
        category="officer safety",
        purpose="officer safety",
        area=COOK,
        portions=[
            _text("p1", "Officer safety: man who threatened deputies with a rifle in a dark SUV.", caveats=["LES"])
        ],
    )
    return {**document, "due": _time(now + timedelta(seconds=DUE_SECONDS))}


def intelligence(now: datetime) -> JsonObject:
    document = _bulletin(
        now,
        "chicago-pd",
        "Sgt. G. Example",
        product="OSB",
        precedence="IMMEDIATE",
        category="officer safety",
        purpose="officer safety",
        info_class="criminal intelligence",
        area=COOK,
        portions=[
            _text(
                "p1",
                "Members of the enterprise supplying converted pistols, with their meeting places.",
                caveats=["LES"],
            ),
            _text(
                "p2",
                "Patrol: expect converted pistols in vehicle stops this week.",
                version="tearline",
                caveats=["LES"],
            ),
        ],
    )
    predicate = {
        "crime": "unlawful sale of firearms",
        "basis": "two controlled purchases and a recovered ledger",
        "officer": "Det. H. Example",
        "date": (now - timedelta(days=3)).date().isoformat(),
    }
    return {**document, "reasonable_suspicion": predicate}


def juvenile(now: datetime) -> JsonObject:
    return _bulletin(
        now,
        "springfield-pd",
        "Lt. A. Example",
        product="BOLO",
        precedence="IMMEDIATE",
        category="officer safety",
        purpose="officer safety",
        area=SANGAMON,
        portions=[
            _text("p1", "Suspect is a sixteen-year-old resident of Oak Street.", caveats=["JUVENILE"]),
            _text("p2", "Officer safety: the driver of the blue sedan may be armed.", version="tearline", caveats=[]),
        ],
    )


def controlled(now: datetime) -> JsonObject:
    document = _bulletin(
        now,
        "chicago-pd",
        "Sgt. G. Example",
        product="BOLO",
        precedence="IMMEDIATE",
        category="officer safety",
        purpose="officer safety",
        area=COOK,
        portions=[
            _text(
                "p1", "An informant describes a trap compartment with a weapon in the door.", caveats=["LES", "ORCON"]
            )
        ],
    )
    return {**document, "approved": ["cook-sheriff"]}


def no_suspicion(now: datetime) -> JsonObject:
    document = intelligence(now)
    del document["reasonable_suspicion"]
    document["portions"] = [_text("p1", "A dossier on a person without a stated crime.", caveats=["LES"])]
    return document


def immigration(now: datetime) -> JsonObject:
    return {
        **question(now),
        "agency": "chicago-pd",
        "control_official": "Sgt. G. Example",
        "purpose": "civil immigration enforcement",
        "area": {"counties": [COOK]},
        "portions": [_text("p1", "A list of people for a civil immigration matter.", caveats=["LES"])],
    }


def red_without_names(now: datetime) -> JsonObject:
    return {
        **withdrawn(now),
        "portions": [_text("p1", "For the eyes of nobody in particular.", tlp="RED", caveats=["LES"])],
    }


def protected_activity(now: datetime) -> JsonObject:
    text = _text(
        "p1", "A person attended the demonstration at the capitol.", basis="first-amendment activity only", caveats=[]
    )
    return {**juvenile(now), "portions": [text]}


def _text(
    number: str,
    content: str,
    *,
    version: str = "full",
    tlp: str = "AMBER",
    basis: str = "criminal predicate",
    caveats: Sequence[str],
    dissemination: Sequence[str] = (),
) -> JsonObject:
    return {
        "id": number,
        "version": version,
        # Written out in full: a caveat that nobody stated is unknown, and what is unknown blocks.
        "marking": {
            "classification": "U",
            "tlp": tlp,
            "caveats": list(caveats),
            "dissemination": list(dissemination),
        },
        "content_basis": basis,
        "media_type": "text/plain",
        "content": content,
    }


def _bulletin(
    now: datetime,
    agency: str,
    official: str,
    *,
    product: str,
    precedence: str,
    category: str,
    purpose: str,
    area: str,
    portions: list[JsonObject],
    kind: str = "bulletin",
    info_class: str = "investigative",
    protectee: str | None = None,
    references: JsonObject | None = None,
) -> JsonObject:
    return {
        "kind": kind,
        "product": product,
        "precedence": precedence,
        "status": "Actual",
        "expires": _time(now + timedelta(days=2)),
        "agency": agency,
        "control_official": official,
        "purpose": purpose,
        "info_class": info_class,
        "category": category,
        "area": {"counties": [area]},
        **({"protectee": protectee} if protectee else {}),
        **({"references": references} if references else {}),
        "portions": portions,
    }


def _time(at: datetime) -> str:
    return at.replace(microsecond=0).isoformat().replace("+00:00", "Z")
