"""The same rules, agencies and portions for Cedar, so that it decides alike; needs `cedarpy`, the extra `bench`.

Cedar skips a policy that asks for a missing attribute, which lets a `forbid` pass. So every attribute is written as two
sets that always exist: what it *surely* is, and all that it *possibly* is. A share asks the first, a never the second.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from time import perf_counter, process_time
from typing import Any

from policy import Attributes, Decider, Property, Rule, Value, Vocabulary
from policy.truth import Force, Line, Truth, known_members, members
from policy.vocabulary import AGENCY_ID

# Stand for "perhaps any value" of a relation's two sides; no county, person, purpose or agency is called so.
_ANY_KEY = "*any key*"
_ANY_INDEX = "*any index*"


@dataclass(frozen=True, slots=True, kw_only=True)
class CedarFigures:
    """What Cedar took, and how its decisions compare.

    Attributes:
        load_s: reading policies and entities, once.
        portion_s: one portion over all agencies, in processor time.
        compared: decisions that both engines made.
        shared: those that permit; a comparison of refusals only would prove nothing.
        mismatches: decided otherwise, or with an error.
    """

    load_s: float
    portion_s: float
    compared: int
    shared: int
    mismatches: int


def compare(decider: Decider, portions: Sequence[Attributes], *, sampled: int) -> CedarFigures:
    """Decide the first portion for all agencies and each other one for `sampled` of them, in both engines.

    Half of the sample are recipients, as far as there are so many, and the rest is spread over the directory.

    Raises:
        ModuleNotFoundError: without cedarpy.
    """
    cedarpy = import_module("cedarpy")
    start = perf_counter()
    policies = cedarpy.PolicySet.from_str(cedar_policies(decider.ruleset.rules, decider.vocabulary))
    known = cedarpy.Entities.from_json_str(_json([*agencies_for(decider), *portions_for(decider.vocabulary, portions)]))
    load = perf_counter() - start
    took, compared, shared, mismatches = 0.0, 0, 0, 0
    for number, portion in enumerate(portions):
        audience = decider.decide(portion).audience
        asked = _sample(tuple(decider.agencies), audience, sampled) if number else tuple(decider.agencies)
        requests = [_request(agency, number) for agency in asked]
        start = process_time()
        answers = cedarpy.is_authorized_batch(requests, policies, known)
        took = took or process_time() - start
        recipients = frozenset(audience)
        for agency, answer in zip(asked, answers, strict=True):
            compared += 1
            shared += agency in recipients
            mismatches += answer.allowed is not (agency in recipients) or bool(answer.diagnostics.errors)
    return CedarFigures(load_s=load, portion_s=took, compared=compared, shared=shared, mismatches=mismatches)


def _sample(agencies: Sequence[str], audience: Sequence[str], count: int) -> list[str]:
    spread = [*_spread(audience, count // 2), *_spread(agencies, count)]
    return list(dict.fromkeys(spread))[:count]


def _spread(ids: Sequence[str], count: int) -> Sequence[str]:
    return ids[:: max(1, -(-len(ids) // count))] if count else ()


def cedar_policies(rules: Iterable[Rule], vocabulary: Vocabulary) -> str:
    """Share and always rules as `permit`, never rules as `forbid`; a require rule decides nothing."""
    return "".join(_policy(rule, vocabulary) for rule in rules if rule.effect != "require")


def _policy(rule: Rule, vocabulary: Vocabulary) -> str:
    sure = rule.effect != "never"
    when = _all_of(_line(line, vocabulary, sure=sure) for line in rule.when)
    to = " || ".join(f"({_all_of(_line(line, vocabulary, sure=sure) for line in item)})" for item in rule.to)
    effect = "permit" if sure else "forbid"
    return f"@id({_text(rule.id)})\n{effect}(principal, action, resource) when {{ {when} && ({to}) }};\n"


def _all_of(conditions: Iterable[str]) -> str:
    return " && ".join(conditions) or "true"


def _line(line: Line, vocabulary: Vocabulary, *, sure: bool) -> str:
    if line.side != "relation":
        side = "resource" if line.side == "portion" else "principal"
        wanted = ", ".join(_text(value) for value in sorted(line.values))
        return f"{side}[{_text(_name(line.name, sure=sure))}].containsAny([{wanted}])"
    relation, yes = vocabulary.relation[line.name], "yes" in line.values
    # Surely no is not possibly yes, and the other way round.
    key = _text(_name(f"key {relation.key}", sure=sure is yes))
    index = _text(_name(f"index {relation.index}", sure=sure is yes))
    return f"{'' if yes else '!'}resource[{key}].containsAny(principal[{index}])"


def agencies_for(decider: Decider) -> list[dict[str, Any]]:
    """Every agency as an entity, under what is known of the agreements at the decider's moment."""
    vocabulary, entities = decider.vocabulary, []
    for agency, record in decider.agencies.items():
        attributes = _properties(vocabulary.agency.values(), record, decider.force)
        for relation in vocabulary.relation.values():
            value = agency if relation.index == AGENCY_ID else record.get(relation.index)
            sure, open_ended = _known(value, vocabulary.keys[relation.key])
            attributes[_name(f"index {relation.index}", sure=True)] = sorted(sure)
            attributes[_name(f"index {relation.index}", sure=False)] = sorted(
                sure | {_ANY_KEY} | ({_ANY_INDEX} if open_ended else set())
            )
        entities.append(_entity("Agency", agency, attributes))
    return entities


def portions_for(vocabulary: Vocabulary, portions: Sequence[Attributes]) -> list[dict[str, Any]]:
    """Every portion as an entity, named by its place."""
    entities = []
    for number, portion in enumerate(portions):
        attributes = _properties(vocabulary.bulletin.values(), portion, {})
        for key, domain in vocabulary.keys.items():
            sure, open_ended = _known(portion.get(key), domain)
            # A list that is surely empty is related to nobody, whatever the agency leaves out.
            empty = not sure and not open_ended
            possible = sure | (set() if empty else {_ANY_INDEX}) | ({_ANY_KEY} if open_ended else set())
            attributes[_name(f"key {key}", sure=True)] = sorted(sure)
            attributes[_name(f"key {key}", sure=False)] = sorted(possible)
        entities.append(_entity("Portion", str(number), attributes))
    return entities


def _properties(known: Iterable[Property], record: Attributes, force: Force) -> dict[str, list[str]]:
    attributes: dict[str, list[str]] = {}
    for one in known:
        sure, possible = _property(one, record.get(one.name), force)
        attributes[_name(one.name, sure=True)] = sorted(sure)
        attributes[_name(one.name, sure=False)] = sorted(possible)
    return attributes


def _property(known: Property, value: Value | None, force: Force) -> tuple[set[str], set[str]]:
    if value is None or (known.kind != "set of" and (not isinstance(value, str) or value not in known.values)):
        return set(), set(known.values)
    held = set(members(value))
    meant = held & set(known.values)
    in_force = {one: force.get(one, Truth.UNKNOWN) if known.dated else Truth.YES for one in meant}
    sure = {one for one in meant if in_force[one] is Truth.YES}
    if held != meant:
        return sure, set(known.values)
    return sure, {one for one in meant if in_force[one] is not Truth.NO}


def _known(value: Value | None, domain: frozenset[str] | None) -> tuple[set[str], bool]:
    """The values that mean something, and whether there may be others."""
    if value is None:
        return set(), True
    meant, complete = known_members(value, domain)
    return set(meant), not complete


def _name(of: str, *, sure: bool) -> str:
    return f"{of} {'surely' if sure else 'possibly'}"


def _entity(kind: str, identity: str, attributes: Mapping[str, list[str]]) -> dict[str, Any]:
    return {"uid": {"type": kind, "id": identity}, "attrs": attributes, "parents": []}


def _request(agency: str, portion: int) -> dict[str, Any]:
    return {
        "principal": {"type": "Agency", "id": agency},
        "action": {"type": "Action", "id": "get"},
        "resource": {"type": "Portion", "id": str(portion)},
        "context": {},
    }


def _text(value: str) -> str:
    return _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
