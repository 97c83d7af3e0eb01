"""From what a foreign document says, and what its agency decided, to the bulletin JSON of the gateway's API."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.clock import write_time
from adapters.errors import DocumentRefusedError
from adapters.settings import Words

Bulletin = dict[str, Any]

_MAX_LOST: Final = 500  # broker.model takes no more; the last one then says how many more there were
_MAX_LINE: Final = 200
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_TRANSIT_DAYS: Final = 30  # DESIGN 5
_DEFAULT_HOURS: Final = 72


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """Submit; `identity` is how a later foreign message may refer to it."""

    body: Bulletin
    identity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correct:
    """Replace the first of `of` that is known; when none is, `otherwise_new` says whether to submit it as new."""

    of: tuple[str, ...]
    body: Bulletin
    identity: str = ""
    otherwise_new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """Take back the first of `of` that is known."""

    of: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a person did with a received bulletin."""

    of: str
    rung: str
    person: str
    note: str = ""


Intent = Publish | Correct | Recall | Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a bulletin comes from: the foreign bytes, what their translation lost."""

    format: str
    raw: bytes
    lost: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, object]:
        lines = [line(place) for place in self.lost]
        if len(lines) > _MAX_LOST:
            lines = [*lines[: _MAX_LOST - 1], f"and {len(lines) - _MAX_LOST + 1} more"]
        return {"format": self.format, "sha256": hashlib.sha256(self.raw).hexdigest(), "lost": lines}


def line(text: str) -> str:
    """Return the text as one printable line that fits a form."""
    return _CONTROLS.sub("\ufffd", text)[:_MAX_LINE].strip() or "-"


def compose(
    agency: str, words: Words, source: Source, portions: Iterable[Mapping[str, Any]], *, now: datetime, **fields: Any
) -> Bulletin:
    """Return a bulletin; `fields` come from the document and win over the agency's words.

    Raises:
        DocumentRefusedError: `undecided` when neither the document nor the settings say something that is required.
    """
    expires = now + timedelta(hours=words.expires_hours or _DEFAULT_HOURS)
    body: Bulletin = {
        "kind": "bulletin",
        "product": words.product,
        "precedence": words.precedence,
        "status": "Actual",
        "expires": write_time(expires),
        "agency": agency,
        "control_official": words.control_official,
        "purpose": words.purpose,
        "info_class": words.info_class,
        "category": words.category,
        "area": {"counties": list(words.counties)} if words.counties else None,
        **{name: value for name, value in fields.items() if value is not None},
        "source_document": source.to_json(),
        "portions": [{"content_basis": words.content_basis, **portion} for portion in portions],
    }
    for name in ("product", "precedence", "control_official", "purpose", "info_class", "category"):
        if body[name] is None:
            raise DocumentRefusedError(
                "undecided", f"/{name}", "neither the document nor the adapter's settings say it"
            )
    body["portions"] = [{key: value for key, value in item.items() if value is not None} for item in body["portions"]]
    return {name: value for name, value in body.items() if value is not None}


def latest_expiry(now: datetime) -> datetime:
    """Return the last moment a bulletin submitted now may be in transit; a minute short, for the clock's sake."""
    return now + timedelta(days=_TRANSIT_DAYS, minutes=-1)
