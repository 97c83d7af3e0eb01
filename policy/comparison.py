"""What a change of the rules or the directory does, as values: made by `policy.proof`, shown by `policy.preview`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from policy.obligations import ObligationValue
from policy.rules import Ruleset
from policy.vocabulary import Attributes, Vocabulary

AudienceVerdict: TypeAlias = Literal["SAME", "NARROWS", "WIDENS", "WIDENS AND NARROWS"]
DutyVerdict: TypeAlias = Literal["SAME", "TIGHTENED", "LOOSENED", "LOOSENED AND TIGHTENED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """Rules over a directory: one side of a comparison."""

    vocabulary: Vocabulary
    ruleset: Ruleset
    agencies: Mapping[str, Attributes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """One possible portion and agency that a difference is true of: what the solver found, checked by deciding it.

    `agency` is an id of the directory, or None for a possible agency with the attributes in `record`.
    """

    portion: Attributes
    agency: str | None
    record: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """One rule whose reach or text changed, in words.

    `regions` are the portions and agencies it matches more or less than before, one line each. Never rules that still
    hold some of it back, and grants that already reach it, are kept by name.
    """

    rule: str
    title: str
    effect: str
    kind: Literal["added", "removed", "matches more", "matches less", "matches otherwise", "duties", "reworded"]
    before: str | None
    after: str | None
    regions: tuple[str, ...]
    held_back_by: tuple[str, ...]
    granted_already_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyChange:
    """One duty that some recipient would have otherwise than before; None means that they had, or get, no such duty."""

    name: str
    direction: Literal["LOOSENED", "TIGHTENED"]
    before: ObligationValue | None
    after: ObligationValue | None
    words: str
    witness: Witness


@dataclass(frozen=True, slots=True, kw_only=True)
class AgencyChange:
    """One agency whose directory record changed, with the verdict for it alone."""

    agency: str
    kind: Literal["added", "removed", "changed"]
    before: Attributes | None
    after: Attributes | None
    audience: AudienceVerdict
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The proved difference of two sets of rules and directories.

    `widening` and `narrowing` are examples, present exactly when the verdict says so.
    """

    audience: AudienceVerdict
    duties: DutyVerdict
    rules: tuple[RuleChange, ...]
    duty_changes: tuple[DutyChange, ...]
    agencies: tuple[AgencyChange, ...]
    widening: Witness | None
    narrowing: Witness | None

    @property
    def discloses_more(self) -> bool:
        """Whether anybody could get more, or get it under looser duties, than before."""
        return "WIDENS" in self.audience or "LOOSENED" in self.duties

    def verdict(self) -> str:
        """The line that an approver reads first."""
        duties = "" if self.duties == "SAME" else f"; duties {self.duties}"
        return f"{self.audience}{duties} (proved)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a proof holds against one rule file; every finding refuses it.

    `code`: never-matches, adds-nothing, always-blocked (a share or always that nobody can ever get), blocks-always.
    """

    code: str
    rule: str
    line: int
    message: str
    example: Mapping[str, str]
