"""One thing that would have to be otherwise, in words: what, what it is now, and whose matter it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from policy.agreements import Agreement
from policy.findings import value_in_words
from policy.own import AnyDecider
from policy.supposing import SAME_NAME, Ground, Supposed
from policy.truth import known_members, members
from policy.vocabulary import AGENCY_ID, Property, Value
from policy.wording import both, values_in_words

Kind: TypeAlias = Literal["missing", "tearline", "originator", "directory", "agreement", "marking", "subject"]

# Among ways of equally many changes those come first that add what is missing, and last those that would need another
# bulletin altogether.
WEIGHT: dict[Kind, int] = {
    "tearline": 0, "missing": 1, "originator": 2, "agreement": 3, "directory": 3, "marking": 5, "subject": 7,
}  # fmt: skip

_TEARLINE = "a tearline would be needed: a version that a person writes and marks by itself"
_ACTS = {
    "named": "the originator would have to name {} as a recipient",
    "approved": "the originator would have to approve {}",
    "requester": "it would have to be the answer to a request of {}",
}
_MARKINGS = frozenset({"TLP", "caveats", "dissemination"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One attribute or agreement that would have to be otherwise.

    `missing`: nothing usable is stated now. `tearline`, `originator`: somebody would have to act. `directory`,
    `agreement`: the record of the agency, or the dates. `marking`, `subject`: it would need to be another bulletin.
    """

    side: str
    name: str
    kind: Kind
    words: str


def agreement_change(decider: AnyDecider, name: str) -> Change:
    """An agreement that the agency holds and that would have to be in force."""
    words = f"the agreement {name} would have to be in force ({_dates(decider, decider.ruleset.agreements[name])})"
    return Change(side="agreement", name=name, kind="agreement", words=words)


def _dates(decider: AnyDecider, agreement: Agreement) -> str:
    if decider.moment is not None and decider.moment < agreement.start:
        return f"it begins at {agreement.start:%Y-%m-%d %H:%M} UTC"
    if decider.moment is not None and decider.moment >= agreement.end:
        return f"it ended at {agreement.end:%Y-%m-%d %H:%M} UTC"
    return "it starts or ends within five minutes"


def bulletin_change(ground: Ground, supposed: Supposed, name: str, admitted: Sequence[str]) -> Change:
    """An attribute of the bulletin; `admitted` are all values that it could have, where it has one value."""
    was, now = ground.was("bulletin", name), supposed.portion[name]
    known, domain = ground.vocabulary.bulletin.get(name), _domain(ground, "bulletin", name)
    missing = was is None or not known_members(was, domain)[1]
    if name == "version" and not missing and tuple(admitted) == ("tearline",):
        return Change(side="bulletin", name=name, kind="tearline", words=_TEARLINE)
    relations = [relation for relation in ground.vocabulary.relation.values() if relation.key == name]
    if ground.agency in members(now) and any(relation.index == AGENCY_ID for relation in relations):
        words = _ACTS.get(name, name + " would need to include {}").format(ground.agency)
        return Change(side="bulletin", name=name, kind="originator", words=words)
    said = _become(known, was, now, admitted)
    kind: Kind = "missing" if missing else "marking" if name in _MARKINGS else "subject"
    words = f"{name} would need to {said} ({_stated(was, domain)})"
    return Change(side="bulletin", name=name, kind=kind, words=words)


def agency_change(ground: Ground, supposed: Supposed, name: str, admitted: Sequence[str]) -> Change:
    """An attribute of the agency's record; `admitted` as above."""
    was, now = ground.was("agency", name), supposed.record[name]
    domain = _domain(ground, "agency", name)
    missing = was is None or not known_members(was, domain)[1]
    said = _become(ground.vocabulary.agency.get(name), was, now, admitted)
    words = f"{name} of {ground.agency} would have to {said} ({_stated(was, domain)})"
    return Change(side="agency", name=name, kind="missing" if missing else "directory", words=words)


def _domain(ground: Ground, side: str, name: str) -> frozenset[str] | None:
    vocabulary = ground.vocabulary
    typed = (vocabulary.bulletin if side == "bulletin" else vocabulary.agency).get(name)
    if typed is not None:
        return frozenset(typed.values)
    return (vocabulary.keys if side == "bulletin" else vocabulary.indexes)[name]


def _become(known: Property | None, was: Value | None, now: Value, admitted: Sequence[str]) -> str:
    if admitted and known is not None:
        return f"be {values_in_words(known, admitted)}"
    before, after = members(was) if was is not None else frozenset[str](), members(now)
    if after == frozenset((SAME_NAME,)):
        return "be stated, the same for both"
    if not after:
        return "be stated as none" if was is None else "be none"
    gained, lost = sorted(after - before), sorted(before - after)
    said = [f"include {value_in_words(frozenset(gained))}"] if gained else []
    if lost:
        said.append(f"be without {value_in_words(frozenset(lost))}")
    return both(said)


def _stated(was: Value | None, domain: frozenset[str] | None) -> str:
    if was is None:
        return "it is not stated"
    if not known_members(was, domain)[1]:
        return "what is stated is not in the vocabulary"
    return f"it is {value_in_words(was)}"
