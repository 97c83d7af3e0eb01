"""`expected.toml` as values: what must be in whose inbox, who is kept from what, what must be refused."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources

from pydantic import ConfigDict, Field, TypeAdapter, with_config


@with_config(ConfigDict(extra="forbid", populate_by_name=True))
@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedBulletin:
    """One bulletin: `reaches` and `withheld` name portions by the keys of `says`."""

    key: str
    what: str
    originator: str = Field(alias="from")
    precedence: str
    says: Mapping[str, str]
    reaches: Mapping[str, tuple[str, ...]]
    withheld: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    hidden: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    answers: str | None = None
    corrects: str | None = None
    recalled: bool = False
    escalates: tuple[str, ...] = ()
    acknowledged: tuple[str, ...] = ()


@with_config(ConfigDict(extra="forbid", populate_by_name=True))
@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedRefusal:
    """One submission that must be refused; `rules` are the never rules that explain it, where rules do."""

    key: str
    what: str
    originator: str = Field(alias="from")
    code: str
    says: str
    rules: tuple[str, ...] = ()


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """The whole table."""

    bulletin: tuple[ExpectedBulletin, ...]
    refused: tuple[ExpectedRefusal, ...]

    def by_key(self, key: str) -> ExpectedBulletin:
        """The bulletin with that key."""
        return next(one for one in self.bulletin if one.key == key)

    def phrases(self) -> dict[str, tuple[str, str]]:
        """Every phrase with the bulletin and the portion it marks; refused texts mark the portion `refused`."""
        found = {phrase: (one.key, portion) for one in self.bulletin for portion, phrase in one.says.items()}
        found.update({one.says: (one.key, "refused") for one in self.refused})
        return found


def parse_expectation(text: str) -> Expectation:
    """Read the table.

    Raises:
        ValueError: a phrase is contained in another, so it would not tell two portions apart.
    """
    made = TypeAdapter(Expectation).validate_python(tomllib.loads(text))
    phrases = [phrase for one in made.bulletin for phrase in one.says.values()] + [one.says for one in made.refused]
    for phrase in phrases:
        if sum(phrase in other for other in phrases) > 1:
            raise ValueError(f"`{phrase}` does not tell two portions apart")
    return made


def load_expectation() -> Expectation:
    """The table that belongs to the scenario."""
    return parse_expectation(resources.files("broker.demo").joinpath("expected.toml").read_text(encoding="utf-8"))
