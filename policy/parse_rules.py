"""Reads a rules file; everything that could be a slip is refused with its line."""

import re
from functools import partial
from types import MappingProxyType
from typing import cast

from policy.agreements import Agreement, parse_end, parse_start
from policy.hints import for_effect, for_id
from policy.obligations import Obligations, parse_obligations
from policy.parse_cases import parse_cases
from policy.parse_conditions import parse_to, parse_when
from policy.reading import Reading
from policy.rules import OWN_PREFIX, Effect, Rule, Ruleset
from policy.strict_yaml import Fields, Node, Text
from policy.vocabulary import Vocabulary

EFFECTS: tuple[Effect, ...] = ("share", "always", "never", "require")
_RULE_ID = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,31}")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")
# Ten times the rules of the largest exchange imagined; bounds the work of a gateway on a hostile release.
MAX_RULES = 2000
# An agency's own rules are folded where its bulletins are decided.
MAX_OWN_RULES = 200
OWN_EFFECTS: tuple[Effect, ...] = ("never", "require")
_REQUIRED = ("rule", "effect", "when", "to", "because")
_OPTIONAL = ("with", "yields to")
_PARTS = (*_REQUIRED, *_OPTIONAL)
_NO_OBLIGATIONS: Obligations = MappingProxyType({})


def parse_ruleset(text: str, vocabulary: Vocabulary, *, source: str, beside: Ruleset | None = None) -> Ruleset:
    """Read rules, agreements and cases.

    `beside` are the exchange's rules where the text is an agency's own: never and require rules under ids of their own
    (`policy.own`). Dates are the exchange's alone, and cases may name its never rules.

    Raises:
        PolicyError: on anything unknown, empty, doubled or without a reason; the file is refused as a whole. One fault
            of each rule, agreement and case is told; cases are looked at once the rules are sound.
    """
    read = Reading(source)
    parts = read.known(
        read.document(text),
        "the rules file",
        required=("policy", "version", "rules"),
        optional=("tests",) if beside else ("agreements", "tests"),
    )
    with read.apart():
        name = read.text(parts["policy"], "'policy'").text
    with read.apart():
        version = _version(read, parts["version"])
    agreements = _agreements(read, parts["agreements"], vocabulary) if "agreements" in parts else {}
    if beside is not None:
        agreements = dict(beside.agreements)
    rules = _rules(read, parts["rules"], vocabulary, own=beside is not None)
    read.settle()
    _check_yields(read, parts["rules"], rules)
    _check_dated(read, rules, vocabulary, agreements)
    named = (*beside.rules, *rules) if beside else rules
    cases = parse_cases(read, parts["tests"], vocabulary, named) if "tests" in parts else ()
    read.settle()
    return Ruleset(name=name, version=version, rules=rules, agreements=MappingProxyType(agreements), cases=cases)


def _version(read: Reading, node: Node) -> int:
    version = read.text(node, "'version'")
    if not _VERSION.fullmatch(version.text):
        read.refuse(
            "not-a-version", f"'{version.text}' is not a whole number from 1; write for example 42", version.line
        )
    return int(version.text)


def _agreements(read: Reading, node: Node, vocabulary: Vocabulary) -> dict[str, Agreement]:
    dated = {value for known in vocabulary.agency.values() if known.dated for value in known.values}
    agreements: dict[str, Agreement] = {}
    for key, value in read.fields(node, "'agreements'").entries.values():
        with read.apart():
            read.one_of(key, "an agreement of the vocabulary", sorted(dated), code="unknown-agreement")
            agreements[key.text] = _agreement(read, key, value)
    return agreements


def _agreement(read: Reading, key: Text, node: Node) -> Agreement:
    if not isinstance(node, Fields):
        read.refuse(
            "not-a-mapping", f"write the dates of '{key.text}' as {{from: 2026-01-01, until: 2026-12-31}}", node.line
        )
    parts = read.known(node, f"'{key.text}'", required=("from", "until"), optional=())
    start = parse_start(read, read.text(parts["from"], "'from'"))
    end = parse_end(read, read.text(parts["until"], "'until'"))
    if start >= end:
        read.refuse("agreement-dates", f"'{key.text}' ends before it starts", key.line)
    return Agreement(name=key.text, start=start, end=end)


def _rules(read: Reading, node: Node, vocabulary: Vocabulary, *, own: bool) -> tuple[Rule, ...]:
    items = read.items(node, "'rules'").items
    most = MAX_OWN_RULES if own else MAX_RULES
    if len(items) > most:
        read.refuse("too-many-rules", f"more than {most} rules", node.line)
    rules: dict[str, Rule] = {}
    for item in items:
        with read.apart():
            rule = _rule(read, item, vocabulary)
            _check_whose(read, rule, own=own)
            if rule.id in rules:
                first = rules[rule.id].line
                read.refuse("duplicate-rule", f"rule {rule.id} is written twice (first in line {first})", rule.line)
            rules[rule.id] = rule
    return tuple(rules.values())


def _check_whose(read: Reading, rule: Rule, *, own: bool) -> None:
    """An id says whose rule it is, so that no release of the exchange can ever clash with an agency's own rules."""
    if own and not rule.id.startswith(OWN_PREFIX):
        read.refuse(
            "own-id", f"an agency's own rule has an id such as {OWN_PREFIX}1; '{rule.id}' is the exchange's", rule.line
        )
    if own and rule.effect not in OWN_EFFECTS:
        read.refuse(
            "own-not-narrow",
            f"{rule.id} is {rule.effect}: an agency's own rules only forbid and oblige; use never or require",
            rule.line,
        )
    if not own and rule.id.startswith(OWN_PREFIX):
        read.refuse("reserved-id", f"ids that begin with {OWN_PREFIX} are for agencies' own rules", rule.line)


def _rule(read: Reading, node: Node, vocabulary: Vocabulary) -> Rule:
    _refuse_stray_lines(read, node, vocabulary)
    parts = read.known(node, "a rule", required=_REQUIRED, optional=_OPTIONAL)
    name = read.text(parts["rule"], "'rule'")
    identity = name.text.split()[0]
    if not _RULE_ID.fullmatch(identity):
        read.refuse(
            "rule-id", f"a rule's name starts with its id and a blank, such as 'R12 …'; '{identity}' is none", name.line
        )
    effect_text = read.text(parts["effect"], "'effect'")
    effect = cast("Effect", read.one_of(effect_text, "an effect", EFFECTS, code="unknown-effect", hint=_meant_effect))
    if effect == "never" and "with" in parts:
        read.refuse(
            "never-with-obligations",
            f"{identity} shares nothing, so it can oblige nobody: remove 'with:'",
            parts["with"].line,
        )
    if effect == "require" and "with" not in parts:
        read.refuse("missing-with", f"{identity} requires nothing: add 'with:' and a duty", name.line)
    if effect != "always" and "yields to" in parts:
        read.refuse(
            "yields-to", f"only an always rule yields to others; {identity} is {effect}", parts["yields to"].line
        )
    return Rule(
        id=identity,
        name=name.text,
        effect=effect,
        when=parse_when(read, parts["when"], vocabulary),
        to=parse_to(read, parts["to"], vocabulary),
        obligations=parse_obligations(read, parts["with"], vocabulary) if "with" in parts else _NO_OBLIGATIONS,
        yields_to=tuple(text.text for text in read.texts(parts["yields to"], "'yields to'"))
        if "yields to" in parts
        else (),
        because=read.text(parts["because"], "'because'").text,
        line=name.line,
    )


def _meant_effect(text: str) -> str:
    return for_effect(text, EFFECTS)


def _refuse_stray_lines(read: Reading, node: Node, vocabulary: Vocabulary) -> None:
    """A condition or duty in the column of `when:` itself: a slip of indentation, told as one."""
    for key, _ in node.entries.values() if isinstance(node, Fields) else ():
        for names, place in (
            (vocabulary.bulletin, "under 'when:'"),
            ((*vocabulary.agency, *vocabulary.relation), "under the item of 'to:' that it belongs to"),
            (vocabulary.obligation, "under 'with:'"),
        ):
            if key.text in names and key.text not in _PARTS:
                read.refuse("unknown-key", f"'{key.text}' is not a part of a rule: indent it {place}", key.line)


def _check_yields(read: Reading, node: Node, rules: tuple[Rule, ...]) -> None:
    """Every rule is sound by now, so their nodes and they are as many; the nodes know the line of `yields to:`."""
    nevers = sorted(rule.id for rule in rules if rule.effect == "never")
    meant = partial(for_id, known=nevers)
    for item, rule in zip(read.items(node, "'rules'").items, rules, strict=True):
        if rule.yields_to:
            with read.apart():
                written = read.known(item, "a rule", required=_REQUIRED, optional=_OPTIONAL)["yields to"]
                for text in read.texts(written, "'yields to'"):
                    read.one_of(text, "the id of a never rule", nevers, code="unknown-rule", hint=meant)


def _check_dated(
    read: Reading, rules: tuple[Rule, ...], vocabulary: Vocabulary, agreements: dict[str, Agreement]
) -> None:
    """A dated value without dates would be unknown for ever: refused where it is used."""
    for rule in rules:
        for line in (line for item in rule.to for line in item if line.side == "agency"):
            for value in sorted(line.values) if vocabulary.agency[line.name].dated else ():
                if value not in agreements:
                    read.refuse(
                        "undated-agreement",
                        f"'{value}' is not an agreement with dates in this file: give it dates under 'agreements:'",
                        line.line,
                    )
