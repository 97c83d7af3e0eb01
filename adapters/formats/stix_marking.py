"""Markings of STIX objects as levels of a lattice: what may stand beside what.

A single marking is read by `broker.model.embedded_marking`, the code that judges the portion at the gateway; here it
is applied to one object at a time (STIX 2.1 §7.2, OASIS TLP 2.0, ACS and CUI extensions).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapters.errors import DocumentRefusedError
from adapters.formats.strict import JsonObject
from broker.model import Embedded, Refusal, Tlp, embedded_marking

TLP_EXTENSION: Final = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
_TLP2: Final = {
    Tlp.CLEAR: "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    Tlp.GREEN: "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    Tlp.AMBER: "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    Tlp.AMBER_STRICT: "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    Tlp.RED: "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}
# STIX 2.1 §7.2.1.4; read, never written again.
_TLP1: Final = frozenset(
    {
        "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
        "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
        "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
        "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
    }
)
# Extensions that describe an incident and limit nothing (OASIS incident core).
HARMLESS_EXTENSIONS: Final = frozenset({"extension-definition--ef765651-680c-498d-9894-99799f2fa126"})


@dataclass(frozen=True, slots=True)
class Level:
    """A marking as a point in a lattice; `a <= b` when whoever may see b may see a."""

    tlp: Tlp
    cui: frozenset[str] = frozenset()
    dissemination: frozenset[str] = frozenset()
    caveats: frozenset[str] = frozenset()

    def __le__(self, other: Level) -> bool:
        return (
            self.tlp <= other.tlp
            and self.cui <= other.cui
            and self.dissemination <= other.dissemination
            and self.caveats <= other.caveats
        )

    def __or__(self, other: Level) -> Level:
        """Return the strictest of both: never lower than either (FIRST TLP 2.0)."""
        return Level(
            max(self.tlp, other.tlp),
            self.cui | other.cui,
            self.dissemination | other.dissemination,
            self.caveats | other.caveats,
        )

    @property
    def order(self) -> tuple[int, int, str]:
        """A total order in which a wider level comes before a stricter one."""
        controls = len(self.cui) + len(self.dissemination) + len(self.caveats)
        return (self.tlp.rank, controls, str(self.to_marking()))

    def to_marking(self) -> JsonObject:
        """Return the marking of a portion as the gateway's API spells it."""
        return {
            "classification": "U",
            "tlp": str(self.tlp),
            "cui": sorted(self.cui),
            "dissemination": sorted(self.dissemination),
            "caveats": sorted(self.caveats),
        }


def strictest(levels: Iterable[Level]) -> Level:
    """Return the join of one or more levels."""
    first, *others = levels
    for level in others:
        first |= level
    return first


class Markings:
    """The marking definitions of one bundle, and what an object marked with them may be shown to."""

    def __init__(self, objects: Iterable[JsonObject], known_extensions: frozenset[str]) -> None:
        self.definitions = {item["id"]: item for item in objects if item.get("type") == "marking-definition"}
        self._known_extensions = known_extensions | HARMLESS_EXTENSIONS
        self._judged: dict[str, Embedded] = {}
        # A classified definition betrays a classified source, whether or not an object refers to it.
        for reference in self.definitions:
            self._judge((reference,), ())

    def stated(self, item: JsonObject) -> Embedded:
        """Return what the object says of itself; its `tlp` is None when it says nothing.

        Raises:
            DocumentRefusedError: `classified`, `immigration-status`.
        """
        references = [*_list(item.get("object_marking_refs"))]
        references += [entry["marking_ref"] for entry in granular(item) if "marking_ref" in entry]
        labels = [
            label for label in _list(item.get("labels")) if isinstance(label, str) and label[:4].lower() == "tlp:"
        ]
        stated = self._judge(tuple(references), tuple(labels))
        if not self._unknown_extension(item):
            return stated
        # An extension may be a marking under another name (ACS is one): until somebody has read it, it is RED.
        return Embedded(tlp=Tlp.RED, cui=stated.cui, dissemination=stated.dissemination, caveats=stated.caveats)

    def normalised(self, item: JsonObject, level: Level) -> JsonObject:
        """Return the object with its level written as a TLP 2.0 marking and nothing that could lower it again.

        A granular marking overrides the object's (STIX 2.1 §7.2.3), so none that refers to a marking is kept.
        """
        references = [ref for ref in _list(item.get("object_marking_refs")) if not self._is_tlp(ref)]
        copy = item | {"object_marking_refs": [_TLP2[level.tlp], *references]}
        languages = [entry for entry in granular(item) if "marking_ref" not in entry]
        if languages:
            copy["granular_markings"] = languages
        else:
            copy.pop("granular_markings", None)
        return copy

    def carried(self, objects: Iterable[JsonObject]) -> Iterator[JsonObject]:
        """Yield the definitions that these objects refer to, each once."""
        waiting = [ref for item in objects for ref in _list(item.get("object_marking_refs"))]
        seen: set[str] = set()
        while waiting:
            reference = waiting.pop(0)
            if not isinstance(reference, str) or reference in seen:
                continue
            seen.add(reference)
            official = [tlp for tlp, marking in _TLP2.items() if marking == reference]
            definition = tlp_definition(official[0]) if official else self.definitions.get(reference)
            if definition is not None:
                yield definition
                waiting += _list(definition.get("object_marking_refs"))

    def _judge(self, references: tuple[Any, ...], labels: tuple[str, ...]) -> Embedded:
        closure: dict[str, JsonObject] = {}
        waiting = [reference for reference in references if isinstance(reference, str)]
        while waiting:
            reference = waiting.pop()
            if reference in self.definitions and reference not in closure:
                closure[reference] = self.definitions[reference]
                waiting += [ref for ref in _list(closure[reference].get("object_marking_refs")) if isinstance(ref, str)]
        tags = [{"name": label} for label in labels]
        mini = json.dumps([*closure.values(), {"object_marking_refs": list(references)}, *tags], sort_keys=True)
        if mini not in self._judged:
            try:
                self._judged[mini] = embedded_marking(mini, "application/json")
            except Refusal as refusal:
                raise DocumentRefusedError(refusal.code, "/objects", refusal.detail) from None
        return self._judged[mini]

    def _unknown_extension(self, item: JsonObject) -> bool:
        extensions = item.get("extensions")
        if item.get("type") == "marking-definition" or not isinstance(extensions, Mapping):
            return False
        # Names without the prefix are the predefined ones of cyber observables (STIX 2.1 §6), which are data.
        return any(
            name.startswith("extension-definition--") and name not in self._known_extensions for name in extensions
        )

    def _is_tlp(self, reference: Any) -> bool:
        if reference in _TLP1 or reference in _TLP2.values():
            return True
        definition = self.definitions.get(reference, {})
        return definition.get("definition_type") == "tlp" or TLP_EXTENSION in definition.get("extensions", {})


def granular(item: JsonObject) -> list[JsonObject]:
    return [entry for entry in _list(item.get("granular_markings")) if isinstance(entry, dict)]


def tlp_definition(tlp: Tlp) -> JsonObject:
    """Return the OASIS TLP 2.0 marking definition (oasis-open/cti-stix-common-objects)."""
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": _TLP2[tlp],
        "created": "2022-10-01T00:00:00.000Z",
        "name": f"TLP:{tlp}",
        "extensions": {TLP_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": str(tlp).lower()}},
    }


def _list(value: Any) -> list[Any]:
    """Return a list; a custom object may have written its only marking without brackets."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
