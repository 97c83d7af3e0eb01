"""The three COSE structures this format uses (RFC 9052), each in exactly one permitted shape.

Untagged; the type follows from the position. Nothing is negotiated: headers are compared with the bytes they must be,
so an unknown `crit`, an unprotected `alg`, a surplus header or another algorithm is simply not the expected document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from broker.seal import cbor, primitives
from broker.seal.cbor import Reader
from broker.seal.errors import SealError, require
from broker.seal.keys import KID_SIZE, KemKey, PublicKey, Signer
from broker.seal.primitives import A256GCM, ENC_SIZE, HASH_SIZE, IV_SIZE, KEM_ALGORITHMS, KEY_SIZE, TAG_SIZE, Random

# COSE header parameters (RFC 9052 §3.1; -4 is COSE-HPKE's encapsulated key)
ALG: Final = 1
CRIT: Final = 2
CONTENT_TYPE: Final = 3
KID: Final = 4
# Private use (below -65536): the signatures this message must carry, [[alg, kid], …]; marked critical, so that a
# general COSE verifier, for which one good signature is enough, refuses the message instead of half checking it.
SIGNATURE_SET: Final = -65537

_A256GCM_HEADER: Final = cbor.encode({ALG: A256GCM})
_GCM_HEADS: Final = cbor.bstr(_A256GCM_HEADER) + cbor.head(cbor.MAP, 1) + b"\x05" + cbor.head(cbor.BSTR, IV_SIZE)
_ENCRYPT0: Final = cbor.head(cbor.ARRAY, 3) + _GCM_HEADS
_ENCRYPT: Final = cbor.head(cbor.ARRAY, 4) + _GCM_HEADS
_ONE_RECIPIENT: Final = cbor.head(cbor.ARRAY, 1) + cbor.head(cbor.ARRAY, 3)
_EK: Final = cbor.head(cbor.MAP, 1) + b"\x23"
_EMPTY_MAP: Final = cbor.head(cbor.MAP, 0)

_MAX_PROTECTED: Final = 64  # {1: alg, 4: kid} is 26 bytes
_MAX_BODY_PROTECTED: Final = 4096  # the signature set of a release with dozens of officers
_MAX_SIGNATURE: Final = 4096  # ML-DSA-65: 3309
_MAX_ENC: Final = 2048  # ML-KEM-1024 + P-384: 1665
MAX_SIGNATURES: Final = 64
# Headers that follow from a key alone; a gateway speaks with the same few thousand agencies all day.
_KNOWN_SIGNERS: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Encrypt0:
    """COSE_Encrypt0 (RFC 9052 §5.2): `[<<{1: A256GCM}>>, {5: iv}, ciphertext]`."""

    iv: bytes
    ciphertext: bytes

    def encode(self) -> bytes:
        return _ENCRYPT0 + self.iv + cbor.bstr(self.ciphertext)

    @classmethod
    def parse(cls, raw: bytes, code: str) -> Encrypt0:
        reader = Reader(raw, code)
        reader.literal(_ENCRYPT0)
        iv = reader.take(IV_SIZE)
        ciphertext = reader.bstr(len(raw), TAG_SIZE)
        reader.end()
        return cls(iv=iv, ciphertext=ciphertext)


def encrypt0_aad(context: bytes) -> bytes:
    """Enc_structure of COSE_Encrypt0 (RFC 9052 §5.3)."""
    return cbor.encode(["Encrypt0", _A256GCM_HEADER, context])


@dataclass(frozen=True, slots=True, kw_only=True)
class Encrypt:
    """COSE_Encrypt with one HPKE key-encryption recipient (draft-ietf-cose-hpke §3.1.2.2)."""

    raw: bytes
    alg: int
    kid: bytes
    iv: bytes
    ciphertext: bytes
    enc: bytes
    wrapped: bytes

    @classmethod
    def parse(cls, raw: bytes, code: str) -> Encrypt:
        reader = Reader(raw, code)
        reader.literal(_ENCRYPT)
        iv = reader.take(IV_SIZE)
        ciphertext = reader.bstr(len(raw), TAG_SIZE)
        reader.literal(_ONE_RECIPIENT)
        protected = Reader(reader.bstr(_MAX_PROTECTED), code)
        protected.literal(cbor.head(cbor.MAP, 2) + b"\x01")
        alg = protected.integer()
        protected.literal(b"\x04")
        kid = protected.bstr(KID_SIZE, KID_SIZE)
        protected.end()
        reader.literal(_EK)
        enc = reader.bstr(_MAX_ENC)
        wrapped = reader.bstr(KEY_SIZE + TAG_SIZE, KEY_SIZE + TAG_SIZE)
        reader.end()
        return cls(raw=raw, alg=alg, kid=kid, iv=iv, ciphertext=ciphertext, enc=enc, wrapped=wrapped)


def _recipient_info(recipient_protected: bytes, context: bytes) -> bytes:
    """Recipient_structure, given to HPKE as `info` because its Python API takes no aad."""
    return cbor.encode(["HPKE Recipient", A256GCM, recipient_protected, context])


def _encrypt_aad(context: bytes) -> bytes:
    """Enc_structure of COSE_Encrypt (RFC 9052 §5.3)."""
    return cbor.encode(["Encrypt", _A256GCM_HEADER, context])


def encrypt_to(key: PublicKey, plaintext: bytes, context: bytes, random: Random) -> bytes:
    """A COSE_Encrypt that only the holder of `key` opens, and only for this `context`.

    Raises:
        SealError: `classical-kem` for a key without a post-quantum half.
    """
    require(key.alg in KEM_ALGORITHMS, "classical-kem")
    protected = cbor.encode({ALG: key.alg, KID: key.kid})
    cek, iv = random(KEY_SIZE), random(IV_SIZE)
    enc, wrapped = primitives.hpke_encrypt(key.alg, key.key, cek, _recipient_info(protected, context))
    ciphertext = primitives.aes_gcm_encrypt(cek, iv, plaintext, _encrypt_aad(context))
    return b"".join(
        (_ENCRYPT, iv, cbor.bstr(ciphertext), _ONE_RECIPIENT, cbor.bstr(protected), _EK, cbor.bstr(enc))
    ) + cbor.bstr(wrapped)


def decrypt_with(key: KemKey, message: Encrypt, context: bytes, code: str) -> bytes:
    """The plaintext.

    Raises:
        SealError: `code`, whichever of the two layers does not open: telling them apart helps nobody honest.
    """
    # With `wrapped` of one size too, the CEK has 32 bytes: no sender picks a shorter AES key by moving the split.
    require(len(message.enc) == ENC_SIZE[key.alg], code)
    protected = cbor.encode({ALG: message.alg, KID: message.kid})
    try:
        cek = key.open(message.enc, message.wrapped, _recipient_info(protected, context))
        return primitives.aes_gcm_decrypt(cek, message.iv, message.ciphertext, _encrypt_aad(context))
    except primitives.Undecryptable as error:
        raise SealError(code) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """COSE_Sign (RFC 9052 §4.1) as read: `[protected, {}, payload, [[protected, {}, signature], …]]`."""

    protected: bytes
    payload: bytes
    signatures: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def parse(cls, raw: bytes, code: str, *, max_payload: int, max_signatures: int = 4) -> Sign:
        reader = Reader(raw, code)
        reader.literal(cbor.head(cbor.ARRAY, 4))
        protected = reader.bstr(_MAX_BODY_PROTECTED)
        reader.literal(_EMPTY_MAP)
        payload = reader.bstr(max_payload)
        signatures = []
        for _ in range(reader.array(0, max_signatures)):
            reader.literal(cbor.head(cbor.ARRAY, 3))
            signature_protected = reader.bstr(_MAX_PROTECTED)
            reader.literal(_EMPTY_MAP)
            signatures.append((signature_protected, reader.bstr(_MAX_SIGNATURE)))
        reader.end()
        return cls(protected=protected, payload=payload, signatures=tuple(signatures))


@lru_cache(maxsize=_KNOWN_SIGNERS)
def _body_header(content_type: str, keys: tuple[PublicKey, ...]) -> bytes:
    required = [[key.alg, key.kid] for key in keys]
    return cbor.encode({CRIT: [SIGNATURE_SET], CONTENT_TYPE: content_type, SIGNATURE_SET: required})


@lru_cache(maxsize=_KNOWN_SIGNERS)
def signature_header(key: PublicKey) -> bytes:
    return cbor.encode({ALG: key.alg, KID: key.kid})


def _to_be_signed(protected: bytes, signature_protected: bytes, context: bytes, payload: bytes) -> bytes:
    """Sig_structure (RFC 9052 §4.4)."""
    return cbor.encode(["Signature", protected, signature_protected, context, payload])


def sign(payload: bytes, signers: Sequence[Signer], content_type: str, context: bytes) -> bytes:
    """A COSE_Sign by every key of every signer, in order; the body header names exactly these keys."""
    protected = _body_header(content_type, tuple(key for signer in signers for key in signer.public))
    signatures = []
    for signer in signers:
        for position, key in enumerate(signer.public):
            header = signature_header(key)
            signature = signer.sign(position, _to_be_signed(protected, header, context, payload))
            signatures.append(cbor.head(cbor.ARRAY, 3) + cbor.bstr(header) + _EMPTY_MAP + cbor.bstr(signature))
    return b"".join(
        (
            cbor.head(cbor.ARRAY, 4),
            cbor.bstr(protected),
            _EMPTY_MAP,
            cbor.bstr(payload),
            cbor.head(cbor.ARRAY, len(signatures)),
            *signatures,
        )
    )


def verify(
    message: Sign, keys: Sequence[PublicKey], content_type: str, context: bytes, *, set_code: str, signature_code: str
) -> None:
    """Every key of `keys`, in order and nothing else, signed this payload for this context.

    Raises:
        SealError: `set_code` when the message does not carry exactly these signatures, `signature_code` when one of
            them does not verify.
    """
    require(len(keys) > 0, set_code)
    require(message.protected == _body_header(content_type, tuple(keys)), set_code)
    require(len(message.signatures) == len(keys), set_code)
    for key, (header, signature) in zip(keys, message.signatures, strict=False):
        require(header == signature_header(key), set_code)
        signed = _to_be_signed(message.protected, header, context, message.payload)
        require(primitives.verify(key.alg, key.key, signature, signed), signature_code)


__all__ = [
    "HASH_SIZE",
    "MAX_SIGNATURES",
    "Encrypt",
    "Encrypt0",
    "Sign",
    "decrypt_with",
    "encrypt0_aad",
    "encrypt_to",
    "sign",
    "verify",
]
