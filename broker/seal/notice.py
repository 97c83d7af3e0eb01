"""The notice: one recipient agency's keys, terms and place in the audience, sealed to that agency alone.

Bound, through HPKE's info and the AAD, to the header, the body, the recipient's name and its very key: a notice cannot
be moved to another envelope, re-addressed, or given a body whose part 0 was encrypted anew.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from broker.seal import cbor, cose, padding, primitives
from broker.seal.audience import Tree, leaf, plant, recipient_seed, rights_of
from broker.seal.cose import Encrypt
from broker.seal.errors import SealError, require
from broker.seal.keys import KemKey, PublicKey
from broker.seal.manifest import MAX_DEPTH
from broker.seal.primitives import HASH_SIZE, SEED_SIZE, Random
from broker.seal.session import SESSION_SIZE, Session, SessionNotice, decrypt_in, encrypt_in
from broker.seal.shape import Shape
from broker.seal.terms import (
    Addressee,
    Reference,
    Terms,
    encode_references,
    encode_terms,
    parse_references,
    parse_terms,
)
from broker.seal.witness import MAX_NOTICE_CONTENT, Secrets, parse_keys

_KEYS: Final = frozenset(range(1, 8))
_SESSION: Final = 8
# What field 8 adds to a notice: its key, the head of a byte string, the secret.
_SESSION_ROOM: Final = 3 + SESSION_SIZE
_SHAPE: Final = Shape("notice-content")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NoticeContent:
    """What a notice says; nothing of it is believed before the signed audience root confirms it."""

    sender: str
    keys: Mapping[int, bytes]
    terms: Terms
    seed: bytes
    place: int
    path: bytes
    references: tuple[Reference, ...]
    session: bytes = b""

    def encode(self) -> bytes:
        fields: dict[int, cbor.Cbor] = {
            1: self.sender,
            2: dict(self.keys),
            3: encode_terms(self.terms),
            4: self.seed,
            5: self.place,
            6: self.path,
            7: encode_references(self.references),
        }
        if self.session:
            fields[_SESSION] = self.session
        return cbor.encode(fields)

    @property
    def parts(self) -> tuple[int, ...]:
        """The portions it gives keys for."""
        return tuple(sorted(index for index in self.keys if index))


def notice_context(hh: bytes, body_digest: bytes, recipient: str, kem_key: bytes) -> bytes:
    """Both layers' context: header, body, recipient, key."""
    return cbor.encode(["tearline notice", hh, body_digest, recipient, primitives.sha256(kem_key)])


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NoticeSource:
    """A bulletin's secrets with its audience tree grown, ready to make any number of notices."""

    secrets: Secrets
    tree: Tree
    addressees: Mapping[str, Addressee]


def grow(secrets: Secrets) -> NoticeSource:
    """The source for a stored bulletin's notices: the tree is the same as when it was sealed."""
    return source_of(secrets, grow_tree(secrets.audience, rights_of(secrets.audience), secrets.tree_seed, secrets.hh))


def source_of(secrets: Secrets, tree: Tree) -> NoticeSource:
    return NoticeSource(secrets=secrets, tree=tree, addressees={one.agency: one for one in secrets.audience})


def grow_tree(audience: tuple[Addressee, ...], rights: list[bytes], tree_seed: bytes, hh: bytes) -> Tree:
    leaves = []
    for addressee, given in zip(audience, rights, strict=True):
        seed = recipient_seed(tree_seed, hh, addressee.agency)
        leaves.append((addressee.agency, leaf(hh, seed, addressee.agency, given)))
    return plant(leaves, tree_seed, hh)


def _content(source: NoticeSource, recipient: str, session: bytes = b"") -> bytes:
    require(recipient in source.addressees, "not-addressed")
    secrets, addressee = source.secrets, source.addressees[recipient]
    return NoticeContent(
        sender=secrets.sender,
        keys={index: secrets.keys[index] for index in (0, *addressee.parts)},
        terms=addressee.terms,
        seed=recipient_seed(secrets.tree_seed, secrets.hh, recipient),
        place=source.tree.places[recipient],
        path=source.tree.path(recipient),
        references=addressee.references,
        session=session,
    ).encode()


def shared_size(audience: tuple[Addressee, ...], rights: list[bytes], sender: str, depth: int) -> int:
    """The one padded length of all notices of a bulletin, so that none tells how much it grants.

    Raises:
        SealError: `too-large` when the terms of a recipient do not fit a notice.
    """
    empty = NoticeContent(
        sender=sender,
        keys={},
        terms=Terms(),
        seed=bytes(SEED_SIZE),
        place=2**depth,
        path=bytes(depth * HASH_SIZE),
        references=(),
    )
    # A key costs 35 bytes (index, head, 32); the parts inside `rights` are counted once too often, which is harmless.
    longest = (
        len(empty.encode())
        + _SESSION_ROOM
        + max(len(given) + 35 * (len(one.parts) + 1) for one, given in zip(audience, rights, strict=True))
    )
    size = padding.padme(longest + 1)
    require(size <= MAX_NOTICE_CONTENT, "too-large", "the terms of a recipient do not fit a notice")
    return size


def make_notice(
    source: NoticeSource,
    recipient: str,
    kem: PublicKey,
    *,
    session: Session | None = None,
    random: Random = os.urandom,
) -> bytes:
    """The notice for one agency of the audience, sealed to its KEM key.

    Args:
        source: the bulletin's secrets.
        recipient: one of its audience.
        kem: that agency's KEM key.
        session: to be set up with that agency: its secret travels along.
        random: for the encapsulation, the key and the IV.

    Raises:
        SealError: `not-addressed`, also for a session of other agencies; `classical-kem` or `bad-key`; `too-large` for
            a session in a notice of a bulletin that was sealed without room for one.
    """
    require(session is None or _is_for(session, source, recipient), "not-addressed", "a session of other agencies")
    context = notice_context(source.secrets.hh, source.secrets.body_digest, recipient, kem.key)
    content = _content(source, recipient, session.secret if session else b"")
    require(len(content) < source.secrets.notice_size, "too-large", "no room for a session in this bulletin's notices")
    return cose.encrypt_to(kem, padding.pad(content, source.secrets.notice_size), context, random)


def make_session_notice(source: NoticeSource, session: Session) -> bytes:
    """The notice for the recipient of a session, under that session; made twice it is the same.

    Raises:
        SealError: `not-addressed`, also for a session of another sender.
    """
    require(_is_for(session, source, session.recipient), "not-addressed", "a session of other agencies")
    content = padding.pad(_content(source, session.recipient), source.secrets.notice_size)
    return encrypt_in(session, source.secrets.hh, source.secrets.body_digest, content)


def _is_for(session: Session, source: NoticeSource, recipient: str) -> bool:
    return session.sender == source.secrets.sender and session.recipient == recipient


def open_notice(notice: Encrypt, hh: bytes, body_digest: bytes, recipient: str, key: KemKey) -> NoticeContent:
    """What the notice says.

    Raises:
        SealError: `notice-open` when it is not for this header, body, recipient and key; `notice-content`.
    """
    context = notice_context(hh, body_digest, recipient, key.public.key)
    padded = cose.decrypt_with(key, notice, context, "notice-open")
    return parse_content(padding.unpad(padded, "notice-content"))


def open_session_notice(
    notice: SessionNotice, hh: bytes, body_digest: bytes, recipient: str, session: Session | None
) -> NoticeContent:
    """What the notice says.

    Raises:
        SealError: `session-unknown` without a session of this recipient; `notice-open`; `notice-content`, also when it
            speaks for another sender than the session's or carries a session itself.
    """
    if session is None or session.recipient != recipient:
        raise SealError("session-unknown")
    content = parse_content(padding.unpad(decrypt_in(session, notice, hh, body_digest), "notice-content"))
    require(content.sender == session.sender, "notice-content", "of another sender than the session's")
    require(not content.session, "notice-content", "a session within a session")
    return content


def parse_content(content: bytes) -> NoticeContent:
    """The notice's plaintext.

    Raises:
        SealError: `notice-content`.
    """
    value = cbor.decode(content, limit=MAX_NOTICE_CONTENT, code="notice-content")
    carries = type(value) is dict and _SESSION in value
    fields = _SHAPE.map(value, _KEYS | {_SESSION} if carries else _KEYS)
    keys, terms = parse_keys(fields[2], _SHAPE), parse_terms(fields[3], _SHAPE)
    require(set(terms.obligations) <= keys.keys() - {0}, "notice-content", "obligations for a part not given")
    return NoticeContent(
        sender=_SHAPE.agency(fields[1]),
        keys=keys,
        terms=terms,
        seed=_SHAPE.bytes(fields[4], SEED_SIZE),
        place=_SHAPE.uint(fields[5]),
        path=_SHAPE.bytes_upto(fields[6], MAX_DEPTH * HASH_SIZE),
        references=parse_references(fields[7], _SHAPE),
        session=_SHAPE.bytes(fields[_SESSION], SESSION_SIZE) if carries else b"",
    )
