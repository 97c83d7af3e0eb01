"""Duties that travel with a portion, and the one way to combine them.

Every obligation is a join semilattice (highest, strictest, shortest, union), so no two rules can conflict and their
order cannot matter.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from policy.errors import PolicyError, not_one_of
from policy.hints import for_duration
from policy.reading import Reading
from policy.strict_yaml import Node, Text
from policy.vocabulary import Obligation, Vocabulary

ObligationValue: TypeAlias = str | int | tuple[str, ...]
Obligations: TypeAlias = Mapping[str, ObligationValue]

# A year is 365 days: where that differs from the calendar it is shorter, which is the strict side of a duration.
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "year": 31_536_000}
_DURATION = re.compile(r"([1-9][0-9]{0,5}) (second|minute|hour|day|week|year)s?")


def parse_obligations(read: Reading, node: Node, vocabulary: Vocabulary) -> Obligations:
    """Read the `with:` lines of a rule or a case.

    Raises:
        PolicyError: on an unknown obligation or value.
    """
    obligations: dict[str, ObligationValue] = {}
    for key, value in read.fields(node, "'with'").entries.values():
        read.one_of(key, "an obligation", tuple(vocabulary.obligation), code="unknown-obligation")
        kind = vocabulary.obligation[key.text]
        texts = read.texts(value, f"'{key.text}'")
        if kind.kind == "union":
            for text in texts if kind.values else ():
                read.one_of(text, f"a value of {key.text}", kind.values)
            obligations[key.text] = tuple(sorted(text.text for text in texts))
            continue
        single = read.text(value, f"'{key.text}'")
        obligations[key.text] = _duration(read, single) if kind.kind == "least" else _ranked(read, single, kind)
    return MappingProxyType(obligations)


def _ranked(read: Reading, text: Text, kind: Obligation) -> str:
    return read.one_of(text, f"a value of {kind.name}", kind.values)


def _duration(read: Reading, text: Text) -> int:
    match = _DURATION.fullmatch(text.text)
    if match is None:
        written = "write a whole number and seconds, minutes, hours, days, weeks or years, such as '30 minutes'"
        read.refuse("not-a-duration", f"'{text.text}' is not a duration; {written}{for_duration(text.text)}", text.line)
    return int(match[1]) * _SECONDS[match[2]]


def join_obligations(vocabulary: Vocabulary, *obligations: Obligations) -> Obligations:
    """Combine duties so that each is at least as strict as in every input.

    Raises:
        PolicyError: on a duty or value that the vocabulary does not have; a duty nobody understands is never dropped.
    """
    collected: dict[str, list[ObligationValue]] = {}
    for duties in obligations:
        for name, value in duties.items():
            collected.setdefault(name, []).append(value)
    return MappingProxyType({name: _join(vocabulary, name, values) for name, values in sorted(collected.items())})


def _join(vocabulary: Vocabulary, name: str, values: list[ObligationValue]) -> ObligationValue:
    obligation = vocabulary.obligation.get(name)
    if obligation is None:
        raise PolicyError("unknown-obligation", not_one_of(name, "an obligation", tuple(vocabulary.obligation)))
    match obligation.kind:
        case "highest of" | "strictest of":
            return max((_known(obligation, value) for value in values), key=obligation.values.index)
        case "least":
            return min(_seconds(obligation, value) for value in values)
        case "union":
            return tuple(sorted({word for value in values for word in _words(obligation, value)}))


def _known(obligation: Obligation, value: ObligationValue) -> str:
    if not isinstance(value, str) or value not in obligation.values:
        raise PolicyError("unknown-value", not_one_of(str(value), f"a value of {obligation.name}", obligation.values))
    return value


def _seconds(obligation: Obligation, value: ObligationValue) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise PolicyError("unknown-value", f"{obligation.name} must be a positive number of seconds")
    return value


def _words(obligation: Obligation, value: ObligationValue) -> tuple[str, ...]:
    if not isinstance(value, tuple):
        raise PolicyError("unknown-value", f"{obligation.name} must be a tuple of texts")
    return tuple(_known(obligation, word) for word in value) if obligation.values else value


def describe_obligations(vocabulary: Vocabulary, obligations: Obligations) -> list[str]:
    """Each duty as an officer would write it: `acknowledge within 10 minutes`."""
    return [f"{name} {describe_value(vocabulary, name, value)}" for name, value in _in_order(vocabulary, obligations)]


def describe_value(vocabulary: Vocabulary, name: str, value: ObligationValue) -> str:
    """One duty's value in words."""
    if vocabulary.obligation[name].kind == "least" and isinstance(value, int):
        return _in_words(value)
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _in_order(vocabulary: Vocabulary, obligations: Obligations) -> Iterable[tuple[str, ObligationValue]]:
    return ((name, obligations[name]) for name in vocabulary.obligation if name in obligations)


def _in_words(seconds: int) -> str:
    for unit in ("year", "day", "hour", "minute"):
        if seconds % _SECONDS[unit] == 0:
            count = seconds // _SECONDS[unit]
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"
