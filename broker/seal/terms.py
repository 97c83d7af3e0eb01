"""What one recipient is told beside its portions: its obligations, whether it is named or approved, its references."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias
from uuid import UUID

from broker.seal.cbor import Cbor
from broker.seal.errors import require
from broker.seal.parts import MAX_PORTIONS
from broker.seal.shape import Shape

ObligationValue: TypeAlias = str | int | tuple[str, ...]
Obligations: TypeAlias = Mapping[str, ObligationValue]

MAX_OBLIGATIONS: Final = 32  # per portion; the vocabulary has about a dozen
MAX_NAME: Final = 64
MAX_WORD: Final = 256
MAX_WORDS: Final = 64
MAX_NAMED: Final = 32  # persons of one agency
MAX_NOTE: Final = 1024
MAX_REFERENCES: Final = 8
MAX_TERMS: Final = 12_288  # bytes as encoded; keeps every notice under its own cap

_REFERENCE_KIND: Final = re.compile(r"[a-z][a-z_]{0,31}\Z")
_NUMBER_END: Final = 2**53
_UUID_SIZE: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Another bulletin this one answers, supersedes, recalls …; only recipients of *this* one see it."""

    kind: str
    bulletin: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """`obligations` by part index; `named` are persons of this agency; `approved`: released to it by the originator."""

    obligations: Mapping[int, Obligations] = field(default_factory=dict)
    named: tuple[str, ...] = field(default=(), repr=False)
    approved: bool = False
    note: str = field(default="", repr=False)


def encode_terms(terms: Terms) -> Cbor:
    """`[[[part, [[name, value], …]], …], [person, …], approved, note]`; parts and names sorted."""
    return [
        [
            [part, [[name, _value(value)] for name, value in sorted(obligations.items())]]
            for part, obligations in sorted(terms.obligations.items())
        ],
        list(terms.named),
        terms.approved,
        terms.note,
    ]


def _value(value: ObligationValue) -> Cbor:
    return list(value) if isinstance(value, tuple) else value


def parse_terms(value: Cbor, shape: Shape) -> Terms:
    """The terms; refused unless in the one form `encode_terms` gives."""
    by_part, named, approved, note = shape.list(value, 4, 4)
    obligations: dict[int, Obligations] = {}
    for entry in shape.list(by_part, MAX_PORTIONS):
        index, pairs = shape.list(entry, 2, 2)
        obligations[shape.uint(index, MAX_PORTIONS)] = _parse_obligations(pairs, shape)
    if list(obligations) != sorted(obligations) or len(obligations) != len(by_part):
        shape.refuse("parts out of order")
    return Terms(
        obligations=obligations,
        named=tuple(shape.text(person, MAX_WORD) for person in shape.list(named, MAX_NAMED)),
        approved=shape.bool(approved),
        note=shape.text(note, MAX_NOTE),
    )


def _parse_obligations(value: Cbor, shape: Shape) -> Obligations:
    obligations: dict[str, ObligationValue] = {}
    pairs = shape.list(value, MAX_OBLIGATIONS)
    for pair in pairs:
        name, content = shape.list(pair, 2, 2)
        obligations[shape.text(name, MAX_NAME)] = _parse_value(content, shape)
    if list(obligations) != sorted(obligations) or len(obligations) != len(pairs):
        shape.refuse("obligations out of order")
    return obligations


def _parse_value(value: Cbor, shape: Shape) -> ObligationValue:
    if type(value) is str:
        return shape.text(value, MAX_WORD)
    if type(value) is int:
        if not -_NUMBER_END <= value <= _NUMBER_END:
            shape.refuse("a number out of range")
        return value
    return tuple(shape.text(word, MAX_WORD) for word in shape.list(value, MAX_WORDS))


def encode_references(references: tuple[Reference, ...]) -> Cbor:
    return [[reference.kind, reference.bulletin.bytes] for reference in references]


def parse_references(value: Cbor, shape: Shape) -> tuple[Reference, ...]:
    references = []
    for entry in shape.list(value, MAX_REFERENCES):
        kind, bulletin = shape.list(entry, 2, 2)
        if type(kind) is not str or not _REFERENCE_KIND.match(kind):
            shape.refuse("not a kind of reference")
        references.append(Reference(kind=kind, bulletin=UUID(bytes=shape.bytes(bulletin, _UUID_SIZE))))
    return tuple(references)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """One agency of the audience, the portions it gets (1-based part indexes, sorted) and on what terms."""

    agency: str
    parts: tuple[int, ...]
    terms: Terms = field(default_factory=Terms)
    references: tuple[Reference, ...] = ()


def check_addressee(addressee: Addressee, portions: int) -> None:
    """Refuse what a recipient would refuse, before it is signed."""
    shape = Shape("bad-draft")
    parts = addressee.parts
    require(parts == tuple(sorted(set(parts))), "bad-draft", "parts are not sorted")
    require(all(1 <= part <= portions for part in parts), "bad-draft", "a part that does not exist")
    require(bool(parts) or portions == 0, "bad-draft", "an addressee without a portion")
    require(set(addressee.terms.obligations) <= set(parts), "bad-draft", "obligations for a part not given")
    parse_terms(encode_terms(addressee.terms), shape)
    parse_references(encode_references(addressee.references), shape)
