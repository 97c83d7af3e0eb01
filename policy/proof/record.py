"""An agency for the solver: either any agency there could be, or one whose record is known."""

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Protocol, final

from policy.comparison import SOME_AGENCY
from policy.proof.logic import Formula, Logic, Model
from policy.proof.portion import ODD_WORD, Attribute, Portion, shared_member
from policy.proof.words import Words
from policy.vocabulary import AGENCY_ID, Attributes, Value


class Record(Protocol):
    """What rules can ask of an agency."""

    def is_one_of(self, name: str, values: Iterable[str]) -> Formula:
        """Whether a property with one value is one of `values`."""
        ...

    def has(self, name: str, member: str) -> Formula:
        """Whether a set has this member."""
        ...

    def more(self, name: str, known: frozenset[str]) -> Formula:
        """Whether a set is missing, or has anything outside `known`."""
        ...

    def unlisted(self, index: str, known: frozenset[str] | None) -> Formula:
        """Whether an index is missing, or has anything that means nothing; None admits every word but the blank."""
        ...

    def meets(self, key: str, index: str, known: frozenset[str] | None) -> Formula:
        """Whether the portion's key and the index share a member that means something."""
        ...


@final
class AnyRecord:
    """Any agency, in the directory or not."""

    def __init__(self, logic: Logic, words: Words, portion: Portion) -> None:
        self._logic = logic
        self._words = words
        self._portion = portion
        self.attributes = {
            name: Attribute(
                logic,
                f"agency {name}",
                text=known.values if known.kind != "set of" else (),
                member=known.values if known.kind == "set of" else (),
                others=False,
                more=known.kind == "set of",
            )
            for name, known in words.agency.items()
        }
        for index in words.indexes:
            named = {name for key in words.keys.values() if index in key.indexes and not key.open for name in key.names}
            self.attributes[index] = Attribute(
                logic, f"agency {index}", text=(), member=tuple(sorted(named)), others=False, more=True
            )

        # What an everyday record is like: filled in, with nothing in it that means nothing.
        self.natural: Sequence[Formula] = tuple(
            wish for attribute in self.attributes.values() for wish in attribute.natural(logic)
        )

    def is_one_of(self, name: str, values: Iterable[str]) -> Formula:
        return self._logic.any_of(self.attributes[name].text[value] for value in sorted(values))

    def has(self, name: str, member: str) -> Formula:
        return self.attributes[name].member.get(member, False)

    def more(self, name: str, known: frozenset[str]) -> Formula:
        return self.attributes[name].some(self._logic, known)

    def unlisted(self, index: str, known: frozenset[str] | None) -> Formula:
        # An id is never blank, and `words_of` refuses to look ids up in a closed list.
        return index != AGENCY_ID and self.attributes[index].some(self._logic, known)

    def meets(self, key: str, index: str, known: frozenset[str] | None) -> Formula:
        if self._words.keys[key].open:
            return self._portion.shares[key, index]
        held = self._portion.attributes[key].member
        listed = self.attributes[index].member
        return self._logic.any_of(
            self._logic.all_of((fact, listed[member]))
            for member, fact in held.items()
            if known is None or member in known
        )

    def read(self, model: Model) -> Attributes:
        """The attributes of this agency in one possible world; its id is `SOME_AGENCY`."""
        found: dict[str, Value] = {}
        for name, attribute in self.attributes.items():
            value = self._value(name, attribute, model)
            if value is not None:
                found[name] = value
        return MappingProxyType(found)

    def _value(self, name: str, attribute: Attribute, model: Model) -> Value | None:
        if attribute.text:
            return next((value for value, fact in attribute.text.items() if model.holds(fact)), None)
        held = {value for value, fact in attribute.member.items() if model.holds(fact)}
        held |= {
            shared_member(self._words.keys[key], index, SOME_AGENCY)
            for (key, index), fact in self._portion.shares.items()
            if index == name and model.holds(fact)
        }
        if model.holds(attribute.more):
            if not held:
                return None
            free = any(name in key.indexes and key.free for key in self._words.keys.values())
            held.add("" if free else ODD_WORD)
        return frozenset(held)


@final
class OneRecord:
    """An agency whose record is known: only the portion is open."""

    def __init__(self, logic: Logic, portion: Portion, agency: str, record: Attributes) -> None:
        self._logic = logic
        self._portion = portion
        self._record = record
        self._agency = agency

    def is_one_of(self, name: str, values: Iterable[str]) -> Formula:
        stated = self._record.get(name)
        return isinstance(stated, str) and stated in values

    def has(self, name: str, member: str) -> Formula:
        return member in members(self._record.get(name, frozenset()))

    def more(self, name: str, known: frozenset[str]) -> Formula:
        value = self._record.get(name)
        return value is None or not members(value) <= known

    def unlisted(self, index: str, known: frozenset[str] | None) -> Formula:
        value = self._listed(index)
        return value is None or ("" in value if known is None else not value <= known)

    def meets(self, key: str, index: str, known: frozenset[str] | None) -> Formula:
        facts = self._portion.attributes[key].member
        return self._logic.any_of(
            facts[member]
            for member in sorted(self._listed(index) or ())
            if member in facts and member and (known is None or member in known)
        )

    def _listed(self, index: str) -> frozenset[str] | None:
        value: Value | None = self._agency if index == AGENCY_ID else self._record.get(index)
        return None if value is None else members(value)


def members(value: Value) -> frozenset[str]:
    """A single text is a set of one."""
    return frozenset((value,)) if isinstance(value, str) else value
