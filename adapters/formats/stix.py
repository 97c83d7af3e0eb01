"""STIX 2.1 in: a bundle becomes one portion per marking level (STIX 2.1, TLP 2.0; DESIGN 5)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from adapters.errors import DocumentRefusedError
from adapters.formats.stix_check import check_objects
from adapters.formats.stix_marking import Level, Markings
from adapters.formats.stix_split import split
from adapters.formats.strict import JsonObject, read_object

MEDIA_TYPE: Final = "application/stix+json;version=2.1"
#: Where the author of a report states what STIX has no words for; taken out before anything is shared.
CUSTOM_PROPERTY: Final = "x_tearline"
STATED: Final = frozenset(
    {
        "approved",
        "area",
        "category",
        "content_basis",
        "control_official",
        "due",
        "expires",
        "grading",
        "info_class",
        "named",
        "precedence",
        "product",
        "protectee",
        "purpose",
        "reasonable_suspicion",
        "sar",
        "valid_until",
    }
)
NAMESPACE: Final[UUID] = uuid5(NAMESPACE_URL, "urn:tearline:stix")


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    level: Level
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a bundle says: its portions, widest first, and what its author stated about the whole."""

    portions: tuple[Portion, ...]
    stated: JsonObject
    labels: tuple[str, ...]
    report_types: tuple[str, ...]
    confidence: int | None
    lost: tuple[str, ...]


def parse(raw: bytes, *, known_extensions: frozenset[str] = frozenset(), unmarked: Level | None = None) -> Reading:
    """Read a bundle or a single object.

    `known_extensions` are the ids of extensions that somebody has read and found to limit nothing; an object with any
    other is RED. `unmarked` is the marking that a person decided for bundles of this feed in which nothing is marked.

    Raises:
        DocumentRefusedError: what strict JSON, `check_objects` and `split` refuse, `not-stix`, `stix-version`,
            `stix-empty`, `several-reports`, `unknown-field`.
    """
    document = read_object(raw)
    lost: list[str] = []
    if document.get("type") == "bundle":
        if document.get("spec_version", "2.1") != "2.1":
            raise DocumentRefusedError("stix-version", "/spec_version", "only STIX 2.1 is taken")
        found = document.get("objects")
        lost += [f"/{name}" for name in sorted(document.keys() - {"type", "id", "objects", "spec_version"})]
    elif isinstance(document.get("type"), str) and isinstance(document.get("id"), str):
        found = [document]
    else:
        raise DocumentRefusedError("not-stix", "", "the document is neither a bundle nor a STIX object")
    if not isinstance(found, list) or not found:
        raise DocumentRefusedError("stix-empty", "/objects", "the bundle has no objects")
    objects = check_objects(found)
    stated = _stated(objects)
    reports = [item for item in objects if item["type"] == "report"]
    plain = [{name: value for name, value in item.items() if name != CUSTOM_PROPERTY} for item in objects]
    if all(item["type"] == "marking-definition" for item in plain):
        Markings(plain, known_extensions)  # a classified definition has its own answer
        raise DocumentRefusedError("stix-empty", "/objects", "there is nothing but marking definitions")
    division = split(plain, Markings(plain, known_extensions), unmarked=unmarked)
    return Reading(
        portions=tuple(Portion(level=level, content=bundle_text(content)) for level, content in division.portions),
        stated=stated,
        labels=_texts(reports, "labels"),
        report_types=_texts(reports, "report_types"),
        confidence=max(
            (item["confidence"] for item in reports if isinstance(item.get("confidence"), int)), default=None
        ),
        lost=(*lost, *division.lost),
    )


def bundle_text(objects: tuple[JsonObject, ...]) -> str:
    """Write a bundle whose id follows from its content, so the same source gives the same bytes."""
    content = json.dumps(objects, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    bundle = {"type": "bundle", "id": f"bundle--{uuid5(NAMESPACE, content)}", "objects": objects}
    return json.dumps(bundle, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _stated(objects: list[JsonObject]) -> JsonObject:
    found = [item[CUSTOM_PROPERTY] for item in objects if CUSTOM_PROPERTY in item]
    if not found:
        return {}
    first = found[0]
    if any(other != first for other in found):
        raise DocumentRefusedError("several-reports", "/objects", f"`{CUSTOM_PROPERTY}` differs between objects")
    if not isinstance(first, dict) or not STATED.issuperset(first):
        raise DocumentRefusedError("unknown-field", "/objects", f"`{CUSTOM_PROPERTY}` has a member that is not known")
    return first


def _texts(items: list[JsonObject], name: str) -> tuple[str, ...]:
    values: list[Any] = [value for item in items for value in item.get(name) or []]
    return tuple(dict.fromkeys(value for value in values if isinstance(value, str)))
