"""Rules and cases to fill in, made of the words of the vocabulary, so that they are well-formed as they stand.

Each line is a remark; without its first `# ` it is a rule, and what explains it is still a remark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from policy import Property, Vocabulary
from policy.rules import Effect
from policy.vocabulary import Obligation

_SAYS: Final[dict[Effect, str]] = {
    "share": "lets agencies have a bulletin, when it is sure that every line holds",
    "always": "shares what must arrive; only the never rules under 'yields to' may hold it back",
    "never": "keeps a bulletin from agencies, whatever another rule says, also when a line is not known",
    "require": "adds duties for whoever gets a bulletin, also when a line is not known; it shares nothing",
}
_DUTIES_AT_MOST: Final = 3


def rule_template(effect: Effect, rule: str, vocabulary: Vocabulary, nevers: Sequence[str]) -> list[str]:
    """A rule of this effect; `nevers` are the rules that an always rule may yield to."""
    lines = [
        f"# To use {rule}, take the first '# ' of these lines away, and of its case at the end of the file.",
        f"# {effect}: {_SAYS[effect]}.",
        f"- rule: {rule} what it is about in a few words",
        f"  effect: {effect}",
        f"  when:  # every line must hold; or 'anything'. Words: {', '.join(vocabulary.bulletin)}",
        *(f"    {name}: {value}" for name, value in _bulletin(vocabulary).items()),
    ]
    lines += ["  to: everyone"] if effect == "require" else list(_recipients(effect, vocabulary))
    if effect != "never":
        lines.append(f"  with: {{{', '.join(_duties(vocabulary))}}}")
    if effect == "always" and nevers:
        lines.append(f"  yields to: [{', '.join(nevers)}]  # the never rules that may hold it back")
    lines.append("  because: the law, agreement or order that it rests on")
    return [f"# {line}" for line in lines]


def case_template(effect: Effect, rule: str, vocabulary: Vocabulary) -> list[str]:
    """A case that shows what the rule does; it does not hold before it is filled in.

    Everything is stated, because a never rule fires on what is left out.
    """
    properties = vocabulary.bulletin
    stated = {name: "[]" if known.kind == "set of" else _quoted(known.values[0]) for name, known in properties.items()}
    stated |= {name: value.removeprefix("at most ") for name, value in _bulletin(vocabulary).items()}
    attributes = ", ".join(f"{name}: {value}" for name, value in stated.items())
    lines = [
        f"# The case of {rule}: what is left out of the bulletin is not known to the rules.",
        f"- test: {rule} reaches whom it should and nobody else",
        f"  bulletin: {{{attributes}}}",
        f"  reaches exactly: [{'' if effect == 'never' else 'some-agency'}]  # [] is nobody",
    ]
    if effect == "never":
        lines.append(
            f"  withheld from: {{some-agency: [{rule}]}}  # another rule would share it; {rule} alone forbids it"
        )
    if effect == "require":
        lines.append(f"  with: {{some-agency: {{{_duties(vocabulary)[0]}}}}}")
    return [f"# {line}" for line in lines]


def _bulletin(vocabulary: Vocabulary) -> dict[str, str]:
    """One line about what it is, and one about how it is marked where the vocabulary has an order."""
    first = next(iter(vocabulary.bulletin.values()))
    ordered = next((known for known in vocabulary.bulletin.values() if known.kind == "ordered"), None)
    lines = {first.name: _quoted(first.values[0])}
    if ordered is not None and ordered.name != first.name:
        lines[ordered.name] = f"at most {_middle(ordered)}"
    return lines


def _recipients(effect: Effect, vocabulary: Vocabulary) -> Iterator[str]:
    """An item of one property and one relation, if there is any."""
    known = next(iter(vocabulary.agency.values()))
    relation = next(iter(vocabulary.relation), None)
    answer = "no" if effect == "never" else "yes"
    values = ", ".join(_quoted(value) for value in known.values[:2])
    words = ", ".join((*vocabulary.agency, *vocabulary.relation))
    yield f"  to:  # one item must hold, and in it every line; or 'everyone'. Words: {words}"
    yield f"  - {known.name}: [{values}]"
    if relation is not None:
        yield f"    {relation}: {answer}"


def _duties(vocabulary: Vocabulary) -> list[str]:
    return [f"{known.name}: {_duty(known)}" for known in list(vocabulary.obligation.values())[:_DUTIES_AT_MOST]]


def _duty(known: Obligation) -> str:
    if known.kind == "least":
        return "3 hours"
    if known.kind == "union":
        return f"[{_quoted(known.values[0])}]" if known.values else "[a note]"
    return _quoted(known.values[len(known.values) // 2])


def _middle(known: Property) -> str:
    return known.values[len(known.values) // 2]


def _quoted(value: str) -> str:
    """A value as it can stand between brackets, whatever signs it has."""
    plain = all(letter.isalnum() or letter in " -+/." for letter in value) and value[0].isalnum()
    return value if plain else "'" + value.replace("'", "''") + "'"
