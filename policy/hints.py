"""What an officer probably meant by a word that is refused: the end of a message, never a repair."""

import re
from collections.abc import Collection
from datetime import date

from policy.errors import did_you_mean
from policy.vocabulary import Property

_UNITS = {
    "s": "second", "sec": "second", "secs": "second", "second": "second", "m": "minute", "min": "minute",
    "mins": "minute", "minute": "minute", "h": "hour", "hr": "hour", "hrs": "hour", "hour": "hour", "d": "day",
    "day": "day", "w": "week", "wk": "week", "week": "week", "y": "year", "yr": "year", "yrs": "year", "year": "year",
}  # fmt: skip
_AMOUNT = re.compile(r"([0-9]{1,6})\s*([a-z]+)\.?")
_DAY_FIRST = re.compile(r"([0-9]{1,2})\.\s?([0-9]{1,2})\.\s?([0-9]{4})")
_MONTH_FIRST = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
_YEAR_FIRST = re.compile(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})")
_WITHOUT_ZONE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2}:[0-9]{2})(:[0-9]{2})?")
_COMPARISON = re.compile(r"(at most|up to|no more than|<=|<|at least|no less than|>=|>)\s*(.*)", re.IGNORECASE)
_AT_MOST = ("at most", "up to", "no more than", "<=", "<")
_SEVERAL = re.compile(r"\s*(?:,|;|/|\bor\b|\band\b)\s*")
_ANSWERS = {"true": "yes", "y": "yes", "1": "yes", "false": "no", "n": "no", "0": "no"}
_EFFECTS = {
    "allow": "share", "permit": "share", "send": "share", "must": "always", "deny": "never", "forbid": "never",
    "block": "never", "prohibit": "never", "oblige": "require", "obligation": "require",
}  # fmt: skip


def for_value(text: str, known: Property, *, in_list: bool) -> str:
    """For a word that is no value of a property: a list, a comparison, yes or no, or the nearest value."""
    if several := _several(text, known.values):
        return several
    compared = _COMPARISON.fullmatch(text)
    if compared and known.kind == "ordered":
        word = "at most" if compared[1].casefold() in _AT_MOST else "at least"
        bound = next((value for value in known.values if value.casefold() == compared[2].casefold()), None)
        if in_list:
            return f"; '{word}' stands alone, not in a list"
        return f"; did you mean '{word} {bound or known.values[len(known.values) // 2]}'?"
    return for_answer(text, known.values)


def for_id(text: str, known: Collection[str]) -> str:
    """For a word that is no id: a list, or the nearest id."""
    return _several(text, known) or did_you_mean(text, known)


def _several(text: str, known: Collection[str]) -> str:
    parts = _SEVERAL.split(text)
    listed = len(parts) > 1 and any(part in known for part in parts)
    return f"; for several write a list: [{', '.join(parts)}]" if listed else ""


def for_condition(text: str, everything: str, example: str) -> str:
    """What to write in place of a word where a list of conditions, or the one word for all of them, belongs."""
    return f"'{text}' is no condition: write '{everything}', or {example}"


def for_answer(text: str, known: Collection[str]) -> str:
    """`true` for yes, or the nearest word."""
    answer = _ANSWERS.get(text.casefold())
    return f"; did you mean {answer}?" if answer in known else did_you_mean(text, known)


def for_effect(text: str, known: Collection[str]) -> str:
    """What other rule languages call an effect, or the nearest one."""
    effect = _EFFECTS.get(text.casefold())
    return f"; did you mean {effect}?" if effect else did_you_mean(text, known)


def for_duration(text: str) -> str:
    """An abbreviated unit or a missing blank."""
    found = _AMOUNT.fullmatch(text.casefold())
    if found is None:
        return ""
    if found[2].startswith("month"):
        return "; months differ in length: count in days"
    unit = _UNITS.get(found[2]) or _UNITS.get(found[2].removesuffix("s"))
    amount = int(found[1])
    if not unit or not amount:
        return ""
    return f"; did you mean '{amount} {unit}{'' if amount == 1 else 's'}'?"


def for_date(text: str) -> str:
    """The same day with the year first, a time with its zone, or that there is no such day."""
    timed = _WITHOUT_ZONE.fullmatch(text)
    if timed:
        return f"; a time needs its zone: '{timed[1]}T{timed[2]}Z' for UTC, or '{timed[1]}T{timed[2]}-06:00'"
    if found := _DAY_FIRST.fullmatch(text):
        year, month, day = found[3], found[2], found[1]
    elif found := _MONTH_FIRST.fullmatch(text):
        year, month, day = found[3], found[1], found[2]
    elif found := _YEAR_FIRST.fullmatch(text):
        year, month, day = found[1], found[2], found[3]
    else:
        return ""
    try:
        return f"; did you mean {date(int(year), int(month), int(day)).isoformat()}?"
    except ValueError:
        return "; there is no such day"
