"""Recorded portions: what the rules saw of each portion that was submitted, never its text; for replay."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import NoReturn, TypeAlias

from policy.errors import PolicyError
from policy.vocabulary import Attributes, Value, is_agency_id

#: How long portions stay recorded, and so how far back a preview looks.
WINDOW = timedelta(days=30)
#: A recorded portion as JSON has it: members by name, sets as sorted lists.
RecordedDocument: TypeAlias = dict[str, str | dict[str, str | list[str]]]

_MEMBERS = frozenset({"bulletin", "portion", "originator", "at", "precedence", "attributes"})
_CONTROL_NUMBER = re.compile(r"[A-Z0-9]+(-[A-Z0-9]+)*-[0-9]{4}-[0-9]{6,9}")
_PORTION = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_PRECEDENCE = re.compile(r"[A-Z]{1,32}")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
# No bulletin has more: an agency id of 64 letters with its year and number, 500 named agencies, lines of 200 letters.
_MAX_NUMBER = 100
_MAX_ATTRIBUTES = 100
_MAX_VALUES = 1000
_MAX_TEXT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One portion of one bulletin as it was decided.

    Attributes:
        bulletin: its control number, which says whose it is.
        portion: the portion's id within it.
        at: when it was decided; agreements are judged as of then.
        precedence: as submitted.
        attributes: what the rules saw, no more.
    """

    bulletin: str
    portion: str
    originator: str
    at: datetime
    precedence: str
    attributes: Attributes


def recorded_document(recorded: Recorded) -> RecordedDocument:
    """The JSON-able form: the same value gives the same document, to the millisecond."""
    return {
        "bulletin": recorded.bulletin,
        "portion": recorded.portion,
        "originator": recorded.originator,
        "at": moment_text(recorded.at),
        "precedence": recorded.precedence,
        "attributes": attributes_document(recorded.attributes),
    }


def attributes_document(attributes: Attributes) -> dict[str, str | list[str]]:
    """Attributes as JSON has them: a set is a sorted list."""
    return {name: value if isinstance(value, str) else sorted(value) for name, value in sorted(attributes.items())}


def moment_text(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_recorded(document: object) -> Recorded:
    """Read what `recorded_document` made; nothing is repaired, and a member that nobody knows is refused.

    Raises:
        PolicyError: `not-a-recording`; the message names the member and never repeats its value.
    """
    if not isinstance(document, Mapping) or document.keys() != _MEMBERS:
        _refuse(f"a recorded portion has exactly {', '.join(sorted(_MEMBERS))}")
    originator, number = _agency(document["originator"]), _matching(document, "bulletin", _CONTROL_NUMBER)
    if number.rsplit("-", 2)[0] != originator.upper():
        _refuse("'bulletin' is not a control number of its originator")
    return Recorded(
        bulletin=number,
        portion=_matching(document, "portion", _PORTION),
        originator=originator,
        at=_moment(_matching(document, "at", _MOMENT)),
        precedence=_matching(document, "precedence", _PRECEDENCE),
        attributes=parse_attributes_document(document["attributes"]),
    )


def parse_attributes_document(document: object) -> Attributes:
    """Read what `attributes_document` made. Words stay as they are: the rules decide what they mean.

    Raises:
        PolicyError: `not-a-recording`.
    """
    if not isinstance(document, Mapping) or len(document) > _MAX_ATTRIBUTES:
        _refuse(f"'attributes' holds at most {_MAX_ATTRIBUTES} values by name")
    if not all(isinstance(name, str) and 0 < len(name) <= _MAX_TEXT for name in document):
        _refuse("the name of an attribute is no short text")
    return MappingProxyType({name: _value(value) for name, value in document.items()})


def _value(value: object) -> Value:
    if _is_text(value):
        return str(value)
    if not isinstance(value, list) or len(value) > _MAX_VALUES or not all(_is_text(one) for one in value):
        _refuse("an attribute is neither a short text nor a list of short texts")
    if value != sorted(set(value)):
        # Two spellings of one set would give two digests of one history.
        _refuse("the list of an attribute is not sorted, or says something twice")
    return frozenset(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_TEXT


def _matching(document: Mapping[str, object], name: str, form: re.Pattern[str]) -> str:
    value = document[name]
    if not isinstance(value, str) or len(value) > _MAX_NUMBER or form.fullmatch(value) is None:
        _refuse(f"'{name}' is malformed")
    return value


def _agency(value: object) -> str:
    if not isinstance(value, str) or not is_agency_id(value):
        _refuse("'originator' is no agency id")
    return value


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        _refuse("'at' is no moment")


def _refuse(why: str) -> NoReturn:
    raise PolicyError("not-a-recording", why)
