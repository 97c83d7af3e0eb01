"""Markings inside a text: an adapter that forgets one cannot widen what the document itself says.

OpenCTI let a restricted object's text leave with a wider report (#17576, #15533); here the strictest marking found in
a portion's own content is a floor under the marking its submitter chose. What is not understood counts as TLP:RED.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from broker.model.markings import CUI_CATEGORIES, IMMIGRATION_CATEGORIES
from broker.model.refusal import Refusal
from broker.model.strictjson import JsonValue, parse_json
from broker.model.values import UNMARKED, Embedded
from broker.model.words import Tlp, strictest

#: FIRST/OASIS TLP 2.0 marking definitions, then those of STIX 2.1 section 7.2.1.4 (TLP 1): read, never written.
TLP_IDS: Final = {
    "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487": Tlp.CLEAR,
    "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb": Tlp.GREEN,
    "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421": Tlp.AMBER,
    "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003": Tlp.AMBER_STRICT,
    "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1": Tlp.RED,
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": Tlp.CLEAR,
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": Tlp.GREEN,
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": Tlp.AMBER,
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": Tlp.RED,
}
_TLP_WORDS: Final = {label.lower(): label for label in Tlp} | {"white": Tlp.CLEAR}

_TLP_EXTENSION: Final = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
_ACS_EXTENSION: Final = "extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce"
_CUI_EXTENSION: Final = "extension-definition--dff17fb3-edcb-4f99-ad1b-4b751c95738a"
_IEP_EXTENSION: Final = "extension-definition--762e2e97-ee51-43e5-a9ea-165fbb862c4a"
#: ACS determinations that limit nothing beyond their caveat; any other control makes the text RED.
_ACS_HARMLESS: Final = frozenset({"FOUO", "PUBREL", "AIS", "NO-PII-PRESENT", "PII-NOT-PRESENT"})
_ACS_UNDERSTOOD: Final = frozenset({"classification", "formal_determination", "sensitivity"})
_CUI_CONTROLS: Final = frozenset({"FED ONLY", "FEDCON", "NOCON", "NOFORN", "DL ONLY", "RELIDO", "DISPLAY ONLY"})

_JSON_TYPE: Final = re.compile(r"application/(?:[a-z0-9.+-]+\+)?json(?:;.*)?", re.ASCII | re.IGNORECASE)
_CLASSIFIED_LINE: Final = re.compile(
    r"^[ \t]*(?:\((?:TS|S|C)//[A-Z/ ,-]+\)|\((?:TS|S)\)"
    r"|(?:TOP SECRET|SECRET|CONFIDENTIAL)//|(?:TOP SECRET|SECRET)[ \t\r]*$)",
    re.MULTILINE,
)
_TLP_LINE: Final = re.compile(r"^[ \t]*TLP:[ \t]?([A-Z+]+)(?:[ \t\r]*$|//)", re.MULTILINE | re.IGNORECASE)


def is_json(media_type: str) -> bool:
    return _JSON_TYPE.fullmatch(media_type) is not None


def embedded_marking(content: str, media_type: str) -> Embedded:
    """Return the strictest marking found in `content`; `UNMARKED` when it has none.

    A text that is JSON is read as JSON whatever its media type says, so that mislabelling hides nothing.

    Raises:
        Refusal: `classified` for any classification above U, `immigration-status` for a CUI category that means it,
            and the codes of `parse_json` when a JSON media type carries something else.
    """
    raw = content.encode("utf-8", "surrogatepass")
    if is_json(media_type):
        return _in_json(parse_json(raw))
    if content.lstrip()[:1] in {"{", "["}:
        try:
            value = parse_json(raw)
        except Refusal:
            return _in_text(content)
        return _in_json(value)
    return _in_text(content)


def _in_text(content: str) -> Embedded:
    """Read banner lines and portion marks; a mention in the middle of a sentence is not a marking."""
    if _CLASSIFIED_LINE.search(content):
        raise Refusal("classified", detail="the text has a classification line")
    labels = [_TLP_WORDS.get(match[1].lower(), Tlp.RED) for match in _TLP_LINE.finditer(content)]
    return _embedded(labels)


def _in_json(document: JsonValue) -> Embedded:
    objects = list(_objects(document))
    defined = {str(item["id"]): item for item in objects if item.get("type") == "marking-definition" and "id" in item}
    floors = [_definition(item) for item in objects if item.get("type") == "marking-definition"]
    for item in objects:
        floors += [_reference(reference, defined) for reference in _references(item)]
        floors += [_embedded([label]) for label in _misp_tags(item)]
    return _strictest(floors)


def _objects(value: JsonValue) -> Iterator[dict[str, JsonValue]]:
    """Walk every object of a document; `parse_json` bounded its size and depth."""
    match value:
        case list():
            for item in value:
                yield from _objects(item)
        case dict():
            yield value
            for item in value.values():
                yield from _objects(item)
        case _:
            pass


def _references(item: dict[str, JsonValue]) -> Iterator[JsonValue]:
    """Yield what STIX 2.1 sections 7.2.2 and 7.2.3 attach: to the object, or to parts of it."""
    attached = item.get("object_marking_refs")
    if attached is not None:
        yield from attached if isinstance(attached, list) else [attached]
    if "marking_ref" in item:
        yield item["marking_ref"]


def _reference(reference: JsonValue, defined: dict[str, dict[str, JsonValue]]) -> Embedded:
    # A definition carried along is judged where it stands, so that a known id with another content fools nobody.
    if not isinstance(reference, str):
        return _embedded([Tlp.RED])
    if reference in TLP_IDS:
        return _embedded([TLP_IDS[reference]])
    return UNMARKED if reference in defined else _embedded([Tlp.RED])


def _definition(item: dict[str, JsonValue]) -> Embedded:
    """Read one marking definition by its properties, never by its name or id alone."""
    floors: list[Embedded] = []
    match item.get("definition_type"), item.get("definition"):
        case "tlp", {"tlp": str(label)}:
            floors.append(_embedded([_TLP_WORDS.get(label.lower(), Tlp.RED)]))
        case "statement", {"statement": str()}:
            floors.append(UNMARKED)  # STIX 2.1 section 7.2.1.3: a legal notice, not a limit that a program can read
        case None, None:
            pass
        case _:
            floors.append(_embedded([Tlp.RED]))
    extensions = item.get("extensions")
    if isinstance(extensions, dict):
        floors += [_extension(name, body) for name, body in extensions.items()]
    return _strictest(floors) if floors else _embedded([Tlp.RED])


def _extension(name: str, body: JsonValue) -> Embedded:
    match name, body:
        case _, {"control_set": dict(controls)}:  # any revision of ACS: its classification must never be missed
            return _acs(controls, body if name == _ACS_EXTENSION else {})
        case (str(key), {"tlp_2_0": str(label)}) if key == _TLP_EXTENSION:
            return _embedded([_TLP_WORDS.get(label.lower(), Tlp.RED)])
        case (str(key), {"tlp": str(label)}) if key == _IEP_EXTENSION:
            return _embedded([_TLP_WORDS.get(label.lower(), Tlp.RED)])
        case (str(key), dict()) if key == _CUI_EXTENSION:
            return _cui(body)
        case _:
            return _embedded([Tlp.RED])


def _acs(controls: dict[str, JsonValue], body: JsonValue) -> Embedded:
    if controls.get("classification") != "U":
        raise Refusal("classified", detail="an embedded ACS marking is above U")
    determinations, sensitivity = _words(controls.get("formal_determination")), _words(controls.get("sensitivity"))
    policy = str(body.get("policy_reference", "")) if isinstance(body, dict) else ""
    understood = (
        set(controls) <= _ACS_UNDERSTOOD
        and determinations <= _ACS_HARMLESS
        and sensitivity <= {"LES"}
        and policy.endswith("sharedefault=permit")
    )
    return Embedded(
        tlp=None if understood else Tlp.RED,
        cui=frozenset(),
        dissemination=frozenset(),
        caveats=(determinations & {"FOUO"}) | (sensitivity & {"LES"}),
    )


def _cui(body: JsonValue) -> Embedded:
    fields = body if isinstance(body, dict) else {}
    categories, controls = _words(fields.get("categories")), _words(fields.get("disseminations"))
    if categories & IMMIGRATION_CATEGORIES:
        raise Refusal("immigration-status", detail="an embedded CUI category is immigration status")
    understood = categories <= CUI_CATEGORIES and controls <= _CUI_CONTROLS
    return Embedded(
        tlp=None if understood else Tlp.RED,
        cui=categories & CUI_CATEGORIES,
        dissemination=controls & _CUI_CONTROLS,
        caveats=frozenset(),
    )


def _misp_tags(item: dict[str, JsonValue]) -> Iterator[Tlp]:
    """Yield the labels of MISP tags (`tlp:amber`), wherever a tag object stands."""
    name = item.get("name")
    if isinstance(name, str) and name.lower().startswith("tlp:"):
        yield _TLP_WORDS.get(name[4:].strip().lower(), Tlp.RED)


def _words(value: JsonValue) -> frozenset[str]:
    """Return a list as words; whatever is not text becomes a word nobody knows."""
    if value is None:
        return frozenset()
    items = value if isinstance(value, list) else [value]
    return frozenset(item if isinstance(item, str) else "?" for item in items)


def _embedded(labels: list[Tlp]) -> Embedded:
    tlp = strictest(labels) if labels else None
    return Embedded(tlp=tlp, cui=frozenset(), dissemination=frozenset(), caveats=frozenset())


def _strictest(floors: list[Embedded]) -> Embedded:
    labels = [floor.tlp for floor in floors if floor.tlp is not None]
    return Embedded(
        tlp=strictest(labels) if labels else None,
        cui=frozenset[str]().union(*(floor.cui for floor in floors)),
        dissemination=frozenset[str]().union(*(floor.dissemination for floor in floors)),
        caveats=frozenset[str]().union(*(floor.caveats for floor in floors)),
    )
