"""What arrives is what was sent; nothing else is accepted; nothing is learnt from sizes."""

from __future__ import annotations

import hashlib
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta
from uuid import UUID

import pytest

from broker.seal import (
    ML_KEM_768_X25519,
    ML_KEM_1024_P384,
    Addressee,
    AgencyKeys,
    Claim,
    Envelope,
    PublicKey,
    Reference,
    SealError,
    Secrets,
    Witness,
    cbor,
    decode_envelope,
    encode_envelope,
    encode_envelopes,
    grow,
    make_notice,
    make_receipts,
    open_own,
    reopen,
)
from broker.seal.audience import rights_of
from broker.seal.cose import Encrypt
from broker.seal.envelope import MAX_ENVELOPE, decode_body, encode_body
from broker.seal.notice import grow_tree
from tests.seal.exchange import (
    CITY,
    FULL,
    FUSION,
    JTTF,
    MALLORY,
    NOW,
    RULES,
    SKEW,
    STATE,
    TEARLINE,
    Forger,
    agency,
    content_for,
    counting,
    directory,
    draft,
    envelope_for,
    forged_envelope,
    notice_for,
    receive,
    refused_code,
    sealed,
)


def test_each_recipient_reads_its_portions_terms_and_references_and_no_others() -> None:
    one = sealed()
    envelope = decode_envelope(envelope_for(one, FUSION, STATE))

    full = receive(envelope, FUSION, 0)
    tearline = receive(envelope, STATE, 1)

    assert (full.sender, full.parts) == (CITY, {1: FULL, 2: TEARLINE})
    assert (full.terms.named, full.terms.approved, full.terms.note) == (("Sgt. B. Example",), True, "call me")
    assert full.references == draft().audience[0].references
    assert tearline.parts == {2: TEARLINE}
    assert tearline.terms == draft().audience[1].terms
    assert tearline.references == ()
    assert (full.manifest.rules, full.manifest.directory) == (RULES, 3)
    assert full.manifest_digest == one.secrets.manifest_digest
    assert full.body_digest == tearline.body_digest == hashlib.sha256(one.body).digest()


def test_the_manifest_tells_a_tearline_recipient_nothing_of_the_other_portions() -> None:
    manifest = receive(envelope_for(sealed(), STATE), STATE).manifest

    told = b"|".join(str(getattr(manifest, each.name)).encode() for each in fields(manifest))

    for secret in (b"FULL", b"LES", b"SOURCE", b"Sgt.", b"call me", FUSION.encode(), JTTF.encode()):
        assert secret not in told


def test_nothing_of_the_bulletin_is_readable_on_the_relay() -> None:
    raw = envelope_for(sealed(), FUSION, STATE)

    secrets = (FULL[:12], TEARLINE[:12], CITY, FUSION, STATE, JTTF, "bulletin", "Actual", "LES", "Sgt", "criminal")
    for secret in secrets:
        assert (secret.encode() if isinstance(secret, str) else secret) not in raw


@pytest.mark.parametrize("kind", ["recall", "purge", "escalation", "correction"])
def test_a_kind_without_portions_has_part_0_only(kind: str) -> None:
    recalled = Reference(kind="recalls", bulletin=UUID(int=7))
    one = sealed(kind=kind, parts=(), audience=(Addressee(agency=STATE, parts=(), references=(recalled,)),))

    got = receive(envelope_for(one, STATE), STATE)

    assert len(decode_envelope(envelope_for(one, STATE)).parts) == 1
    assert (got.parts, got.references, got.manifest.kind) == ({}, (recalled,), kind)


def test_sixteen_portions_travel() -> None:
    contents = tuple(b"%d" % index * 50 for index in range(16))
    one = sealed(parts=contents, audience=(Addressee(agency=STATE, parts=tuple(range(1, 17))),))

    assert receive(envelope_for(one, STATE), STATE).parts == dict(enumerate(contents, start=1))


def test_the_fast_kem_works_like_the_default() -> None:
    keys = agency(STATE, ML_KEM_768_X25519)
    one = sealed()

    raw = encode_envelope(one.header, one.body, [notice_for(one, STATE, keys)])

    assert receive(raw, keys).parts == {2: TEARLINE}


def test_a_notice_for_the_previous_key_still_opens_after_a_rotation() -> None:
    old, new = agency(STATE), agency(STATE, ML_KEM_768_X25519)
    both = AgencyKeys(agency=STATE, signing=old.signing, kem=(*new.kem, *old.kem))

    assert receive(envelope_for(sealed(), STATE), both).parts == {2: TEARLINE}


def test_stored_secrets_make_the_same_notices_again_and_open_the_body() -> None:
    one = sealed()
    stored = Secrets.decode(one.secrets.encode())

    again = make_notice(grow(stored), JTTF, agency(JTTF).kem[0].public, random=counting(1000))

    assert stored == one.secrets
    assert len(again) == len(notice_for(one, JTTF))
    assert receive(encode_envelope(one.header, one.body, [again]), JTTF).parts == {2: TEARLINE}
    assert open_own(one.body, stored) == {1: FULL, 2: TEARLINE}


def test_a_stored_witness_reopens_the_portions() -> None:
    one = sealed()
    witness = receive(envelope_for(one, STATE), STATE).witness

    stored = Witness.decode(witness.encode())

    assert stored == witness
    assert reopen(one.body, stored) == {2: TEARLINE}


def test_a_changed_stored_body_is_not_opened() -> None:
    one, other = sealed(), sealed(precedence="ROUTINE")
    witness = receive(envelope_for(one, STATE), STATE).witness

    assert refused_code(lambda: reopen(other.body, witness)) == "own-body"
    assert refused_code(lambda: open_own(other.body, one.secrets)) == "own-body"
    assert refused_code(lambda: decode_body(encode_body([bytes(300_000)] * 2))) == "envelope-too-large"


def test_two_thousand_random_bit_flips_are_all_refused() -> None:
    """Header, body and notices; every recipient refuses whatever was flipped for it."""
    raw = envelope_for(sealed(), FUSION)
    bits = hashlib.shake_256(b"tearline bit flips").digest(8 * 2000)
    positions = {int.from_bytes(bits[at : at + 8], "big") % (8 * len(raw)) for at in range(0, len(bits), 8)}
    assert len(positions) > 1950
    keys = agency(FUSION, ML_KEM_768_X25519)
    one = sealed()
    raw = encode_envelope(one.header, one.body, [notice_for(one, FUSION, keys)])
    assert receive(raw, keys).parts

    accepted = 0
    for position in positions:
        at = position // 8 % len(raw)
        flipped = raw[:at] + bytes((raw[at] ^ 1 << position % 8,)) + raw[at + 1 :]
        try:
            receive(flipped, keys)
        except SealError:
            continue
        accepted += 1

    assert accepted == 0


def test_every_byte_of_the_header_and_of_the_framing_is_bound() -> None:
    raw = envelope_for(sealed(), STATE)

    for at in [*range(48), *range(len(raw) - 80, len(raw))]:
        for bit in range(8):
            with pytest.raises(SealError):
                receive(raw[:at] + bytes((raw[at] ^ 1 << bit,)) + raw[at + 1 :], STATE)


def test_a_flip_in_a_neighbours_notice_is_its_own_loss_only() -> None:
    raw = envelope_for(sealed(), FUSION, STATE)
    at = len(raw) - 10  # in the state police's notice
    flipped = raw[:at] + bytes((raw[at] ^ 1,)) + raw[at + 1 :]

    assert receive(flipped, FUSION, 0).parts
    assert refused_code(lambda: receive(flipped, STATE, 1)) == "notice-open"


def test_envelopes_are_split_by_notices_under_the_cap() -> None:
    one = sealed()
    notices = [notice_for(one, FUSION), *[notice_for(one, STATE)] * 600]

    raws = encode_envelopes(one.header, one.body, notices)

    assert len(raws) == 2
    assert all(len(raw) <= MAX_ENVELOPE for raw in raws)
    assert sum(len(decode_envelope(raw).notices) for raw in raws) == 601
    assert {decode_envelope(raw).body for raw in raws} == {one.body}
    for number in (0, 450, 513):
        chosen = [notices[0][:100]] * number if number == 513 else notices[:number]
        assert refused_code(lambda chosen=chosen: encode_envelope(one.header, one.body, chosen)) == "too-large"


def test_the_body_is_the_same_bytes_for_every_gateway() -> None:
    one = sealed()

    assert decode_envelope(envelope_for(one, FUSION)).body == decode_envelope(envelope_for(one, STATE)).body == one.body


def test_the_replay_key_is_signer_id_and_recipient() -> None:
    asked = []
    one = sealed()

    receive(envelope_for(one, STATE), STATE, seen=lambda *key: asked.append(key))

    assert asked == [(CITY, one.id, STATE)]


def test_clock_skew_is_tolerated_up_to_its_limit() -> None:
    late = sealed(expires=NOW + timedelta(minutes=10))
    early = sealed(created=NOW + SKEW)

    assert receive(envelope_for(late, STATE), STATE, now=NOW + timedelta(minutes=10) + SKEW - timedelta(seconds=1))
    assert receive(envelope_for(early, STATE), STATE)


def test_an_unknown_signer_names_the_directory_it_claims() -> None:
    with pytest.raises(SealError) as refused:
        receive(envelope_for(sealed(), STATE), STATE, sender_of=directory(without=(CITY,)))

    assert refused.value.claimed_directory == 3
    assert refused.value.sender is None


def test_a_directory_that_raises_for_an_unknown_agency_is_understood() -> None:
    assert refused_code(lambda: receive(envelope_for(sealed(), STATE), STATE, sender_of={}.__getitem__)) == (
        "unknown-signer"
    )


def test_no_plaintext_is_handed_out_before_the_re_check_passed() -> None:
    order = []
    receive(
        envelope_for(sealed(), STATE),
        STATE,
        accept_rules=lambda manifest: order.append(("rules", manifest.rules)),
        recheck=lambda got: order.append(("recheck", got.parts)),
    )

    assert order == [("rules", RULES), ("recheck", {2: TEARLINE})]


def test_everything_that_is_sealed_is_sealed_to_a_hybrid_key() -> None:
    """Harvest now, decrypt later: nothing on the wire rests on a classical key alone."""
    one = sealed()
    envelope = decode_envelope(envelope_for(one, FUSION, STATE))
    witness = receive(envelope, FUSION, 0).witness
    claims = [(witness, Claim(rung="stored", seq=1, time=NOW))]
    receipts = make_receipts(agency(FUSION).signing, FUSION, agency(CITY).kem[0].public, CITY, claims)

    sealed_to = {notice.alg for notice in envelope.notices} | {Encrypt.parse(receipts, "receipt-shape").alg}

    assert sealed_to == {ML_KEM_1024_P384}


def test_sealing_to_a_classical_key_is_refused() -> None:
    from cryptography.hazmat.primitives.asymmetric import x25519

    raw = x25519.X25519PrivateKey.from_private_bytes(bytes(range(32))).public_key().public_bytes_raw()
    classical = PublicKey(alg=49, kid=hashlib.sha256(cbor.encode(["tearline key", 49, raw])).digest()[:16], key=raw)

    assert refused_code(lambda: make_notice(sealed().source, STATE, classical)) == "classical-kem"
    assert refused_code(lambda: PublicKey.of(49, raw)) == "bad-key"


def test_a_notice_for_an_agency_outside_the_audience_is_not_made() -> None:
    assert refused_code(lambda: make_notice(sealed().source, MALLORY, agency(MALLORY).kem[0].public)) == "not-addressed"


def test_no_value_shows_its_secrets_when_printed() -> None:
    one = sealed()
    got = receive(envelope_for(one, STATE), STATE)
    secret_bytes = [*one.secrets.keys, one.secrets.tree_seed, *agency(STATE).signing.seeds, agency(STATE).kem[0].seed]
    shown = " ".join(
        repr(value) for value in (one, one.secrets, one.source, got, got.witness, agency(STATE), agency(STATE).kem[0])
    )

    for secret in [*secret_bytes, TEARLINE, FULL]:
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown


def test_envelopes_are_frozen_values() -> None:
    envelope = decode_envelope(envelope_for(sealed(), STATE))

    assert is_dataclass(Envelope)
    with pytest.raises(AttributeError):
        envelope.body = b""  # type: ignore[misc]


def test_a_key_for_a_part_that_does_not_exist_is_refused() -> None:
    """Signed by a dishonest sender, leaf and all: without the check it would be a crash, not a refusal."""
    one = Forger(draft=draft(audience=(Addressee(agency=STATE, parts=(2,)),))).forge()
    audience = (Addressee(agency=STATE, parts=(2, 3)),)
    tree = grow_tree(audience, rights_of(audience), one.secrets.tree_seed, one.secrets.hh)
    forger = Forger(
        draft=draft(audience=(Addressee(agency=STATE, parts=(2,)),)),
        manifest=lambda made: replace(made, root=tree.root, depth=tree.depth),
    )
    other = forger.forge()
    keys = {0: other.secrets.keys[0], 2: other.secrets.keys[2], 3: bytes(32)}
    content = content_for(other.source, STATE, keys=keys, place=tree.places[STATE], path=tree.path(STATE))

    assert refused_code(lambda: receive(forged_envelope(other, STATE, content), STATE)) == "part-count"
