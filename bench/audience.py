"""How long it takes to find who may have one bulletin: 18,000 agencies, 200 rules, holes in the records."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter
from typing import TypeVar

from bench.national import national_directory, national_vocabulary
from bench.neutral_rules import neutral_rules
from bench.portions import national_portions
from policy import Attributes, Decider, compile_rules, parse_ruleset

_T = TypeVar("_T")
_AT = datetime(2026, 11, 20, tzinfo=UTC)
_PORTIONS = 2000


def run(seconds: float) -> dict[str, object]:
    """Measure for about `seconds` of time on the clock, after building the exchange (some 3 s).

    `decide_us` is one decision: the audience as a set and its size. `listed_us` also groups it by obligations and lists
    the agency ids, which a gateway does for the bulletins that it sends. The rules reach thousands: see `bench rules`
    for those of an exchange.
    """
    decider, compile_ms = _compile()
    portions = national_portions(decider.agencies, decider.vocabulary, count=_PORTIONS, seed=7)
    sizes = sorted(decider.decide(portion).size for portion in portions)
    decided = _sample(portions, lambda portion: decider.decide(portion).size, seconds * 0.7)
    listed = _sample(portions, lambda portion: _listed(decider, portion), seconds * 0.3)
    return {
        "decide_us": decided,
        "listed_us": listed,
        "compile_ms": round(compile_ms, 1),
        "agencies": len(decider.agencies),
        "rules": len(decider.ruleset.rules),
        "audience_p50": sizes[len(sizes) // 2],
    }


def _compile() -> tuple[Decider, float]:
    vocabulary = national_vocabulary()
    ruleset = parse_ruleset(neutral_rules(vocabulary), vocabulary, source="neutral rules")
    agencies = national_directory()
    start = perf_counter()
    decider = compile_rules(ruleset, vocabulary, agencies, at=_AT)
    return decider, (perf_counter() - start) * 1e3


def _listed(decider: Decider, portion: Attributes) -> int:
    decision = decider.decide(portion)
    return sum(len(tuple(members)) for _, members in decision.groups())


def _sample(portions: list[Attributes], work: Callable[[Attributes], _T], seconds: float) -> dict[str, float]:
    """Percentiles in microseconds over at least one pass of all portions."""
    took: list[float] = []
    end = perf_counter() + seconds
    while not took or perf_counter() < end:
        for portion in portions:
            start = perf_counter()
            work(portion)
            took.append(perf_counter() - start)
    took.sort()
    return {"p50": round(took[len(took) // 2] * 1e6, 1), "p99": round(took[len(took) * 99 // 100] * 1e6, 1)}


if __name__ == "__main__":
    print(json.dumps(run(5.0)))
