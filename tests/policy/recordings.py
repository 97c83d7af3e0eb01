"""Recorded portions for tests: random ones over random worlds, and those of the example exchange."""

from datetime import UTC, datetime, timedelta
from random import Random  # noqa: TID251 - reproducible by seed

from policy import parse_agencies, parse_ruleset, parse_vocabulary
from policy.comparison import Edition
from policy.history import Recorded
from tests.policy.worlds import END, EXAMPLE_AGENCIES, EXAMPLE_RULES, EXAMPLE_VOCABULARY, VOCABULARY

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
# On either side of the end of the agreements, in the band where nobody's clock is trusted, and at its very edges.
AROUND = [END + timedelta(minutes=minutes) for minutes in (-900, -6, -5, -1, 0, 4, 5, 900)]
PRECEDENCES = ("ROUTINE", "PRIORITY", "FLASH")


def edition(rules, agencies, vocabulary=VOCABULARY):
    words = parse_vocabulary(vocabulary, source="vocabulary")
    return Edition(vocabulary=words, ruleset=parse_ruleset(rules, words, source="rules"), agencies=agencies)


def example(*, rules=EXAMPLE_RULES, agencies=EXAMPLE_AGENCIES, vocabulary=EXAMPLE_VOCABULARY):
    words = parse_vocabulary(vocabulary, source="vocabulary")
    return edition(rules, parse_agencies(agencies, words, source="agencies"), vocabulary)


def recorded(attributes, *, number=1, originator="g1", at=NOON, portion="p1", precedence="ROUTINE"):
    return Recorded(
        bulletin=f"{originator.upper()}-2026-{number:06d}",
        portion=portion,
        originator=originator,
        at=at,
        precedence=precedence,
        attributes=attributes,
    )


def random_history(seed, portions, agencies):
    """Bulletins of one to three portions each, in no order."""
    random = Random(seed)
    found, left, number = [], list(portions), 0
    while left:
        number += 1
        common = {
            "number": number,
            "originator": random.choice([*sorted(agencies), "stranger"]),
            "at": random.choice(AROUND),
            "precedence": random.choice(PRECEDENCES),
        }
        count = min(len(left), random.randint(1, 3))
        found += [recorded(left.pop(), portion=f"p{place}", **common) for place in range(count)]
    random.shuffle(found)
    return found


def threat(**changes):
    """What the rules of the example exchange see of a threat to the mayor of Springfield."""
    return {
        "product": "THREAT",
        "category": "threat to a public official",
        "TLP": "AMBER",
        "version": "full",
        "caveats": frozenset({"LES"}),
        "dissemination": frozenset(),
        "content basis": "criminal predicate",
        "information class": "investigative",
        "purpose": "protection of life",
        "traffic": "Actual",
        "origin state": "IL",
        "region": "IL-N",
        "area": frozenset({"IL-SANGAMON"}),
        "protectee": "mayor-springfield",
        "originator": "chicago-pd",
        "named": frozenset(),
        "approved": frozenset(),
        **changes,
    }


def narcotics(**changes):
    """Of a narcotics case in Cook county: by R11 to HIDTA partners."""
    case = {
        "product": "SITREP",
        "category": "narcotics",
        "caveats": frozenset(),
        "purpose": "criminal investigation",
        "area": frozenset({"IL-COOK"}),
    }
    return threat(**{**case, **changes})
