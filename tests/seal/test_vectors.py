"""The published vectors are current, and public vectors of others come out right here."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from broker.seal import CODES, KemKey, SigningKeys, cbor, cose, nkey_public, primitives
from broker.seal.keys import ML_KEM_768_X25519, ML_KEM_1024_P384
from tests.vectors import generate


def test_the_published_vectors_are_what_this_code_makes_opens_and_refuses() -> None:
    assert list(generate.faults(json.loads(generate.FILE.read_text()))) == []


def test_a_changed_vector_would_be_noticed() -> None:
    vectors = json.loads(generate.FILE.read_text())
    vectors["deterministic"]["cx"]["cx"] = "00" * 32
    vectors["bad"][0]["code"] = "replay"
    vectors["good"]["envelopes"][0]["parts"]["1"] = "00"
    vectors["good"]["document"]["payload"] = "directory 2"

    found = list(generate.faults(vectors))

    assert len(found) == 4


def test_the_bad_vectors_cover_every_step_an_envelope_alone_can_fail() -> None:
    codes = {vector["code"] for vector in json.loads(generate.FILE.read_text())["bad"]}

    assert {CODES[code][0] for code in codes} >= set(range(1, 18)) - {12, 14}


def test_every_code_is_in_the_specification_with_its_step() -> None:
    written = generate.SPECIFICATION.read_text()

    for code, (step, meaning) in CODES.items():
        assert f"`{code}` {meaning}" in written or f"| `{code}` | {meaning} |" in written
        if step:
            assert re.search(rf"^\| {step} \|[^\n]*`{code}`", written, re.MULTILINE), code


def test_the_specification_and_the_code_name_the_same_steps() -> None:
    from tests.seal.attacks import unseal_room

    listed = re.findall(r"^ ?(\d+)\. ", unseal_room.__doc__ or "", re.MULTILINE)

    assert [int(number) for number in listed] == list(range(1, 19))


def test_cose_encrypt0_of_the_cose_working_group() -> None:
    """cose-wg/Examples, aes-gcm-examples/aes-gcm-enc-03 (A256GCM), its tag 16 stripped.

    The stored example predates RFC 8152's last renaming: its Enc_structure says "Encrypt1" where ours says "Encrypt0".
    """
    raw = bytes.fromhex(
        "8343A10103A1054C02D1F7E6F26C43D4868D87CE58249D64A5A59A3B0486"
        "7DCCF6B8EF82F7D1A3B25EF8C6558CA310D588EE6906E3F30193E1FC"
    )
    key = bytes.fromhex("0F1E2D3C4B5A69788796A5B4C3D2E1F01F2E3D4C5B6A798897A6B5C4D3E2F100")
    aad = bytes.fromhex("8368456E63727970743143A1010340")

    frame = cose.Encrypt0.parse(raw, "part-shape")

    assert primitives.aes_gcm_decrypt(key, frame.iv, frame.ciphertext, aad) == b"This is the content."
    assert frame.encode() == raw
    assert cose.encrypt0_aad(b"") == aad.replace(b"Encrypt1", b"Encrypt0")


def test_ml_dsa_65_keys_are_those_of_rfc_9964() -> None:
    """The example's seed, and its kid: the COSE Key Thumbprint (RFC 9679) over the whole public key."""
    public = SigningKeys.from_seeds(ed25519=bytes(32), mldsa65=bytes(32)).public[1].key

    thumbprint = hashlib.sha256(cbor.encode({1: 7, 3: -49, -1: public})).hexdigest()

    assert public.hex().startswith("424b2f267e58d5b3b44d71acfc6a656bb26950d57c61db1c")
    assert thumbprint == "b788acf242f1f1d6532926d816e76e1636874267f2a48c84c4e65789ab80cc02"


def test_ed25519_keys_are_those_of_rfc_8032() -> None:
    """RFC 8032 §7.1, test 1: key and signature of the empty message."""
    keys = SigningKeys.from_seeds(
        ed25519=bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"), mldsa65=bytes(32)
    )

    assert keys.public[0].key.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert keys.sign(0, b"").hex() == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )


def test_hkdf_is_that_of_rfc_5869() -> None:
    """RFC 5869, appendix A.1 and A.3."""
    ikm = b"\x0b" * 22
    salted = primitives.hkdf(ikm, bytes(range(0xF0, 0xFA)), 42, salt=bytes(range(13)))

    assert salted.hex() == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    assert primitives.hkdf(ikm, b"", 42).hex() == (
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    )


def test_ml_kem_768_x25519_keys_are_those_of_the_hpke_pq_draft() -> None:
    """draft-ietf-hpke-pq-05, A.5: skRm, and both ends of pkRm, which fix the ML-KEM and the X25519 half."""
    seed = bytes.fromhex("b6bfa0299b955e85224df2e468f29eeab377ff3b96d4462b39447a22d32b91be")

    public = KemKey.from_seed(ML_KEM_768_X25519, seed).public.key

    assert public.hex().startswith("d3d102410970b8bab2984008669914490c95dea2c2ae331ca229aaf3609a6d5a")
    assert public.hex().endswith("641763ebe08e7add5686b0ed1d1e7053982aa616130939d0a09462df7dc74d05")


def test_ml_kem_1024_p384_keys_are_those_of_the_hpke_pq_draft() -> None:
    """draft-ietf-hpke-pq-05, A.6: skRm, and both ends of pkRm, which fix the ML-KEM and the P-384 half."""
    seed = bytes.fromhex("0ba4a1ff718a4444da0016d59f449e28d8abdeac107ee105e5ac0dc1e8219b37")

    public = KemKey.from_seed(ML_KEM_1024_P384, seed).public.key

    assert public.hex().startswith("dd5407b4430e39f3416a6bc8e7d43b2a72c4f7480b1fd19e0c552af07b8f5bba")
    assert public.hex().endswith("3bfed3af81d8e5a38bb914d2269de2a4e47a1d7cdc6d85cbc009ea787f2eefed4b")


def test_the_vectors_keys_are_for_nothing_else() -> None:
    vectors = json.loads(generate.FILE.read_text())

    assert "NEVER" in vectors["note"]
    with pytest.raises(KeyError):
        vectors["keys"]["jttf-springfield"]
    assert nkey_public(bytes.fromhex(vectors["deterministic"]["nkey"]["seed"])).startswith("U")
