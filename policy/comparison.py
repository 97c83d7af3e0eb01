"""What a change of the rules or the directory does, as values: made by `policy.proof`, shown by `policy.preview`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from policy.obligations import ObligationValue
from policy.rules import Ruleset
from policy.vocabulary import Attributes, Vocabulary

AudienceVerdict: TypeAlias = Literal["SAME", "NARROWS", "WIDENS", "WIDENS AND NARROWS"]
# How a portion of a witness names a possible agency that no directory has, where it is the originator or is named.
SOME_AGENCY = "some-agency"

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

    `agency` is an id of the directory, or None for a possible agency with the attributes in `record`, which the portion
    calls `SOME_AGENCY` where it means it. `at` None is a moment that is not known, so that no agreement is.
    """

    portion: Attributes
    agency: str | None
    record: Attributes
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """One way in which one rule differs, in words; a rule that matches both more and less is in two changes.

    `regions` are the portions and agencies it matches more, or less, than before, one line each: other rules are left
    out of them and kept by name. `held_back_by` are the other never rules that forbid some of it, and
    `granted_already_by` the other share and always rules that reach some of it: as they are after the change where
    the rule loses something or is removed, otherwise the grants as they were before it.
    """

    rule: str
    title: str
    effect: str
    kind: Literal["added", "removed", "matches more", "matches less", "duties", "reworded"]
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
    """One agency whose directory record changed, with the verdict for it alone, under the rules before and after."""

    agency: str
    kind: Literal["added", "removed", "changed"]
    before: Attributes | None
    after: Attributes | None
    audience: AudienceVerdict
    duties: DutyVerdict
    words: tuple[str, ...]
    widening: Witness | None
    narrowing: Witness | None


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

    `code`: never-matches, adds-nothing, always-blocked (a share or always that nobody can ever get), blocks-always,
    yields-in-vain. `example` is there where a possible portion and agency show the fault.
    """

    code: str
    rule: str
    line: int
    message: str
    example: Witness | None
