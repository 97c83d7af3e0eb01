"""A preview for the terminal: the verdict first, then rule by rule, the cases, and what would have been."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from broker.officer import preview_words as words

# A terminal is not a report: what is beyond is in the JSON and in the HTML.
_ROWS: Final = 20
_EXAMPLES: Final = 3


def lines(document: Mapping[str, Any], sha256: str) -> Iterator[str]:
    """The preview, line by line. Foreign words are in it as they are: the caller makes them safe for a terminal."""
    yield document["verdict"]
    for said in words.verdict_words(document):
        yield f"  {said}"
    for said in filter(None, (words.stopped_words(document), words.against_words(document))):
        yield f"  {said}"
    yield ""
    yield f"from  {words.side_words(document['before'])}"
    yield f"to    {words.side_words(document['after'])}"
    yield from _section("RULES", [*_rules(document), *_agreements(document)], none="every rule says what it said")
    yield from _section("DUTIES", list(_duties(document)), none=None)
    yield from _section("AGENCIES", list(_agencies(document)), none=None)
    yield from _section("KEYS AND CONTACTS", list(_entries(document)), none=None)
    yield from _section("FAULTS, proved", list(_findings(document)), none=None)
    yield from _section("CASES", list(_cases(document)), none=None)
    yield from _section("REPLAY", list(_replay(document)), none=None)
    yield ""
    yield f"SHA-256 of this preview: {sha256}"


def _section(title: str, told: list[str], *, none: str | None) -> Iterator[str]:
    if not told and none is None:
        return
    yield ""
    yield title
    for line in told or [none or ""]:
        yield f"  {line}"


def _rules(document: Mapping[str, Any]) -> Iterator[str]:
    for rule in document["rules"]:
        yield f"{rule['rule']} {rule['title']}"
        if rule["before"] == rule["after"]:
            yield f"  is now called so; it was '{rule['title_before']}'"
        else:
            yield f"  before: {rule['before'] or '(no such rule)'}"
            yield f"  after:  {rule['after'] or '(removed)'}"
        for change in rule["changes"]:
            yield f"  {change['kind']}" + (":" if change["regions"] else "")
            for region in change["regions"]:
                yield f"    {region}"
            for limit in words.limits_words(change):
                yield f"    {limit}"


def _agreements(document: Mapping[str, Any]) -> Iterator[str]:
    for agreement in document["agreements"]:
        yield f"agreement {agreement['agreement']}"
        yield f"  before: {agreement['before'] or '(no such agreement)'}"
        yield f"  after:  {agreement['after'] or '(removed)'}"


def _duties(document: Mapping[str, Any]) -> Iterator[str]:
    for change in document["duty_changes"]:
        yield f"{change['direction']}: {change['words']}"
        yield f"  for example {words.witness_words(change['example'])}"


def _agencies(document: Mapping[str, Any]) -> Iterator[str]:
    changed = document["agencies"]
    for agency in changed[:_ROWS]:
        yield f"{agency['agency']} {agency['kind']}: {agency['audience']}; duties {agency['duties']}"
        for said in [*agency["words"], *words.replayed_words(agency)]:
            yield f"  {said}"
    if len(changed) > _ROWS:
        yield f"and {len(changed) - _ROWS} more changed agencies"


def _entries(document: Mapping[str, Any]) -> Iterator[str]:
    for entry in document["entries"]:
        yield entry["agency"]
        for said in entry["words"]:
            yield f"  {said}"


def _findings(document: Mapping[str, Any]) -> Iterator[str]:
    for finding in document["findings"]:
        yield f"line {finding['line']}: {finding['message']}"


def _cases(document: Mapping[str, Any]) -> Iterator[str]:
    yield words.cases_words(document["cases"])
    for case in words.notable(document["cases"]):
        note = words.case_note(case)
        yield f"{words.case_state(case)}: {case['case']}" + (f": {note}" if note else "")
    if document["after"]["untouched"]:
        yield f"no case touches {', '.join(document['after']['untouched'])}"


def _replay(document: Mapping[str, Any]) -> Iterator[str]:
    replayed = document["replay"]
    if replayed is None:
        yield "no recorded portions were given: what this would have done last month is not known"
        return
    yield from replay_lines(replayed)


def replay_lines(replayed: Mapping[str, Any]) -> Iterator[str]:
    """What recorded portions, or those of a trial, came to: the figures, the agencies, examples."""
    yield words.span_words(replayed)
    for effect, name in words.EFFECTS.items():
        yield f"{name.upper():<17} {words.tally_words(replayed[effect])}"
    for row in replayed["matrix"]["rows"][:_ROWS]:
        yield f"  {_who(row)}: {_cells(replayed['matrix']['markings'], row['cells'])}"
    if len(replayed["matrix"]["rows"]) > _ROWS:
        yield "  and others: see the report"
    for effect, name in words.EFFECTS.items():
        shown = [example for example in replayed["examples"] if example["effect"] == effect]
        for example in shown[:_EXAMPLES]:
            by = f" by {', '.join(example['rules'])}" if example["rules"] else ""
            yield f"for example {name}: {words.example_words(example)}"
            yield f"  {words.receivers_words(example)}{by}"


def _who(row: Mapping[str, Any]) -> str:
    return row["agency"] if row["agency"] is not None else f"{row['agencies']:,} other agencies"


def _cells(markings: list[str | None], cells: list[list[int]]) -> str:
    told = [
        f"{marking or 'other markings'} {' '.join(part for part in (_signed('+', gained), _signed('-', lost)) if part)}"
        for marking, (gained, lost) in zip(markings, cells, strict=True)
        if gained or lost
    ]
    return "; ".join(told) or "nothing"


def _signed(sign: str, number: int) -> str:
    return f"{sign}{number:,}" if number else ""
