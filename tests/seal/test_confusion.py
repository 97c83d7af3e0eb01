"""Every kind of object, fed to every other parser, is refused: no protocol confusion."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache

import pytest

from broker.seal import (
    Claim,
    Sealed,
    SealError,
    Secrets,
    Witness,
    cbor,
    cose,
    decode_envelope,
    decrypt_release,
    encode_envelope,
    encrypt_release,
    fingerprint,
    make_receipts,
    nkey_public,
    nkey_public_key,
    nkey_seed,
    nkey_seed_text,
    open_own,
    open_receipts,
    padding,
    parts,
    sign_document,
    unwrap_at_rest,
    verify_document,
    wrap_at_rest,
)
from broker.seal.cose import Encrypt, decrypt_with, encrypt_to
from broker.seal.envelope import decode_body
from broker.seal.header import decode_header
from broker.seal.manifest import decode_manifest
from broker.seal.notice import parse_content
from tests.seal.exchange import (
    CITY,
    FUSION,
    NOW,
    STATE,
    agency,
    content_for,
    counting,
    directory,
    envelope_for,
    notice_for,
    receive,
    sealed,
    seed,
)

ROOT = fingerprint(b"root")
STORAGE_KEY = seed("storage")


@lru_cache(maxsize=1)
def the_bulletin() -> Sealed:
    return sealed()


@lru_cache(maxsize=1)
def objects() -> dict[str, bytes]:
    one = the_bulletin()
    got = receive(envelope_for(one, STATE), STATE)
    receipts = make_receipts(
        agency(STATE).signing,
        STATE,
        agency(CITY).kem[0].public,
        CITY,
        [(got.witness, Claim(rung="stored", seq=1, time=NOW))],
        random=counting(),
    )
    directory_document = sign_document(b"payload", [agency(CITY).signing], "directory")
    return {
        "envelope": envelope_for(one, STATE),
        "header": one.header,
        "body": one.body,
        "part": decode_body(one.body)[1],
        "notice": notice_for(one, STATE),
        "notice content": content_for(one.source, STATE).encode(),
        "manifest": got.manifest.encode(),
        "receipts": receipts,
        "secrets": one.secrets.encode(),
        "witness": got.witness.encode(),
        "directory document": directory_document,
        "rules document": sign_document(b"payload", [agency(CITY).signing], "rules"),
        "release": encrypt_release(ROOT, directory_document, random=counting(50)),
        "rest": wrap_at_rest(STORAGE_KEY, b"secret", b"inbox/1", random=counting(60)),
        "nkey seed": nkey_seed_text(seed("nkey")).encode(),
        "nkey public": nkey_public(seed("nkey")).encode(),
    }


def open_as_notice(raw: bytes) -> object:
    one = the_bulletin()
    return receive(encode_envelope(one.header, one.body, [raw]), STATE)


def verify_as(context: str) -> Callable[[bytes], object]:
    return lambda raw: verify_document(raw, {CITY: agency(CITY).signing.public}, context)


PARSERS: dict[str, Callable[[bytes], object]] = {
    "envelope": decode_envelope,
    "header": decode_header,
    "body": lambda raw: open_own(raw, the_bulletin().secrets),
    "notice": open_as_notice,
    "notice content": parse_content,
    "manifest": decode_manifest,
    "receipts": lambda raw: open_receipts(raw, agency(CITY), directory()),
    "secrets": Secrets.decode,
    "witness": Witness.decode,
    "directory document": verify_as("directory"),
    "rules document": verify_as("rules"),
    "release": lambda raw: decrypt_release(ROOT, raw),
    "rest": lambda raw: unwrap_at_rest(STORAGE_KEY, raw, b"inbox/1"),
    "nkey seed": lambda raw: nkey_seed(raw.decode("latin-1")),
    "nkey public": lambda raw: nkey_public_key(raw.decode("latin-1")),
}


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("kind", objects())
def test_an_object_is_read_by_its_own_parser_only(kind: str, parser: str) -> None:
    raw = objects()[kind]

    if kind == parser:
        PARSERS[parser](raw)
    else:
        with pytest.raises(SealError):
            PARSERS[parser](raw)


def test_receipts_sealed_in_a_notices_context_do_not_open_as_a_notice_and_vice_versa() -> None:
    """Both are COSE_Encrypt to the same kind of key: only the context tells them apart."""
    key = agency(STATE).kem[0]
    notice = Encrypt.parse(notice_for(sealed(), STATE), "notice-shape")
    receipts_context = cbor.encode(["tearline receipts", STATE, bytes(32)])

    with pytest.raises(SealError) as refused:
        decrypt_with(key, notice, receipts_context, "notice-open")

    assert refused.value.code == "notice-open"


def test_a_manifest_signature_is_not_a_receipt_signature() -> None:
    """A member seals the city's own signed manifest as if it were a receipt of the city's."""
    one = sealed()
    raw_manifest = open_manifest(one)
    content = cbor.head(cbor.ARRAY, 3) + cbor.tstr(CITY) + cbor.bstr(one.secrets.hh) + cbor.bstr(raw_manifest)
    kem = agency(FUSION).kem[0].public
    context = cbor.encode(["tearline receipts", FUSION, hashlib.sha256(kem.key).digest()])
    raw = encrypt_to(kem, padding.pad(content, padding.padme(len(content) + 1, 6144)), context, counting())

    with pytest.raises(SealError) as refused:
        open_receipts(raw, agency(FUSION), directory())

    assert refused.value.code == "receipt-signature-set"


def open_manifest(one: Sealed) -> bytes:
    cx = parts.context_hash(one.secrets.hh, CITY)
    part = cose.Encrypt0.parse(decode_body(one.body)[0], "part-shape")
    return parts.open_part(one.secrets.keys[0], cx, 0, part)
