"""The words for what a preview's document says: one wording for the terminal and for the report.

Everything is made from the document alone, the very bytes that are hashed and signed: what an approver reads is what
they approve.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from policy.showing import MARKING

#: What a verdict about audiences means, for somebody who reads it for the first time.
AUDIENCE: Final = {
    "SAME": "Nobody could get anything more or less than before.",
    "NARROWS": "Somebody could get less than before, and nobody could get more.",
    "WIDENS": "Somebody could get more than before, and nobody could get less.",
    "WIDENS AND NARROWS": "Somebody could get more than before, and somebody could get less.",
}
DUTIES: Final = {
    "SAME": "Whoever gets something has the same duties as before.",
    "TIGHTENED": "Some duties become stricter, and none looser.",
    "LOOSENED": "Some duties become looser, and none stricter.",
    "LOOSENED AND TIGHTENED": "Some duties become looser, and some stricter.",
}
EFFECTS: Final = {
    "disclosed": "newly disclosed",
    "withdrawn": "no longer sent",
    "loosened": "duties loosened",
    "tightened": "duties tightened",
}
_DONE: Final = {
    "disclosed": "newly disclosed",
    "withdrawn": "held back",
    "loosened": "loosened the duties of",
    "tightened": "tightened the duties of",
}
_URGENT: Final = ("FLASH", "IMMEDIATE")
_WERE: Final = {"holds": "held", "fails": "failed", "waits": "waited"}
_KINDS: Final = {
    "kept": "",
    "added": "new",
    "removed": "removed",
    "rewritten": "rewritten",
}


def verdict_class(document: Mapping[str, Any]) -> str:
    """One word for how alarming a verdict is: `more`, `less` or `same`."""
    if document["discloses_more"]:
        return "more"
    return "same" if document["audience"] == "SAME" and document["duties"] == "SAME" else "less"


def verdict_words(document: Mapping[str, Any]) -> list[str]:
    """What the verdict means, and what the change would have done last month."""
    proved = "This is proved for every possible bulletin, agency and moment."
    return [AUDIENCE[document["audience"]], f"{DUTIES[document['duties']]} {proved}", _last_month(document["replay"])]


def _last_month(replayed: Mapping[str, Any] | None) -> str:
    if replayed is None:
        return "What it would have done last month is not known: no recorded portions were given."
    told = [
        f"{verb} {tally_words(replayed[effect])}" for effect, verb in _DONE.items() if replayed[effect]["bulletins"]
    ]
    if not told:
        return (
            f"It would have changed nothing for the {count(replayed['bulletins'], 'bulletin', 'bulletins')} replayed."
        )
    return f"In the last thirty days it would have {'; '.join(told)}."


def stopped_words(document: Mapping[str, Any]) -> str:
    """That urgent bulletins would not have arrived: a change that only narrows can stop a warning that saves a life."""
    counts = dict(document["replay"]["withdrawn"]["by_precedence"]) if document["replay"] is not None else {}
    urgent = [[name, counts[name]] for name in _URGENT if name in counts]
    return f"Warnings stopped: {_bulletins(urgent)} would not have reached everybody they reached." if urgent else ""


def against_words(document: Mapping[str, Any]) -> str:
    """What keeps the change from passing, and where to read on; empty when nothing does."""
    failing, findings = sum(case["failure"] for case in document["cases"]), len(document["findings"])
    said, where = [], []
    if findings:
        said.append(count(findings, "fault is proved", "faults are proved"))
        where.append("Faults")
    if failing:
        said.append(count(failing, "case fails", "cases fail"))
        where.append("Cases")
    return f"Does not pass: {' and '.join(said)} (see {' and '.join(where)})." if said else ""


def count(number: int, one: str, many: str) -> str:
    """`1 bulletin`, `2,000 bulletins`."""
    return f"{number:,} {one if number == 1 else many}"


def side_words(side: Mapping[str, Any]) -> str:
    """`Regional threat bulletins, version 41 (rules release 12, directory release 7): 23 rules, 13 agencies`."""
    releases = [
        f"{what} release {side[name]}"
        for what, name in (("rules", "rules_release"), ("directory", "directory_release"))
        if side[name] is not None
    ]
    numbered = f" ({', '.join(releases)})" if releases else ""
    return (
        f"{side['policy']}, version {side['version']}{numbered}: "
        f"{count(side['rules'], 'rule', 'rules')}, {count(side['agencies'], 'agency', 'agencies')}"
    )


def limits_words(change: Mapping[str, Any]) -> list[str]:
    """What else has a say about the portions and agencies of a rule's change, by name."""
    held, granted = change["held_back_by"], change["granted_already_by"]
    said = [f"still held back in part by {', '.join(held)}"] if held else []
    return [*said, f"also granted in part by {', '.join(granted)}"] if granted else said


def tally_words(tally: Mapping[str, Any]) -> str:
    """`16 bulletins (2 FLASH, 14 ROUTINE) for 2 agencies, 32 deliveries`."""
    if not tally["bulletins"]:
        return "nothing"
    return (
        f"{count(tally['bulletins'], 'bulletin', 'bulletins')} ({counts_words(tally['by_precedence'])}) for "
        f"{count(tally['agencies'], 'agency', 'agencies')}, {count(tally['deliveries'], 'delivery', 'deliveries')}"
    )


def counts_words(counts: Iterable[Sequence[Any]]) -> str:
    """`12 FLASH, 3 ROUTINE`; empty when there is nothing."""
    return ", ".join(f"{number:,} {precedence}" for precedence, number in counts)


def replayed_words(agency: Mapping[str, Any]) -> list[str]:
    """What the change would have meant for one changed agency: `would have stopped 12 FLASH bulletins to it`."""
    replayed = agency["replayed"]
    if replayed is None:
        return []
    stopped, started = _bulletins(replayed["stopped"]), _bulletins(replayed["started"])
    said = [f"would have stopped {stopped} to it"] if stopped else []
    if started:
        said.append(f"would have newly sent it {started}")
    return said or ["would have stopped no bulletin to it and newly sent it none"]


def _bulletins(counts: Sequence[Sequence[Any]]) -> str:
    """`12 FLASH and 3 ROUTINE bulletins`."""
    told = " and ".join(f"{number:,} {precedence}" for precedence, number in counts)
    return f"{told} bulletin{'' if [number for _, number in counts] == [1] else 's'}" if told else ""


def span_words(replayed: Mapping[str, Any]) -> str:
    """What was replayed: how much, from when to when, and what could not be."""
    if replayed["since"] is None:
        return "nothing was recorded in these thirty days"
    said = (
        f"{count(replayed['bulletins'], 'bulletin', 'bulletins')} in "
        f"{count(replayed['portions'], 'portion', 'portions')}, "
        f"{replayed['since'][:10]} to {replayed['until'][:10]}"
    )
    if replayed["departed"]:
        said += f"; {replayed['departed']:,} of the portions come from an agency that only one of the directories has"
    if replayed["strangers"]:
        said += f"; {replayed['strangers']:,} more portions come from agencies in neither directory and are left out"
    return said


def case_state(case: Mapping[str, Any]) -> str:
    """`FAILS`, `holds`, `waits` or `removed`, with what it was where that is something else."""
    if case["kind"] == "removed":
        return f"removed ({_WERE[case['before']]} before)"
    state = "FAILS" if case["failure"] else str(case["after"])
    if case["before"] is None:
        return f"{state} (new)"
    return state if case["before"] == case["after"] else f"{state} ({_WERE[case['before']]} before)"


def case_note(case: Mapping[str, Any]) -> str:
    """What is worth saying of a case beside how it fares."""
    told = [str(case["detail"])] if case["detail"] else []
    if case["as_before"] is not None:
        told.insert(0, f"{_KINDS[case['kind']]}; as it was written before it now {case['as_before']}")
    return "; ".join(told)


def notable(cases: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The cases that say something: failures first, then what changed or waits."""
    told = [case for case in cases if case["failure"] or case["kind"] != "kept" or case["before"] != case["after"]]
    waiting = [case for case in cases if case["after"] == "waits" and case not in told]
    return sorted([*told, *waiting], key=lambda case: not case["failure"])


def cases_words(cases: Sequence[Mapping[str, Any]]) -> str:
    """`20 hold, 1 fails, 2 wait for agencies`."""
    present = [case for case in cases if case["after"] is not None]
    failing = sum(case["failure"] for case in present)
    waiting = sum(case["after"] == "waits" and not case["failure"] for case in present)
    said = [count(len(present) - failing - waiting, "holds", "hold")]
    if failing:
        said.append(count(failing, "FAILS", "FAIL"))
    if waiting:
        said.append(count(waiting, "waits for agencies", "wait for agencies"))
    removed = len(cases) - len(present)
    return ", ".join([*said, f"{removed} removed"] if removed else said)


def example_words(example: Mapping[str, Any]) -> str:
    """`CHICAGO-PD-2026-000001 p1, FLASH, AMBER, product SITREP, …`: which portion this is, without a word of it."""
    # A trial keeps no attributes beside the marking.
    attributes = ", ".join(f"{name} {words}" for name, words in example["attributes"])
    told = f"{example['bulletin']} {example['portion']}, {example['precedence']}, {example['marking']}"
    return f"{told}; {attributes}" if attributes else told


def receivers_words(example: Mapping[str, Any]) -> str:
    """The first agencies by name and how many others there are."""
    more = f" and {example['more']:,} more" if example["more"] else ""
    return ", ".join(example["agencies"]) + more


def witness_words(witness: Mapping[str, Any]) -> str:
    """A possible portion and agency that the solver found, in one line; what links the two is in the JSON."""
    portion = witness["portion"]
    names = [*(name for name in MARKING if name in portion), *sorted(portion.keys() - set(MARKING))]
    whom = witness["agency"] or f"a possible agency ({_stated(witness['record'], sorted(witness['record']))})"
    at = f", at {witness['at']}" if witness["at"] else ""
    return f"a bulletin with {_stated(portion, names)}, to {whom}{at}"


def _stated(attributes: Mapping[str, Any], names: Iterable[str]) -> str:
    return "; ".join(f"{name} {_value(attributes[name])}" for name in names if attributes[name]) or "nothing stated"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else " and ".join(value)
