"""Keys, documents, keys at rest and NATS keys."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from broker.seal import (
    ML_KEM_768_X25519,
    ML_KEM_1024_P384,
    SIGNATURE_SET,
    AgencyPublic,
    KemKey,
    PublicKey,
    SealError,
    SigningKeys,
    cbor,
    cose,
    decrypt_release,
    document,
    encrypt_release,
    fingerprint,
    make_notice,
    nkey_public,
    nkey_public_key,
    nkey_seed,
    nkey_seed_text,
    nkey_sign,
    nkey_verify,
    primitives,
    sign_document,
    unverified_payload,
    unwrap_at_rest,
    verify_document,
    wrap_at_rest,
)
from tests.seal.exchange import CITY, FUSION, MALLORY, STATE, agency, refused_code, sealed, seed
from tests.seal.test_attacks import switch_off

OFFICERS = {name: agency(name).signing for name in (CITY, STATE, FUSION)}
KNOWN = {name: keys.public for name, keys in OFFICERS.items()}


def test_keys_of_one_seed_are_the_same_keys() -> None:
    for alg in (ML_KEM_768_X25519, ML_KEM_1024_P384):
        assert KemKey.from_seed(alg, seed("x")).public == KemKey.from_seed(alg, seed("x")).public
    one = SigningKeys.from_seeds(ed25519=seed("a"), mldsa65=seed("b"))
    assert one.public == SigningKeys.from_seeds(ed25519=seed("a"), mldsa65=seed("b")).public
    assert tuple(key.alg for key in one.public) == SIGNATURE_SET == (-19, -49)


def test_keys_from_randomness_are_different_keys() -> None:
    assert SigningKeys.generate(bytes).public != SigningKeys.generate(lambda size: b"x" * size).public
    assert KemKey.generate(bytes).alg == ML_KEM_1024_P384


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_seeds_of_another_size_are_refused(size: int) -> None:
    assert refused_code(lambda: KemKey.from_seed(ML_KEM_1024_P384, bytes(size))) == "bad-key"
    assert refused_code(lambda: SigningKeys.from_seeds(ed25519=bytes(size), mldsa65=bytes(32))) == "bad-key"
    assert refused_code(lambda: SigningKeys.from_seeds(ed25519=bytes(32), mldsa65=bytes(size))) == "bad-key"


@pytest.mark.parametrize("alg", [16, 49, 57, -65594, 0])
def test_classical_and_unknown_kem_algorithms_are_refused(alg: int) -> None:
    assert refused_code(lambda: KemKey.from_seed(alg, bytes(32))) == "bad-key"


def test_malformed_public_keys_are_refused() -> None:
    good = agency(CITY).kem[0].public
    assert PublicKey.of(good.alg, good.key) == good
    for raw in (b"", good.key[:-1], good.key + b"x", good.key[:1568] + b"\x04" + bytes(96), b"\xff" * len(good.key)):
        assert refused_code(lambda raw=raw: PublicKey.of(good.alg, raw)) == "bad-key"
    assert refused_code(lambda: PublicKey(alg=good.alg, kid=bytes(16), key=good.key)) == "bad-key"
    assert refused_code(lambda: PublicKey.of(-49, bytes(1951))) == "bad-key"


def test_a_compressed_p384_point_is_refused() -> None:
    """It loads, and would be a second spelling of the same key."""
    good = agency(CITY).kem[0].public
    x, y = good.key[1569:1617], good.key[1617:]
    compressed = good.key[:1568] + bytes((2 + y[-1] % 2,)) + x

    assert refused_code(lambda: PublicKey.of(good.alg, compressed)) == "bad-key"


def test_a_malformed_key_from_elsewhere_is_not_sealed_to() -> None:
    raw = agency(STATE).kem[0].public.key[:-1]
    kid = hashlib.sha256(cbor.encode(["tearline key", ML_KEM_1024_P384, raw])).digest()[:16]
    malformed = PublicKey(alg=ML_KEM_1024_P384, kid=kid, key=raw)

    assert refused_code(lambda: make_notice(sealed().source, STATE, malformed)) == "bad-key"
    assert refused_code(malformed.check) == "bad-key"


@pytest.mark.parametrize("scalar", [bytes(48), b"\xff" * 48])
def test_a_seed_without_a_p384_half_is_refused(scalar: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(primitives, "shake256", lambda _, size: bytes(size - 48) + scalar)

    assert refused_code(lambda: KemKey.from_seed(ML_KEM_1024_P384, bytes(32))) == "bad-key"


@pytest.mark.parametrize("alg", [-8, -7, -48, -50, 0])
def test_other_signing_algorithms_do_not_exist(alg: int) -> None:
    assert refused_code(lambda: primitives.load_signing_key(alg, bytes(32))) == "bad-key"
    assert not primitives.verify(alg, bytes(32), bytes(64), b"")


def test_a_key_id_is_of_one_algorithm_only() -> None:
    key = agency(CITY).signing.public[0]

    assert key.kid != hashlib.sha256(key.key).digest()[:16]
    assert key.kid == hashlib.sha256(cbor.encode(["tearline key", -19, key.key])).digest()[:16]


def test_a_signature_set_nobody_should_rely_on_is_refused() -> None:
    ed, ml = agency(CITY).signing.public
    for bad in ((), (ed,), (ed, ed), (ed, ml, ml), (ml, agency(CITY).kem[0].public)):
        assert refused_code(lambda bad=bad: AgencyPublic(agency=CITY, signing=bad, kem=())) == "bad-key"
    assert AgencyPublic(agency=CITY, signing=(ml,), kem=()).signing == (ml,)
    assert refused_code(lambda: AgencyPublic(agency=CITY, signing=(ed, ml), kem=(ed,))) == "bad-key"


def test_a_document_tells_who_signed_it_in_order() -> None:
    raw = sign_document(b"directory 7", [OFFICERS[STATE], OFFICERS[CITY]], "directory")

    assert verify_document(raw, KNOWN, "directory") == (b"directory 7", (STATE, CITY))
    assert unverified_payload(raw) == b"directory 7"


def test_a_document_of_another_kind_is_refused() -> None:
    raw = sign_document(b"x", [OFFICERS[CITY]], "directory")

    assert refused_code(lambda: verify_document(raw, KNOWN, "rules")) == "document-signature-set"


def test_one_officer_who_signs_twice_is_refused() -> None:
    raw = sign_document(b"x", [OFFICERS[CITY], OFFICERS[CITY]], "directory")

    assert refused_code(lambda: verify_document(raw, KNOWN, "directory")) == "document-signature-set"


def test_a_stray_signature_refuses_the_document() -> None:
    raw = sign_document(b"x", [OFFICERS[CITY], agency(MALLORY).signing], "directory")

    assert refused_code(lambda: verify_document(raw, KNOWN, "directory")) == "document-signature-set"


def test_half_an_officers_signatures_refuse_the_document() -> None:
    half = replace(OFFICERS[CITY], public=OFFICERS[CITY].public[:1])
    raw = sign_document(b"x", [half], "directory")

    assert refused_code(lambda: verify_document(raw, KNOWN, "directory")) == "document-signature-set"


def test_a_document_without_signatures_is_refused() -> None:
    raw = cose.sign(b"x", [], "tearline directory", document._context("directory"))

    assert refused_code(lambda: verify_document(raw, KNOWN, "directory")) == "document-signature-set"
    assert refused_code(lambda: sign_document(b"x", [], "directory")) == "document-shape"


def test_a_changed_payload_refuses_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = sign_document(b"directory 7", [OFFICERS[CITY]], "directory")
    changed = raw.replace(b"directory 7", b"directory 8")

    assert refused_code(lambda: verify_document(changed, KNOWN, "directory")) == "document-bad-signature"

    switch_off(monkeypatch, ("document-bad-signature",))
    assert verify_document(changed, KNOWN, "directory")[0] == b"directory 8"


def test_a_release_opens_with_the_root_fingerprint_only() -> None:
    root, other = fingerprint(b"root"), fingerprint(b"other root")
    sealed = encrypt_release(root, b"a directory of agencies")

    assert decrypt_release(root, sealed) == b"a directory of agencies"
    assert b"agencies" not in sealed
    assert refused_code(lambda: decrypt_release(other, sealed)) == "release-open"
    assert refused_code(lambda: decrypt_release("root", sealed)) == "bad-key"
    assert refused_code(lambda: decrypt_release(root, sealed[:-1] + b"x")) == "release-open"


def test_a_release_over_its_cap_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    root = fingerprint(b"root")
    sealed = encrypt_release(root, b"a directory of agencies")
    monkeypatch.setattr(document, "MAX_DOCUMENT", len(sealed) - 1)

    assert refused_code(lambda: decrypt_release(root, sealed)) == "release-shape"


def test_what_rests_opens_with_its_key_in_its_place_only() -> None:
    key = seed("storage")
    wrapped = wrap_at_rest(key, b"K_i", b"inbox/7")

    assert unwrap_at_rest(key, wrapped, b"inbox/7") == b"K_i"
    assert refused_code(lambda: unwrap_at_rest(seed("other"), wrapped, b"inbox/7")) == "rest-open"
    assert refused_code(lambda: unwrap_at_rest(key, wrapped, b"inbox/8")) == "rest-open"
    assert refused_code(lambda: unwrap_at_rest(key, wrapped[:-1], b"inbox/7")) == "rest-shape"
    assert refused_code(lambda: wrap_at_rest(b"short", b"", b"")) == "bad-key"


def test_nkeys_are_those_of_the_nats_documentation() -> None:
    """The pair shown in NATS's own configuration manual (nkey authentication)."""
    text = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
    public = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"

    raw = nkey_seed(text)

    assert nkey_public(raw) == public
    assert nkey_seed_text(raw) == text
    assert nkey_verify(public, b"nonce", nkey_sign(raw, b"nonce"))
    assert not nkey_verify(public, b"other", nkey_sign(raw, b"nonce"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SU",
        "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VX",
        "suacssl3uahudxkfsnvuzrf5uhpmwz6bfdtj7m6usdxiednppqyyycu3vy",
        "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4",
        "ä" * 58,
    ],
)
def test_malformed_nkey_seeds_are_refused_without_showing_them(text: str) -> None:
    with pytest.raises(SealError) as refused:
        nkey_seed(text)

    assert refused.value.code == "nkey"
    assert not text or text not in str(refused.value)


def test_an_nkey_of_another_kind_is_refused() -> None:
    assert refused_code(lambda: nkey_seed_text(bytes(31))) == "nkey"
    assert refused_code(lambda: nkey_public(bytes(31))) == "nkey"
    assert refused_code(lambda: nkey_public_key(nkey_seed_text(bytes(32)))) == "nkey"
    assert refused_code(lambda: nkey_public_key("AAAA")) == "nkey"
    assert refused_code(lambda: nkey_seed(nkey_seed_text(bytes(32), "account"))) == "nkey"
    assert refused_code(lambda: nkey_public_key(nkey_public(bytes(32), "operator"))) == "nkey"
    assert nkey_public(bytes(32), "account").startswith("A")
