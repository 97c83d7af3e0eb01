"""Every rule as one English sentence.

The sentence says all that the rule means and nothing of how it was written: the order of lines, items and values is
that of the vocabulary, `at most AMBER` and the list of the same values read alike. Two rules that differ in anything
but their title have different sentences, so a difference of sentences is a difference of rules and the other way round.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from policy.agreements import Agreement
from policy.obligations import describe_value
from policy.rules import Item, Rule, Ruleset
from policy.truth import Line
from policy.vocabulary import Vocabulary
from policy.wording import both, in_order, quoted, values_in_words, word

# Words for what every exchange has; a name that is not here is said as `whose NAME is …`.
_OF_A_BULLETIN = {
    "product": "issued as {}",
    "category": "about {}",
    "information class": "classed as {}",
    "TLP": "marked TLP {}",
    "version": "in its {} version",
    "caveats": "with the caveat {}",
    "dissemination": "with the dissemination limit {}",
    "content basis": "resting on {}",
    "purpose": "for the purpose {}",
    "origin state": "from {}",
}
_OF_AN_AGENCY = {
    ("law enforcement", "yes"): "that is law enforcement",
    ("law enforcement", "no"): "that is not law enforcement",
    ("federal", "yes"): "that is federal",
    ("federal", "no"): "that is not federal",
    ("28 CFR 23 agreement", "yes"): "with a signed 28 CFR 23 agreement",
    ("28 CFR 23 agreement", "no"): "without a signed 28 CFR 23 agreement",
    ("serves the area", "yes"): "that serves the area",
    ("serves the area", "no"): "that does not serve the area",
    ("in the same region", "yes"): "in the same region",
    ("in the same region", "no"): "not in the same region",
    ("named as a recipient", "yes"): "named as a recipient",
    ("named as a recipient", "no"): "not named as a recipient",
    ("approved by the originator", "yes"): "approved by the originator",
    ("approved by the originator", "no"): "not approved by the originator",
    ("protects the person", "yes"): "that protects the person",
    ("protects the person", "no"): "that does not protect the person",
    ("allowed that purpose", "yes"): "allowed that purpose",
    ("allowed that purpose", "no"): "not allowed that purpose",
    ("is the originator", "yes"): "that is the originator",
    ("is the originator", "no"): "that is not the originator",
    ("asked for it", "yes"): "that asked for it",
    ("asked for it", "no"): "that did not ask for it",
}
_DUTIES = {
    "precedence": "sent as {}",
    "acknowledge within": "to be acknowledged within {}",
    "retain for": "to be kept for at most {}",
    "onward": "under the onward limit {}",
    "strip": "stripped of {}",
    "not to be used for": "not to be used for {}",
    "handling note": "under the handling note {}",
}
_KIND = "kind"
# Rules that forbid or oblige fire on what is possible: each of their lines says so.
_POSSIBLY = " (or not known)"
_ANSWERS = ("yes", "no")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """What one rule or agreement says; `about` is its id or name, `title` what the officers call it."""

    about: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reworded:
    """A sentence that a change adds (no `before`), removes (no `after`) or alters."""

    about: str
    before: Sentence | None
    after: Sentence | None


def sentence(rule: Rule, vocabulary: Vocabulary) -> str:
    """The rule in one sentence; the same for every way to write the same rule."""
    possibly = _POSSIBLY if rule.effect in ("never", "require") else ""
    bulletin, agencies = _bulletin(rule.when, vocabulary, possibly), _agencies(rule.to, vocabulary, possibly)
    duties = _duties(rule, vocabulary)
    said = {
        "share": f"shares {bulletin} with {agencies}",
        "always": f"always shares {bulletin} with {agencies}; {_held_back(rule)} may hold it back",
        "never": f"never shares {bulletin} with {agencies}",
        "require": f"adds duties to {bulletin} for {agencies}",
    }[rule.effect]
    return f"{rule.id} {said}{duties}, because: {rule.because}."


def _held_back(rule: Rule) -> str:
    return f"only {both(sorted(frozenset(rule.yields_to)))}" if rule.yields_to else "nothing"


def agreement_sentence(agreement: Agreement) -> str:
    """When an agreement is in force; for the edges of it see `Agreement.in_force`."""
    start, end = agreement.start, agreement.end
    begins = f"{start:%Y-%m-%d}" if _midnight(start) else _minute(start)
    # An end at midnight is the last moment of the day before: as a person writes and reads it.
    ends = f"the end of {end - timedelta(days=1):%Y-%m-%d}" if _midnight(end) else _minute(end)
    return f"The agreement {word(agreement.name)} is in force from {begins} until {ends} (UTC)."


def sentences(ruleset: Ruleset, vocabulary: Vocabulary) -> tuple[Sentence, ...]:
    """All rules by id, then all agreements by name: the same for every order in which they were written."""
    rules = (
        Sentence(about=rule.id, title=rule.title, text=sentence(rule, vocabulary))
        for rule in sorted(ruleset.rules, key=lambda rule: rule.id)
    )
    agreements = (
        Sentence(about=name, title="agreement", text=agreement_sentence(ruleset.agreements[name]))
        for name in sorted(ruleset.agreements)
    )
    return (*rules, *agreements)


def reworded(before: tuple[Sentence, ...], after: tuple[Sentence, ...]) -> tuple[Reworded, ...]:
    """What a change of the rules says otherwise than before, title included; empty when the rules mean the same."""
    old, new = _by_subject(before), _by_subject(after)
    return tuple(
        Reworded(about=key[1], before=old.get(key), after=new.get(key))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    )


def _by_subject(said: tuple[Sentence, ...]) -> Mapping[tuple[bool, str], Sentence]:
    """Rules before agreements; an agreement may have the name of a rule."""
    return {(one.text.startswith("The agreement "), one.about): one for one in said}


def _bulletin(when: Item, vocabulary: Vocabulary, possibly: str) -> str:
    lines = {line.name: line for line in when}
    said = [_bulletin_line(lines[name], vocabulary) + possibly for name in vocabulary.bulletin if name in lines]
    return f"a bulletin {both(said)}" if said else "any bulletin"


def _bulletin_line(line: Line, vocabulary: Vocabulary) -> str:
    known = vocabulary.bulletin[line.name]
    if line.name in _OF_A_BULLETIN and not _whole(line, known.values):
        return _OF_A_BULLETIN[line.name].format(values_in_words(known, line.values))
    return _whose(line, vocabulary)


def _agencies(to: tuple[Item, ...], vocabulary: Vocabulary, possibly: str) -> str:
    items = sorted(frozenset(frozenset(item) for item in to), key=lambda item: _item_order(item, vocabulary))
    said = [_agency(item, vocabulary, possibly) for item in items]
    if len(said) == 1:
        return said[0]
    return "each of these: " + "; ".join(f"({number}) {one}" for number, one in enumerate(said, 1))


def _item_order(item: frozenset[Line], vocabulary: Vocabulary) -> list[tuple[int, list[int]]]:
    names = (*vocabulary.agency, *vocabulary.relation)
    return sorted(
        (names.index(line.name), sorted(_values_of(line, vocabulary).index(value) for value in line.values))
        for line in item
    )


def _values_of(line: Line, vocabulary: Vocabulary) -> tuple[str, ...]:
    return _ANSWERS if line.side == "relation" else vocabulary.agency[line.name].values


def _agency(item: frozenset[Line], vocabulary: Vocabulary, possibly: str) -> str:
    if not item:
        return "anyone"
    lines = {line.name: line for line in item}
    kind = lines.pop(_KIND, None)
    said = [
        _agency_line(lines[name], vocabulary) + possibly
        for name in (*vocabulary.agency, *vocabulary.relation)
        if name in lines
    ]
    head = "any agency" if kind is None else _kind(kind, vocabulary, possibly)
    return f"{head} {both(said)}" if said else head


def _kind(line: Line, vocabulary: Vocabulary, possibly: str) -> str:
    known = vocabulary.agency[_KIND]
    if known.kind == "set of" or _whole(line, known.values):
        return f"any agency {_whose(line, vocabulary)}{possibly}"
    return f"any {values_in_words(known, line.values)}{possibly}"


def _agency_line(line: Line, vocabulary: Vocabulary) -> str:
    (only,) = line.values if len(line.values) == 1 else ("",)
    said = _OF_AN_AGENCY.get((line.name, only))
    if line.side == "relation":
        return said if said is not None else f"for which {word(line.name)} is {only}"
    known = vocabulary.agency[line.name]
    if said is not None and known.kind != "set of" and frozenset(known.values) == frozenset(_ANSWERS):
        return said
    return _whose(line, vocabulary)


def _whose(line: Line, vocabulary: Vocabulary) -> str:
    known = vocabulary.bulletin[line.name] if line.side == "portion" else vocabulary.agency[line.name]
    if known.kind == "set of":
        force = " in force" if known.dated else ""
        return f"whose {word(line.name)} includes {values_in_words(known, line.values)}{force}"
    if _whole(line, known.values):
        return f"whose {word(line.name)} is known"
    return f"whose {word(line.name)} is {values_in_words(known, line.values)}"


def _whole(line: Line, values: tuple[str, ...]) -> bool:
    """A line that lists every value there is asks only that there is one; but then it says so by its name."""
    return len(values) > 1 and line.values == frozenset(values)


def _duties(rule: Rule, vocabulary: Vocabulary) -> str:
    said = [
        _DUTIES[name].format(value) if name in _DUTIES else f"under {word(name)}: {value}"
        for name in vocabulary.obligation
        if name in rule.obligations
        for value in [_duty_value(rule, name, vocabulary)]
    ]
    return f"; it is {', '.join(said)}" if said else ""


def _duty_value(rule: Rule, name: str, vocabulary: Vocabulary) -> str:
    value, kind = rule.obligations[name], vocabulary.obligation[name]
    if kind.kind == "least":
        return describe_value(vocabulary, name, value)
    if isinstance(value, tuple):
        # Free text is somebody's sentence within this one.
        return both([word(one) if kind.values else quoted(one) for one in in_order(frozenset(value), kind.values)])
    return word(str(value))


def _midnight(moment: datetime) -> bool:
    return (moment.hour, moment.minute, moment.second) == (0, 0, 0)


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}".removesuffix(":00")
