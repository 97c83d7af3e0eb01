"""A rules file such as a national exchange may have: the worked example, and what every state adds to it.

`national_rules` is the same text for the same count. Nothing in it is law.
"""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from bench.country import STATES, division_of

RULES = 200
_EXAMPLE = Path(__file__).parents[1] / "policy" / "rules.example" / "rules.yaml"
# The rules of the example that bear a name of its own; its locked TLP rules follow them.
LEAST_RULES = 19
# How long what came from a state may be kept, by the law of that state.
_KEPT = ("30 days", "90 days", "180 days", "1 year", "2 years")
# The states, of those with most people, whose law keeps names of residents inside law enforcement.
_PRIVATE = 24
_COMPACTS = (
    ("[violent crime, firearms trafficking, narcotics]", "criminal investigation", "3 hours"),
    ("[violent crime, human trafficking, narcotics]", "criminal investigation", "2 hours"),
    (
        "[missing person, targeted violence, violent crime]",
        "[protection of life, criminal investigation]",
        "30 minutes",
    ),
)


def national_rules(*, count: int = RULES) -> str:
    """The text of a rules file with the first `count` rules; the cases of the example are about other agencies.

    Raises:
        ValueError: if there are not so many, or so few that the example's rules would name others that are missing.
    """
    example, agreements = _example()
    rules = list(islice([*example, *_of_states()], count))
    if not LEAST_RULES <= count <= len(rules):
        raise ValueError(f"a national rules file has {LEAST_RULES} to {len(rules)} rules")
    private = [identity for rule in rules if (identity := rule.split()[2]).startswith("P-")]
    # A threat reaches who protects the person unless a never rule holds it back; those are all listed.
    rules = [
        re.sub(r"(yields to: \[.*)\]", lambda found: ", ".join([found[1], *private]) + "]", rule) for rule in rules
    ]
    return "".join(["policy: national rules\nversion: 1\nrules:\n", *rules, agreements])


def _example() -> tuple[list[str], str]:
    text = _EXAMPLE.read_text(encoding="utf-8")
    body = text[text.index("\nrules:\n") + len("\nrules:\n") : text.index("\nagreements:")]
    agreements = text[text.index("\nagreements:") + 1 : text.index("\ntests:")]
    return [f"- rule: {rule.rstrip()}\n" for rule in re.split(r"(?m)^- rule: ", body) if rule.strip()], agreements


def _of_states() -> Iterator[str]:
    by_people = sorted(STATES, key=lambda state: -STATES[state][2])
    for number, state in enumerate(by_people):
        yield from _law_of(state, number)


def _law_of(state: str, number: int) -> Iterator[str]:
    category, purpose, within = _COMPACTS[number % len(_COMPACTS)]
    yield f"""- rule: K-{state} Intelligence from {state} is kept as long as its law allows
  effect: require
  when: {{origin state: {state}}}
  to: everyone
  with: {{retain for: {_KEPT[number % len(_KEPT)]}}}
  because: Records law of {state}
"""
    yield f"""- rule: C-{state} {state} shares with the police of its neighbours
  effect: share
  when: {{origin state: {state}, category: {category}, purpose: {purpose}, TLP: at most AMBER}}
  to:
  - state: [{", ".join(division_of(state))}]
    kind: [city police, county sheriff, state police, fusion center]
    28 CFR 23 agreement: yes
    allowed that purpose: yes
  with: {{precedence: PRIORITY, acknowledge within: {within}, onward: own agency}}
  because: Compact of the neighbouring states
"""
    yield f"""- rule: E-{state} Events and infrastructure in {state} concern who works there
  effect: share
  when: {{origin state: {state}, category: [special event, critical infrastructure], TLP: at most GREEN}}
  to:
  - kind: [fire and EMS, transit police, campus police]
    serves the area: yes
  - kind: [fusion center, city police]
    in the same region: yes
  with: {{onward: agency and clients, retain for: 30 days}}
  because: Event plan of {state}
"""
    if number < _PRIVATE:
        yield f"""- rule: P-{state} Names of persons from {state} stay in law enforcement
  effect: never
  when: {{origin state: {state}, caveats: US-PERSON, version: full}}
  to:
  - law enforcement: no
  because: Privacy law of {state}
"""
