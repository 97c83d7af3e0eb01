"""The frozen form of a rules file: rules, agreements and the cases that must hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from policy.agreements import Agreement
from policy.obligations import Obligations
from policy.truth import Line
from policy.vocabulary import Attributes

Effect: TypeAlias = Literal["share", "always", "never", "require"]
#: What the ids of an agency's own rules begin with, and no id of the exchange's.
OWN_PREFIX = "OWN-"
# AND of lines; the empty item is `everyone`, the empty `when` is `anything`.
Item: TypeAlias = tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One sentence of the sharing rules.

    `to` is an OR of items. `obligations` is empty for never, non-empty for require. `yields_to` is empty unless always.
    """

    id: str
    name: str
    effect: Effect
    when: Item
    to: tuple[Item, ...]
    obligations: Obligations
    yields_to: tuple[str, ...]
    because: str
    line: int

    @property
    def title(self) -> str:
        """The name without the id."""
        return self.name[len(self.id) :].strip() or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An expectation written beside the rules; exactly one of `reaches` and `nobody_because` is given.

    `at` None means that nothing is known about the agreements: a case that depends on one must say when.
    """

    name: str
    line: int
    portion: Attributes
    at: datetime | None
    reaches: frozenset[str] | None
    nobody_because: frozenset[str] | None
    obligations: Mapping[str, Obligations]
    tearline_reaches: frozenset[str] | None
    withheld_from: Mapping[str, frozenset[str]] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruleset:
    """A parsed rules file. The order of `rules` is that of the text and has no meaning."""

    name: str
    version: int
    rules: tuple[Rule, ...]
    agreements: Mapping[str, Agreement]
    cases: tuple[Case, ...]
