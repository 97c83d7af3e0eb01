"""A preview as JSON has it: hashed into a release, shown to its approvers, made again by whoever doubts it."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from policy.case_changes import CaseChange
from policy.comparison import AgencyChange, DutyChange, Edition, Finding, RuleChange, Witness
from policy.history import moment_text
from policy.obligations import ObligationValue, describe_value
from policy.preview import Preview, Source
from policy.replayed import Cell, Example, Matrix, Replay, Row, Tally
from policy.say import Reworded
from policy.vocabulary import Attributes

FORMAT = "tearline preview/1"

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"
Document: TypeAlias = dict[str, Json]


def document(preview: Preview) -> Document:
    """All of a preview in plain values: equal previews have equal documents, and words stand where people read."""
    comparison = preview.comparison
    return {
        "format": FORMAT,
        "verdict": comparison.verdict(),
        "audience": comparison.audience,
        "duties": comparison.duties,
        "discloses_more": comparison.discloses_more,
        "passed": preview.passed,
        "before": _side(preview.before, preview.sources[0], preview.untouched[0]),
        "after": _side(preview.after, preview.sources[1], preview.untouched[1]),
        "rules": _rules(comparison.rules, preview.sentences),
        "agreements": [_reworded(one) for one in preview.sentences if _is_agreement(one)],
        "duty_changes": [_duty(preview, change) for change in comparison.duty_changes],
        "agencies": [_agency(preview, change) for change in comparison.agencies],
        "entries": [{"agency": entry.agency, "words": list(entry.words)} for entry in preview.entries],
        "widening": _witness(preview, comparison.widening),
        "narrowing": _witness(preview, comparison.narrowing),
        "findings": [_finding(preview, finding) for finding in preview.findings],
        "cases": [_case(case) for case in preview.cases],
        "replay": None if preview.replay is None else replay_document(preview.replay),
        "history": [{"sha256": one.sha256, "portions": one.portions} for one in preview.history],
    }


def _side(edition: Edition, source: Source, untouched: Sequence[str]) -> Document:
    return {
        "policy": edition.ruleset.name,
        "version": edition.ruleset.version,
        "rules": len(edition.ruleset.rules),
        "agencies": len(edition.agencies),
        "rules_release": source.rules,
        "directory_release": source.directory,
        "files": dict(sorted(source.files.items())),
        "untouched": list(untouched),
    }


def _rules(changes: Sequence[RuleChange], said: Sequence[Reworded]) -> list[Json]:
    """Rule by rule: the sentence before and after, and in which ways it matches otherwise."""
    found: dict[str, list[RuleChange]] = {}
    for change in changes:
        found.setdefault(change.rule, []).append(change)
    words = {one.about: one for one in said if not _is_agreement(one)}
    return [_rule(rule, found.get(rule, []), words.get(rule)) for rule in sorted({*found, *words})]


def _rule(rule: str, changes: Sequence[RuleChange], said: Reworded | None) -> Document:
    before = said.before if said is not None else None
    after = said.after if said is not None else None
    first = changes[0] if changes else None
    either = after or before
    return {
        "rule": rule,
        "title": either.title if either is not None else first.title if first is not None else "",
        "title_before": before.title if before is not None else None,
        "before": before.text if before is not None else first.before if first is not None else None,
        "after": after.text if after is not None else first.after if first is not None else None,
        "changes": [
            {
                "kind": change.kind,
                "effect": change.effect,
                "regions": list(change.regions),
                "held_back_by": list(change.held_back_by),
                "granted_already_by": list(change.granted_already_by),
            }
            for change in changes
        ],
    }


def _is_agreement(said: Reworded) -> bool:
    return any(one is not None and one.text.startswith("The agreement ") for one in (said.before, said.after))


def _reworded(said: Reworded) -> Document:
    return {
        "agreement": said.about,
        "before": said.before.text if said.before is not None else None,
        "after": said.after.text if said.after is not None else None,
    }


def _duty(preview: Preview, change: DutyChange) -> Document:
    return {
        "duty": change.name,
        "direction": change.direction,
        "before": _duty_value(preview.before, change.name, change.before),
        "after": _duty_value(preview.after, change.name, change.after),
        "words": change.words,
        "example": _witness(preview, change.witness),
    }


def _duty_value(edition: Edition, name: str, value: ObligationValue | None) -> str | None:
    if value is None or name not in edition.vocabulary.obligation:
        return None
    return describe_value(edition.vocabulary, name, value)


def _agency(preview: Preview, change: AgencyChange) -> Document:
    rows = () if preview.replay is None else preview.replay.matrix.rows
    row = next((row for row in rows if row.agency == change.agency), None)
    return {
        "agency": change.agency,
        "kind": change.kind,
        "audience": change.audience,
        "duties": change.duties,
        "words": list(change.words),
        "widening": _witness(preview, change.widening),
        "narrowing": _witness(preview, change.narrowing),
        "replayed": None if row is None else {"started": _counts(row.started), "stopped": _counts(row.stopped)},
    }


def _witness(preview: Preview, witness: Witness | None) -> Document | None:
    """A possible portion and agency; apart from their properties the names by which relations link the two."""
    if witness is None:
        return None
    words = (preview.before.vocabulary, preview.after.vocabulary)
    portion = {name for vocabulary in words for name in vocabulary.bulletin}
    record = {name for vocabulary in words for name in vocabulary.agency}
    return {
        "portion": _attributes(witness.portion, portion.__contains__),
        "portion_links": _attributes(witness.portion, lambda name: name not in portion),
        "agency": witness.agency,
        "record": _attributes(witness.record, record.__contains__),
        "record_links": _attributes(witness.record, lambda name: name not in record),
        "at": None if witness.at is None else moment_text(witness.at),
    }


def _attributes(attributes: Attributes, wanted: Callable[[str], bool]) -> Document:
    return {
        name: value if isinstance(value, str) else [*sorted(value)]
        for name, value in sorted(attributes.items())
        if wanted(name)
    }


def _finding(preview: Preview, finding: Finding) -> Document:
    return {
        "code": finding.code,
        "rule": finding.rule,
        "line": finding.line,
        "message": finding.message,
        "example": _witness(preview, finding.example),
    }


def _case(case: CaseChange) -> Document:
    return {
        "case": case.name,
        "kind": case.kind,
        "before": case.before,
        "after": case.after,
        "as_before": case.as_before,
        "detail": case.detail,
        "failure": case.failure,
    }


def replay_document(replayed: Replay) -> Document:
    """A replay, or what a trial came to, in plain values."""
    return {
        "since": None if replayed.since is None else moment_text(replayed.since),
        "until": None if replayed.until is None else moment_text(replayed.until),
        "bulletins": replayed.bulletins,
        "portions": replayed.portions,
        "strangers": replayed.strangers,
        "departed": replayed.departed,
        "disclosed": _tally(replayed.disclosed),
        "withdrawn": _tally(replayed.withdrawn),
        "loosened": _tally(replayed.loosened),
        "tightened": _tally(replayed.tightened),
        "matrix": _matrix(replayed.matrix),
        "examples": [_example(example) for example in replayed.examples],
    }


def _tally(tally: Tally) -> Document:
    return {
        "bulletins": tally.bulletins,
        "portions": tally.portions,
        "deliveries": tally.deliveries,
        "agencies": tally.agencies,
        "by_precedence": _counts(tally.by_precedence),
    }


def _counts(counts: Mapping[str, int]) -> list[Json]:
    """Highest precedence first; names of a JSON object have no order."""
    return [[name, count] for name, count in counts.items()]


def _matrix(matrix: Matrix) -> Document:
    return {
        "markings": list(matrix.markings),
        "rows": [_row(row) for row in matrix.rows],
        "total": [_cell(cell) for cell in matrix.total],
    }


def _row(row: Row) -> Document:
    return {
        "agency": row.agency,
        "agencies": row.agencies,
        "cells": [_cell(cell) for cell in row.cells],
        "started": _counts(row.started),
        "stopped": _counts(row.stopped),
    }


def _cell(cell: Cell) -> list[Json]:
    return [cell.gained, cell.lost]


def _example(example: Example) -> Document:
    return {
        "effect": example.effect,
        "bulletin": example.bulletin,
        "portion": example.portion,
        "at": moment_text(example.at),
        "precedence": example.precedence,
        "originator": example.originator,
        "marking": example.marking,
        "attributes": [[name, words] for name, words in example.attributes.items()],
        "agencies": list(example.agencies),
        "more": example.more,
        "rules": list(example.rules),
        "before": list(example.before),
        "after": list(example.after),
    }
