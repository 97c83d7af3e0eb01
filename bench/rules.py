"""What the sharing rules cost: deciding, compiling, proving and replaying, and what Cedar takes for the same.

Goals are for 18,000 agencies and 200 rules; a smaller exchange is measured against the same ones.
"""

from __future__ import annotations

import gc
import importlib.util
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bench import proving, replaying
from bench.cedar import compare
from bench.national import AGENCIES, HALF_FILLED, national_directory, national_vocabulary
from bench.neutral_rules import neutral_rules, worst_rules
from bench.portions import national_portions
from bench.rulebook import RULES, national_rules
from bench.sampling import METHOD, best_of, best_seconds
from policy import Attributes, Decider, Ruleset, Vocabulary, compile_rules, parse_ruleset

# Within every agreement of the rules, and the first moment after the last of them.
_AT = datetime(2026, 11, 20, tzinfo=UTC)
_BOUNDARY = datetime(2029, 1, 1, tzinfo=UTC)
# Of the agencies, how many Cedar decides for each portion but the first.
_SAMPLED = 100
GOALS = {
    "decide_us.p50": 100,
    "decide_us.p99": 400,
    "worst_us.p99": 800,
    "memory_mb": 50,
    "compile_s": 0.6,
    "refold_ms": 60,
    "lint_20_rules_s": 1,
    "lint_200_rules_s": 5,
    "preview_20_rules_s": 1,
    "preview_200_rules_s": 5,
    "replay_s": 10,
}


def run(
    *,
    agencies: int = AGENCIES,
    rules: int = RULES,
    portions: int = 500,
    passes: int = 5,
    half_filled: float = HALF_FILLED,
    seed: int = 1,
    days: int = 30,
    cedar_portions: int = 30,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Measure everything; a minute or two for the full size, half of it Cedar's.

    `decide_us` is a decision with its audience divided by duties, under the national rules; `random_rules_us` the same
    under random rules that reach thousands, `worst_us` under rules that all fire. Ids are listed in `listed_us` alone.
    """
    say(f"building an exchange of {agencies:,} agencies and {rules} rules ...")
    vocabulary = national_vocabulary()
    directory = national_directory(seed=seed, agencies=agencies, half_filled=half_filled)
    asked = national_portions(directory, vocabulary, count=portions, seed=seed)
    texts = {
        "national": national_rules(count=rules),
        "random": neutral_rules(vocabulary, seed=seed, count=rules),
        "worst": worst_rules(vocabulary, seed=seed, count=rules),
    }
    rulesets = {name: parse_ruleset(text, vocabulary, source=f"{name} rules") for name, text in texts.items()}
    figures: dict[str, Any] = {
        "agencies": len(directory),
        "rules": rules,
        "half_filled": half_filled,
        "seed": seed,
        "portions": portions,
        "method": METHOD.format(passes=passes),
    }
    say("compiling and deciding ...")
    figures |= _compiling(rulesets, vocabulary, directory, passes)
    deciders = {name: compile_rules(ruleset, vocabulary, directory, at=_AT) for name, ruleset in rulesets.items()}
    figures |= _deciding(deciders, asked, passes)
    say("proving a change of 20 and of all rules ...")
    figures |= proving.run(vocabulary, directory, rules=rules)
    say(f"deciding {days} days of bulletins anew under two editions ...")
    figures |= replaying.run(vocabulary, directory, rules=rules, days=days, seed=seed)
    figures["cedar"] = _beside_cedar(deciders["national"], asked, cedar_portions, say)
    figures["goals"] = _goals(figures)
    return figures


def _compiling(
    rulesets: Mapping[str, Ruleset], vocabulary: Vocabulary, directory: Mapping[str, Attributes], passes: int
) -> dict[str, Any]:
    """The costlier of the national and the random rules, for each figure."""

    def compiled(name: str) -> Decider:
        return compile_rules(rulesets[name], vocabulary, directory, at=_AT)

    names = ("national", "random")
    return {
        "compile_s": round(max(best_seconds(lambda name=name: compiled(name), passes) for name in names), 3),
        "refold_ms": round(max(_refold(compiled(name), passes) for name in names) * 1e3, 2),
        "memory_mb": round(max(_memory(lambda name=name: compiled(name)) for name in names) / 1e6, 1),
        "memory_method": "tracemalloc: what compiling leaves allocated, without directory and rules as parsed",
    }


def _refold(decider: Decider, passes: int) -> float:
    return best_seconds(lambda: decider.at(_BOUNDARY), passes)


def _memory(make: Callable[[], Decider]) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        kept = make()
        gc.collect()
        allocated = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    del kept
    return allocated


def _deciding(deciders: Mapping[str, Decider], asked: Sequence[Attributes], passes: int) -> dict[str, Any]:
    national, worst = deciders["national"], [deciders["worst"].decide(portion) for portion in asked]
    sizes = sorted(national.decide(portion).size for portion in asked)
    return {
        "decide_us": best_of(asked, lambda portion: national.decide(portion).groups(), passes),
        "audience_us": best_of(asked, national.decide, passes),
        "listed_us": best_of(asked, lambda portion: _listed(national, portion), passes),
        "random_rules_us": best_of(asked, lambda portion: deciders["random"].decide(portion).groups(), passes),
        "worst_us": best_of(asked, lambda portion: deciders["worst"].decide(portion).groups(), passes),
        "recipients": {"p50": sizes[len(sizes) // 2], "p90": sizes[len(sizes) * 9 // 10], "most": sizes[-1]},
        "worst": {
            "rules_firing": min(len(decision.touched) for decision in worst),
            "groups_p50": sorted(len(decision.groups()) for decision in worst)[len(worst) // 2],
        },
    }


def _listed(decider: Decider, portion: Attributes) -> list[tuple[str, ...]]:
    return [tuple(members) for _, members in decider.decide(portion).groups()]


def _beside_cedar(
    decider: Decider, asked: Sequence[Attributes], portions: int, say: Callable[[str], None]
) -> dict[str, Any]:
    if importlib.util.find_spec("cedarpy") is None:
        say("cedarpy is not installed (the extra `bench`): nothing to compare with")
        return {"installed": False, "compared": 0, "mismatches": 0}
    # The portion that reaches most is the one that Cedar and we are timed with; missing values are among the others.
    chosen = sorted(asked, key=lambda portion: -decider.decide(portion).size)[:1] + list(asked[:portions])
    say(f"Cedar decides one portion for {len(decider.agencies):,} agencies and {portions} for {_SAMPLED} ...")
    found = compare(decider, chosen, sampled=_SAMPLED)
    ours = best_of(chosen[:1], lambda portion: decider.decide(portion).groups(), 20)["p50"]
    return {
        "installed": True,
        "load_s": round(found.load_s, 2),
        "portion_s": round(found.portion_s, 2),
        "ours_us": ours,
        "ratio": round(found.portion_s * 1e6 / ours),
        "compared": found.compared,
        "shared": found.shared,
        "mismatches": found.mismatches,
    }


def _goals(figures: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    goals: dict[str, dict[str, Any]] = {}
    for name, goal in GOALS.items():
        of, _, part = name.partition(".")
        measured = figures[of][part] if part else figures[of]
        goals[name] = {"goal": goal, "measured": measured, "met": None if measured is None else measured <= goal}
    return goals
