"""The typed words that rules, bulletins and agency records may use; nothing else has a meaning.

A value outside its property's values is *unknown*, never false: share rules do not match it, never rules do.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from policy.reading import Reading
from policy.strict_yaml import Fields, Items, Node

Value: TypeAlias = str | frozenset[str]
Attributes: TypeAlias = Mapping[str, Value]

# USPS Publication 28, appendix B: states, the District and the territories.
STATES = (
    "AK", "AL", "AR", "AS", "AZ", "CA", "CO", "CT", "DC", "DE", "FL", "GA", "GU", "HI", "IA", "ID", "IL", "IN", "KS",
    "KY", "LA", "MA", "MD", "ME", "MI", "MN", "MO", "MP", "MS", "MT", "NC", "ND", "NE", "NH", "NJ", "NM", "NV", "NY",
    "OH", "OK", "OR", "PA", "PR", "RI", "SC", "SD", "TN", "TX", "UT", "VA", "VI", "VT", "WA", "WI", "WV", "WY",
)  # fmt: skip
AGENCY_ID = "id"
_AREA = "area"
_COMBINED = ("highest of", "strictest of", "least", "union")
_COUNTY_CODE = re.compile(r"[0-9]{5}")  # INCITS 31
_AGENCY_ID_FORM = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_MAX_AGENCY_ID = 64

PropertyKind: TypeAlias = Literal["one of", "ordered", "set of"]
ObligationKind: TypeAlias = Literal["highest of", "strictest of", "least", "union"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """An attribute with a closed list of values, lowest first where `ordered`."""

    name: str
    kind: PropertyKind
    values: tuple[str, ...]
    dated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """Yes when any value of the portion's `key` is among the values of the agency's `index`."""

    name: str
    key: str
    index: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """A duty that travels with a portion; `values` is weakest first, or empty for durations and free text."""

    name: str
    kind: ObligationKind
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Everything a rule can speak about. Names of agency properties and relations never collide."""

    bulletin: Mapping[str, Property]
    agency: Mapping[str, Property]
    relation: Mapping[str, Relation]
    obligation: Mapping[str, Obligation]
    area: Mapping[str, str]
    _area_names: Mapping[str, str] = field(repr=False)
    _keys: Mapping[str, frozenset[str] | None] = field(repr=False)
    _indexes: Mapping[str, frozenset[str] | None] = field(repr=False)

    def area_name(self, code: str) -> str | None:
        """The name that rules use for an INCITS 31 county code, or None when the vocabulary has none."""
        return self._area_names.get(code)

    @property
    def keys(self) -> Mapping[str, frozenset[str] | None]:
        """Portion attributes that relations look up, each with its closed values or None for free names."""
        return self._keys

    @property
    def indexes(self) -> Mapping[str, frozenset[str] | None]:
        """Agency attributes that relations are looked up in (without `id`), with their closed values or None."""
        return self._indexes

    @property
    def portion_attributes(self) -> frozenset[str]:
        """Every name that the attributes of a portion may have."""
        return frozenset(self.bulletin) | frozenset(self._keys)

    @property
    def agency_attributes(self) -> frozenset[str]:
        """Every name that an agency record may have."""
        return frozenset(self.agency) | frozenset(self._indexes)


def is_agency_id(text: str) -> bool:
    """Whether `text` has the form of an agency id: lower-case words joined by hyphens."""
    return len(text) <= _MAX_AGENCY_ID and _AGENCY_ID_FORM.fullmatch(text) is not None


def parse_vocabulary(text: str, *, source: str) -> Vocabulary:
    """Read a vocabulary.

    Raises:
        PolicyError: on anything that is not exactly a vocabulary.
    """
    read = Reading(source)
    sections = read.known(
        read.document(text),
        "the vocabulary",
        required=("bulletin", "agency", "relation", "obligation"),
        optional=(_AREA,),
    )
    bulletin = _properties(read, sections["bulletin"], dated=False)
    agency = _properties(read, sections["agency"], dated=True)
    area = _areas(read, sections[_AREA]) if _AREA in sections else {}
    relation = _relations(read, sections["relation"], taken=agency)
    keys = {entry.key: _domain(entry.key, bulletin, area) for entry in relation.values()}
    return Vocabulary(
        bulletin=MappingProxyType(bulletin),
        agency=MappingProxyType(agency),
        relation=MappingProxyType(relation),
        obligation=MappingProxyType(_obligations(read, sections["obligation"])),
        area=MappingProxyType(area),
        _area_names=MappingProxyType({code: name for name, code in area.items()}),
        _keys=MappingProxyType(keys),
        _indexes=MappingProxyType(_indexes(read, sections["relation"], relation, keys, agency)),
    )


def _domain(key: str, bulletin: Mapping[str, Property], area: Mapping[str, str]) -> frozenset[str] | None:
    """The closed values of a relation key: its property's values, the area names, or None for free names."""
    if key in bulletin:
        return frozenset(bulletin[key].values)
    return frozenset(area) if key == _AREA and area else None


def _indexes(
    read: Reading,
    node: Node,
    relation: Mapping[str, Relation],
    keys: Mapping[str, frozenset[str] | None],
    agency: Mapping[str, Property],
) -> dict[str, frozenset[str] | None]:
    indexes: dict[str, frozenset[str] | None] = {}
    for entry in relation.values():
        if entry.index == AGENCY_ID:
            continue
        if entry.index in agency or indexes.get(entry.index, keys[entry.key]) != keys[entry.key]:
            read.refuse("index-clash", f"'{entry.index}' of '{entry.name}' already has another meaning", node.line)
        indexes[entry.index] = keys[entry.key]
    return indexes


def _properties(read: Reading, node: Node, *, dated: bool) -> dict[str, Property]:
    properties: dict[str, Property] = {}
    for key, value in read.fields(node, "a section of properties").entries.values():
        what = f"'{key.text}'"
        kinds = ("one of", "ordered", "set of", "state")
        parts = read.known(value, what, required=(), optional=(*kinds, *(("dated",) if dated else ())))
        chosen = [kind for kind in kinds if kind in parts]
        if len(chosen) != 1:
            read.refuse("property-kind", f"{what} needs exactly one of {', '.join(kinds)}", key.line)
        kind = chosen[0]
        if kind == "state":
            read.one_of(read.text(parts[kind], what), "true", ("true",))
            properties[key.text] = Property(name=key.text, kind="one of", values=STATES)
            continue
        if "dated" in parts:
            read.one_of(read.text(parts["dated"], what), "true", ("true",))
            if kind != "set of":
                read.refuse("property-kind", f"{what}: only a 'set of' can be dated", key.line)
        properties[key.text] = Property(
            name=key.text,
            kind="one of" if kind == "one of" else "ordered" if kind == "ordered" else "set of",
            values=_values(read, parts[kind], what),
            dated="dated" in parts,
        )
    return properties


def _values(read: Reading, node: Node, what: str) -> tuple[str, ...]:
    read.items(node, what)
    texts = read.texts(node, what)
    for text in texts:
        if text.text.startswith(("at most ", "at least ")):
            read.refuse("reserved-word", f"'{text.text}' would read as a comparison", text.line)
    return tuple(text.text for text in texts)


def _relations(read: Reading, node: Node, *, taken: Collection[str]) -> dict[str, Relation]:
    relations: dict[str, Relation] = {}
    for key, value in read.fields(node, "'relation'").entries.values():
        parts = read.known(value, f"'{key.text}'", required=("key", "index"), optional=())
        if key.text in taken:
            read.refuse("name-clash", f"'{key.text}' is already a property of agencies", key.line)
        relations[key.text] = Relation(
            name=key.text, key=read.text(parts["key"], "key").text, index=read.text(parts["index"], "index").text
        )
    return relations


def _obligations(read: Reading, node: Node) -> dict[str, Obligation]:
    obligations: dict[str, Obligation] = {}
    for key, value in read.fields(node, "'obligation'").entries.values():
        fields = read.fields(value, f"'{key.text}'")
        obligations[key.text] = _obligation(read, key.text, fields)
    return obligations


def _obligation(read: Reading, name: str, fields: Fields) -> Obligation:
    what = f"'{name}'"
    parts = read.known(fields, what, required=(), optional=("highest of", "strictest of", "least", "union"))
    if len(parts) != 1:
        read.refuse(
            "obligation-kind", f"{what} needs exactly one of highest of, strictest of, least, union", fields.line
        )
    for kind in ("highest of", "strictest of"):
        if kind in parts:
            values = _values(read, parts[kind], what)
            return Obligation(name=name, kind="highest of" if kind == "highest of" else "strictest of", values=values)
    if "least" in parts:
        read.one_of(read.text(parts["least"], what), "a measure of 'least'", ("duration",))
        return Obligation(name=name, kind="least", values=())
    if isinstance(parts["union"], Items):
        return Obligation(name=name, kind="union", values=_values(read, parts["union"], what))
    read.one_of(read.text(parts["union"], what), "a kind of 'union'", ("text",))
    return Obligation(name=name, kind="union", values=())


def _areas(read: Reading, node: Node) -> dict[str, str]:
    areas: dict[str, str] = {}
    codes: set[str] = set()
    for key, value in read.fields(node, "'area'").entries.values():
        code = read.text(value, f"the code of '{key.text}'")
        if not _COUNTY_CODE.fullmatch(code.text):
            read.refuse("county-code", f"'{code.text}' is not a five-digit county code (INCITS 31)", code.line)
        if code.text in codes:
            read.refuse("county-code", f"the county code {code.text} has two names", code.line)
        codes.add(code.text)
        areas[key.text] = code.text
    return areas
