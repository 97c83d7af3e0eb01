"""The proved difference of two editions: for every possible portion, agency and moment, and for each changed record."""

from collections.abc import Sequence
from dataclasses import replace

from policy.comparison import (
    AgencyChange,
    AudienceVerdict,
    Comparison,
    DutyChange,
    Edition,
    RuleChange,
    Witness,
)
from policy.proof.changes import rule_changes
from policy.proof.directory import agency_changes
from policy.proof.duties import duty_changes, duty_verdict
from policy.proof.sides import Ground, Sides
from policy.vocabulary import Vocabulary


def compare(before: Edition, after: Edition) -> Comparison:
    """Prove what a change does, to anybody, ever.

    Changed rules are compared for any portion and any agency there could be, in the directory or not; an agency whose
    record changed, came or went is compared for any portion, with its records and the rules of both sides.

    Raises:
        PolicyError: if the vocabularies cannot be compared (`incomparable-vocabularies`), if nothing could be proved
            (`not-proved`, `not-provable`), or if the decider of production contradicts the proof (`proof-mismatch`).
    """
    changes: tuple[RuleChange, ...] = ()
    duties: tuple[DutyChange, ...] = ()
    verdicts: list[AudienceVerdict] = []
    widening: Witness | None = None
    narrowing: Witness | None = None
    if not _same_rules(before, after):
        sides = Sides(Ground(before, after), before, after)
        audiences = sides.audiences()
        widening, narrowing = audiences.widening, audiences.narrowing
        verdicts.append(audiences.verdict)
        duties = duty_changes(sides)
        changes = rule_changes(sides)
    agencies, agency_duties = agency_changes(before, after)
    verdicts += [change.audience for change in agencies]
    duties = _once((*duties, *agency_duties))
    return Comparison(
        audience=_verdict(verdicts),
        duties=duty_verdict(duties),
        rules=changes,
        duty_changes=duties,
        agencies=agencies,
        widening=widening or _first(agencies, "widening"),
        narrowing=narrowing or _first(agencies, "narrowing"),
    )


def _first(agencies: Sequence[AgencyChange], what: str) -> Witness | None:
    found = (change.widening if what == "widening" else change.narrowing for change in agencies)
    return next((witness for witness in found if witness is not None), None)


def _once(changes: Sequence[DutyChange]) -> tuple[DutyChange, ...]:
    """Changes of the same duty of the same agencies in the same way once."""
    found = {(one.name, one.direction, one.before, one.after, one.witness.agency): one for one in reversed(changes)}
    return tuple(reversed(found.values()))


def _verdict(verdicts: Sequence[AudienceVerdict]) -> AudienceVerdict:
    widens = any("WIDENS" in verdict for verdict in verdicts)
    narrows = any("NARROWS" in verdict for verdict in verdicts)
    if widens:
        return "WIDENS AND NARROWS" if narrows else "WIDENS"
    return "NARROWS" if narrows else "SAME"


def _same_rules(before: Edition, after: Edition) -> bool:
    """Whether nothing but the directory, the cases or the order of rules differs."""
    ordered = [
        sorted((replace(rule, line=0) for rule in edition.ruleset.rules), key=lambda rule: rule.id)
        for edition in (before, after)
    ]
    same = ordered[0] == ordered[1] and before.ruleset.agreements == after.ruleset.agreements
    return same and _meaning(before.vocabulary) == _meaning(after.vocabulary)


def _meaning(vocabulary: Vocabulary) -> tuple[object, ...]:
    return (
        dict(vocabulary.bulletin), dict(vocabulary.agency), dict(vocabulary.relation), dict(vocabulary.obligation),
        dict(vocabulary.keys), dict(vocabulary.indexes),
    )  # fmt: skip
