"""The audience tree: each recipient can prove to itself that the sender addressed it, and learns nothing of the others.

A perfect hash tree of 2^d ≥ 16 leaves. Recipients sit in random places among random filler, so neither the path nor the
place tells how many they are or in which order. The sender signs root and depth; everything random follows from one
tree seed, so that notices can be made again later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from broker.seal import cbor, primitives
from broker.seal.manifest import MIN_DEPTH
from broker.seal.primitives import HASH_SIZE
from broker.seal.terms import Addressee, Reference, Terms, encode_references, encode_terms

_LABEL: Final = cbor.tstr("tearline leaf")
_RANK_SIZE: Final = 16  # random sort keys of 128 bits: no ties worth a thought


def encode_rights(parts: tuple[int, ...], terms: Terms, references: tuple[Reference, ...]) -> bytes:
    """The last three items of a leaf, encoded once for all recipients that get the same."""
    return b"".join(
        (cbor.encode(list(parts)), cbor.encode(encode_terms(terms)), cbor.encode(encode_references(references)))
    )


def rights_of(audience: Sequence[Addressee]) -> list[bytes]:
    """`encode_rights` of everyone, in order; addressees that share their terms (the usual case) share the work."""
    known: dict[tuple[tuple[int, ...], int, int], bytes] = {}
    rights = []
    for one in audience:
        same = (one.parts, id(one.terms), id(one.references))
        if same not in known:
            known[same] = encode_rights(one.parts, one.terms, one.references)
        rights.append(known[same])
    return rights


def leaf(hh: bytes, seed: bytes, recipient: str, rights: bytes) -> bytes:
    """`SHA-256(0x00 ‖ CBOR["tearline leaf", hh, salt, recipient, parts, obligations, references])`.

    The salt keeps a leaf from being guessed: without it, anyone on a neighbouring path could try agencies and terms.
    """
    salt = primitives.hkdf(seed, b"leaf salt")
    return primitives.sha256(b"\x00\x87", _LABEL, cbor.bstr(hh), cbor.bstr(salt), cbor.tstr(recipient), rights)


def node(left: bytes, right: bytes) -> bytes:
    """Another first byte than a leaf's, so that no node passes for a leaf (RFC 6962 §2.1)."""
    return primitives.sha256(b"\x01", left, right)


def depth_for(recipients: int) -> int:
    return max(MIN_DEPTH, (recipients - 1).bit_length())


def recipient_seed(tree_seed: bytes, hh: bytes, recipient: str) -> bytes:
    """`seed_r`: known to the sender and this recipient alone; salts its leaf and keys its receipts."""
    return primitives.hkdf(tree_seed, cbor.encode(["tearline seed", hh, recipient]))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Tree:
    """All levels, leaves first, and where each recipient sits."""

    levels: tuple[tuple[bytes, ...], ...]
    places: Mapping[str, int]

    @property
    def root(self) -> bytes:
        return self.levels[-1][0]

    @property
    def depth(self) -> int:
        return len(self.levels) - 1

    def leaf(self, recipient: str) -> bytes:
        return self.levels[0][self.places[recipient]]

    def path(self, recipient: str) -> bytes:
        """The siblings from leaf to root, one after the other: always 32 · depth bytes."""
        place = self.places[recipient]
        return b"".join(level[place >> height ^ 1] for height, level in enumerate(self.levels[:-1]))


def plant(leaves: Sequence[tuple[str, bytes]], tree_seed: bytes, hh: bytes) -> Tree:
    """The tree over (recipient, leaf) pairs; filler and places follow from `tree_seed` and the header."""
    depth = depth_for(len(leaves))
    size = 1 << depth
    stride = _RANK_SIZE + HASH_SIZE
    stream = primitives.shake256(cbor.encode(["tearline audience", hh, tree_seed]), size * stride)
    ranks = [stream[place * stride : place * stride + _RANK_SIZE] for place in range(size)]
    free = sorted(range(size), key=ranks.__getitem__)
    row = [stream[place * stride + _RANK_SIZE : (place + 1) * stride] for place in range(size)]
    places = {}
    for (recipient, digest), place in zip(leaves, free, strict=False):
        row[place] = digest
        places[recipient] = place
    levels = [tuple(row)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append(tuple(node(below[i], below[i + 1]) for i in range(0, len(below), 2)))
    return Tree(levels=tuple(levels), places=places)


def climbs_to(digest: bytes, place: int, path: bytes, depth: int) -> bytes | None:
    """The root a leaf at this place leads to, or `None` when place and path do not fit the signed depth."""
    if len(path) != depth * HASH_SIZE or place >> depth:
        return None
    for height in range(depth):
        sibling = path[height * HASH_SIZE : (height + 1) * HASH_SIZE]
        digest = node(sibling, digest) if place >> height & 1 else node(digest, sibling)
    return digest
