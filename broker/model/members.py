"""Reading one JSON object: every member is typed, bounded and named, and what is not asked for is refused."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime
from typing import Final, TypeGuard

from broker.model.refusal import Refusal, pointer_token
from broker.model.strictjson import JsonValue
from policy.vocabulary import is_agency_id

#: A name, an office, a document format: one line of a form.
MAX_LINE: Final = 200
#: An account in a few paragraphs (a predicate, articulable facts).
MAX_PARAGRAPHS: Final = 8_000
#: Persons, agencies, counties, lost fields in one list.
MAX_ITEMS: Final = 500

# Control characters reach terminals and pages; bidirectional ones make a line read other than it is (CVE-2021-42574).
_LINE_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_TEXT_CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

#: There is no field for immigration or citizenship status. Whoever adds one is told so by name, not as "unknown".
_IMMIGRATION: Final = re.compile(
    r"immigra|citizenship|alien|visa_(?:status|number)|deport|undocumented|asyl", re.ASCII | re.IGNORECASE
)


class Members:
    """The members of one object at one place of the document, each taken once by name.

    JSON `null` is the same as absent. `done` refuses whatever was not taken, so a reader cannot forget a field.
    """

    def __init__(self, value: JsonValue, pointer: str) -> None:
        if not isinstance(value, dict):
            raise Refusal("wrong-type", pointer, "an object is wanted")
        self.pointer = pointer
        self._left = {name: member for name, member in value.items() if member is not None}
        self._names = set(value)

    def at(self, name: str) -> str:
        return f"{self.pointer}/{pointer_token(name)}"

    def has(self, name: str) -> bool:
        return name in self._left

    def take(self, name: str) -> JsonValue:
        self._names.discard(name)
        return self._left.get(name)

    def need(self, name: str, code: str = "missing-field") -> JsonValue:
        value = self.take(name)
        if value is None:
            raise Refusal(code, self.at(name), f"`{name}` is required")
        return value

    def done(self) -> None:
        """Refuse the first member nobody asked for."""
        for name in sorted(self._names):
            if _IMMIGRATION.search(name):
                raise Refusal("immigration-status", self.pointer, "there is no field for immigration status")
        if self._names:
            # The name is the submitter's text, so the pointer stops at the object that has it.
            raise Refusal("unknown-field", self.pointer, "the object has a member that this format does not know")

    def line(self, name: str, *, code: str = "missing-field") -> str:
        value = self.need(name, code)
        return value if _is_plain_line(value) else read_line(value, self.at(name), code=code)

    def optional_line(self, name: str, *, limit: int = MAX_LINE) -> str | None:
        value = self.take(name)
        return None if value is None else read_line(value, self.at(name), limit=limit)

    def paragraphs(self, name: str, *, code: str = "missing-field", limit: int = MAX_PARAGRAPHS) -> str:
        value = read_text(self.need(name, code), self.at(name), limit=limit)
        if not value.strip():
            raise Refusal(code, self.at(name), f"`{name}` is empty")
        return value

    def word(self, name: str, allowed: Collection[str], *, code: str = "missing-field") -> str:
        value = self.need(name, code)
        return value if isinstance(value, str) and value in allowed else read_word(value, allowed, self.at(name))

    def optional_word(self, name: str, allowed: Collection[str]) -> str | None:
        value = self.take(name)
        return None if value is None else read_word(value, allowed, self.at(name))

    def words(self, name: str, allowed: Collection[str]) -> frozenset[str] | None:
        """Return a set of known words; None when the member is absent, which is not the same as empty."""
        if not self.has(name):
            self.take(name)
            return None
        found = [read_word(value, allowed, place) for value, place in self.items(name)]
        if len(set(found)) != len(found):
            raise Refusal("duplicate-value", self.at(name), "a value stands twice in one list")
        return frozenset(found)

    def lines(self, name: str) -> frozenset[str] | None:
        """Return a set of short lines of any value; None when the member is absent."""
        if not self.has(name):
            self.take(name)
            return None
        return frozenset(
            value if _is_plain_line(value) else read_line(value, place) for value, place in self.items(name)
        )

    def time(self, name: str) -> datetime:
        return read_time(self.need(name), self.at(name))

    def optional_time(self, name: str) -> datetime | None:
        value = self.take(name)
        return None if value is None else read_time(value, self.at(name))

    def agency(self, name: str, *, code: str = "missing-field") -> str:
        return read_agency(self.need(name, code), self.at(name))

    def optional_agency(self, name: str) -> str | None:
        value = self.take(name)
        return None if value is None else read_agency(value, self.at(name))

    def items(self, name: str, *, limit: int = MAX_ITEMS) -> Iterator[tuple[JsonValue, str]]:
        """Return the items of an optional list with their places."""
        value = self.take(name)
        if value is None:
            return iter(())
        if not isinstance(value, list):
            raise Refusal("wrong-type", self.at(name), "a list is wanted")
        if len(value) > limit:
            raise Refusal("too-many-items", self.at(name), f"at most {limit} items are taken")
        at = self.at(name)
        return iter([(item, f"{at}/{index}") for index, item in enumerate(value)])

    def object(self, name: str) -> Members | None:
        value = self.take(name)
        return None if value is None else Members(value, self.at(name))


def _is_plain_line(value: JsonValue) -> TypeGuard[str]:
    """Whether this is a line that `read_line` would take as it is, told without a regular expression or a place.

    Most lines are. In ASCII what is printable has neither controls nor any white space but the space.
    """
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_LINE
        and value.isascii()
        and value.isprintable()
        and value[0] != " "
        and value[-1] != " "
    )


def read_text(value: JsonValue, pointer: str, *, limit: int) -> str:
    if not isinstance(value, str):
        raise Refusal("wrong-type", pointer, "text is wanted")
    if len(value) > limit:
        raise Refusal("text-too-long", pointer, f"at most {limit} characters are taken")
    if _TEXT_CONTROLS.search(value):
        raise Refusal("control-character", pointer, "control characters other than tab and line end are not taken")
    return value


def read_line(value: JsonValue, pointer: str, *, code: str = "missing-field", limit: int = MAX_LINE) -> str:
    line = read_text(value, pointer, limit=limit)
    if not line.strip():
        raise Refusal(code, pointer, "the line is empty")
    if line != line.strip():
        raise Refusal("bad-text", pointer, "a line neither starts nor ends with a space")
    if _LINE_CONTROLS.search(line):
        raise Refusal("control-character", pointer, "one line of printable text is wanted")
    return line


def read_word(value: JsonValue, allowed: Collection[str], pointer: str) -> str:
    if not isinstance(value, str):
        raise Refusal("wrong-type", pointer, "text is wanted")
    if value not in allowed:
        raise Refusal("not-in-vocabulary", pointer, "the value is not one of the vocabulary's")
    return value


def read_agency(value: JsonValue, pointer: str) -> str:
    if not isinstance(value, str) or not is_agency_id(value):
        raise Refusal("bad-agency", pointer, "an agency id is wanted: lower-case words joined by hyphens")
    return value


def read_time(value: JsonValue, pointer: str) -> datetime:
    """Read RFC 3339 with an explicit offset; a time without one is another time in every reader."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise Refusal("bad-time", pointer, "a time with offset is wanted (RFC 3339)")
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refusal("bad-time", pointer, "there is no such time") from None


def read_date(value: JsonValue, pointer: str) -> date:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise Refusal("bad-date", pointer, "a date is wanted: 2026-11-20")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise Refusal("bad-date", pointer, "there is no such date") from None
