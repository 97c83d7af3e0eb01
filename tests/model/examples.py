"""A bulletin that may be shared, to be broken by one fact at a time."""

import pathlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from broker.model import Submission

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
RULES = pathlib.Path(__file__).parents[2] / "policy" / "rules.example"

DOCUMENT: dict[str, Any] = {
    "kind": "bulletin",
    "product": "BOLO",
    "precedence": "IMMEDIATE",
    "status": "Actual",
    "expires": "2026-11-25T00:00:00Z",
    "agency": "springfield-pd",
    "control_official": "Lt. A. Example",
    "purpose": "officer safety",
    "info_class": "investigative",
    "category": "officer safety",
    "area": {"counties": ["17167"]},
    "portions": [
        {
            "id": "p1",
            "version": "full",
            "marking": {"classification": "U", "tlp": "AMBER", "cui": ["LEI"], "dissemination": [], "caveats": ["LES"]},
            "content_basis": "criminal predicate",
            "media_type": "text/plain",
            "content": "Grey van, two people, last seen northbound.",
        }
    ],
}

#: Every optional field as well.
FULL: dict[str, Any] = DOCUMENT | {
    "valid_until": "2026-12-01T00:00:00Z",
    "area": {
        "counties": ["17031", "17167"],
        "polygon": "38.47,-120.14 38.34,-119.95 38.52,-119.74 38.47,-120.14",
        "circle": "32.9,-115.5 10",
    },
    "protectee": "mayor-springfield",
    "named": [{"agency": "il-fusion", "person": "Sgt. B. Example"}],
    "approved": ["il-state-police"],
    "grading": {"source": "B", "information": 2},
    "references": {"in_reply_to": "01920000-0000-7000-8000-000000000001"},
    "reasonable_suspicion": {
        "crime": "threats",
        "basis": "a recorded call",
        "officer": "Det. C. Example",
        "date": "2026-11-20",
    },
    "sar": {
        "behaviors": ["photography"],
        "articulable_facts": "photographed the guard's rounds on three days",
        "submitter": "Ofc. D. Example",
        "reviewer": "Sgt. E. Example",
    },
    "due": "2026-11-22T12:00:00.250000Z",
    "source_document": {"format": "EIDO 1.0", "sha256": "0" * 64, "lost": ["/notesComponent/0"]},
}

Read = Callable[..., Submission]
