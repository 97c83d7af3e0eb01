"""Random exchanges: rules in the rule language, directories with holes, portions with missing and unknown values.

Shares no code with the product either: rules are text, records are plain mappings.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random  # noqa: TID251 - reproducible by seed

from policy import compile_rules, parse_ruleset, parse_vocabulary
from tests.policy.oracle import Oracle

EXAMPLE = Path(__file__).parents[2] / "policy" / "rules.example"
EXAMPLE_VOCABULARY = (EXAMPLE / "vocabulary.yaml").read_text(encoding="utf-8")
EXAMPLE_RULES = (EXAMPLE / "rules.yaml").read_text(encoding="utf-8")
EXAMPLE_AGENCIES = (EXAMPLE / "agencies.yaml").read_text(encoding="utf-8")

# Few words, so that random rules meet random portions often; every kind of word and of obligation occurs.
VOCABULARY = """
bulletin:
  topic: {one of: [a, b, "NO"]}
  tlp: {ordered: [LOW, MID, HIGH]}
  caveats: {set of: [X, Y, Z]}
  purpose: {one of: [p, q]}
  home: {state: true}
agency:
  kind: {one of: [city, state, fed]}
  state: {state: true}
  level: {ordered: [one, two, three]}
  pact: {set of: [P-1, P-2], dated: true}
  tags: {set of: [t, u]}
relation:
  serves: {key: area, index: counties}
  same region: {key: region, index: region}
  named: {key: named, index: id}
  allowed: {key: purpose, index: purposes}
  cleared for: {key: caveats, index: clearances}
obligation:
  precedence: {highest of: [ROUTINE, PRIORITY, FLASH]}
  answer within: {least: duration}
  onward: {strictest of: [public, own, nobody]}
  strip: {union: [names, sources]}
  note: {union: text}
area: {A1: "17001", A2: "17003"}
"""
START, END = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
# Before, inside, after, and the edges of the skew band of either end.
MOMENTS = [
    None,
    *(
        bound + timedelta(minutes=minutes, microseconds=micro)
        for bound in (START, END)
        for minutes in (-600, -5, 0, 5, 600)
        for micro in (-1, 0)
    ),
]
AGREEMENTS = """agreements:
  P-1: {from: 2026-03-01, until: 2026-06-30}
  P-2: {from: 2026-03-01, until: 2026-06-30}
"""
WHEN = {
    "topic": ["a", "b", "NO", "[a, NO]", "[b, a]"],
    "tlp": ["LOW", "HIGH", "at most MID", "at least MID", "[LOW, HIGH]"],
    "caveats": ["X", "[X, Y]", "Z"],
    "purpose": ["p", "q"],
    "home": ["IL", "[IL, OR]"],
}
TO = {
    "kind": ["city", "[city, state]", "fed"],
    "state": ["IL", "[OR, IN]"],
    "level": ["at least two", "one", "at most two"],
    "pact": ["P-1", "[P-1, P-2]"],
    "tags": ["t", "[t, u]"],
    "serves": ["yes", "no"],
    "same region": ["yes", "no"],
    "named": ["yes", "no"],
    "allowed": ["yes", "no"],
    "cleared for": ["yes", "no"],
}
DUTIES = {
    "precedence": ["ROUTINE", "PRIORITY", "FLASH"],
    "answer within": ["30 minutes", "1 hour", "2 weeks"],
    "onward": ["public", "own", "nobody"],
    "strip": ["names", "[names, sources]", "[sources]"],
    "note": ["call first", "[call first, wear a hat]"],
}
PORTION = {
    "topic": ["a", "b", "NO"],
    "tlp": ["LOW", "MID", "HIGH"],
    "caveats": [frozenset(), frozenset({"X"}), frozenset({"Y", "Z"}), "X", frozenset({"X", "W"})],
    "purpose": ["p", "q"],
    "home": ["IL", "OR", "IN"],
    "area": ["A1", frozenset({"A1", "A2"}), frozenset(), frozenset({"A1", "A9"}), "A2"],
    "region": ["N", "S", frozenset({"N", "S"}), ""],
    "named": [frozenset({"g1", "g3", "g5"}), frozenset(), "g2", frozenset({"g9999"})],
}
AGENCY = {
    "kind": ["city", "state", "fed"],
    "state": ["IL", "OR", "IN"],
    "level": ["one", "two", "three"],
    "pact": [frozenset(), "P-1", frozenset({"P-1", "P-2"}), frozenset({"P-2", "P-9"})],
    "tags": [frozenset({"t"}), frozenset(), "u", frozenset({"t", "u"})],
    "counties": ["A1", frozenset({"A1", "A2"}), frozenset(), frozenset({"A2", "A9"})],
    "region": ["N", "S", frozenset({"N", "S"})],
    "purposes": ["p", frozenset({"p", "q"}), frozenset(), frozenset({"q", "r"})],
    "clearances": [frozenset({"X", "Y"}), "Z", frozenset()],
}
ODD = ["PURPLE", "", frozenset(), frozenset({"PURPLE"})]


@dataclass(frozen=True)
class World:
    rules: str
    agencies: dict
    portions: list
    at: datetime | None

    def decider(self):
        vocabulary = parse_vocabulary(VOCABULARY, source="vocabulary")
        ruleset = parse_ruleset(self.rules, vocabulary, source="rules")
        return compile_rules(ruleset, vocabulary, self.agencies, at=self.at)

    def oracle(self):
        return Oracle(VOCABULARY, self.rules, self.agencies, self.at)


def world(seed, *, agencies=40, portions=30, rules=14):
    random = Random(seed)
    return World(
        rules=rules_text(random, random.randint(2, rules)),
        agencies={f"g{number}": record(random, AGENCY) for number in range(agencies)},
        portions=[record(random, PORTION) for _ in range(portions)],
        at=random.choice(MOMENTS),
    )


def record(random, values, missing=0.08, odd=0.03):
    found = {}
    for name, choices in values.items():
        chance = random.random()
        if chance < odd:
            found[name] = random.choice(ODD)
        elif chance > missing + odd:
            found[name] = random.choice(choices)
    return found


def rules_text(random, count):
    rules = [rule_text(random, f"Q{number}") for number in range(count)]
    return "policy: random\nversion: 1\nrules:\n" + "".join(rules) + AGREEMENTS


def rule_text(random, rule_id, effect=None):
    effect = effect or random.choice(["share", "share", "share", "always", "never", "require"])
    lines = [f"- rule: {rule_id} a random rule", f"  effect: {effect}", "  because: chance"]
    conditions = random.sample(sorted(WHEN), random.choice([0, 1, 1, 2]))
    if effect == "never" and not conditions:
        conditions = random.sample(sorted(WHEN), 2)
    lines.append("  when:" if conditions else "  when: anything")
    lines += [f"    {name}: {random.choice(WHEN[name])}" for name in conditions]
    if random.random() < 0.15 and effect != "never":
        lines.append("  to: everyone")
    else:
        lines.append("  to:")
        for _ in range(random.choice([1, 1, 2, 3])):
            names = random.sample(sorted(TO), random.choice([2, 3] if effect == "never" else [1, 1, 2]))
            lines += [
                f"  {'-' if place == 0 else ' '} {name}: {random.choice(TO[name])}" for place, name in enumerate(names)
            ]
    if effect == "require" or (effect != "never" and random.random() < 0.7):
        names = random.sample(sorted(DUTIES), random.randint(1, 3))
        lines.append("  with: {" + ", ".join(f"{name}: {random.choice(DUTIES[name])}" for name in names) + "}")
    return "\n".join(lines) + "\n"
