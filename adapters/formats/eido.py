"""EIDO 1.0 in (NENA-STA-021.1b): the emergency incident data object that an NG911 system writes.

An EIDO is filtered at every hop to what its owner may share: components outside `KEPT` (call takers, raw additional
data, links) do not enter a bulletin, and neither does a reference to them. What was left out is listed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from adapters.errors import DocumentRefusedError
from adapters.formats import pidf, xml
from adapters.formats.strict import JsonObject, read_object, token

MEDIA_TYPE: Final = "application/emergency.eido+json"

_REQUIRED: Final = ("$id", "updatedByAgencyReference", "eidoVersion", "issuingElementIdentification", "agencyComponent")
KEPT: Final = frozenset(
    {
        "agencyComponent",
        "incidentComponent",
        "callComponent",
        "callbackComponent",
        "locationComponent",
        "personComponent",
        "vehicleComponent",
        "cautionComponent",
        "notesComponent",
        "dispositionComponent",
    }
)
_PLAIN: Final = frozenset(
    {
        "$id",
        "lastUpdateTimeStamp",
        "lastUpdateTimestamp",
        "updatedByAgencyReference",
        "updatedByAgentReference",
        "eidoVersion",
        "issuingElementIdentification",
    }
)
# There is no field for immigration status (DESIGN 5); a document that has one is for a person to read first.
_STATUS_FIELD: Final = re.compile(r"immigra|citizenship|(?<!s)alien", re.IGNORECASE)
_HELD_TYPE: Final = "ALIEN"
_PHONE: Final = re.compile(r"(?:tel|sips?):\+?([0-9().\- ]{7,20})", re.IGNORECASE)
_PHONE_DIGITS: Final = 10  # national number in the NANP; the country code is written by some systems only
_PRIORITY_WORDS: Final = {"highest": 10, "high": 8, "medium": 5, "low": 3, "lowest": 0}
_MAX_PRIORITY: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One incident; `document` is the filtered EIDO, `priority` runs from 0 to 10 = highest, None = not given."""

    document: JsonObject
    id: str
    types: tuple[str, ...]
    priority: int | None
    places: tuple[pidf.Place, ...]
    phones: frozenset[str]
    notes: tuple[str, ...]
    lost: tuple[str, ...]


def parse(raw: bytes) -> Incident:
    """Read an EIDO, or a notification of the conveyance protocol that carries exactly one.

    Raises:
        DocumentRefusedError: what strict JSON and `pidf.read` refuse, `not-an-eido`, `eido-version`, `eido-schema`,
            `eido-duplicate-id`, `several-documents`, `held-for-review`.
    """
    return parse_object(_unwrap(read_object(raw)))


def parse_object(source: JsonObject) -> Incident:
    """Read an EIDO that is already strict JSON; see `parse`."""
    if "eidoVersion" not in source:
        raise DocumentRefusedError("not-an-eido", "", "the document has no eidoVersion")
    if source["eidoVersion"] != "1.0":
        raise DocumentRefusedError("eido-version", "/eidoVersion", "only EIDO 1.0 is taken")
    for name in _REQUIRED:
        if not source.get(name):
            raise DocumentRefusedError("eido-schema", f"/{token(name)}", "a required member is missing")
    if not any(isinstance(source.get(name), str) for name in ("lastUpdateTimeStamp", "lastUpdateTimestamp")):
        raise DocumentRefusedError("eido-schema", "/lastUpdateTimeStamp", "a required member is missing")
    if not isinstance(source["$id"], str) or not isinstance(source["issuingElementIdentification"], str):
        raise DocumentRefusedError("eido-schema", "/$id", "an identifier is text")
    _check_status_fields(source)
    lost = [f"/{token(name)}" for name in source if name not in KEPT | _PLAIN]
    kept: JsonObject = {name: value for name, value in source.items() if name in KEPT | _PLAIN}
    components = {name: _components(kept, name) for name in sorted(KEPT & kept.keys())}
    known = _identifiers(components)
    document = _without_dangling(kept, known, "", lost)
    components = {name: _components(document, name) for name in sorted(KEPT & document.keys())}
    places = _read_places(components.get("locationComponent", []), lost)
    return Incident(
        document=document,
        id=source["$id"],
        types=_types(components),
        priority=_priority(components),
        places=places,
        phones=phones_in(components.get("callbackComponent", [])),
        notes=tuple(_notes(components.get("notesComponent", []))),
        lost=tuple(lost),
    )


def phone_digits(text: str) -> str:
    """Reduce a telephone number to what two spellings of it share."""
    return "".join(letter for letter in text if letter.isdigit())[-_PHONE_DIGITS:]


def phones_in(value: Any) -> frozenset[str]:
    """Return the numbers in the tel: and sip: URIs of a part of a document."""
    return frozenset(phone_digits(number) for text in _texts(value) for number in _PHONE.findall(text))


def text_of(incident: Incident) -> str:
    """Render the incident for a person."""
    lines = [f"911 incident {incident.id}"]
    if incident.types:
        lines.append(f"Type: {', '.join(incident.types)}")
    if incident.priority is not None:
        lines.append(f"Priority: {incident.priority} of {_MAX_PRIORITY}")
    lines += [f"Location: {place.address}" for place in incident.places if place.address]
    lines += incident.notes
    return "\n".join(lines)


def _unwrap(source: JsonObject) -> JsonObject:
    """EIDO conveyance: `{"event": {"notification": [EIDO, …]}}`."""
    event = source.get("event")
    if not isinstance(event, dict):
        return source
    documents = event.get("notification")
    if not isinstance(documents, list) or not documents or not all(isinstance(item, dict) for item in documents):
        raise DocumentRefusedError("not-an-eido", "/event/notification", "the notification carries no EIDO")
    if len(documents) > 1:
        raise DocumentRefusedError("several-documents", "/event/notification", "one file carries one incident")
    first: JsonObject = documents[0]
    return first


def _components(document: JsonObject, name: str) -> list[JsonObject]:
    value = document[name]
    items = value if isinstance(value, list) else [value]
    for place, item in enumerate(items):
        if not isinstance(item, dict):
            raise DocumentRefusedError("eido-schema", f"/{token(name)}/{place}", "a component is an object")
    return items


def _identifiers(components: dict[str, list[JsonObject]]) -> frozenset[str]:
    seen: set[str] = set()
    for name, items in components.items():
        for place, item in enumerate(items):
            identifier = item.get("$id")
            if not isinstance(identifier, str):
                raise DocumentRefusedError("eido-schema", f"/{name}/{place}/$id", "a component has an identifier")
            if identifier in seen:
                raise DocumentRefusedError("eido-duplicate-id", f"/{name}/{place}/$id", "an identifier stands twice")
            seen.add(identifier)
    return frozenset(seen)


def _without_dangling(value: Any, known: frozenset[str], pointer: str, lost: list[str]) -> Any:
    """Copy without references that lead to nothing in the filtered document."""
    if isinstance(value, dict):
        copy = {}
        for name, item in value.items():
            where = f"{pointer}/{token(name)}"
            if _dangles(item, known):
                lost.append(where)
                continue
            copy[name] = _without_dangling(item, known, where, lost)
        return copy
    if isinstance(value, list):
        lost += [f"{pointer}/{place}" for place, item in enumerate(value) if _dangles(item, known)]
        return [
            _without_dangling(item, known, f"{pointer}/{place}", lost)
            for place, item in enumerate(value)
            if not _dangles(item, known)
        ]
    return value


def _dangles(value: Any, known: frozenset[str]) -> bool:
    return (
        isinstance(value, dict)
        and "$ref" in value
        and (not isinstance(value["$ref"], str) or value["$ref"] not in known)
    )


def _read_places(components: list[JsonObject], lost: list[str]) -> tuple[pidf.Place, ...]:
    places = []
    for number, component in enumerate(components):
        by_value = component.get("locationByValue")
        if isinstance(by_value, str) and by_value:
            try:
                place, tree = pidf.read(by_value.encode())
            except DocumentRefusedError as refused:
                pointer = f"/locationComponent/{number}/locationByValue"
                raise DocumentRefusedError(
                    refused.code.replace("not-xml", "pidf-not-xml"), pointer, refused.detail
                ) from None
            component["locationByValue"] = xml.serialise(tree).decode()
            places.append(place)
        if component.pop("locationByReferenceUrl", None) is not None:
            # Never fetched: an address in a document is not an instruction to go there.
            lost.append(f"/locationComponent/{number}/locationByReferenceUrl")
    return tuple(places)


def _types(components: dict[str, list[JsonObject]]) -> tuple[str, ...]:
    found: list[str] = []
    for item in components.get("incidentComponent", []):
        value = item.get("incidentTypeCommonRegistryText", [])
        codes = value if isinstance(value, list) else [value]
        found += [code.strip()[:64] for code in codes if isinstance(code, str) and code.strip()]
    if any(code.upper() == _HELD_TYPE for code in found):
        raise DocumentRefusedError(
            "held-for-review", "/incidentComponent", "an incident of this type is read by a person before it is shared"
        )
    return tuple(dict.fromkeys(found))


def _priority(components: dict[str, list[JsonObject]]) -> int | None:
    """NENA-STA-021: 10 is the highest; the call's word stands in when the incident has no number."""
    found = []
    for place, item in enumerate(components.get("incidentComponent", [])):
        number = item.get("incidentCommonPriorityNumber")
        if number is None:
            continue
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= _MAX_PRIORITY:
            pointer = f"/incidentComponent/{place}/incidentCommonPriorityNumber"
            raise DocumentRefusedError("eido-schema", pointer, "a priority is a whole number from 0 to 10")
        found.append(number)
    if not found:
        words = [item.get("priorityIdentifier") for item in components.get("callComponent", [])]
        found = [_PRIORITY_WORDS[word] for word in words if isinstance(word, str) and word in _PRIORITY_WORDS]
    return max(found, default=None)


def _notes(components: list[JsonObject]) -> Iterator[str]:
    for item in components:
        for name in ("notesActionComments", "notesText", "notes"):
            value = item.get(name)
            texts = value if isinstance(value, list) else [value]
            yield from (text for text in texts if isinstance(text, str) and text)


def _check_status_fields(value: Any, pointer: str = "") -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            where = f"{pointer}/{token(name)}"
            if _STATUS_FIELD.search(name):
                raise DocumentRefusedError(
                    "held-for-review", where, "immigration status is not shared; a person reads this"
                )
            _check_status_fields(item, where)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            _check_status_fields(item, f"{pointer}/{place}")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
