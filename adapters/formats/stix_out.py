"""STIX 2.1 out: a received bulletin as a bundle, every object marked at least as strictly as the portion it came in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid5

from adapters.errors import DocumentRefusedError
from adapters.formats.portion_text import portion_text
from adapters.formats.stix import MEDIA_TYPE, NAMESPACE, bundle_text
from adapters.formats.stix_check import check_objects
from adapters.formats.stix_marking import Level, Markings, strictest
from adapters.formats.strict import JsonObject, read_object
from broker.model import Tlp

CUI_EXTENSION: Final = "extension-definition--dff17fb3-edcb-4f99-ad1b-4b751c95738a"
_CONFIDENCE: Final = {1: 90, 2: 70, 3: 50, 4: 30, 5: 10}  # STIX 2.1 appendix A, Admiralty credibility


def write(bulletin: Mapping[str, Any]) -> bytes:
    """Write a bundle that `stix.parse` and the OASIS validator accept; the same bulletin gives the same bytes.

    Raises:
        DocumentRefusedError: a portion claims to be STIX and is not.
    """
    stamp = _stamp(bulletin["created"])
    author: JsonObject = {
        "type": "identity",
        "spec_version": "2.1",
        "id": _id("identity", str(bulletin["from"])),
        "created": "2026-01-01T00:00:00.000Z",
        "modified": "2026-01-01T00:00:00.000Z",
        "name": str(bulletin["from"]),
        "identity_class": "organization",
    }
    common = {"spec_version": "2.1", "created": stamp, "modified": stamp, "created_by_ref": author["id"]}
    content: list[tuple[Level, JsonObject]] = []
    definitions: dict[str, JsonObject] = {}
    for portion in bulletin.get("portions") or []:
        level = _level(portion.get("marking") or {})
        if portion.get("media_type") == MEDIA_TYPE:
            content += _embedded(portion, level, definitions)
        else:
            note = {
                "type": "note",
                "id": _id("note", f"{bulletin['id']}/{portion['id']}"),
                **common,
                "content": portion_text(portion),
                # About its author, not the report: a tearline must not become as strict as the report that lists it.
                "object_refs": [author["id"]],
            }
            content.append((level, note))
    top = strictest([level for level, _ in content] or [Level(Tlp.RED)])
    report: JsonObject = {
        "type": "report",
        "id": _id("report", str(bulletin["id"])),
        **common,
        "name": f"{bulletin['product']} {bulletin.get('control_number', '')}".strip(),
        "report_types": ["threat-report"],
        "published": stamp,
        "object_refs": list(dict.fromkeys(item["id"] for _, item in content)) or [author["id"]],
        "external_references": [{"source_name": "tearline", "external_id": str(bulletin["id"])}],
    }
    grading = (bulletin.get("grading") or {}).get("information")
    if grading in _CONFIDENCE:
        report["confidence"] = _CONFIDENCE[grading]
    widest = min((level.tlp for level, _ in content), default=top.tlp)
    marked = [(Level(widest), author), (top, report), *content]
    objects = [_marked(item, level, definitions) for level, item in _strictest_copies(marked)]
    carried = list(Markings(definitions.values(), frozenset()).carried(objects))
    return bundle_text((*carried, *objects)).encode() + b"\n"


def _embedded(
    portion: Mapping[str, Any], level: Level, definitions: dict[str, JsonObject]
) -> list[tuple[Level, JsonObject]]:
    found = read_object(str(portion.get("content", "")).encode()).get("objects")
    if not isinstance(found, list):
        raise DocumentRefusedError("not-stix", "", "the portion is no bundle")
    objects = check_objects(found)
    markings = Markings(objects, frozenset())
    definitions.update(markings.definitions)
    levelled = []
    for item in objects:
        if item["type"] != "marking-definition":
            said = markings.stated(item)
            own = level if said.tlp is None else level | Level(said.tlp, said.cui, said.dissemination, said.caveats)
            levelled.append((own, item))
    return levelled


def _strictest_copies(marked: Iterable[tuple[Level, JsonObject]]) -> Iterator[tuple[Level, JsonObject]]:
    """One copy per version of an object: the one from the stricter portion, which lacks nothing."""
    best: dict[tuple[str, str], tuple[Level, JsonObject]] = {}
    for level, item in marked:
        key = (item["id"], str(item.get("modified", "")))
        if key not in best or best[key][0] <= level:
            best[key] = (level, item)
    yield from best.values()


def _marked(item: JsonObject, level: Level, definitions: dict[str, JsonObject]) -> JsonObject:
    """Write the level into the object: TLP 2.0, the CUI extension, and caveats as a statement."""
    copy = Markings(definitions.values(), frozenset()).normalised(item, level)
    for definition in _special(level):
        definitions[definition["id"]] = definition
        if definition["id"] not in copy["object_marking_refs"]:
            copy["object_marking_refs"] = [*copy["object_marking_refs"], definition["id"]]
    return copy


def _special(level: Level) -> Iterator[JsonObject]:
    base = {"type": "marking-definition", "spec_version": "2.1", "created": "2026-01-01T00:00:00.000Z"}
    if level.cui or level.dissemination:
        body: JsonObject = {"extension_type": "property-extension", "control": "CUI"}
        if level.cui:
            body["categories"] = sorted(level.cui)
        if level.dissemination:
            body["disseminations"] = sorted(level.dissemination)
        yield {**base, "id": _id("marking-definition", json.dumps(body)), "extensions": {CUI_EXTENSION: body}}
    if level.caveats:
        text = "U//" + "//".join(sorted(level.caveats))
        statement = {"definition_type": "statement", "definition": {"statement": text}}
        yield {**base, "id": _id("marking-definition", text), **statement}


def _level(marking: Mapping[str, Any]) -> Level:
    """Return a portion's level; a label of a later vocabulary counts as RED."""
    label = marking.get("tlp")
    tlp = Tlp(label) if label in set(map(str, Tlp)) else Tlp.RED
    return Level(tlp, *(frozenset(marking.get(name) or ()) for name in ("cui", "dissemination", "caveats")))


def _id(kind: str, name: str) -> str:
    return f"{kind}--{uuid5(NAMESPACE, f'{kind}:{name}')}"


def _stamp(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + "000Z"
