"""A portion that could have any attributes at all, as facts for the solver; and one such portion as plain attributes.

What the definition in `policy.truth` cannot tell apart is one state here: a missing attribute and one that holds only
words that mean nothing; a single text and a set with this one member, except where a property has one value.
"""

from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import final

from policy.proof.logic import Formula, Logic, Model
from policy.proof.words import Key, Words
from policy.vocabulary import AGENCY_ID, Attributes, Value

# A word that no vocabulary can have: it would not be readable as a value.
ODD_WORD = "(a word outside the vocabulary)"


@final
class Attribute:
    """The facts of one attribute.

    Attributes:
        text: for a property with one value: whether the attribute is this text. None of them: missing or unknown.
        member: for a set or a key: whether this is one of its members.
        others: whether a key has members that mean something but have no name here.
        more: whether it is missing, or has something that means nothing.
    """

    def __init__(
        self, logic: Logic, name: str, *, text: tuple[str, ...], member: tuple[str, ...], others: bool, more: bool
    ) -> None:
        self.text = {value: logic.fact(f"{name} = {value}") for value in text}
        self.member = {value: logic.fact(f"{name} has {value}") for value in member}
        self.others: Formula = others and logic.fact(f"{name} has others")
        self.more: Formula = more and logic.fact(f"{name} has more")
        logic.at_most_one(tuple(self.text.values()))

    def some(self, logic: Logic, known: frozenset[str] | None) -> Formula:
        """Whether it has anything outside `known`, so that what it has is not all known."""
        strange = (fact for value, fact in self.member.items() if known is not None and value not in known)
        return logic.any_of((self.more, *strange))

    def natural(self, logic: Logic) -> Iterator[Formula]:
        """Stated, and nothing in it that means nothing."""
        if self.text:
            yield logic.named(logic.any_of(self.text.values()))
        yield logic.negate(self.more)


@final
class Portion:
    """Any portion."""

    def __init__(self, logic: Logic, words: Words) -> None:
        self._logic = logic
        self._words = words
        self.attributes = {name: self._attribute(name) for name in sorted({*words.bulletin, *words.keys})}
        # Whether the key shares a member with the index: decided freely, for open keys only.
        self.shares = {
            (key.name, index): logic.fact(f"{key.name} meets {index}")
            for key in words.keys.values()
            if key.open
            for index in key.indexes
        }
        self._empty = {name: self._is_empty(key) for name, key in words.keys.items()}
        # What an everyday portion is like: all is stated, there is something to look up, and nothing means nothing.
        self.natural: Sequence[Formula] = (
            *(wish for attribute in self.attributes.values() for wish in attribute.natural(logic)),
            *(logic.negate(logic.named(empty)) for empty in self._empty.values()),
        )

    def _attribute(self, name: str) -> Attribute:
        logic, known, key = self._logic, self._words.bulletin.get(name), self._words.keys.get(name)
        single = known.values if known is not None and known.kind != "set of" else ()
        is_set = key is not None or not single
        names = known.values if known is not None else key.names if key is not None and not key.open else ()
        others = key is not None and key.other is not None
        attribute = Attribute(
            logic, f"portion {name}", text=single, member=names if is_set else (), others=others, more=is_set
        )
        if single and is_set:
            for value, fact in attribute.text.items():
                rest = [held for other, held in attribute.member.items() if other != value]
                logic.require(logic.implies(fact, attribute.member[value]))
                for absent in (*rest, attribute.more):
                    logic.require(logic.implies(fact, logic.negate(absent)))
        return attribute

    def _is_empty(self, key: Key) -> Formula:
        attribute = self.attributes[key.name]
        shared = (fact for (name, _), fact in self.shares.items() if name == key.name)
        held = self._logic.any_of((attribute.more, attribute.others, *attribute.member.values(), *shared))
        return self._logic.negate(held)

    def empty(self, key: str) -> Formula:
        """Whether a key is stated and known to have no members."""
        return self._empty[key]

    def read(self, model: Model, agency: str) -> Attributes:
        """The attributes of this portion in one possible world, where it speaks of `agency` by its id."""
        found: dict[str, Value] = {}
        for name in self.attributes:
            value = self._value(name, model, agency)
            if value is not None:
                found[name] = value
        return MappingProxyType(found)

    def _value(self, name: str, model: Model, agency: str) -> Value | None:
        attribute = self.attributes[name]
        stated = next((value for value, fact in attribute.text.items() if model.holds(fact)), None)
        if stated is not None or not (attribute.member or name in self._words.keys):
            return stated
        held = {value for value, fact in attribute.member.items() if model.holds(fact)}
        key = self._words.keys.get(name)
        if key is not None:
            meeting = tuple(index for index in key.indexes if key.open and model.holds(self.shares[name, index]))
            held |= {shared_member(key, index, agency) for index in meeting}
            if key.other is not None and model.holds(attribute.others):
                held.add(key.other)
        if model.holds(attribute.more):
            if not held:
                return None
            held.add("" if key is not None and key.free else ODD_WORD)
        # A property with one value is not known to have it when it comes as a set.
        return next(iter(held)) if len(held) == 1 and not attribute.text else frozenset(held)


def shared_member(key: Key, index: str, agency: str) -> str:
    """The member that an open key shares with one of its indexes and with no other."""
    if index == AGENCY_ID:
        return agency
    return f"{key.name} of {index}" if key.free else key.names[key.indexes.index(index)]
