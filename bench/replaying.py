"""How long a month of recorded bulletins takes to be decided anew under two editions of the rules."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from time import process_time
from typing import Any

from bench.portions import national_portions
from bench.rulebook import national_rules
from policy import Attributes, Vocabulary, parse_ruleset
from policy.comparison import Edition
from policy.history import Recorded
from policy.replay import replay

BULLETINS_A_DAY = 1000
_END = datetime(2026, 11, 20, tzinfo=UTC)
# A line whose removal widens: narcotics bulletins then reach partners that do not follow 28 CFR 23.
_LINE = "    28 CFR 23 agreement: yes\n"
_RULE = "- rule: R11 "
_PRECEDENCES = ("ROUTINE", "ROUTINE", "ROUTINE", "PRIORITY", "PRIORITY", "IMMEDIATE", "FLASH")


def widened(text: str) -> str:
    """The rules with one line of R11 taken out, as an officer in a hurry might."""
    start = text.index(_RULE)
    return text[:start] + text[start:].replace(_LINE, "", 1)


def editions(vocabulary: Vocabulary, agencies: Mapping[str, Attributes], *, rules: int) -> tuple[Edition, Edition]:
    """The national rules, and the same with the change of `widened`."""
    text = national_rules(count=rules)
    before, after = (
        Edition(
            vocabulary=vocabulary, ruleset=parse_ruleset(one, vocabulary, source="national rules"), agencies=agencies
        )
        for one in (text, widened(text))
    )
    return before, after


def recorded_month(
    vocabulary: Vocabulary, agencies: Mapping[str, Attributes], *, days: int, seed: int
) -> list[Recorded]:
    """`BULLETINS_A_DAY` bulletins of one portion for each of `days`, evenly over the day."""
    return list(_recorded(vocabulary, agencies, days * BULLETINS_A_DAY, timedelta(days=1) / BULLETINS_A_DAY, seed))


def _recorded(
    vocabulary: Vocabulary, agencies: Mapping[str, Attributes], count: int, apart: timedelta, seed: int
) -> Iterator[Recorded]:
    portions = national_portions(agencies, vocabulary, count=count, seed=seed)
    somebody = next(iter(agencies))
    for number, attributes in enumerate(portions):
        # A portion whose originator was left out of its attributes is still somebody's.
        stated = attributes.get("originator")
        originator = stated if isinstance(stated, str) and stated in agencies else somebody
        yield Recorded(
            bulletin=f"{originator.upper()}-2026-{number:06d}",
            portion="full",
            originator=originator,
            at=_END - apart * (count - number),
            precedence=_PRECEDENCES[number % len(_PRECEDENCES)],
            attributes=attributes,
        )


def run(
    vocabulary: Vocabulary, agencies: Mapping[str, Attributes], *, rules: int, days: int, seed: int
) -> dict[str, Any]:
    """Replay `days` under the change of `widened`: both sides compiled, every portion decided twice, all counted."""
    before, after = editions(vocabulary, agencies, rules=rules)
    recorded = recorded_month(vocabulary, agencies, days=days, seed=seed)
    start = process_time()
    found = replay(before, after, recorded)
    seconds = process_time() - start
    return {
        "replay_s": round(seconds, 2),
        "replay": {
            "bulletins": found.bulletins,
            "newly_disclosed": found.disclosed.deliveries,
            "no_longer_sent": found.withdrawn.deliveries,
            "days": days,
        },
    }
