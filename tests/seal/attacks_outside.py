"""Attacks on the envelope, its header and the notices (steps 1 to 5)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import cbor2
import pytest

from broker.seal import (
    ML_KEM_768_X25519,
    Addressee,
    AgencyKeys,
    Session,
    SessionNotice,
    Terms,
    Unsealed,
    cbor,
    cose,
    encode_envelope,
    envelope,
    header,
    make_session_notice,
    notice,
    padding,
    parts,
    primitives,
)
from broker.seal import session as session_room
from broker.seal.notice import NoticeContent
from broker.seal.parts import derive
from tests.seal.attack import (
    attack,
    changed_header,
    lenient,
    no_end_check,
    put,
    unseal_room,
)
from tests.seal.exchange import (
    CITY,
    FUSION,
    JTTF,
    MALLORY,
    NOW,
    STATE,
    Forger,
    agency,
    content_for,
    draft,
    envelope_for,
    envelope_under,
    forged_envelope,
    notice_for,
    receive,
    sealed,
    session_with,
)

# 1. Size and shape.


@attack("envelope-too-large")
def an_envelope_over_its_cap() -> Unsealed:
    one = sealed()
    body = [cbor.bstr(piece) for piece in [notice_for(one, FUSION), *[notice_for(one, STATE)] * 450]]
    raw = b"\x83" + cbor.bstr(one.header) + one.body + cbor.head(cbor.ARRAY, len(body)) + b"".join(body)
    return receive(raw, FUSION)


@attack("envelope-too-large", then="part-shape")
def a_body_over_its_cap() -> Unsealed:
    forger = Forger(raw_parts=lambda made: [*made, bytes(400_000), bytes(200_000)])
    return receive(forged_envelope(forger.forge()), FUSION)


@attack("envelope-shape", off=no_end_check)
def bytes_after_the_envelope() -> Unsealed:
    return receive(envelope_for(sealed(), FUSION) + b"\x00", FUSION)


@attack("part-shape", off=no_end_check)
def bytes_after_a_part() -> Unsealed:
    return receive(forged_envelope(Forger(part_zero=lambda part: part + b"\x00").forge()), FUSION)


@attack("notice-shape", off=no_end_check)
def bytes_after_a_notice() -> Unsealed:
    one = sealed()
    return receive(encode_envelope(one.header, one.body, [notice_for(one, FUSION) + b"\x00"]), FUSION)


@attack("notice-shape", off=no_end_check)
def bytes_after_a_session_notice() -> Unsealed:
    one, session = sealed(), session_with(FUSION)
    raw = make_session_notice(one.source, session) + b"\x00"
    return receive(encode_envelope(one.header, one.body, [raw]), FUSION, session=session)


# 2. and 3. The header.


@attack("header-cbor", off=put(header.cbor, "decode", lenient))
def a_header_in_longer_than_shortest_form() -> Unsealed:
    # expiry as a 64-bit number: same value, other bytes, other hash
    def longer(raw: bytes) -> bytes:
        hours = cbor2.loads(raw)[4]
        return raw.replace(cbor.encode(hours), b"\x1b" + hours.to_bytes(8, "big"))

    return receive(forged_envelope(Forger(raw_header=longer).forge()), FUSION)


@attack("unknown-version", off=put(header, "VERSION", 2))
def a_header_of_another_version() -> Unsealed:
    return receive(forged_envelope(Forger(raw_header=changed_header(_1=2)).forge()), FUSION)


@attack("unknown-suite", off=put(header, "SUITE", 2))
def a_header_of_another_suite() -> Unsealed:
    return receive(forged_envelope(Forger(raw_header=changed_header(_2=2)).forge()), FUSION)


@attack("header-field", off=put(header, "_KEYS", frozenset(range(1, 7))))
def a_surplus_header_field() -> Unsealed:
    return receive(forged_envelope(Forger(raw_header=changed_header(_6=0)).forge()), FUSION)


# 4. Header expiry.


@attack("header-expired", then="expired")
def an_expired_header() -> Unsealed:
    return receive(envelope_for(sealed(), FUSION), FUSION, now=NOW + timedelta(hours=40))


# 5. The notice.


@attack("notice-not-mine", off=put(unseal_room, "_mine", lambda recipient, _: recipient.kem[0]), then="notice-open")
def a_notice_for_a_key_i_do_not_hold() -> Unsealed:
    return receive(envelope_for(sealed(), STATE), FUSION)


@attack("notice-alg")
def an_algorithm_relabelled_in_a_notice() -> Unsealed:
    one = sealed()
    key = agency(FUSION).kem[0].public
    protected = cbor.encode({1: ML_KEM_768_X25519, 4: key.kid})
    context = notice.notice_context(one.secrets.hh, one.secrets.body_digest, FUSION, key.key)
    cek, iv = bytes(32), bytes(12)
    info = cbor.encode(["HPKE Recipient", 3, protected, context])
    enc, wrapped = primitives.hpke_encrypt(key.alg, key.key, cek, info)
    plaintext = padding.pad(content_for(one.source, FUSION).encode(), 1024)
    aad = cbor.encode(["Encrypt", cbor.encode({1: 3}), context])
    ciphertext = primitives.aes_gcm_encrypt(cek, iv, plaintext, aad)
    raw = cbor.encode([cbor.encode({1: 3}), {5: iv}, ciphertext, [[protected, {-4: enc}, wrapped]]])
    return receive(encode_envelope(one.header, one.body, [raw]), FUSION)


def without(position: int) -> Callable[[pytest.MonkeyPatch], None]:
    """The notice context without one of its four bindings."""
    whole = notice.notice_context

    def less(*pieces: Any) -> bytes:
        kept = list(pieces)
        kept[position] = "" if position == 2 else b""
        return whole(*kept)

    return lambda monkeypatch: monkeypatch.setattr(notice, "notice_context", less)


@attack("notice-open", off=without(2), then="not-in-audience")
def a_notice_re_addressed_to_another_agency_of_the_same_gateway() -> Unsealed:
    # Both agencies share one KEM key, so only the name tells them apart.
    shared = AgencyKeys(agency=JTTF, signing=agency(JTTF).signing, kem=agency(FUSION).kem)
    return receive(envelope_for(sealed(), FUSION), shared)


@attack("notice-open", off=without(0), then="manifest-iv")
def a_notice_moved_to_another_header() -> Unsealed:
    one, other = sealed(), sealed(precedence="ROUTINE")
    return receive(encode_envelope(other.header, one.body, [notice_for(one, FUSION)]), FUSION)


@attack("notice-open", off=without(1), then="manifest-iv")
def a_notice_kept_while_part_0_is_encrypted_anew() -> Unsealed:
    """A member knows K_0 and encrypts the signed manifest again: another body under the same signature."""
    one = sealed()
    raw = envelope.decode_body(one.body)
    cx = parts.context_hash(one.secrets.hh, CITY)
    keys = replace(derive(one.secrets.keys[0], cx, 0), iv=bytes(12))
    signed = parts.open_part(one.secrets.keys[0], cx, 0, cose.Encrypt0.parse(raw[0], "part-shape"))
    body = envelope.encode_body([parts.encrypt_part(keys, cx, 0, signed), *raw[1:]])
    return receive(encode_envelope(one.header, body, [notice_for(one, FUSION)]), FUSION)


@attack("notice-open")
def a_shorter_aes_key_by_moving_the_split_of_the_encapsulation() -> Unsealed:
    """A 24-byte CEK: eight bytes of the encapsulation are counted to the wrapped key, so that its size is right."""
    one = sealed()
    key = agency(FUSION).kem[0].public
    protected = cbor.encode({1: key.alg, 4: key.kid})
    context = notice.notice_context(one.secrets.hh, one.secrets.body_digest, FUSION, key.key)
    info = cbor.encode(["HPKE Recipient", 3, protected, context])
    enc, wrapped = primitives.hpke_encrypt(key.alg, key.key, bytes(24), info)
    aad = cbor.encode(["Encrypt", cbor.encode({1: 3}), context])
    plaintext = padding.pad(content_for(one.source, FUSION).encode(), 1024)
    ciphertext = primitives.aes_gcm_encrypt(bytes(24), bytes(12), plaintext, aad)
    recipient = [protected, {-4: enc[:-8]}, enc[-8:] + wrapped]
    raw = cbor.encode([cbor.encode({1: 3}), {5: bytes(12)}, ciphertext, [recipient]])
    return receive(encode_envelope(one.header, one.body, [raw]), FUSION)


@attack("notice-content", off=put(notice, "_KEYS", frozenset({*range(1, 8), 9})))
def a_surplus_field_in_a_notice() -> Unsealed:
    one = Forger().forge()
    raw = cbor.encode({**cbor2.loads(content_for(one.source, FUSION).encode()), 9: 0})
    return receive(forged_envelope(one, content=raw), FUSION)


@attack("notice-content")
def obligations_for_a_portion_that_is_not_given() -> Unsealed:
    terms = Terms(obligations={1: {"onward": "none"}})
    one = Forger(draft=draft(audience=(Addressee(agency=STATE, parts=(2,), terms=terms),))).forge()
    return receive(forged_envelope(one, STATE), STATE)


@attack(
    "notice-content", off=put(sys.modules["broker.seal.shape"].Shape, "bytes_upto", lambda _, value, __: value[:128])
)
def a_path_longer_than_any_tree() -> Unsealed:
    one = Forger().forge()
    content = content_for(one.source, FUSION)
    return receive(forged_envelope(one, FUSION, replace(content, path=content.path + bytes(32 * 14))), FUSION)


# 5., under a session.


def opened_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that takes the session a notice was made under from wherever it finds it."""
    honest = notice.open_session_notice

    def open_any(one: SessionNotice, hh: bytes, body_digest: bytes, recipient: str, _: Session | None) -> Any:
        return honest(one, hh, body_digest, recipient, session_with(recipient))

    monkeypatch.setattr(unseal_room, "open_session_notice", open_any)


@attack("session-unknown", off=opened_all_the_same)
def a_notice_under_a_session_i_do_not_hold() -> Unsealed:
    return receive(envelope_under(session_with(FUSION)), FUSION)


def for_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opens a notice with a session that is another agency's."""

    def open_any(one: SessionNotice, hh: bytes, body_digest: bytes, _: str, session: Session) -> Any:
        padded = session_room.decrypt_in(session, one, hh, body_digest)
        return notice.parse_content(padding.unpad(padded, "notice-content"))

    monkeypatch.setattr(unseal_room, "open_session_notice", open_any)


@attack("session-unknown", off=for_anybody, then="not-in-audience")
def a_session_notice_re_addressed_to_another_agency_of_the_same_gateway() -> Unsealed:
    session = session_with(FUSION)
    return receive(envelope_under(session), STATE, session=session)


def unbound(position: int) -> Callable[[pytest.MonkeyPatch], None]:
    """Key, IV, locator and AAD of a session notice without header (0) or body (1)."""

    def off(monkeypatch: pytest.MonkeyPatch) -> None:
        derive_bound, context_bound, locator_bound = session_room._derive, session_room._context, Session.locator

        def less(hh: bytes, body_digest: bytes) -> tuple[bytes, bytes]:
            return (b"", body_digest) if position == 0 else (hh, b"")

        monkeypatch.setattr(session_room, "_derive", lambda one, *bound: derive_bound(one, *less(*bound)))
        monkeypatch.setattr(session_room, "_context", lambda one, *bound: context_bound(one, *less(*bound)))
        if position == 0:
            monkeypatch.setattr(Session, "locator", lambda one, _: locator_bound(one, b""))

    return off


@attack("notice-open", off=unbound(0), then="manifest-iv")
def a_session_notice_moved_to_another_header() -> Unsealed:
    one, other, session = sealed(), sealed(precedence="ROUTINE"), session_with(FUSION)
    raw = make_session_notice(one.source, session)
    return receive(encode_envelope(other.header, one.body, [raw]), FUSION, session=session)


@attack("notice-open", off=unbound(1), then="manifest-iv")
def a_session_notice_kept_while_part_0_is_encrypted_anew() -> Unsealed:
    one, session = sealed(), session_with(FUSION)
    raw = envelope.decode_body(one.body)
    cx = parts.context_hash(one.secrets.hh, CITY)
    keys = replace(derive(one.secrets.keys[0], cx, 0), iv=bytes(12))
    signed = parts.open_part(one.secrets.keys[0], cx, 0, cose.Encrypt0.parse(raw[0], "part-shape"))
    body = envelope.encode_body([parts.encrypt_part(keys, cx, 0, signed), *raw[1:]])
    made = make_session_notice(one.source, session)
    return receive(encode_envelope(one.header, body, [made]), FUSION, session=session)


def under(session: Session, content: NoticeContent) -> Unsealed:
    """Whoever holds a session can put anything into its notices; that alone proves nothing."""
    one = sealed()
    padded = padding.pad(content.encode(), 1024)
    raw = session_room.encrypt_in(session, one.secrets.hh, one.secrets.body_digest, padded)
    return receive(encode_envelope(one.header, one.body, [raw]), FUSION, session=session)


@attack("notice-content", then=None)
def a_sender_that_passes_anothers_bulletin_on_under_its_own_session() -> Unsealed:
    return under(session_with(FUSION, MALLORY), content_for(sealed().source, FUSION))


@attack("notice-content", then=None)
def a_session_within_a_session() -> Unsealed:
    return under(session_with(FUSION), content_for(sealed().source, FUSION, session=bytes(32)))


@attack("notice-content", off=put(notice, "SESSION_SIZE", 16))
def a_session_secret_that_is_too_short() -> Unsealed:
    one = sealed()
    return receive(forged_envelope(one, content=content_for(one.source, FUSION, session=bytes(16))), FUSION)


@attack("not-in-audience")
def a_member_that_sets_up_a_session_in_anothers_name() -> Unsealed:
    """The JTTF holds the tearline's keys and seals them on, with a session of its own in the sender's name."""
    one = sealed()
    mine = content_for(one.source, JTTF)
    return receive(forged_envelope(one, STATE, replace(mine, session=bytes(range(32)))), STATE)
