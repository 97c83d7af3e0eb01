"""Three-valued truth of one line of a rule: the single place where the meaning of a condition is written.

The compiler asks once per distinct value, `explain` once per line, so that both mean the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal, TypeAlias

from policy.vocabulary import AGENCY_ID, Attributes, Property, Relation, Value, Vocabulary


class Truth(IntEnum):
    """Ordered so that AND is `min`, OR is `max` and NOT is `2 - truth`."""

    NO = 0
    UNKNOWN = 1
    YES = 2


Side: TypeAlias = Literal["portion", "agency", "relation"]
# What is known of each dated agreement at the moment of the decision.
Force: TypeAlias = Mapping[str, Truth]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One condition: `name` has any of `values` (for a relation: `yes` or `no`).

    `at most` and `at least` are already written out as the values that they admit.
    """

    side: Side
    name: str
    values: frozenset[str]
    text: str = field(compare=False)
    line: int = field(compare=False)


def members(value: Value) -> frozenset[str]:
    """The values of a set-valued attribute; a single text is a set of one."""
    return frozenset((value,)) if isinstance(value, str) else value


def property_truth(known: Property, wanted: frozenset[str], value: Value | None, force: Force) -> Truth:
    """Whether a property with `value` has any of the `wanted` values; None is a missing value.

    A value outside the vocabulary, and a set where one value belongs, is as unknown as a missing one.
    """
    if value is None:
        return Truth.UNKNOWN
    if known.kind != "set of":
        if not isinstance(value, str) or value not in known.values:
            return Truth.UNKNOWN
        return Truth.YES if value in wanted else Truth.NO
    held = members(value)
    best = Truth.NO if held.issubset(known.values) else Truth.UNKNOWN
    for match in held & wanted:
        best = max(best, force.get(match, Truth.UNKNOWN) if known.dated else Truth.YES)
    return best


def relation_truth(
    vocabulary: Vocabulary, relation: Relation, portion: Attributes, agency: str, record: Attributes
) -> Truth:
    """Whether any value of the portion's key is among the agency's values.

    An empty set on the portion's side is known to be empty: the relation is then surely no for every agency.
    """
    domain = vocabulary.keys[relation.key]
    key = portion.get(relation.key)
    if key is None:
        return Truth.UNKNOWN
    if not members(key):
        return Truth.NO
    index: Value | None = agency if relation.index == AGENCY_ID else record.get(relation.index)
    if index is None:
        return Truth.UNKNOWN
    known_keys, keys_complete = known_members(key, domain)
    known_index, index_complete = known_members(index, domain)
    if known_keys & known_index:
        return Truth.YES
    return Truth.NO if keys_complete and index_complete else Truth.UNKNOWN


def known_members(value: Value, domain: frozenset[str] | None) -> tuple[frozenset[str], bool]:
    """The members that mean something, and whether that is all of them. A blank text never means anything."""
    held = members(value)
    known = held - {""} if domain is None else held & domain
    return known, len(known) == len(held)


def flip(truth: Truth) -> Truth:
    """NOT, which leaves unknown unknown."""
    return Truth(2 - truth)


def line_truth(
    vocabulary: Vocabulary, line: Line, portion: Attributes, *, agency: str, record: Attributes, force: Force
) -> Truth:
    """The truth of one line for one portion and one agency."""
    match line.side:
        case "portion":
            return property_truth(vocabulary.bulletin[line.name], line.values, portion.get(line.name), force)
        case "agency":
            return property_truth(vocabulary.agency[line.name], line.values, record.get(line.name), force)
        case "relation":
            truth = relation_truth(vocabulary, vocabulary.relation[line.name], portion, agency, record)
            return truth if "yes" in line.values else flip(truth)
