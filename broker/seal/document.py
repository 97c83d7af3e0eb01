"""Signed documents (directory, rules, root) with any number of signers, and their cover on the way.

This room says *who* signed; how many of which agencies are enough is `broker.trust`'s to count.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Final

from broker.seal import cbor, cose, padding, primitives
from broker.seal.errors import SealError, require
from broker.seal.keys import PublicKey, Signer
from broker.seal.primitives import IV_SIZE, Random

MAX_DOCUMENT: Final = 128 * 1024 * 1024  # a directory of 18,000 agencies at 3.7 KB is 67 MB

_FINGERPRINT: Final = re.compile(r"sha256:([0-9a-f]{64})\Z")
_RELEASE_CONTEXT: Final = cbor.encode(["tearline release"])


def _content_type(context: str) -> str:
    return f"tearline {context}"


def _context(context: str) -> bytes:
    return cbor.encode(["tearline document", context])


def sign_document(payload: bytes, signers: Sequence[Signer], context: str) -> bytes:
    """A COSE_Sign over `payload` by all signers, for one purpose (`context`, say "directory").

    It is verified before it is handed on: a signer may be a token that is broken or not the one that was meant, and a
    faulty Ed25519 signature can give its key away.

    Raises:
        SealError: `document-shape`, `document-bad-signature`.
    """
    keys = [key for signer in signers for key in signer.public]
    require(0 < len(keys) <= cose.MAX_SIGNATURES, "document-shape", "no signature, or too many")
    document = cose.sign(payload, signers, _content_type(context), _context(context))
    _verify(_parse(document), keys, context)
    return document


def unverified_payload(raw: bytes) -> bytes:
    """What a document says about itself before anyone vouches for it: only to learn whose keys to verify it with.

    Raises:
        SealError: `document-shape`.
    """
    return _parse(raw).payload


def _parse(raw: bytes) -> cose.Sign:
    return cose.Sign.parse(raw, "document-shape", max_payload=MAX_DOCUMENT, max_signatures=cose.MAX_SIGNATURES)


def verify_document(
    raw: bytes, signers: Mapping[str, tuple[PublicKey, ...]], context: str
) -> tuple[bytes, tuple[str, ...]]:
    """The payload and the distinct signers, each with their whole key set, in the order they signed.

    Every signature present must belong to a known signer and verify; a stray one refuses the document.

    Raises:
        SealError: `document-shape`, `document-signature-set` or `document-bad-signature`.
    """
    message = _parse(raw)
    first = {cose.signature_header(keys[0]): name for name, keys in signers.items() if keys}
    names: list[str] = []
    expected: list[PublicKey] = []
    while len(expected) < len(message.signatures):
        name = first.get(message.signatures[len(expected)][0])
        if name is None or name in names:
            raise SealError("document-signature-set")
        names.append(name)
        expected.extend(signers[name])
    _verify(message, expected, context)
    return message.payload, tuple(names)


def _verify(message: cose.Sign, keys: Sequence[PublicKey], context: str) -> None:
    cose.verify(
        message,
        keys,
        _content_type(context),
        _context(context),
        set_code="document-signature-set",
        signature_code="document-bad-signature",
    )


def _release_key(root_fingerprint: str) -> bytes:
    found = _FINGERPRINT.match(root_fingerprint)
    if found is None:
        raise SealError("bad-key", "not a fingerprint")
    return primitives.hkdf(bytes.fromhex(found[1]), b"tearline release")


def encrypt_release(root_fingerprint: str, raw: bytes, *, random: Random = os.urandom) -> bytes:
    """Cover a release with a key that every member has (the root fingerprint) and a relay was not given."""
    iv = random(IV_SIZE)
    padded = padding.pad(raw, padding.padme(len(raw) + 1))
    aad = cose.encrypt0_aad(_RELEASE_CONTEXT)
    return cose.Encrypt0(
        iv=iv, ciphertext=primitives.aes_gcm_encrypt(_release_key(root_fingerprint), iv, padded, aad)
    ).encode()


def decrypt_release(root_fingerprint: str, sealed: bytes) -> bytes:
    """The release, still to be verified.

    Raises:
        SealError: `release-shape` or `release-open`.
    """
    require(len(sealed) <= MAX_DOCUMENT, "release-shape")
    frame = cose.Encrypt0.parse(sealed, "release-shape")
    try:
        padded = primitives.aes_gcm_decrypt(
            _release_key(root_fingerprint), frame.iv, frame.ciphertext, cose.encrypt0_aad(_RELEASE_CONTEXT)
        )
    except primitives.Undecryptable as error:
        raise SealError("release-open") from error
    return padding.unpad_exact(padded, "release-shape")
