"""The shape of the country: states, counties by code, regions, and who is responsible for which of them.

Public facts. A county bears its number, not its name.
"""

from collections.abc import Mapping
from dataclasses import dataclass

# State: INCITS 38 code; counties and equivalents (Census Bureau, 2022); people in ten thousands (census of 2020).
STATES = {
    "AL": ("01", 67, 502), "AK": ("02", 30, 73), "AZ": ("04", 15, 715), "AR": ("05", 75, 301), "CA": ("06", 58, 3954),
    "CO": ("08", 64, 577), "CT": ("09", 9, 361), "DE": ("10", 3, 99), "DC": ("11", 1, 69), "FL": ("12", 67, 2154),
    "GA": ("13", 159, 1071), "HI": ("15", 5, 146), "ID": ("16", 44, 184), "IL": ("17", 102, 1281),
    "IN": ("18", 92, 679), "IA": ("19", 99, 319), "KS": ("20", 105, 294), "KY": ("21", 120, 451),
    "LA": ("22", 64, 466), "ME": ("23", 16, 136), "MD": ("24", 24, 618), "MA": ("25", 14, 703), "MI": ("26", 83, 1008),
    "MN": ("27", 87, 571), "MS": ("28", 82, 296), "MO": ("29", 115, 616), "MT": ("30", 56, 108), "NE": ("31", 93, 196),
    "NV": ("32", 17, 310), "NH": ("33", 10, 138), "NJ": ("34", 21, 929), "NM": ("35", 33, 212), "NY": ("36", 62, 2020),
    "NC": ("37", 100, 1044), "ND": ("38", 53, 78), "OH": ("39", 88, 1180), "OK": ("40", 77, 396), "OR": ("41", 36, 424),
    "PA": ("42", 67, 1300), "RI": ("44", 5, 110), "SC": ("45", 46, 512), "SD": ("46", 66, 89), "TN": ("47", 95, 691),
    "TX": ("48", 254, 2915), "UT": ("49", 29, 327), "VT": ("50", 14, 64), "VA": ("51", 133, 863), "WA": ("53", 39, 771),
    "WV": ("54", 55, 179), "WI": ("55", 72, 589), "WY": ("56", 23, 58),
}  # fmt: skip

# The nine divisions of the Census Bureau: who has compacts with whom.
DIVISIONS = (
    ("CT", "MA", "ME", "NH", "RI", "VT"),
    ("NJ", "NY", "PA"),
    ("IL", "IN", "MI", "OH", "WI"),
    ("IA", "KS", "MN", "MO", "ND", "NE", "SD"),
    ("DC", "DE", "FL", "GA", "MD", "NC", "SC", "VA", "WV"),
    ("AL", "KY", "MS", "TN"),
    ("AR", "LA", "OK", "TX"),
    ("AZ", "CO", "ID", "MT", "NM", "NV", "UT", "WY"),
    ("AK", "CA", "HI", "OR", "WA"),
)

# The 56 field offices of the FBI, each with a task force, and the states that they look after or share.
FIELD_OFFICES = {
    "albany": "NY VT", "albuquerque": "NM", "anchorage": "AK", "atlanta": "GA", "baltimore": "MD DE",
    "birmingham": "AL", "boston": "MA ME NH RI", "buffalo": "NY", "charlotte": "NC", "chicago": "IL",
    "cincinnati": "OH", "cleveland": "OH", "columbia": "SC", "dallas": "TX", "denver": "CO WY", "detroit": "MI",
    "el-paso": "TX", "honolulu": "HI", "houston": "TX", "indianapolis": "IN", "jackson": "MS", "jacksonville": "FL",
    "kansas-city": "KS MO", "knoxville": "TN", "las-vegas": "NV", "little-rock": "AR", "los-angeles": "CA",
    "louisville": "KY", "memphis": "TN", "miami": "FL", "milwaukee": "WI", "minneapolis": "MN ND SD", "mobile": "AL",
    "new-haven": "CT", "new-orleans": "LA", "new-york": "NY", "newark": "NJ", "norfolk": "VA", "oklahoma-city": "OK",
    "omaha": "IA NE", "philadelphia": "PA", "phoenix": "AZ", "pittsburgh": "PA WV", "portland": "OR", "richmond": "VA",
    "sacramento": "CA", "salt-lake-city": "UT ID MT", "san-antonio": "TX", "san-diego": "CA", "san-francisco": "CA",
    "san-juan": "PR VI", "seattle": "WA", "springfield": "IL", "st-louis": "MO", "tampa": "FL", "washington": "DC VA",
}  # fmt: skip

# Fusion centers beside the one of every state, the District and three territories: 26 of great cities, 80 in all.
FURTHER_FUSION_CENTERS = {
    "TX": 7, "CA": 5, "FL": 2, "MO": 2, "OH": 2, "PA": 2, "IL": 1, "MA": 1, "MI": 1, "NV": 1, "VA": 1, "WI": 1,
}  # fmt: skip
TERRITORIES = ("GU", "PR", "VI")

_REGIONS = ("N", "C", "S", "E", "W", "M")
# Some twenty counties make one region of a state.
_COUNTIES_OF_A_REGION = 20


@dataclass(frozen=True, slots=True)
class County:
    """One county or equivalent: `IL-031` with the INCITS 31 code 17031."""

    name: str
    code: str
    state: str
    region: str


def counties() -> Mapping[str, tuple[County, ...]]:
    """Every county by state, in the order of their codes, which are odd as the real ones (nearly all) are."""
    return {
        state: tuple(_county(state, code, number, count) for number in range(count))
        for state, (code, count, _) in STATES.items()
    }


def _county(state: str, code: str, number: int, count: int) -> County:
    regions = min(len(_REGIONS), -(-count // _COUNTIES_OF_A_REGION))
    three = f"{2 * number + 1:03d}"
    return County(f"{state}-{three}", code + three, state, f"{state}-{_REGIONS[number * regions // count]}")


def shares(parts: int, found: tuple[County, ...]) -> list[tuple[County, ...]]:
    """Counties divided among `parts` neighbours, nearly equal and none twice; too few go round."""
    if parts >= len(found):
        return [(found[part % len(found)],) for part in range(parts)]
    return [found[part * len(found) // parts : (part + 1) * len(found) // parts] for part in range(parts)]


def division_of(state: str) -> tuple[str, ...]:
    """The states of the same part of the country, itself included."""
    return next(division for division in DIVISIONS if state in division)
