"""Sealing: from a draft, decided by the rules, to the bytes that travel and the secrets that stay.

Notices are made apart (`make_notice`), later and in small chunks: the originator is answered as soon as the body and
its secrets are on disk.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from broker.seal import cose, parts, primitives
from broker.seal.audience import rights_of
from broker.seal.envelope import MAX_BODY, decode_body, encode_body
from broker.seal.errors import require
from broker.seal.header import ID_SIZE, PRECEDENCES, Header, expiry_hours, header_hash
from broker.seal.keys import SigningKeys
from broker.seal.manifest import (
    CONTENT_TYPE,
    KINDS,
    MAX_RELEASE,
    MAX_RETENTION,
    PORTIONLESS,
    STATUSES,
    Manifest,
    manifest_context,
)
from broker.seal.notice import NoticeSource, grow_tree, shared_size, source_of
from broker.seal.primitives import HASH_SIZE, KEY_SIZE, SEED_SIZE, Random
from broker.seal.shape import Shape, milliseconds
from broker.seal.terms import Addressee, check_addressee
from broker.seal.witness import MAX_AUDIENCE, Secrets, Witness

_SHAPE: Final = Shape("bad-draft")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Draft:
    """What is to be sealed. `parts` are the portions' plaintexts, part 1 first; opaque here.

    Times are kept to the millisecond, rounded down. `rules` is (number, hash), `directory` a number.
    """

    sender: str
    created: datetime
    expires: datetime
    precedence: str
    kind: str
    status: str
    parts: tuple[bytes, ...]
    audience: tuple[Addressee, ...]
    rules: tuple[int, bytes]
    directory: int
    retention: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Sealed:
    """The bytes that travel (header and body), the secrets that stay, and a source for the notices."""

    id: bytes
    header: bytes
    body: bytes
    secrets: Secrets
    source: NoticeSource


def seal(draft: Draft, signing: SigningKeys, *, random: Random = os.urandom) -> Sealed:
    """Seal a draft: encrypt every portion under a key of its own, sign the manifest, encrypt that too.

    Raises:
        SealError: `bad-draft`, `no-audience` or `too-large`; nothing is sealed that a recipient would refuse.
    """
    _check(draft)
    header = Header(
        id=random(ID_SIZE),
        expiry_hours=expiry_hours(milliseconds(draft.expires)),
        precedence=draft.precedence,
    )
    raw_header = header.encode()
    hh = header_hash(raw_header)
    cx = parts.context_hash(hh, draft.sender)

    keys = tuple(random(KEY_SIZE) for _ in range(len(draft.parts) + 1))
    derived = [parts.derive(key, cx, index) for index, key in enumerate(keys)]
    portions = [
        parts.encrypt_part(derived[index], cx, index, content) for index, content in enumerate(draft.parts, start=1)
    ]

    tree_seed = random(SEED_SIZE)
    rights = rights_of(draft.audience)
    tree = grow_tree(draft.audience, rights, tree_seed, hh)

    manifest = Manifest(
        sender=draft.sender,
        hh=hh,
        created=draft.created,
        expires=draft.expires,
        kind=draft.kind,
        status=draft.status,
        commitment=derived[0].commitment,
        portions=tuple(
            (primitives.sha256(part), key.commitment) for part, key in zip(portions, derived[1:], strict=True)
        ),
        root=tree.root,
        depth=tree.depth,
        rules=draft.rules,
        directory=draft.directory,
        retention=draft.retention,
    )
    signed = cose.sign(manifest.encode(), [signing], CONTENT_TYPE, manifest_context(hh))
    body = encode_body([parts.encrypt_part(derived[0], cx, 0, signed), *portions])
    require(len(body) <= MAX_BODY, "too-large", "the body is over 512 KiB")

    secrets = Secrets(
        sender=draft.sender,
        hh=hh,
        body_digest=primitives.sha256(body),
        manifest_digest=primitives.sha256(signed),
        keys=keys,
        tree_seed=tree_seed,
        notice_size=shared_size(draft.audience, rights, draft.sender, tree.depth),
        audience=draft.audience,
    )
    return Sealed(id=header.id, header=raw_header, body=body, secrets=secrets, source=source_of(secrets, tree))


def _check(draft: Draft) -> None:
    require(len(draft.audience) > 0, "no-audience")
    require(len(draft.audience) <= MAX_AUDIENCE, "too-large", "more agencies than a tree holds")
    require(len({one.agency for one in draft.audience}) == len(draft.audience), "bad-draft", "an agency twice")
    require(len(draft.parts) <= parts.MAX_PORTIONS, "bad-draft", "too many portions")
    require(bool(draft.parts) or draft.kind in PORTIONLESS, "bad-draft", "this kind carries portions")
    require(sum(map(len, draft.parts)) <= MAX_BODY, "too-large", "the body is over 512 KiB")
    require(milliseconds(draft.created) < milliseconds(draft.expires), "bad-draft", "expires before it is created")
    _SHAPE.agency(draft.sender)
    _SHAPE.one_of(draft.kind, KINDS)
    _SHAPE.one_of(draft.status, STATUSES)
    _SHAPE.one_of(draft.precedence, frozenset(PRECEDENCES))
    _SHAPE.uint(draft.rules[0], MAX_RELEASE)
    _SHAPE.bytes(draft.rules[1], HASH_SIZE)
    _SHAPE.uint(draft.directory, MAX_RELEASE)
    _SHAPE.text(draft.retention, MAX_RETENTION)
    checked = set()
    for addressee in draft.audience:
        _SHAPE.agency(addressee.agency)
        same = (addressee.parts, id(addressee.terms), id(addressee.references))
        if same not in checked:
            check_addressee(addressee, len(draft.parts))
            checked.add(same)


def open_own(body: bytes, secrets: Secrets) -> dict[int, bytes]:
    """The originator reads its own bulletin from its own store, like anyone: by index, portions only.

    Raises:
        SealError: `own-body` when these secrets belong to another body.
    """
    require(primitives.equal(primitives.sha256(body), secrets.body_digest), "own-body")
    return _open(body, secrets.hh, secrets.sender, dict(enumerate(secrets.keys)))


def reopen(body: bytes, witness: Witness) -> dict[int, bytes]:
    """A recipient opens again the portions of a body it accepted before.

    Raises:
        SealError: `own-body` when this witness belongs to another body.
    """
    require(primitives.equal(primitives.sha256(body), witness.body_digest), "own-body")
    return _open(body, witness.hh, witness.sender, dict(witness.keys))


def _open(body: bytes, hh: bytes, sender: str, keys: dict[int, bytes]) -> dict[int, bytes]:
    cx = parts.context_hash(hh, sender)
    raw = decode_body(body)
    return {
        index: parts.open_part(key, cx, index, cose.Encrypt0.parse(raw[index], "part-shape"))
        for index, key in sorted(keys.items())
        if index
    }


__all__ = ["PORTIONLESS", "Draft", "Sealed", "open_own", "reopen", "seal"]
