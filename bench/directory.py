"""A made-up national directory and neutral rules, the same for the same seed: the size that the engine is built for.

18,000 agencies over all counties of the fifty states and the District: city police, a sheriff for nearly every county,
80 fusion centers, 56 JTTFs, 50 state police, and the rest. A stated share of every record's fields is left out.
"""

from collections.abc import Mapping
from pathlib import Path
from random import Random  # noqa: TID251 - reproducible by seed; nothing here is secret

from policy import Attributes, Value, Vocabulary, parse_vocabulary

AGENCIES = 18_000
MISSING = 0.03

# State: INCITS 38 code and number of counties and equivalents (Census Bureau, 2022).
_COUNTIES = {
    "AL": ("01", 67), "AK": ("02", 30), "AZ": ("04", 15), "AR": ("05", 75), "CA": ("06", 58), "CO": ("08", 64),
    "CT": ("09", 9), "DE": ("10", 3), "DC": ("11", 1), "FL": ("12", 67), "GA": ("13", 159), "HI": ("15", 5),
    "ID": ("16", 44), "IL": ("17", 102), "IN": ("18", 92), "IA": ("19", 99), "KS": ("20", 105), "KY": ("21", 120),
    "LA": ("22", 64), "ME": ("23", 16), "MD": ("24", 24), "MA": ("25", 14), "MI": ("26", 83), "MN": ("27", 87),
    "MS": ("28", 82), "MO": ("29", 115), "MT": ("30", 56), "NE": ("31", 93), "NV": ("32", 17), "NH": ("33", 10),
    "NJ": ("34", 21), "NM": ("35", 33), "NY": ("36", 62), "NC": ("37", 100), "ND": ("38", 53), "OH": ("39", 88),
    "OK": ("40", 77), "OR": ("41", 36), "PA": ("42", 67), "RI": ("44", 5), "SC": ("45", 46), "SD": ("46", 66),
    "TN": ("47", 95), "TX": ("48", 254), "UT": ("49", 29), "VT": ("50", 14), "VA": ("51", 133), "WA": ("53", 39),
    "WV": ("54", 55), "WI": ("55", 72), "WY": ("56", 23),
}  # fmt: skip

# Kinds with a fixed number; county sheriffs follow the counties and city police fill up the total.
_NUMBERS = {
    "fusion center": 80, "JTTF": 56, "state police": 50, "tribal police": 234, "transit police": 120,
    "campus police": 750, "federal law enforcement": 260, "federal civil enforcement": 50, "fire and EMS": 1400,
    "mayor's office": 340, "oversight board": 30,
}  # fmt: skip
_NO_SHERIFF = {"AK", "CT", "HI", "RI", "DC"}
_NOT_LAW_ENFORCEMENT = {"fire and EMS", "mayor's office", "oversight board"}
_FEDERAL = {"JTTF", "federal law enforcement", "federal civil enforcement"}
_REGIONS = ("N", "C", "S", "E", "W")
_PURPOSES = ("protection of life", "counter-terrorism", "criminal investigation", "officer safety", "training")


def national_vocabulary() -> Vocabulary:
    """The example vocabulary with every county of the country in place of its four."""
    text = (Path(__file__).parents[1] / "policy" / "rules.example" / "vocabulary.yaml").read_text(encoding="utf-8")
    head = text[: text.index("\narea:") + 1]
    counties = [f'  {name}: "{code}"' for name, code in _county_codes()]
    return parse_vocabulary("\n".join([head + "area:", *counties]) + "\n", source="national vocabulary")


def _county_codes() -> list[tuple[str, str]]:
    return [
        (f"{state}-{number:03d}", f"{code}{2 * number - 1:03d}")
        for state, (code, count) in _COUNTIES.items()
        for number in range(1, count + 1)
    ]


def national_directory(
    *, seed: int = 1, agencies: int = AGENCIES, missing: float = MISSING
) -> Mapping[str, Attributes]:
    """`agencies` records; every field but the id is left out with probability `missing`."""
    random = Random(seed)
    counties = {state: [f"{state}-{n:03d}" for n in range(1, count + 1)] for state, (_, count) in _COUNTIES.items()}
    placed = _places(random, agencies)
    return {
        _agency_id(kind, state, number): _record(random, kind, state, counties[state], missing)
        for number, (kind, state) in enumerate(placed)
    }


def _agency_id(kind: str, state: str, number: int) -> str:
    return f"{kind.lower().replace(' ', '-').replace(chr(39), '')}-{state.lower()}-{number}"


def _places(random: Random, agencies: int) -> list[tuple[str, str]]:
    states = sorted(_COUNTIES)
    weights = [_COUNTIES[state][1] for state in states]
    placed = [("state police", state) for state in states if state != "DC"]
    for kind, count in _NUMBERS.items():
        if kind != "state police":
            placed += [(kind, state) for state in random.choices(states, weights, k=count)]
    placed += [
        ("county sheriff", state) for state in states if state not in _NO_SHERIFF for _ in range(_COUNTIES[state][1])
    ]
    placed = placed[:agencies]
    return placed + [("city police", state) for state in random.choices(states, weights, k=agencies - len(placed))]


def _record(random: Random, kind: str, state: str, counties: list[str], missing: float) -> Attributes:
    wide = kind in {"state police", "fusion center"}
    several = kind in _FEDERAL
    serves = counties if wide else random.sample(counties, min(len(counties), 12 if several else 1))
    record: dict[str, Value] = {
        "kind": kind,
        "state": state,
        "status": "suspended" if random.random() < 0.01 else "active",
        "law enforcement": "no" if kind in _NOT_LAW_ENFORCEMENT else "yes",
        "federal": "yes" if kind in _FEDERAL else "no",
        "28 CFR 23 agreement": random.choices(("yes", "no"), (7, 3))[0],
        "agreement": frozenset(
            name for name in ("HIDTA-2024", "BORDER-TASK-2025", "SCHOOL-SAFETY-2026") if random.random() < 0.2
        ),
        "serves": frozenset(serves),
        "region": f"{state}-{random.choice(_REGIONS)}",
        "purposes": frozenset(random.sample(_PURPOSES, random.randint(1, 4))),
    }
    return {name: value for name, value in record.items() if random.random() >= missing}


def random_portion(random: Random, vocabulary: Vocabulary, agencies: tuple[str, ...], *, missing: float) -> Attributes:
    """One portion with a value for every attribute, each left out with probability `missing`."""
    portion: dict[str, Value] = {}
    for name, known in vocabulary.bulletin.items():
        if known.kind == "set of":
            portion[name] = frozenset(value for value in known.values if random.random() < 0.1)
        else:
            portion[name] = random.choice(known.values)
    state = random.choice(sorted(_COUNTIES))
    county = f"{state}-{random.randint(1, _COUNTIES[state][1]):03d}"
    portion |= {
        "origin state": state,
        "area": frozenset({county}),
        "region": f"{state}-{random.choice(_REGIONS)}",
        "named": frozenset(random.sample(agencies, random.randint(0, 3))),
        "approved": frozenset(random.sample(agencies, random.randint(0, 3))),
        "originator": random.choice(agencies),
        "protectee": "mayor",
        "requester": random.choice(agencies),
    }
    return {name: value for name, value in portion.items() if random.random() >= missing}
