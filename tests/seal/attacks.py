"""Every attack on an envelope, by name: the code it must meet, and what happens when that one check is switched off.

`off` switches the check off: codes whose `require` is made to pass, or a function that patches the production code.
`then` is the outcome without it: `None` when the attack succeeds, otherwise the code of the check that stands behind.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import cbor2
import pytest

from broker.seal import (
    ML_KEM_768_X25519,
    Addressee,
    AgencyKeys,
    Hold,
    Sealed,
    SealError,
    Terms,
    Unsealed,
    cbor,
    cose,
    encode_envelope,
    envelope,
    header,
    manifest,
    notice,
    padding,
    parts,
    primitives,
)
from broker.seal.manifest import CONTENT_TYPE
from broker.seal.parts import derive
from tests.seal import exchange
from tests.seal.exchange import (
    CITY,
    FUSION,
    JTTF,
    MALLORY,
    NOW,
    OUTSIDER,
    SKEW,
    STATE,
    Forger,
    accept,
    agency,
    content_for,
    directory,
    draft,
    envelope_for,
    forged_envelope,
    notice_for,
    receive,
    sealed,
)
from tests.seal.salamander_attack import salamander


@dataclass(frozen=True, kw_only=True)
class Attack:
    name: str
    code: str
    run: Callable[[], Unsealed]
    off: tuple[str, ...] | Callable[[pytest.MonkeyPatch], None]
    then: str | None


# The function `unseal` hides the module of that name.
unseal_room = sys.modules["broker.seal.unseal"]

ATTACKS: list[Attack] = []


def attack(
    code: str, *, off: tuple[str, ...] | Callable[[pytest.MonkeyPatch], None] | None = None, then: str | None = None
) -> Callable[[Callable[[], Unsealed]], Callable[[], Unsealed]]:
    def register(run: Callable[[], Unsealed]) -> Callable[[], Unsealed]:
        ATTACKS.append(Attack(name=run.__name__, code=code, run=run, off=(code,) if off is None else off, then=then))
        return run

    return register


def put(target: Any, name: str, value: Any) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda monkeypatch: monkeypatch.setattr(target, name, value)


def lenient(raw: bytes, **_: Any) -> Any:
    return cbor2.loads(raw)


no_end_check = put(cbor.Reader, "end", lambda _: None)


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


# 2. and 3. The header.


@attack("header-cbor", off=put(header.cbor, "decode", lenient))
def a_header_in_longer_than_shortest_form() -> Unsealed:
    # expiry as a 64-bit number: same value, other bytes, other hash
    def longer(raw: bytes) -> bytes:
        hours = cbor2.loads(raw)[4]
        return raw.replace(cbor.encode(hours), b"\x1b" + hours.to_bytes(8, "big"))

    return receive(forged_envelope(Forger(raw_header=longer).forge()), FUSION)


def changed_header(**changes: Any) -> Callable[[bytes], bytes]:
    return lambda raw: cbor.encode({**cbor2.loads(raw), **{int(key[1:]): value for key, value in changes.items()}})


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


@attack("notice-content", off=put(notice, "_KEYS", frozenset(range(1, 9))))
def a_surplus_field_in_a_notice() -> Unsealed:
    one = Forger().forge()
    raw = cbor.encode({**cbor2.loads(content_for(one.source, FUSION).encode()), 8: 0})
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


# 6. to 8. Part 0.


@attack("manifest-iv")
def an_iv_of_the_senders_choosing_in_part_0() -> Unsealed:
    return receive(forged_envelope(anew(0, chosen_iv)), FUSION)


def anew(index: int, change: Callable[[Forger, int, bytes], bytes]) -> Sealed:
    """A bulletin whose part `index` the sender encrypted itself, given its content."""
    forger = Forger()

    def again(at: int, part: bytes) -> bytes:
        if at != index:
            return part
        return change(
            forger, at, parts.open_part(forger.made[at], forger.cx, at, cose.Encrypt0.parse(part, "part-shape"))
        )

    forger.portion = again
    forger.part_zero = lambda part: again(0, part)
    return forger.forge()


def chosen_iv(forger: Forger, index: int, content: bytes) -> bytes:
    keys = replace(derive(forger.made[index], forger.cx, index), iv=bytes(12))
    return parts.encrypt_part(keys, forger.cx, index, content)


def encrypted(forger: Forger, index: int, padded: bytes, place: int) -> bytes:
    mine = derive(forger.made[index], forger.cx, index)
    aad = cose.encrypt0_aad(parts._context(forger.cx, place))
    return cose.Encrypt0(iv=mine.iv, ciphertext=primitives.aes_gcm_encrypt(mine.cek, mine.iv, padded, aad)).encode()


def padded_otherwise(forger: Forger, index: int, content: bytes) -> bytes:
    padded = padding.pad(content, 2 * padding.padme(len(content) + 1))
    return encrypted(forger, index, padded, index)


def for_another_place(forger: Forger, index: int, content: bytes) -> bytes:
    return encrypted(forger, index, padding.pad(content, padding.padme(len(content) + 1)), 16)


@attack("manifest-open", off=put(parts, "_context", lambda *_: b""))
def part_0_encrypted_for_another_place() -> Unsealed:
    """Key and IV fit, but the ciphertext names another place."""
    return receive(forged_envelope(anew(0, for_another_place)), FUSION)


@attack("manifest-padding")
def part_0_padded_beyond_its_bucket() -> Unsealed:
    return receive(forged_envelope(anew(0, padded_otherwise)), FUSION)


@attack("manifest-shape", off=no_end_check)
def bytes_after_the_signed_manifest() -> Unsealed:
    return receive(forged_envelope(Forger(signed=lambda raw: raw + b"\x00").forge()), FUSION)


@attack("manifest-cbor", off=put(manifest.cbor, "decode", lenient))
def a_manifest_with_a_duplicate_key() -> Unsealed:
    def twice(payload: bytes) -> bytes:
        return bytes((payload[0] + 1,)) + payload[1:] + payload[-1 - len("criminal-intelligence") - 1 :]

    return receive(forged_envelope(Forger(payload=twice).forge()), FUSION)


@attack("manifest-content", off=put(manifest, "_KEYS", frozenset(range(1, 16))))
def a_surplus_field_in_the_manifest() -> Unsealed:
    forger = Forger(payload=lambda raw: cbor.encode({**cbor2.loads(raw), 15: "for your eyes"}))
    return receive(forged_envelope(forger.forge()), FUSION)


@attack("manifest-content", off=put(manifest, "FORMAT", "tearline/2"))
def a_manifest_of_another_format() -> Unsealed:
    forger = Forger(payload=lambda raw: cbor.encode({**cbor2.loads(raw), 1: "tearline/2"}))
    return receive(forged_envelope(forger.forge()), FUSION)


@attack("manifest-content", off=put(manifest, "MIN_DEPTH", 0), then="not-in-audience")
def an_audience_tree_that_shows_a_small_number() -> Unsealed:
    forger = Forger(manifest=lambda made: replace(made, depth=3))
    return receive(forged_envelope(forger.forge()), FUSION)


@attack("manifest-content", off=put(manifest, "PORTIONLESS", manifest.KINDS))
def a_bulletin_without_any_portion() -> Unsealed:
    empty = draft(parts=(), audience=(Addressee(agency=STATE, parts=()),))
    return receive(forged_envelope(Forger(draft=empty).forge(), STATE), STATE)


@attack("manifest-commitment")
def a_manifest_that_commits_to_another_k_0() -> Unsealed:
    """A sender who gives two recipients two manifests under one body must break this equality for one of them."""
    forger = Forger(manifest=lambda made: replace(made, commitment=bytes(32)))
    return receive(forged_envelope(forger.forge()), FUSION)


# 9. and 10. Signatures and signer.


@attack(
    "unknown-signer",
    off=put(unseal_room, "_known", lambda _, name: agency(name).public()),
)
def a_sender_the_directory_does_not_know() -> Unsealed:
    return receive(envelope_for(sealed(), FUSION), FUSION, sender_of=directory(without=(CITY,)))


def resigned(change: Callable[[list[Any]], list[Any]]) -> Callable[[bytes], bytes]:
    """Change the decoded COSE_Sign."""
    return lambda raw: cbor.encode(change(cbor2.loads(raw)))


def signatures(change: Callable[[list[Any]], list[Any]]) -> Unsealed:
    forger = Forger(signed=resigned(lambda sign: [*sign[:3], change(sign[3])]))
    return receive(forged_envelope(forger.forge()), FUSION)


@attack("signature-set")
def the_post_quantum_signature_stripped() -> Unsealed:
    return signatures(lambda both: both[:1])


@attack("signature-set")
def all_signatures_stripped() -> Unsealed:
    return signatures(lambda _: [])


@attack("signature-set", then="bad-signature")
def the_signatures_reordered() -> Unsealed:
    return signatures(lambda both: both[::-1])


@attack("signature-set")
def an_extra_signature() -> Unsealed:
    return signatures(lambda both: [*both, both[0]])


@attack("signature-set", then="bad-signature")
def a_signature_by_a_key_that_is_not_in_the_directory() -> Unsealed:
    one = Forger(signing=agency(MALLORY).signing).forge()
    return receive(forged_envelope(one), FUSION)


@attack("signature-set", then="bad-signature")
def the_algorithm_relabelled() -> Unsealed:
    """-8 is the old, polymorphic EdDSA: the same key, the same curve, another number."""
    kid = agency(CITY).signing.public[0].kid
    return signatures(lambda both: [[cbor.encode({1: -8, 4: kid}), *both[0][1:]], both[1]])


@attack("signature-set", then="bad-signature")
def the_body_header_names_a_smaller_set() -> Unsealed:
    first = agency(CITY).signing.public[0]
    protected = cbor.encode({2: [-65537], 3: CONTENT_TYPE, -65537: [[first.alg, first.kid]]})
    forger = Forger(signed=resigned(lambda sign: [protected, *sign[1:]]))
    return receive(forged_envelope(forger.forge()), FUSION)


@attack("signature-set")
def signed_by_half_the_set_on_purpose() -> Unsealed:
    """The sender's own stolen Ed25519 key, but not its ML-DSA key: what a quantum computer would have."""
    keys = agency(CITY).signing
    half = replace(keys, public=keys.public[:1])
    one = Forger(signing=half).forge()
    return receive(forged_envelope(one), FUSION)


def broken(position: int) -> Unsealed:
    def flip(both: list[Any]) -> list[Any]:
        entry = both[position]
        both[position] = [*entry[:2], entry[2][:-1] + bytes((entry[2][-1] ^ 1,))]
        return both

    return signatures(flip)


@attack("bad-signature")
def a_broken_classical_signature() -> Unsealed:
    return broken(0)


@attack("bad-signature")
def a_broken_post_quantum_signature() -> Unsealed:
    return broken(1)


@attack("bad-signature")
def a_high_s_ed25519_signature() -> Unsealed:
    order = 2**252 + 27742317777372353535851937790883648493

    def high(both: list[Any]) -> list[Any]:
        raw = both[0][2]
        s = int.from_bytes(raw[32:], "little") + order
        return [[*both[0][:2], raw[:32] + s.to_bytes(32, "little")], both[1]]

    return signatures(high)


def any_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unseal_room, "manifest_context", lambda _: b"")
    monkeypatch.setattr(exchange, "manifest_context", lambda _: b"")


@attack("bad-signature", off=any_header)
def a_manifest_signed_for_another_header() -> Unsealed:
    """The signature is the sender's own, over this very payload, but was made in the context of another header."""
    return receive(forged_envelope(Forger(manifest_hh=bytes(32)).forge()), FUSION)


@attack("signer-mismatch")
def a_manifest_that_names_another_sender_than_its_signer() -> Unsealed:
    forger = Forger(manifest=lambda made: replace(made, sender=STATE))
    return receive(forged_envelope(forger.forge()), FUSION)


@attack("revoked-signer")
def a_revoked_signer() -> Unsealed:
    """First seen after the revocation is refused whatever `created` says."""
    one = sealed(created=NOW - timedelta(days=20))
    return receive(envelope_for(one, FUSION), FUSION, sender_of=directory(revoked=(CITY,)))


# 11. Header and times.


@attack("header-mismatch")
def a_manifest_that_names_another_header() -> Unsealed:
    forger = Forger(manifest=lambda made: replace(made, hh=bytes(32)))
    return receive(forged_envelope(forger.forge()), FUSION)


@attack("expiry-mismatch")
def a_header_that_outlives_its_manifest() -> Unsealed:
    later = draft().expires + timedelta(days=25)
    hours = -(-int(later.timestamp()) // 3600)
    return receive(forged_envelope(Forger(raw_header=changed_header(_4=hours)).forge()), FUSION)


@attack("expired")
def expired_within_the_hour_the_header_shows() -> Unsealed:
    one = sealed(expires=NOW + timedelta(minutes=10))
    return receive(envelope_for(one, FUSION), FUSION, now=NOW + timedelta(minutes=10) + SKEW)


@attack("expired")
def expires_before_it_was_created() -> Unsealed:
    soon = draft(expires=NOW + timedelta(minutes=2))
    forger = Forger(manifest=lambda made: replace(made, created=made.expires), draft=soon)
    return receive(forged_envelope(forger.forge()), FUSION)


@attack("clock-ahead")
def created_beyond_the_permitted_skew() -> Unsealed:
    one = sealed(created=NOW + SKEW + timedelta(seconds=1))
    return receive(envelope_for(one, FUSION), FUSION)


# 12. Replay.


@attack("replay")
def the_same_envelope_again() -> Unsealed:
    one = sealed()
    return receive(envelope_for(one, FUSION), FUSION, seen=lambda *_: one.secrets.body_digest)


@attack("equivocation", then="replay")
def another_body_under_the_same_id() -> Unsealed:
    """Same sender and id, another body: kept apart from a replay, because it is evidence against the sender."""
    one = sealed()
    return receive(envelope_for(one, FUSION), FUSION, seen=lambda *_: bytes(32))


# 13. The audience.


@attack("not-in-audience")
def a_member_brings_in_an_outsider() -> Unsealed:
    """The fusion center passes all it has, place and path included, to an agency the city did not address."""
    one = sealed()
    mine = content_for(one.source, FUSION)
    return receive(forged_envelope(one, OUTSIDER, mine), OUTSIDER)


@attack("not-in-audience")
def a_member_loosens_anothers_obligations() -> Unsealed:
    """It knows all keys and even, here, the other's seed, place and path: the signed root still says otherwise."""
    one = sealed()
    loose = Terms(obligations={2: {"onward": "anyone"}})
    return receive(forged_envelope(one, STATE, content_for(one.source, STATE, terms=loose)), STATE)


@attack("not-in-audience")
def a_member_takes_a_portion_from_another() -> Unsealed:
    """Fewer keys than the leaf."""
    one = sealed()
    keys = {0: one.secrets.keys[0], 2: one.secrets.keys[2]}
    honest = content_for(one.source, FUSION)
    terms = replace(honest.terms, obligations={2: honest.terms.obligations[2]})
    return receive(forged_envelope(one, FUSION, replace(honest, keys=keys, terms=terms)), FUSION)


@attack("not-in-audience")
def a_member_gives_another_a_portion() -> Unsealed:
    """More keys than the leaf: the tearline's recipient gets the full version."""
    one = sealed()
    keys = dict(enumerate(one.secrets.keys))
    return receive(forged_envelope(one, STATE, content_for(one.source, STATE, keys=keys)), STATE)


@attack("not-in-audience")
def a_member_adds_a_reference() -> Unsealed:
    one = sealed()
    references = content_for(one.source, FUSION).references
    return receive(forged_envelope(one, STATE, content_for(one.source, STATE, references=references)), STATE)


@attack("not-in-audience")
def a_member_tells_another_it_is_approved() -> Unsealed:
    one = sealed()
    honest = content_for(one.source, STATE)
    content = replace(honest, terms=replace(honest.terms, approved=True))
    return receive(forged_envelope(one, STATE, content), STATE)


@attack("not-in-audience")
def a_place_beyond_the_tree() -> Unsealed:
    one = sealed()
    place = content_for(one.source, STATE).place + 16
    return receive(forged_envelope(one, STATE, content_for(one.source, STATE, place=place)), STATE)


@attack("not-in-audience")
def an_inner_node_passed_off_as_a_leaf() -> Unsealed:
    """A shorter path: the digest would have to be a node's."""
    one = sealed()
    path = content_for(one.source, STATE).path[32:]
    return receive(forged_envelope(one, STATE, content_for(one.source, STATE, path=path)), STATE)


@attack("not-in-audience")
def the_seed_of_another_recipient() -> Unsealed:
    one = sealed()
    other = content_for(one.source, JTTF).seed
    return receive(forged_envelope(one, STATE, content_for(one.source, STATE, seed=other)), STATE)


# 14. Rules and directory.


def floor(made: manifest.Manifest) -> None:
    if made.rules[0] < 8:
        raise SealError("rules-floor")


def not_yet(made: manifest.Manifest) -> None:
    if made.directory > 2:
        raise Hold("newer-directory")


@attack("rules-floor", off=put(sys.modules[__name__], "floor", accept))
def decided_under_rules_older_than_the_floor() -> Unsealed:
    return receive(envelope_for(sealed(), FUSION), FUSION, accept_rules=floor)


@attack("newer-directory", off=put(sys.modules[__name__], "not_yet", accept))
def decided_under_a_directory_i_do_not_have_yet() -> Unsealed:
    return receive(envelope_for(sealed(), FUSION), FUSION, accept_rules=not_yet)


# 15. to 17. The parts.


@attack("part-count")
def a_part_the_manifest_does_not_list() -> Unsealed:
    forger = Forger(raw_parts=lambda made: [*made, made[-1]])
    return receive(forged_envelope(forger.forge()), FUSION)


@attack("part-count", off=("part-count",), then="part-digest")
def the_parts_swapped_and_one_dropped() -> Unsealed:
    forger = Forger(raw_parts=lambda made: [made[0], made[2]])
    return receive(forged_envelope(forger.forge(), STATE), STATE)


@attack("part-count")
def a_recipient_who_is_given_none_of_the_portions() -> Unsealed:
    one = Forger(draft=draft(audience=(Addressee(agency=STATE, parts=()),))).forge()
    return receive(forged_envelope(one, STATE), STATE)


@attack("part-digest")
def a_part_another_than_the_signed_one() -> Unsealed:
    """The part not given to me was exchanged: I cannot read it, and refuse all the same, as everyone will."""

    def swapped(made: list[bytes]) -> list[bytes]:
        return [made[0], made[1][:-1] + bytes((made[1][-1] ^ 1,)), made[2]]

    return receive(forged_envelope(Forger(raw_parts=swapped).forge(), STATE), STATE)


@attack("key-commitment", off=("key-commitment", "part-iv"))
def one_ciphertext_that_reads_differently_for_two_recipients() -> Unsealed:
    return salamander().victim()


@attack("key-commitment", off=put(parts, "context_hash", lambda hh, _: parts.primitives.sha256(hh)))
def a_part_of_another_passed_off_as_ones_own_under_a_copied_header() -> Unsealed:
    """Mallory, a member, signs the city's header and the city's part 1, key and commitment included, as her own."""
    city = sealed(parts=(b"what the city found out",), audience=(Addressee(agency=MALLORY, parts=(1,)),))
    stolen = envelope.decode_body(city.body)[1]
    commitment = derive(city.secrets.keys[1], parts.context_hash(city.secrets.hh, CITY), 1).commitment
    forger = Forger(
        sender=MALLORY,
        raw_header=lambda _: city.header,
        keys=lambda made: [made[0], city.secrets.keys[1]],
        portion=lambda _, __: stolen,
        manifest=lambda made: replace(made, portions=((primitives.sha256(stolen), commitment),)),
        draft=draft(parts=(b"mine",), audience=(Addressee(agency=STATE, parts=(1,)),)),
    )
    return receive(forged_envelope(forger.forge(), STATE), STATE)


@attack("part-iv")
def an_iv_of_the_senders_choosing_in_a_part() -> Unsealed:
    return receive(forged_envelope(anew(2, chosen_iv), STATE), STATE)


@attack("part-open", off=put(parts, "_context", lambda *_: b""))
def a_part_encrypted_for_another_place() -> Unsealed:
    """Key, commitment, IV, digest and signature are right; the ciphertext names another place."""
    return receive(forged_envelope(anew(2, for_another_place), STATE), STATE)


def zeros(_: Forger, index: int, __: bytes) -> bytes:
    return encrypted(_, index, bytes(256), index)


@attack("part-padding", off=put(padding, "unpad", lambda padded, _: padded.rstrip(b"\x00")[:-1]))
def a_part_of_zeros_without_the_paddings_mark() -> Unsealed:
    return receive(forged_envelope(anew(2, zeros), STATE), STATE)


@attack("part-padding")
def a_part_padded_beyond_its_bucket() -> Unsealed:
    return receive(forged_envelope(anew(2, padded_otherwise), STATE), STATE)


# 18. The recipient's own re-check.


def refuses(_: Unsealed) -> None:
    raise SealError("recheck-refused")


@attack("recheck-refused", off=put(sys.modules[__name__], "refuses", accept))
def a_portion_my_own_rules_refuse() -> Unsealed:
    return receive(envelope_for(sealed(), FUSION), FUSION, recheck=refuses)
