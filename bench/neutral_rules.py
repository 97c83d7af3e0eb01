"""Neutral rules in the rule language: none means anything, together they weigh what those of an exchange weigh."""

from random import Random  # noqa: TID251 - reproducible by seed; nothing here is secret

from policy import Vocabulary

RULES = 200
# Of 200 rules as many are of each effect as in the measured mix: 40 never, 160 that share or oblige.
_EFFECTS = ("never", "share", "share", "share", "require", "never", "share", "share", "always", "share")
_RELATIONS = ("serves the area", "in the same region", "named as a recipient", "allowed that purpose", "asked for it")
_AGENCY = ("kind", "state", "status", "law enforcement", "federal", "28 CFR 23 agreement", "agreement")
_BULLETIN = ("product", "category", "information class", "TLP", "caveats", "content basis", "purpose", "origin state")
_DUTIES = (
    "precedence: IMMEDIATE", "precedence: PRIORITY", "acknowledge within: 30 minutes", "acknowledge within: 3 hours",
    "retain for: 30 days", "retain for: 1 year", "onward: own agency", "onward: agency and clients",
    "strip: [source identity]", "not to be used for: [employment decisions]",
)  # fmt: skip
_FEW = ("oversight board", "federal civil enforcement", "JTTF", "mayor's office")
_RELATIONS_OF_MANY = ("serves the area", "in the same region", "allowed that purpose")
_TRAITS = ("law enforcement: yes", "28 CFR 23 agreement: yes", "federal: yes", "status: active")
_WORST_DUTIES = (
    ("precedence: IMMEDIATE", "precedence: PRIORITY", "precedence: FLASH"),
    ("acknowledge within: 30 minutes", "acknowledge within: 3 hours"),
    ("retain for: 30 days", "retain for: 1 year", "retain for: 90 days", "retain for: 2 years"),
    ("onward: own agency", "onward: agency and clients", "onward: community"),
    ("strip: [source identity]", "strip: [raw case numbers]"),
)


def neutral_rules(vocabulary: Vocabulary, *, seed: int = 1, count: int = RULES) -> str:
    """The text of a rules file with `count` rules, the same for the same seed."""
    random = Random(seed)
    lines = ["policy: neutral rules", "version: 1", "rules:"]
    for number in range(1, count + 1):
        lines += _rule(random, vocabulary, number)
    return "\n".join([*lines, *_agreements(vocabulary)]) + "\n"


def worst_rules(vocabulary: Vocabulary, *, seed: int = 1, count: int = RULES) -> str:
    """A rules file every rule of which speaks about every portion and reaches somebody: nothing can be skipped.

    Whoever is reached is so by dozens of rules, whose duties divide an audience into some forty groups.
    """
    random = Random(seed)
    lines = ["policy: worst rules", "version: 1", "rules:"]
    for number in range(1, count + 1):
        effect = _EFFECTS[number % len(_EFFECTS)]
        lines += [f"- rule: W{number} worst", f"  effect: {effect}", "  when: anything", "  to:"]
        if effect == "never":
            lines += [
                f"  - status: {random.choice(('suspended', 'active'))}",
                f"    kind: {random.choice(_FEW)}",
                "  - named as a recipient: yes",
                f"    state: {random.choice(vocabulary.agency['state'].values)}",
            ]
        else:
            kinds = random.sample(vocabulary.agency["kind"].values, 4)
            lines += [
                f"  - kind: [{', '.join(kinds)}]",
                f"    {random.choice(_RELATIONS_OF_MANY)}: {random.choice(('yes', 'no'))}",
                f"  - {random.choice(_TRAITS)}",
                f"    state: [{', '.join(random.sample(vocabulary.agency['state'].values, 3))}]",
            ]
            lines.append(f"  with: {{{', '.join(random.sample(_WORST_DUTIES[number % len(_WORST_DUTIES)], 1))}}}")
        lines.append("  because: a measurement")
    return "\n".join([*lines, *_agreements(vocabulary)]) + "\n"


def _agreements(vocabulary: Vocabulary) -> list[str]:
    names = vocabulary.agency["agreement"].values
    return ["agreements:", *(f"  {name}: {{from: 2024-01-01, until: 2027-12-31}}" for name in names)]


def _rule(random: Random, vocabulary: Vocabulary, number: int) -> list[str]:
    effect = _EFFECTS[number % len(_EFFECTS)]
    never = effect == "never"
    lines = [f"- rule: N{number} neutral", f"  effect: {effect}", "  when:"]
    lines += [
        f"    {name}: {_portion_value(random, vocabulary, name, narrow=never)}"
        for name in random.sample(_BULLETIN, 1 if never else 3)
    ]
    lines.append("  to:")
    for _ in range(random.randint(1, 3)):
        if never:
            # A never rule of a real exchange is about few: a suspension, a missing agreement, one kind.
            choice = random.choice(("status: suspended", "28 CFR 23 agreement: no", "law enforcement: no", "kind"))
            value = random.choice(vocabulary.agency["kind"].values)
            lines.append(f"  - {choice}" if choice != "kind" else f"  - kind: {value}")
            continue
        lines += [
            f"  {'-' if place == 0 else ' '} {name}: {_agency_value(random, vocabulary, name)}"
            for place, name in enumerate(random.sample(_AGENCY, 2))
        ]
        if random.random() < 0.5:
            lines.append(f"    {random.choice(_RELATIONS)}: yes")
    if effect == "require" or (not never and random.random() < 0.6):
        duties = {duty.split(":")[0]: duty for duty in random.sample(_DUTIES, 2)}
        lines.append(f"  with: {{{', '.join(duties.values())}}}")
    return [*lines, "  because: a measurement"]


def _portion_value(random: Random, vocabulary: Vocabulary, name: str, *, narrow: bool) -> str:
    if name == "TLP":
        return f"at least {random.choice(('AMBER+STRICT', 'RED'))}" if narrow else "at most AMBER"
    values = vocabulary.bulletin[name].values
    many = 1 if narrow else min(len(values), random.randint(2, 6))
    return f"[{', '.join(random.sample(values, many))}]"


def _agency_value(random: Random, vocabulary: Vocabulary, name: str) -> str:
    if name == "status":
        return "active"
    values = vocabulary.agency[name].values
    if len(values) == 2:
        return random.choice(values)
    return f"[{', '.join(random.sample(values, min(len(values), random.randint(1, 4))))}]"
