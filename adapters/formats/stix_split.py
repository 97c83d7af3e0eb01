"""One bundle, several audiences: the objects of a bundle by marking, with nothing of a stricter one in a wider one.

OpenCTI sent restricted objects along because something wider referred to them (#17576), and removed a reference but
left the organisation's name in a text (#15533). Here an object that refers to, or repeats, a stricter one becomes as
strict itself. Only a report or grouping may stay wider than what it lists: it loses the entry, and each optional
property that gives the object away. The whole report then travels with the stricter portion.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from adapters.errors import DocumentRefusedError
from adapters.formats.derived import Needles, leaves, needles_of
from adapters.formats.stix_marking import Level, Markings, strictest
from adapters.formats.strict import JsonObject, token

_ID: Final = re.compile(
    r"[a-z0-9][a-z0-9-]*--[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE
)
_CONTAINERS: Final = frozenset({"report", "grouping"})
#: A container without one of these is no STIX object, so it is raised instead of losing it.
_NEEDED: Final = frozenset(
    {"type", "spec_version", "id", "created", "modified", "name", "published", "object_refs", "context"}
)
# Raising one object can raise another; a real bundle settles in two or three rounds.
_MAX_ROUNDS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The objects of each portion, widest first, and the places in the source that a portion lacks."""

    portions: tuple[tuple[Level, tuple[JsonObject, ...]], ...]
    lost: tuple[str, ...]


@dataclass(slots=True)
class _Item:
    place: int
    source: JsonObject
    level: Level
    references: frozenset[str]
    needles: Needles

    @property
    def container(self) -> bool:
        return self.source["type"] in _CONTAINERS


def split(objects: list[JsonObject], markings: Markings, *, unmarked: Level | None = None) -> Split:
    """Divide checked STIX objects into portions; `unmarked` is for a bundle in which nothing at all is marked.

    Raises:
        DocumentRefusedError: `missing-marking` when nothing in the bundle is marked, `marking-leak` when a stricter
            text stands where it cannot be taken out (inside a marking definition, say).
    """
    items = _levelled(objects, markings, unmarked)
    stated = [item.level for item in items]
    _settle(items)
    levels = {item.source["id"].lower(): item.level for item in items}
    texts = _by_level(items)
    portions: dict[Level, list[JsonObject]] = {}
    lost: list[str] = []
    for item, before in zip(items, stated, strict=True):
        reduced, taken = _reduced(item, texts, levels)
        portions.setdefault(item.level, []).append(markings.normalised(reduced, item.level))
        if item.container and taken:
            # Whoever may see what was taken out sees the report as it was written.
            whole = strictest([item.level, *taken])
            portions.setdefault(whole, []).append(markings.normalised(item.source, whole))
        if item.level != before:
            lost.append(f"/objects/{item.place} raised to TLP:{item.level.tlp}")
        lost += _lost_places(item, reduced)
    ordered = sorted(portions.items(), key=lambda pair: pair[0].order)
    found = tuple((level, (*markings.carried(content), *content)) for level, content in ordered)
    _sweep(found, texts, levels)
    return Split(portions=found, lost=tuple(lost))


def _levelled(objects: list[JsonObject], markings: Markings, unmarked: Level | None) -> list[_Item]:
    """Give every object the strictest of its own marking and its other versions'; without any, an inherited one."""
    stated = [(item, markings.stated(item)) for item in objects]
    known: dict[str, Level] = {}
    for item, found in stated:
        if found.tlp is not None:
            key, level = item["id"].lower(), Level(found.tlp, found.cui, found.dissemination, found.caveats)
            known[key] = known[key] | level if key in known else level
    if known:
        fallback = strictest(known.values())
    elif unmarked is not None:
        fallback = unmarked
    else:
        raise DocumentRefusedError("missing-marking", "/objects", "no object of the bundle is marked")
    _inherit(objects, known)
    items = []
    for place, (item, found) in enumerate(stated):
        if item["type"] != "marking-definition":
            level = known.get(item["id"].lower(), fallback)
            level |= Level(level.tlp, found.cui, found.dissemination, found.caveats)
            references = frozenset(_references(item)) - {item["id"].lower()}
            items.append(_Item(place, item, level, references, needles_of(item)))
    return items


def _inherit(objects: list[JsonObject], known: dict[str, Level]) -> None:
    """Extend `known` to unmarked objects: from the reports that list them, else from what refers to them.

    Who made an object is known to whoever may see it, so an unmarked author is as wide as the widest object made.
    """
    ids = {item["id"].lower() for item in objects}
    listed: dict[str, Level] = {}
    for item in objects:
        if item["type"] in _CONTAINERS and item["id"].lower() in known:
            _join(listed, _references({"object_refs": item.get("object_refs", [])}), known[item["id"].lower()])
    known.update({reference: level for reference, level in listed.items() if reference in ids - known.keys()})
    while True:
        gained: dict[str, Level] = {}
        for item in objects:
            if item["id"].lower() in known:
                _join(gained, _references(item), known[item["id"].lower()])
        gained = {reference: level for reference, level in gained.items() if reference in ids - known.keys()}
        if not gained:
            break
        known.update(gained)
    for author, levels in _made(objects, known).items():
        if author in ids - known.keys():
            widest = [level for level in levels if all(level <= other for other in levels)]
            known[author] = widest[0] if widest else strictest(levels)


def _made(objects: list[JsonObject], known: dict[str, Level]) -> dict[str, list[Level]]:
    made: dict[str, list[Level]] = {}
    for item in objects:
        if item["id"].lower() in known and "created_by_ref" in item:
            made.setdefault(str(item["created_by_ref"]).lower(), []).append(known[item["id"].lower()])
    return made


def _join(found: dict[str, Level], references: Iterable[str], level: Level) -> None:
    for reference in references:
        found[reference] = found[reference] | level if reference in found else level


def _references(value: JsonObject) -> Iterator[str]:
    """Every identifier in the object, wherever it stands, except who made it and how it is marked."""
    rest = {name: item for name, item in value.items() if name not in {"id", "created_by_ref", "object_marking_refs"}}
    for text in leaves(rest):
        yield from (found.lower() for found in _ID.findall(text))


def _settle(items: list[_Item]) -> None:
    """Raise objects until none refers to or repeats one that is stricter."""
    levels = {item.source["id"].lower(): item.level for item in items}
    for _ in range(_MAX_ROUNDS):
        changed = False
        texts = _by_level(items)
        for item in items:
            level = _raised(item, texts, levels)
            if level != item.level:
                item.level, changed = level, True
        for item in items:
            key = item.source["id"].lower()
            joined = levels[key] | item.level
            changed |= joined != item.level
            levels[key] = item.level = joined
        if not changed:
            return
    top = strictest([item.level for item in items])
    for item in items:
        item.level = top


def _by_level(items: Iterable[_Item]) -> dict[Level, Needles]:
    """Join what gives objects away, per level: a bundle has thousands of objects and a handful of levels."""
    texts: dict[Level, Needles] = {}
    for item in items:
        texts.setdefault(item.level, Needles()).update(item.needles)
    return texts


def _raised(item: _Item, texts: dict[Level, Needles], levels: dict[str, Level]) -> Level:
    level = item.level
    referred = [levels[reference] for reference in item.references if reference in levels]
    if not item.container:
        level = strictest([level, *referred])
    looked_at = {"name": item.source.get("name", "")} if item.container else item.source
    level = strictest([level, *_given_away(looked_at, level, texts)])
    if item.container and not _kept_refs(item, level, levels):
        level = strictest([level, *referred])
    return level


def _given_away(value: Any, level: Level, texts: dict[Level, Needles]) -> list[Level]:
    """Return the stricter levels whose text stands in `value`."""
    stricter = [(other, needles) for other, needles in texts.items() if not other <= level]
    if not stricter:
        return []
    found = list(leaves(_without_rewritten(value)))
    return [other for other, needles in stricter if any(needles.found_in(text) for text in found)]


def _without_rewritten(value: Any) -> Any:
    """Drop the members that are rewritten or removed by themselves."""
    if not isinstance(value, dict):
        return value
    return {name: item for name, item in value.items() if name not in {"created_by_ref", "object_marking_refs"}}


def _kept_refs(item: _Item, level: Level, levels: dict[str, Level]) -> list[str]:
    references: list[str] = item.source.get("object_refs", [])
    return [reference for reference in references if levels.get(reference.lower(), level) <= level]


def _hidden(value: Any, level: Level, levels: dict[str, Level]) -> list[Level]:
    """Return the stricter levels whose objects are referred to in `value`."""
    found = {identifier.lower() for text in leaves(value) for identifier in _ID.findall(text)}
    return [levels[identifier] for identifier in found if identifier in levels and not levels[identifier] <= level]


def _reduced(item: _Item, texts: dict[Level, Needles], levels: dict[str, Level]) -> tuple[JsonObject, list[Level]]:
    """Return the object as its own level may see it, and the levels of what was taken out."""
    copy, taken = dict(item.source), []
    if maker := _hidden(copy.get("created_by_ref", ""), item.level, levels):
        del copy["created_by_ref"]
        taken += maker
    if not item.container:
        return copy, taken
    copy["object_refs"] = _kept_refs(item, item.level, levels)
    taken += _hidden(item.source["object_refs"], item.level, levels)
    for name in [name for name in copy if name not in _NEEDED | {"created_by_ref", "object_marking_refs"}]:
        part = {name: copy[name]}
        found = [*_hidden(part, item.level, levels), *_given_away(part, item.level, texts)]
        if found:
            del copy[name]
            taken += found
    return copy, taken


def _lost_places(item: _Item, reduced: JsonObject) -> Iterator[str]:
    at = f"/objects/{item.place}"
    for name, value in item.source.items():
        if name not in reduced or reduced[name] != value:
            yield f"{at}/{token(name)}"
        elif name == "granular_markings":
            yield f"{at}/granular_markings"


def _sweep(
    portions: Iterable[tuple[Level, tuple[JsonObject, ...]]], texts: dict[Level, Needles], levels: dict[str, Level]
) -> None:
    """Look once more at what would leave, knowing nothing of how it was made."""
    for level, objects in portions:
        if any(_hidden(found, level, levels) or _given_away(found, level, texts) for found in objects):
            raise DocumentRefusedError("marking-leak", "/objects", "a wider portion would give a stricter one away")
