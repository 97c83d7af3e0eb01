"""The one importer of stix2: is this a STIX 2.1 object?"""

from __future__ import annotations

import copy
import json
from typing import Final

import stix2

from adapters.errors import DocumentRefusedError
from adapters.formats.strict import JsonObject

MAX_OBJECTS: Final = 2_000
# The pattern grammar backtracks: a page of nested brackets would cost minutes.
MAX_PATTERN: Final = 4_000
MAX_NESTING: Final = 32


def check_objects(objects: list[object]) -> list[JsonObject]:
    """Return the objects when each is valid STIX 2.1, custom properties and types allowed (they are judged elsewhere).

    Raises:
        DocumentRefusedError: `stix-too-many`, `stix-pattern`, `stix-version`, `stix-invalid`.
    """
    if len(objects) > MAX_OBJECTS:
        raise DocumentRefusedError("stix-too-many", "/objects", f"at most {MAX_OBJECTS} objects are taken")
    return [_checked(item, f"/objects/{place}") for place, item in enumerate(objects)]


def _checked(item: object, pointer: str) -> JsonObject:
    if not isinstance(item, dict) or not isinstance(item.get("type"), str) or not isinstance(item.get("id"), str):
        raise DocumentRefusedError("stix-invalid", pointer, "an object has a type and an id")
    if item.get("spec_version", "2.1") != "2.1" or item["type"] == "bundle":
        raise DocumentRefusedError("stix-version", f"{pointer}/spec_version", "only STIX 2.1 objects are taken")
    pattern = item.get("pattern")
    if isinstance(pattern, str) and (len(pattern) > MAX_PATTERN or pattern.count("(") > MAX_NESTING):
        raise DocumentRefusedError("stix-pattern", f"{pointer}/pattern", "the pattern is too long or too nested")
    if "created" in item and "spec_version" not in item:
        # STIX 2.0 had the version on the bundle; in 2.1 only cyber observables, which have no dates, may omit it.
        raise DocumentRefusedError("stix-version", f"{pointer}/spec_version", "the object does not say STIX 2.1")
    try:
        parsed = stix2.parse(copy.deepcopy(item), allow_custom=True, version="2.1")
        # The library reads leniently (one text for a list, digits for a number), so its reading is what goes on.
        read: JsonObject = parsed if isinstance(parsed, dict) else json.loads(parsed.serialize())
    except Exception:  # noqa: BLE001 - on hostile input the library raises whatever its layers raise; its texts quote the input
        raise DocumentRefusedError("stix-invalid", pointer, "the object is not valid STIX 2.1") from None
    if read.get("id") != item["id"] or not item["id"].startswith(item["type"] + "--"):
        raise DocumentRefusedError("stix-invalid", f"{pointer}/id", "the identifier is not one of this type")
    return read
