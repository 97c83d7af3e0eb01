"""What each side keeps of an envelope after its first reading: `Secrets` the originator, `Witness` a recipient.

Both are key material. They are stored wrapped (`broker.seal.rest`); destroying the wrapping key is the purge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from broker.seal import cbor
from broker.seal.audience import encode_rights
from broker.seal.header import ID_SIZE
from broker.seal.manifest import MAX_DEPTH
from broker.seal.parts import MAX_PARTS
from broker.seal.primitives import HASH_SIZE, KEY_SIZE, SEED_SIZE
from broker.seal.shape import Shape
from broker.seal.terms import (
    Addressee,
    encode_references,
    encode_terms,
    parse_references,
    parse_terms,
)

MAX_AUDIENCE: Final = 2**MAX_DEPTH
_MAX_SECRETS: Final = 64 * 1024 * 1024  # 18,000 agencies with terms of their own: some 5 MB
_MAX_WITNESS: Final = 4096
MAX_NOTICE_CONTENT: Final = 16_384  # bytes: 12 KiB of terms, 17 keys, 17 hashes of path

_SECRETS: Final = Shape("secrets-shape")
_WITNESS: Final = Shape("witness-shape")
_SECRETS_KEYS: Final = frozenset(range(1, 10))
_WITNESS_KEYS: Final = frozenset(range(1, 10))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Secrets:
    """All the originator needs to open its body, to make every notice (again) and to check every receipt.

    `keys` are K_0 … K_n; `notice_size` is the padded length all notices of this bulletin share.
    """

    sender: str
    hh: bytes
    body_digest: bytes
    manifest_digest: bytes
    keys: tuple[bytes, ...]
    tree_seed: bytes
    notice_size: int
    audience: tuple[Addressee, ...]

    def encode(self) -> bytes:
        """Recipients that get the same are stored as one group: 18,000 agencies rarely have ten kinds of terms."""
        groups: dict[bytes, int] = {}
        table: list[cbor.Cbor] = []
        members = []
        for addressee in self.audience:
            rights = encode_rights(addressee.parts, addressee.terms, addressee.references)
            group = groups.setdefault(rights, len(groups))
            if group == len(table):
                table.append(
                    [list(addressee.parts), encode_terms(addressee.terms), encode_references(addressee.references)]
                )
            members.append([addressee.agency, group])
        return cbor.encode(
            {
                1: self.sender,
                2: self.hh,
                3: self.body_digest,
                4: self.manifest_digest,
                5: list(self.keys),
                6: self.tree_seed,
                7: self.notice_size,
                8: table,
                9: members,
            }
        )

    @classmethod
    def decode(cls, raw: bytes) -> Secrets:
        """The secrets.

        Raises:
            SealError: `secrets-shape`.
        """
        fields = _SECRETS.map(cbor.decode(raw, limit=_MAX_SECRETS, code="secrets-shape"), _SECRETS_KEYS)
        table = []
        for entry in _SECRETS.list(fields[8], MAX_AUDIENCE):
            parts, terms, references = _SECRETS.list(entry, 3, 3)
            table.append(
                (
                    tuple(_SECRETS.uint(part, MAX_PARTS - 1) for part in _SECRETS.list(parts, MAX_PARTS)),
                    parse_terms(terms, _SECRETS),
                    parse_references(references, _SECRETS),
                )
            )
        audience = []
        for member in _SECRETS.list(fields[9], MAX_AUDIENCE):
            agency, group = _SECRETS.list(member, 2, 2)
            if _SECRETS.uint(group) >= len(table):
                _SECRETS.refuse("a group that does not exist")
            given, agreed, referred = table[group]
            audience.append(Addressee(agency=_SECRETS.agency(agency), parts=given, terms=agreed, references=referred))
        return cls(
            sender=_SECRETS.agency(fields[1]),
            hh=_SECRETS.bytes(fields[2], HASH_SIZE),
            body_digest=_SECRETS.bytes(fields[3], HASH_SIZE),
            manifest_digest=_SECRETS.bytes(fields[4], HASH_SIZE),
            keys=tuple(_SECRETS.bytes(key, KEY_SIZE) for key in _SECRETS.list(fields[5], MAX_PARTS, 1)),
            tree_seed=_SECRETS.bytes(fields[6], SEED_SIZE),
            notice_size=_SECRETS.uint(fields[7], 2 * MAX_NOTICE_CONTENT),
            audience=tuple(audience),
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Witness:
    """All a recipient needs to open its portions again and to issue receipts that only it can make.

    `keys` maps part index to K_i, 0 included; `seed` is seed_r; `sender` the verified originator.
    """

    id: bytes
    sender: str
    recipient: str
    hh: bytes
    body_digest: bytes
    manifest_digest: bytes
    leaf: bytes
    seed: bytes
    keys: Mapping[int, bytes]

    def encode(self) -> bytes:
        return cbor.encode(
            {
                1: self.id,
                2: self.sender,
                3: self.recipient,
                4: self.hh,
                5: self.body_digest,
                6: self.manifest_digest,
                7: self.leaf,
                8: self.seed,
                9: dict(self.keys),
            }
        )

    @classmethod
    def decode(cls, raw: bytes) -> Witness:
        """The witness.

        Raises:
            SealError: `witness-shape`.
        """
        fields = _WITNESS.map(cbor.decode(raw, limit=_MAX_WITNESS, code="witness-shape"), _WITNESS_KEYS)
        return cls(
            id=_WITNESS.bytes(fields[1], ID_SIZE),
            sender=_WITNESS.agency(fields[2]),
            recipient=_WITNESS.agency(fields[3]),
            hh=_WITNESS.bytes(fields[4], HASH_SIZE),
            body_digest=_WITNESS.bytes(fields[5], HASH_SIZE),
            manifest_digest=_WITNESS.bytes(fields[6], HASH_SIZE),
            leaf=_WITNESS.bytes(fields[7], HASH_SIZE),
            seed=_WITNESS.bytes(fields[8], SEED_SIZE),
            keys=parse_keys(fields[9], _WITNESS),
        )


def parse_keys(value: object, shape: Shape) -> dict[int, bytes]:
    """`{i: K_i}`: K_0 always, and no index a body cannot have."""
    if type(value) is not dict or 0 not in value or not all(0 <= index < MAX_PARTS for index in value):
        shape.refuse("keys by part, 0 among them")
    return {index: shape.bytes(key, KEY_SIZE) for index, key in value.items()}
