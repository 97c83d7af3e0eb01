"""A made-up national directory, the same for the same seed: the size and the shape that the engine is built for.

18,000 agencies over all counties: a sheriff for nearly every one, city police where the people are, 80 fusion centers,
56 task forces of the FBI's field offices, 50 state police, and the rest. A stated share of the records is half-filled
and a stated share suspended, both to the agency.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from random import Random  # noqa: TID251 - reproducible by seed; nothing here is secret

from bench.country import (
    FIELD_OFFICES,
    FURTHER_FUSION_CENTERS,
    STATES,
    TERRITORIES,
    County,
    counties,
    shares,
)
from policy import Attributes, Value, Vocabulary, parse_vocabulary

AGENCIES = 18_000
HALF_FILLED = 0.05
SUSPENDED = 0.01
MAYORS = 340
# Kinds by number, placed where the people are; tribes have police of their own in fewer states.
_PLACED = {
    "tribal police": 234, "transit police": 120, "campus police": 750, "federal law enforcement": 260,
    "federal civil enforcement": 50, "fire and EMS": 1400, "oversight board": 30,
}  # fmt: skip
_TRIBAL = ("AZ", "CA", "ID", "MI", "MN", "MT", "ND", "NE", "NM", "NV", "OK", "OR", "SD", "UT", "WA", "WI", "WY")
_NO_SHERIFF = ("AK", "CT", "HI", "RI", "DC")
_BORDER = ("AK", "AZ", "CA", "ID", "ME", "MI", "MN", "MT", "ND", "NH", "NM", "NY", "TX", "VT", "WA")
_CIVILIAN = ("fire and EMS", "mayor's office", "oversight board")
_FEDERAL = ("JTTF", "federal law enforcement", "federal civil enforcement")
# Of a hundred agencies of the kind, how many follow 28 CFR 23; of those not named 55.
_FOLLOWS_28_CFR_23 = {
    "fusion center": 100, "JTTF": 100, "state police": 98, "federal law enforcement": 90, "county sheriff": 65,
    "federal civil enforcement": 30, "fire and EMS": 2, "mayor's office": 5, "oversight board": 10,
}  # fmt: skip
_ALWAYS_FOR = ("protection of life", "officer safety", "criminal investigation")
_SOMETIMES_FOR = ("counter-terrorism", "hate crime and extremism", "special event security", "training")
_PURPOSES = {
    "mayor's office": ("protection of life", "special event security"),
    "oversight board": ("oversight",),
    "fire and EMS": ("protection of life", "special event security", "training"),
    "federal civil enforcement": ("civil immigration enforcement", "criminal investigation", "officer safety"),
}


@dataclass(frozen=True, slots=True)
class _Place:
    """One agency before its record: what it is, where, whom it serves and protects."""

    agency: str
    kind: str
    state: str
    serves: tuple[County, ...]
    protects: str | None = None


def national_vocabulary() -> Vocabulary:
    """The example vocabulary with every county of the country in place of its four."""
    text = (Path(__file__).parents[1] / "policy" / "rules.example" / "vocabulary.yaml").read_text(encoding="utf-8")
    head = text[: text.index("\narea:") + 1]
    lines = [f'  {county.name}: "{county.code}"' for county in chain.from_iterable(counties().values())]
    return parse_vocabulary("\n".join([head + "area:", *lines]) + "\n", source="national vocabulary")


def national_directory(
    *, seed: int = 1, agencies: int = AGENCIES, half_filled: float = HALF_FILLED, suspended: float = SUSPENDED
) -> Mapping[str, Attributes]:
    """`agencies` of the 18,000, drawn evenly.

    Of them a share of exactly `half_filled` lacks half of its fields, whichever, and a share of exactly `suspended` is
    suspended; a suspension is never one of the fields left out.

    Raises:
        ValueError: if more are asked for than there are.
    """
    random = Random(seed)
    places = sorted(_places(random), key=lambda place: place.agency)
    if agencies > len(places):
        raise ValueError(f"the country has {len(places)} agencies")
    chosen = sorted(random.sample(range(len(places)), agencies))
    out_of_service = set(random.sample(chosen, round(agencies * suspended)))
    holed = set(random.sample(chosen, round(agencies * half_filled)))
    directory: dict[str, Attributes] = {}
    for number in chosen:
        record = _record(random, places[number], active=number not in out_of_service)
        directory[places[number].agency] = _halved(random, record) if number in holed else record
    return directory


def _halved(random: Random, record: dict[str, Value]) -> dict[str, Value]:
    kept = {"status"} if record["status"] == "suspended" else set()
    others = [name for name in record if name not in kept]
    kept.update(random.sample(others, len(record) - len(record) // 2 - len(kept)))
    return {name: value for name, value in record.items() if name in kept}


def _places(random: Random) -> Iterator[_Place]:
    found = counties()
    everywhere = [county for state in sorted(found) for county in found[state]]
    weights = _weights(random, found)
    count = 0
    for place in chain(_of_states(found), _of_the_federation(found), _sheriffs(everywhere)):
        count += 1
        yield place
    for kind, number in _PLACED.items():
        where = [county for county in everywhere if kind != "tribal police" or county.state in _TRIBAL]
        picked = random.choices(where, [weights[county.name] for county in where], k=number)
        for order, county in enumerate(picked, start=1):
            count += 1
            yield _Place(f"{county.state.lower()}-{_slug(kind)}-{order}", kind, county.state, (county,))
    yield from _cities(random, everywhere, weights, AGENCIES - count)


def _weights(random: Random, found: Mapping[str, tuple[County, ...]]) -> Mapping[str, float]:
    """How many agencies a county attracts: by the people of its state, and within it few counties have most."""
    weights: dict[str, float] = {}
    for state, members in found.items():
        ranks = random.sample(range(1, len(members) + 1), len(members))
        total = sum(1 / rank for rank in ranks)
        for county, rank in zip(members, ranks, strict=True):
            # A state of few people still has a police for every town.
            weights[county.name] = (STATES[state][2] ** 0.75) / rank / total
    return weights


def _of_states(found: Mapping[str, tuple[County, ...]]) -> Iterator[_Place]:
    """State police, and the fusion centers of states, great cities and territories."""
    for state, members in found.items():
        lower = state.lower()
        if state != "DC":
            yield _Place(f"{lower}-state-police", "state police", state, members, f"governor-{lower}")
        yield _Place(f"{lower}-fusion", "fusion center", state, members)
        further = FURTHER_FUSION_CENTERS.get(state, 0)
        for order, share in enumerate(shares(further, members), start=1):
            yield _Place(f"{lower}-fusion-{order}", "fusion center", state, share)
    for state in TERRITORIES:
        # Their districts are no counties of this vocabulary: they surely serve none of those.
        yield _Place(f"{state.lower()}-fusion", "fusion center", state, ())


def _of_the_federation(found: Mapping[str, tuple[County, ...]]) -> Iterator[_Place]:
    """The task forces of the field offices: every county of the states is served by exactly one."""
    offices = {
        office: [state for state in states.split() if state in found] for office, states in FIELD_OFFICES.items()
    }
    served: dict[str, list[County]] = {office: [] for office in offices}
    for state, members in found.items():
        sharing = [office for office, states in offices.items() if state in states]
        for office, share in zip(sharing, shares(len(sharing), members), strict=True):
            served[office] += share
    for office, states in FIELD_OFFICES.items():
        yield _Place(f"jttf-{office}", "JTTF", states.split()[0], tuple(served[office]))


def _sheriffs(everywhere: list[County]) -> Iterator[_Place]:
    for county in everywhere:
        if county.state not in _NO_SHERIFF:
            yield _Place(f"{county.name.lower()}-sheriff", "county sheriff", county.state, (county,))


def _cities(random: Random, everywhere: list[County], weights: Mapping[str, float], room: int) -> Iterator[_Place]:
    """City police up to the total; the first cities have a mayor's office of their own that their police protects."""
    for order, county in enumerate(
        random.choices(everywhere, [weights[county.name] for county in everywhere], k=room - MAYORS)
    ):
        city, mayor = f"{county.name.lower()}-{order + 1}", None
        if order < MAYORS:
            mayor = f"mayor-{city}"
            yield _Place(f"{city}-mayor", "mayor's office", county.state, (county,), mayor)
        yield _Place(f"{city}-pd", "city police", county.state, (county,), mayor)


def _record(random: Random, place: _Place, *, active: bool) -> dict[str, Value]:
    regions = frozenset(county.region for county in place.serves) or frozenset({place.state})
    follows = random.randrange(100) < _FOLLOWS_28_CFR_23.get(place.kind, 55)
    return {
        "kind": place.kind,
        "state": place.state,
        "status": "active" if active else "suspended",
        "law enforcement": "no" if place.kind in _CIVILIAN else "yes",
        "federal": "yes" if place.kind in _FEDERAL else "no",
        "28 CFR 23 agreement": "yes" if follows else "no",
        "agreement": _agreements(random, place),
        "serves": frozenset(county.name for county in place.serves),
        "region": next(iter(regions)) if len(regions) == 1 else regions,
        "protects": frozenset(() if place.protects is None else (place.protects,)),
        "purposes": _purposes(random, place.kind),
    }


def _agreements(random: Random, place: _Place) -> frozenset[str]:
    if place.kind in _CIVILIAN:
        return frozenset()
    chances = {
        "HIDTA-2024": 0.2,
        "BORDER-TASK-2025": 0.25 if place.state in _BORDER else 0.0,
        "SCHOOL-SAFETY-2026": 0.6 if place.kind == "campus police" else 0.15,
    }
    return frozenset(name for name, chance in chances.items() if random.random() < chance)


def _purposes(random: Random, kind: str) -> frozenset[str]:
    if kind in _PURPOSES:
        return frozenset(_PURPOSES[kind])
    return frozenset((*_ALWAYS_FOR, *random.sample(_SOMETIMES_FOR, random.randint(0, len(_SOMETIMES_FOR)))))


def _slug(kind: str) -> str:
    return kind.lower().replace(" ", "-")
