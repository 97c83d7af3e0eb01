"""Unsealing: one function, one numbered order, fail closed.

 1. size and shape                      (`decode_envelope`)
 2. strict CBOR                         (`decode_envelope`)
 3. header                              (`decode_envelope`)
 4. header expiry
 5. open the notice
 6. IV of part 0, derived from K_0
 7. open and read the manifest
 8. COM_0
 9. signatures
10. signer = sender, not revoked
11. header hash, times
12. replay
13. audience path, recomputed from the keys held
14. rules and directory                 (callback `accept_rules`)
15. number and digests of the parts
16. COM_i and IV_i
17. open the parts
18. the recipient's own re-check        (callback `recheck`)

COM_0 is carried in the manifest, so it can only be compared once the manifest is open (8); before that, part 0's IV,
from the same HKDF output, must fit (6). The re-check needs the opened portions' attributes, so it is last; until it has
passed, nothing is returned. A code belongs to one step (`broker.seal.errors.CODES`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from broker.seal import audience, cose, parts, primitives
from broker.seal.cose import Encrypt
from broker.seal.envelope import Envelope
from broker.seal.errors import SealError, hold_unless, require
from broker.seal.header import Header, expiry_hours
from broker.seal.keys import AgencyKeys, AgencyPublic, KemKey
from broker.seal.manifest import CONTENT_TYPE, MAX_MANIFEST, Manifest, decode_manifest, manifest_context
from broker.seal.notice import NoticeContent, open_notice, open_session_notice
from broker.seal.session import Session, SessionNotice
from broker.seal.shape import HOUR_MS, milliseconds
from broker.seal.terms import Reference, Terms
from broker.seal.witness import Witness

#: The directory's entry, or `None` (or a `LookupError`) for an agency it does not know.
SenderOf: TypeAlias = Callable[[str], AgencyPublic | None]
#: (verified sender, envelope id, recipient) -> digest of the body accepted before, or `None`.
Seen: TypeAlias = Callable[[str, bytes, str], bytes | None]
#: Raises `SealError` (refuse) or `Hold` (fetch the newer release first).
AcceptRules: TypeAlias = Callable[[Manifest], None]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Unsealed:
    """A bulletin that passed every step. `parts` are the portions this agency holds keys for, by index.

    `session` is the secret of a session that its sender has set up with this agency; empty when it set up none.
    """

    header: Header
    manifest: Manifest
    sender: str
    parts: Mapping[int, bytes]
    terms: Terms
    references: tuple[Reference, ...]
    witness: Witness
    body_digest: bytes
    manifest_digest: bytes
    session: bytes


Recheck: TypeAlias = Callable[[Unsealed], None]


def unseal(
    envelope: Envelope,
    notice: Encrypt | SessionNotice,
    *,
    session: Session | None = None,
    recipient: AgencyKeys,
    sender_of: SenderOf,
    now: datetime,
    skew: timedelta,
    seen: Seen,
    accept_rules: AcceptRules,
    recheck: Recheck,
) -> Unsealed:
    """Open an envelope for one agency this gateway hosts, or refuse it.

    Args:
        envelope: from `decode_envelope`, which has taken steps 1 to 3.
        notice: the one of `envelope.notices` addressed to a key of `recipient`.
        session: the session of a notice that was made under one.
        recipient: the agency's private keys.
        sender_of: the directory in force.
        now: the trusted time; never earlier than the highest seen.
        skew: how far clocks may differ.
        seen: what was accepted before; kept until expiry + 24 h.
        accept_rules: judges the releases the manifest names (step 14).
        recheck: the recipient's own reading of the rules over what it can now read (step 18).

    Raises:
        Hold: keep it and try later.
        SealError: refuse it. From step 11 on `error.sender` is the verified signer, and `error.witness` is what a
            signed `refused` receipt is made from.
    """
    sender: str | None = None
    claimed_directory: int | None = None
    witness: Witness | None = None
    hh = envelope.hh
    now_ms, skew_ms = milliseconds(now), skew // timedelta(milliseconds=1)
    try:
        # 4. Header expiry: the relay's word, but the sender's signature covers it (11); refuses old traffic cheaply.
        require(now_ms - skew_ms < envelope.header.expiry_hours * HOUR_MS, "header-expired")

        # 5. Open the notice: for this header, this body, this agency, this key or session.
        content = _open(envelope, notice, recipient, session)
        cx = parts.context_hash(hh, content.sender)

        # 6. The IV of part 0 is the one K_0 gives.
        manifest_keys = parts.derive(content.keys[0], cx, 0)
        require(envelope.frames[0].iv == manifest_keys.iv, "manifest-iv")

        # 7. Open and read the manifest. Nothing in it is believed yet.
        raw_manifest = parts.decrypt_part(
            manifest_keys, cx, 0, envelope.frames[0], open_code="manifest-open", padding_code="manifest-padding"
        )
        signed = cose.Sign.parse(raw_manifest, "manifest-shape", max_payload=MAX_MANIFEST)
        manifest = decode_manifest(signed.payload)
        claimed_directory = manifest.directory

        # 8. COM_0: AES-GCM does not commit to its key, the manifest does.
        require(primitives.equal(manifest.commitment, manifest_keys.commitment), "manifest-commitment")

        # 9. Signatures: exactly the ordered set in the directory's entry of the sender, every one of them.
        entry = _known(sender_of, content.sender)
        cose.verify(
            signed,
            entry.signing,
            CONTENT_TYPE,
            manifest_context(hh),
            set_code="signature-set",
            signature_code="bad-signature",
        )

        # 10. The signer is the sender the notice and the manifest name; revoked is refused whatever `created` says.
        require(manifest.sender == content.sender == entry.agency, "signer-mismatch")
        require(not entry.revoked, "revoked-signer")
        sender = manifest.sender
        witness = _witness(envelope, content, recipient.agency, primitives.sha256(raw_manifest))

        # 11. Header and times are those that were signed.
        require(primitives.equal(manifest.hh, hh), "header-mismatch")
        created_ms, expires_ms = milliseconds(manifest.created), milliseconds(manifest.expires)
        require(envelope.header.expiry_hours == expiry_hours(expires_ms), "expiry-mismatch")
        require(created_ms < expires_ms and now_ms - skew_ms < expires_ms, "expired")
        hold_unless(created_ms <= now_ms + skew_ms, "clock-ahead")

        # 12. Replay: the verified signer, the id and this agency make the key.
        before = seen(sender, envelope.header.id, recipient.agency)
        require(before is None or before == envelope.body_digest, "equivocation")
        require(before is None, "replay")

        # 13. The keys held, the terms and the place lead to the signed root: the sender addressed us on these terms.
        climbed = audience.climbs_to(witness.leaf, content.place, content.path, manifest.depth)
        require(climbed == manifest.root, "not-in-audience")

        # 14. Rules and directory the sender decided under.
        accept_rules(manifest)

        # 15. The parts are those that were signed, all of them, also those we cannot open.
        require(len(envelope.parts) == len(manifest.portions) + 1, "part-count")
        for part, (digest, _) in zip(envelope.parts[1:], manifest.portions, strict=False):
            require(primitives.sha256(part) == digest, "part-digest")
        require(set(content.parts) <= set(range(1, len(envelope.parts))), "part-count")
        require(bool(content.parts) or not manifest.portions, "part-count", "portions, but none for us")

        # 16. Every key held is the one its part was committed to.
        derived = {index: parts.derive(content.keys[index], cx, index) for index in content.parts}
        for index, keys in derived.items():
            require(primitives.equal(manifest.portions[index - 1][1], keys.commitment), "key-commitment")
            require(envelope.frames[index].iv == keys.iv, "part-iv")

        # 17. Open the parts.
        opened = {
            index: parts.decrypt_part(
                keys, cx, index, envelope.frames[index], open_code="part-open", padding_code="part-padding"
            )
            for index, keys in derived.items()
        }
        unsealed = Unsealed(
            header=envelope.header,
            manifest=manifest,
            sender=sender,
            parts=opened,
            terms=content.terms,
            references=content.references,
            witness=witness,
            body_digest=envelope.body_digest,
            manifest_digest=witness.manifest_digest,
            session=content.session,
        )

        # 18. Our own reading of the rules.
        recheck(unsealed)
    except SealError as error:
        error.sender, error.claimed_directory, error.witness = sender, claimed_directory, witness
        raise
    return unsealed


def _open(
    envelope: Envelope, notice: Encrypt | SessionNotice, recipient: AgencyKeys, session: Session | None
) -> NoticeContent:
    hh, body_digest = envelope.hh, envelope.body_digest
    if isinstance(notice, SessionNotice):
        return open_session_notice(notice, hh, body_digest, recipient.agency, session)
    key = _mine(recipient, notice.kid)
    require(notice.alg == key.alg, "notice-alg")
    return open_notice(notice, hh, body_digest, recipient.agency, key)


def _mine(recipient: AgencyKeys, kid: bytes) -> KemKey:
    key = recipient.kem_key(kid)
    if key is None:
        raise SealError("notice-not-mine")
    return key


def _known(sender_of: SenderOf, sender: str) -> AgencyPublic:
    try:
        entry = sender_of(sender)
    except LookupError as error:
        raise SealError("unknown-signer") from error
    if entry is None:
        raise SealError("unknown-signer")
    return entry


def _witness(envelope: Envelope, content: NoticeContent, recipient: str, manifest_digest: bytes) -> Witness:
    rights = audience.encode_rights(content.parts, content.terms, content.references)
    return Witness(
        id=envelope.header.id,
        sender=content.sender,
        recipient=recipient,
        hh=envelope.hh,
        body_digest=envelope.body_digest,
        manifest_digest=manifest_digest,
        leaf=audience.leaf(envelope.hh, content.seed, recipient, rights),
        seed=content.seed,
        keys=content.keys,
    )
