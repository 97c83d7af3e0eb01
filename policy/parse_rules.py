"""Reads a rules file; everything that could be a slip is refused with its line."""

import re
from types import MappingProxyType
from typing import cast

from policy.agreements import Agreement, parse_end, parse_start
from policy.obligations import Obligations, parse_obligations
from policy.parse_cases import parse_cases
from policy.reading import Reading
from policy.rules import Effect, Item, Rule, Ruleset
from policy.strict_yaml import Items, Node, Text
from policy.truth import Line, Side
from policy.vocabulary import Property, Vocabulary

EFFECTS: tuple[Effect, ...] = ("share", "always", "never", "require")
_RULE_ID = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,31}")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")
# Ten times the rules of the largest exchange imagined; bounds the work of a gateway on a hostile release.
MAX_RULES = 2000
# Every item is two sets of agencies in memory; a rule with more kinds of recipients wants to be two rules.
MAX_ITEMS = 64
_NO_OBLIGATIONS: Obligations = MappingProxyType({})


def parse_ruleset(text: str, vocabulary: Vocabulary, *, source: str) -> Ruleset:
    """Read rules, agreements and cases.

    Raises:
        PolicyError: on anything unknown, empty, doubled or without a reason; the file is refused as a whole.
    """
    read = Reading(source)
    parts = read.known(
        read.document(text),
        "the rules file",
        required=("policy", "version", "rules"),
        optional=("agreements", "tests"),
    )
    version = read.text(parts["version"], "'version'")
    if not _VERSION.fullmatch(version.text):
        read.refuse("not-a-version", f"'{version.text}' is not a whole number from 1", version.line)
    agreements = _agreements(read, parts["agreements"], vocabulary) if "agreements" in parts else {}
    rules = _rules(read, parts["rules"], vocabulary)
    _check_dated(read, rules, vocabulary, agreements)
    return Ruleset(
        name=read.text(parts["policy"], "'policy'").text,
        version=int(version.text),
        rules=rules,
        agreements=MappingProxyType(agreements),
        cases=parse_cases(read, parts["tests"], vocabulary, rules) if "tests" in parts else (),
    )


def _agreements(read: Reading, node: Node, vocabulary: Vocabulary) -> dict[str, Agreement]:
    dated = {value for known in vocabulary.agency.values() if known.dated for value in known.values}
    agreements: dict[str, Agreement] = {}
    for key, value in read.fields(node, "'agreements'").entries.values():
        read.one_of(key, "an agreement of the vocabulary", sorted(dated), code="unknown-agreement")
        parts = read.known(value, f"'{key.text}'", required=("from", "until"), optional=())
        start = parse_start(read, read.text(parts["from"], "'from'"))
        end = parse_end(read, read.text(parts["until"], "'until'"))
        if start >= end:
            read.refuse("agreement-dates", f"'{key.text}' ends before it starts", key.line)
        agreements[key.text] = Agreement(name=key.text, start=start, end=end)
    return agreements


def _rules(read: Reading, node: Node, vocabulary: Vocabulary) -> tuple[Rule, ...]:
    items = read.items(node, "'rules'").items
    if len(items) > MAX_RULES:
        read.refuse("too-many-rules", f"more than {MAX_RULES} rules", node.line)
    rules: dict[str, Rule] = {}
    for item in items:
        rule = _rule(read, item, vocabulary)
        if rule.id in rules:
            first = rules[rule.id].line
            read.refuse("duplicate-rule", f"rule {rule.id} is written twice (first in line {first})", rule.line)
        rules[rule.id] = rule
    nevers = sorted(rule.id for rule in rules.values() if rule.effect == "never")
    for rule in rules.values():
        for target in rule.yields_to:
            read.one_of(Text(target, rule.line), "the id of a never rule", nevers, code="unknown-rule")
    return tuple(rules.values())


def _rule(read: Reading, node: Node, vocabulary: Vocabulary) -> Rule:
    parts = read.known(
        node, "a rule", required=("rule", "effect", "when", "to", "because"), optional=("with", "yields to")
    )
    name = read.text(parts["rule"], "'rule'")
    identity = name.text.split()[0]
    if not _RULE_ID.fullmatch(identity):
        read.refuse("rule-id", f"a rule's name starts with its id, such as R12; '{identity}' is none", name.line)
    effect_text = read.text(parts["effect"], "'effect'")
    effect = cast("Effect", read.one_of(effect_text, "an effect", EFFECTS, code="unknown-effect"))
    if effect == "never" and "with" in parts:
        read.refuse("never-with-obligations", f"{identity} shares nothing, so it can oblige nobody", parts["with"].line)
    if effect == "require" and "with" not in parts:
        read.refuse("missing-with", f"{identity} requires nothing: add 'with:'", name.line)
    if effect != "always" and "yields to" in parts:
        read.refuse(
            "yields-to", f"only an always rule yields to others; {identity} is {effect}", parts["yields to"].line
        )
    return Rule(
        id=identity,
        name=name.text,
        effect=effect,
        when=_when(read, parts["when"], vocabulary),
        to=_to(read, parts["to"], vocabulary),
        obligations=parse_obligations(read, parts["with"], vocabulary) if "with" in parts else _NO_OBLIGATIONS,
        yields_to=tuple(text.text for text in read.texts(parts["yields to"], "'yields to'"))
        if "yields to" in parts
        else (),
        because=read.text(parts["because"], "'because'").text,
        line=name.line,
    )


def _when(read: Reading, node: Node, vocabulary: Vocabulary) -> Item:
    if isinstance(node, Text):
        read.one_of(node, "a condition; write lines such as 'TLP: RED'", ("anything",), code="not-a-condition")
        return ()
    lines: list[Line] = []
    for key, value in read.fields(node, "'when'").entries.values():
        if key.text not in vocabulary.bulletin and key.text in vocabulary.agency_attributes | set(vocabulary.relation):
            read.refuse("wrong-side", f"'{key.text}' is about the agency: move it to 'to:'", key.line)
        read.one_of(key, "a property of a bulletin", tuple(vocabulary.bulletin), code="unknown-property")
        lines.append(_line(read, key, value, "portion", vocabulary.bulletin[key.text]))
    return tuple(lines)


def _to(read: Reading, node: Node, vocabulary: Vocabulary) -> tuple[Item, ...]:
    if isinstance(node, Text):
        read.one_of(node, "a list of recipients; write a list", ("everyone",), code="not-a-condition")
        return ((),)
    if not isinstance(node, Items):
        read.refuse("not-a-list", "'to' must be a list of recipients, each starting with '-', or everyone", node.line)
    items = read.items(node, "'to'").items
    if len(items) > MAX_ITEMS:
        read.refuse("too-many-items", f"more than {MAX_ITEMS} items in one 'to'", node.line)
    return tuple(_item(read, item, vocabulary) for item in items)


def _item(read: Reading, node: Node, vocabulary: Vocabulary) -> Item:
    lines: list[Line] = []
    known = (*vocabulary.agency, *vocabulary.relation)
    for key, value in read.fields(node, "an item of 'to'").entries.values():
        if key.text not in known and key.text in vocabulary.bulletin:
            read.refuse("wrong-side", f"'{key.text}' is about the bulletin: move it to 'when:'", key.line)
        read.one_of(key, "a property or relation of an agency", known, code="unknown-property")
        if key.text in vocabulary.agency:
            lines.append(_line(read, key, value, "agency", vocabulary.agency[key.text]))
            continue
        answer = read.text(value, f"'{key.text}'")
        read.one_of(answer, f"an answer to '{key.text}'", ("yes", "no"))
        lines.append(_make(key, "relation", frozenset((answer.text,)), answer.text))
    return tuple(lines)


def _make(key: Text, side: Side, values: frozenset[str], written: str) -> Line:
    return Line(side=side, name=key.text, values=values, text=f"{key.text}: {written}", line=key.line)


def _line(read: Reading, key: Text, node: Node, side: Side, known: Property) -> Line:
    if isinstance(node, Text):
        for prefix in ("at most ", "at least "):
            if node.text.startswith(prefix):
                return _make(key, side, _bound(read, node, prefix, known), node.text)
    texts = read.texts(node, f"'{key.text}'")
    values = [read.one_of(text, f"a value of {known.name}", known.values) for text in texts]
    return _make(key, side, frozenset(values), " or ".join(values))


def _bound(read: Reading, node: Text, prefix: str, known: Property) -> frozenset[str]:
    if known.kind != "ordered":
        read.refuse("not-ordered", f"'{known.name}' has no order: '{prefix.strip()}' means nothing here", node.line)
    bound = Text(node.text.removeprefix(prefix).strip(), node.line)
    place = known.values.index(read.one_of(bound, f"a value of {known.name}", known.values))
    return frozenset(known.values[: place + 1] if prefix == "at most " else known.values[place:])


def _check_dated(
    read: Reading, rules: tuple[Rule, ...], vocabulary: Vocabulary, agreements: dict[str, Agreement]
) -> None:
    """A dated value without dates would be unknown for ever: refused where it is used."""
    for rule in rules:
        for line in (line for item in rule.to for line in item if line.side == "agency"):
            for value in sorted(line.values) if vocabulary.agency[line.name].dated else ():
                read.one_of(
                    Text(value, line.line), "an agreement with dates in this file", agreements, code="undated-agreement"
                )
