"""A small exchange of agencies with fixed keys, honest and dishonest senders, for the tests of the seal."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import pytest

from broker.seal import (
    ML_KEM_1024_P384,
    Addressee,
    AgencyKeys,
    AgencyPublic,
    Draft,
    Envelope,
    KemKey,
    Manifest,
    Reference,
    Sealed,
    SealError,
    Session,
    SigningKeys,
    Terms,
    Unsealed,
    cose,
    decode_envelope,
    encode_envelope,
    make_notice,
    make_session_notice,
    padding,
    parts,
    primitives,
    seal,
    unseal,
)
from broker.seal import audience as tree_room
from broker.seal.envelope import encode_body
from broker.seal.header import Header, expiry_hours, header_hash
from broker.seal.manifest import CONTENT_TYPE, manifest_context
from broker.seal.notice import NoticeContent, NoticeSource, grow_tree, notice_context, source_of
from broker.seal.shape import milliseconds
from broker.seal.witness import Secrets

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SKEW = timedelta(minutes=5)
RULES = (7, bytes(range(32)))
CITY, STATE, JTTF, FUSION, OUTSIDER, MALLORY = "city-pd", "state-police", "jttf", "fusion", "outsider", "mallory-pd"
TEARLINE = b"tearline: be on the lookout"
FULL = b"full: the source says the house at 12 Elm St"
REPLY = Reference(kind="in_reply_to", bulletin=UUID("01890000-0000-7000-8000-000000000001"))


def seed(*words: str) -> bytes:
    return hashlib.sha256("/".join(("tearline test", *words)).encode()).digest()


@lru_cache(maxsize=64)
def agency(name: str, alg: int = ML_KEM_1024_P384) -> AgencyKeys:
    return AgencyKeys(
        agency=name,
        signing=SigningKeys.from_seeds(ed25519=seed(name, "ed25519"), mldsa65=seed(name, "mldsa65")),
        kem=(KemKey.from_seed(alg, seed(name, "kem", str(alg))),),
    )


def directory(*, without: tuple[str, ...] = (), revoked: tuple[str, ...] = ()) -> Callable[[str], AgencyPublic | None]:
    known = {CITY, STATE, JTTF, FUSION, OUTSIDER, MALLORY} - set(without)
    return lambda name: agency(name).public(revoked=name in revoked) if name in known else None


def counting(start: int = 0) -> Callable[[int], bytes]:
    """Repeatable 'randomness': never the same bytes twice, the same ones in every run."""
    stream: Iterator[int] = iter(range(start, 2**62))
    return lambda size: hashlib.shake_256(b"tearline test random" + next(stream).to_bytes(8, "big")).digest(size)


def draft(**changes: Any) -> Draft:
    """Two portions: the fusion center gets both, the state police and the JTTF the tearline only."""
    tearline_terms = Terms(obligations={2: {"onward": "none", "retention": 86_400}})
    base = Draft(
        sender=CITY,
        created=NOW - timedelta(minutes=1),
        expires=NOW + timedelta(hours=30),
        precedence="FLASH",
        kind="bulletin",
        status="Actual",
        parts=(FULL, TEARLINE),
        audience=(
            Addressee(
                agency=FUSION,
                parts=(1, 2),
                terms=Terms(
                    obligations={1: {"caveats": ("LES", "SOURCE")}, 2: {"onward": "none"}},
                    named=("Sgt. B. Example",),
                    approved=True,
                    note="call me",
                ),
                references=(REPLY,),
            ),
            Addressee(agency=STATE, parts=(2,), terms=tearline_terms),
            Addressee(agency=JTTF, parts=(2,), terms=tearline_terms),
        ),
        rules=RULES,
        directory=3,
        retention="criminal-intelligence",
    )
    return replace(base, **changes)


def sealed(**changes: Any) -> Sealed:
    one = draft(**changes)
    return seal(one, agency(one.sender).signing, random=counting())


def notice_for(one: Sealed, recipient: str, keys: AgencyKeys | None = None) -> bytes:
    return make_notice(one.source, recipient, (keys or agency(recipient)).kem[0].public, random=counting(1000))


def session_with(recipient: str, sender: str = CITY) -> Session:
    """The session that a sender has set up with a recipient."""
    return Session(sender=sender, recipient=recipient, secret=seed(sender, recipient, "session"))


def envelope_under(session: Session, one: Sealed | None = None) -> bytes:
    """An envelope for the recipient of a session, its notice made under it."""
    chosen = one or sealed()
    return encode_envelope(chosen.header, chosen.body, [make_session_notice(chosen.source, session)])


def envelope_for(one: Sealed, *recipients: str) -> bytes:
    return encode_envelope(one.header, one.body, [notice_for(one, name) for name in recipients])


def accept(*_: object) -> None:
    return None


def receive(raw: bytes | Envelope, recipient: str | AgencyKeys, position: int = 0, **changes: Any) -> Unsealed:
    """What an honest gateway does with the bytes that arrive."""
    envelope = raw if isinstance(raw, Envelope) else decode_envelope(raw)
    keys = agency(recipient) if isinstance(recipient, str) else recipient
    how: dict[str, Any] = {
        "recipient": keys,
        "sender_of": directory(),
        "now": NOW,
        "skew": SKEW,
        "seen": accept,
        "accept_rules": accept,
        "recheck": accept,
    }
    return unseal(envelope, envelope.notices[position], **{**how, **changes})


def refused_code(act: Callable[[], object]) -> str:
    """The code that an act is refused with."""
    with pytest.raises(SealError) as refused:
        act()
    return refused.value.code


def same(value: Any) -> Any:
    return value


@dataclass(kw_only=True)
class Forger:
    """A sender who knows the format by heart and departs from it at one place; everything else is correct.

    Each hook gets what an honest sender would have made and returns what is used in its stead.
    """

    sender: str = CITY
    signing: SigningKeys | None = None
    raw_header: Callable[[bytes], bytes] = same
    keys: Callable[[list[bytes]], list[bytes]] = same
    portion: Callable[[int, bytes], bytes] = field(default=lambda _, part: part)
    manifest: Callable[[Manifest], Manifest] = same
    payload: Callable[[bytes], bytes] = same
    signed: Callable[[bytes], bytes] = same
    part_zero: Callable[[bytes], bytes] = same
    raw_parts: Callable[[list[bytes]], list[bytes]] = same
    manifest_hh: bytes | None = None
    draft: Draft = field(default_factory=draft)
    cx: bytes = b""  # known to the hooks from `portion` on
    made: list[bytes] = field(default_factory=list)  # the keys, likewise

    def forge(self) -> Sealed:
        one, random = self.draft, counting(500)
        signing = self.signing or agency(self.sender).signing
        header = Header(id=random(16), expiry_hours=expiry_hours(milliseconds(one.expires)), precedence=one.precedence)
        raw_header = self.raw_header(header.encode())
        hh = header_hash(raw_header)
        cx = parts.context_hash(hh, self.sender)
        keys = self.keys([random(32) for _ in range(len(one.parts) + 1)])
        self.cx, self.made = cx, keys
        derived = [parts.derive(key, cx, index) for index, key in enumerate(keys)]
        portions = [
            self.portion(index, parts.encrypt_part(derived[index], cx, index, content))
            for index, content in enumerate(one.parts, start=1)
        ]
        tree_seed = random(32)
        rights = tree_room.rights_of(one.audience)
        tree = grow_tree(one.audience, rights, tree_seed, hh)
        manifest = self.manifest(
            Manifest(
                sender=self.sender,
                hh=hh,
                created=one.created,
                expires=one.expires,
                kind=one.kind,
                status=one.status,
                commitment=derived[0].commitment,
                portions=tuple(
                    (primitives.sha256(part), key.commitment) for part, key in zip(portions, derived[1:], strict=True)
                ),
                root=tree.root,
                depth=tree.depth,
                rules=one.rules,
                directory=one.directory,
                retention=one.retention,
            )
        )
        payload = self.payload(manifest.encode())
        signed = self.signed(cose.sign(payload, [signing], CONTENT_TYPE, manifest_context(self.manifest_hh or hh)))
        part_zero = self.part_zero(parts.encrypt_part(derived[0], cx, 0, signed))
        body = encode_body(self.raw_parts([part_zero, *portions]))
        secrets = Secrets(
            sender=self.sender,
            hh=hh,
            body_digest=primitives.sha256(body),
            manifest_digest=primitives.sha256(signed),
            keys=tuple(keys),
            tree_seed=tree_seed,
            notice_size=1024,
            audience=one.audience,
        )
        return Sealed(id=header.id, header=raw_header, body=body, secrets=secrets, source=source_of(secrets, tree))


def content_for(source: NoticeSource, recipient: str, **changes: Any) -> NoticeContent:
    """The honest content of a recipient's notice, with some of it changed."""
    secrets, addressee = source.secrets, source.addressees[recipient]
    content = NoticeContent(
        sender=secrets.sender,
        keys={index: secrets.keys[index] for index in (0, *addressee.parts)},
        terms=addressee.terms,
        seed=tree_room.recipient_seed(secrets.tree_seed, secrets.hh, recipient),
        place=source.tree.places[recipient],
        path=source.tree.path(recipient),
        references=addressee.references,
    )
    return replace(content, **changes)


def forged_notice(one: Sealed, content: NoticeContent | bytes, recipient: str, keys: AgencyKeys | None = None) -> bytes:
    """Anyone who knows a recipient's public key can seal anything to it; that alone proves nothing."""
    kem = (keys or agency(recipient)).kem[0].public
    raw = content if isinstance(content, bytes) else content.encode()
    context = notice_context(one.secrets.hh, one.secrets.body_digest, recipient, kem.key)
    return cose.encrypt_to(kem, padding.pad(raw, 1536), context, os.urandom)


def forged_envelope(one: Sealed, recipient: str = FUSION, content: NoticeContent | bytes | None = None) -> bytes:
    chosen = content if content is not None else content_for(one.source, recipient)
    return encode_envelope(one.header, one.body, [forged_notice(one, chosen, recipient)])
