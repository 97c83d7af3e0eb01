"""What one line of a rule found: its truth for one portion and one agency, and why, in words an officer reads."""

from dataclasses import dataclass

from policy.own import AnyDecider
from policy.truth import Line, Side, Truth, known_members, line_truth, members
from policy.vocabulary import AGENCY_ID, Attributes, Property, Relation, Value

# A list of three hundred named agencies explains nothing more than its beginning.
_SHOWN_AT_MOST = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class LineReport:
    """One line, what it says, and what was found; `missing` when it is undecided because data is missing or unknown."""

    text: str
    side: Side
    holds: bool
    missing: bool
    found: str


def report_line(decider: AnyDecider, line: Line, portion: Attributes, agency: str) -> LineReport:
    """Evaluate and describe one line."""
    record = decider.agencies[agency]
    truth = line_truth(decider.vocabulary, line, portion, agency=agency, record=record, force=decider.force)
    return LineReport(
        text=line.text,
        side=line.side,
        holds=truth is Truth.YES,
        missing=truth is Truth.UNKNOWN,
        found=_found(decider, line, portion, agency),
    )


def _found(decider: AnyDecider, line: Line, portion: Attributes, agency: str) -> str:
    match line.side:
        case "portion":
            return _property(decider.vocabulary.bulletin[line.name], portion.get(line.name), "the bulletin")
        case "agency":
            known, value = decider.vocabulary.agency[line.name], decider.agencies[agency].get(line.name)
            stated = _property(known, value, f"the directory entry of {agency}")
            return stated + _dates(decider, line, value) if known.dated and value is not None else stated
        case "relation":
            return _relation(decider, decider.vocabulary.relation[line.name], portion, agency)


def _property(known: Property, value: Value | None, where: str) -> str:
    if value is None:
        return f"{where} does not state {known.name}"
    if not members(value).issubset(known.values):
        return f"{where} states a {known.name} that the vocabulary does not know"
    if known.kind != "set of" and not isinstance(value, str):
        return f"{where} states {known.name} as a set, which has one value"
    return f"{where} states {known.name} {value_in_words(value)}"


def _dates(decider: AnyDecider, line: Line, value: Value) -> str:
    """What the clock makes of the agreements that the agency holds and the line asks for."""
    notes: list[str] = []
    for name in sorted(members(value) & line.values):
        force = decider.force.get(name, Truth.UNKNOWN)
        if force is Truth.NO:
            notes.append(f"{name} is not in force")
        elif force is Truth.UNKNOWN:
            within = "no time is given" if decider.moment is None else "it starts or ends within five minutes"
            notes.append(f"whether {name} is in force is not certain: {within}")
    return f" ({'; '.join(notes)})" if notes else ""


def _relation(decider: AnyDecider, relation: Relation, portion: Attributes, agency: str) -> str:
    domain = decider.vocabulary.keys[relation.key]
    key = portion.get(relation.key)
    if key is None:
        return f"the bulletin does not state {relation.key}"
    if not known_members(key, domain)[1]:
        return f"the bulletin states a {relation.key} that the vocabulary does not know"
    stated = f"the bulletin states {relation.key} {value_in_words(key)}"
    if relation.index == AGENCY_ID:
        return stated
    index = decider.agencies[agency].get(relation.index)
    if index is None:
        return f"{stated}, the directory entry of {agency} does not state {relation.index}"
    if not known_members(index, domain)[1]:
        return f"{stated}, the directory entry of {agency} states a {relation.index} that the vocabulary does not know"
    return f"{stated}, the directory entry of {agency} states {relation.index} {value_in_words(index)}"


def value_in_words(value: Value) -> str:
    """The values, short and on one line: free names come from whoever submitted the bulletin."""
    words = ", ".join(sorted(members(value))) or "none"
    shown = "".join(character if character.isprintable() else "�" for character in words[:_SHOWN_AT_MOST])
    return shown if len(words) <= _SHOWN_AT_MOST else f"{shown}…"
