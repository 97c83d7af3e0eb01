"""The manifest: what the sender signs. Bound to the header, the body, the audience and the rules it was decided under.

It holds no marking, reference, name or number of the bulletin: a recipient of the tearline alone must not learn what
the other portions are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from broker.seal import cbor
from broker.seal.parts import MAX_PORTIONS
from broker.seal.primitives import HASH_SIZE
from broker.seal.shape import Shape, milliseconds

FORMAT: Final = "tearline/1"
CONTENT_TYPE: Final = "tearline manifest"
KINDS: Final = frozenset(
    {"bulletin", "request", "response", "feedback", "sighting", "correction", "recall", "purge", "escalation"}
)
#: Kinds that may travel without any portion: they say something about another bulletin, in their references.
PORTIONLESS: Final = frozenset({"recall", "purge", "escalation", "correction"})
STATUSES: Final = frozenset({"Actual", "Exercise", "System", "Test", "Draft"})
MIN_DEPTH: Final = 4  # 16 leaves at least, so that small audiences all look alike
MAX_DEPTH: Final = 17  # 131,072 agencies: seven times the police agencies of the country
MAX_RETENTION: Final = 64
MAX_RELEASE: Final = 2**32 - 1
MAX_MANIFEST: Final = 4096  # bytes of payload; with 16 portions and the longest names it is 1.5 KB

_KEYS: Final = frozenset(range(1, 15))
_SHAPE: Final = Shape("manifest-content")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The signed payload, field for field."""

    sender: str
    hh: bytes
    created: datetime
    expires: datetime
    kind: str
    status: str
    commitment: bytes
    portions: tuple[tuple[bytes, bytes], ...]
    root: bytes
    depth: int
    rules: tuple[int, bytes]
    directory: int
    retention: str

    def encode(self) -> bytes:
        return cbor.encode(
            {
                1: FORMAT,
                2: self.sender,
                3: self.hh,
                4: milliseconds(self.created),
                5: milliseconds(self.expires),
                6: self.kind,
                7: self.status,
                8: self.commitment,
                9: [list(pair) for pair in self.portions],
                10: self.root,
                11: self.depth,
                12: list(self.rules),
                13: self.directory,
                14: self.retention,
            }
        )


def manifest_context(hh: bytes) -> bytes:
    """External AAD of the manifest's signatures."""
    return cbor.encode([CONTENT_TYPE, hh])


def decode_manifest(payload: bytes) -> Manifest:
    """The manifest.

    Raises:
        SealError: `manifest-cbor` or `manifest-content`.
    """
    fields = _SHAPE.map(cbor.decode(payload, limit=MAX_MANIFEST, code="manifest-cbor"), _KEYS)
    if fields[1] != FORMAT:
        _SHAPE.refuse("another format")
    portions = []
    for entry in _SHAPE.list(fields[9], MAX_PORTIONS):
        digest, commitment = _SHAPE.list(entry, 2, 2)
        portions.append((_SHAPE.bytes(digest, HASH_SIZE), _SHAPE.bytes(commitment, HASH_SIZE)))
    kind = _SHAPE.one_of(fields[6], KINDS)
    if not portions and kind not in PORTIONLESS:
        _SHAPE.refuse("this kind carries portions")
    depth = _SHAPE.uint(fields[11], MAX_DEPTH)
    if depth < MIN_DEPTH:
        _SHAPE.refuse("an audience tree below its least depth")
    number, digest = _SHAPE.list(fields[12], 2, 2)
    return Manifest(
        sender=_SHAPE.agency(fields[2]),
        hh=_SHAPE.bytes(fields[3], HASH_SIZE),
        created=_SHAPE.instant(fields[4]),
        expires=_SHAPE.instant(fields[5]),
        kind=kind,
        status=_SHAPE.one_of(fields[7], STATUSES),
        commitment=_SHAPE.bytes(fields[8], HASH_SIZE),
        portions=tuple(portions),
        root=_SHAPE.bytes(fields[10], HASH_SIZE),
        depth=depth,
        rules=(_SHAPE.uint(number, MAX_RELEASE), _SHAPE.bytes(digest, HASH_SIZE)),
        directory=_SHAPE.uint(fields[13], MAX_RELEASE),
        retention=_SHAPE.text(fields[14], MAX_RETENTION),
    )
