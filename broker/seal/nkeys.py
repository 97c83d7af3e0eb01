"""NATS nkeys: Ed25519 under NATS's text form (base32 of prefix, key and CRC-16; nats-io/nkeys).

An nkey says which gateway connects, never who sent a bulletin; it is never one of an agency's signing keys.
"""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache
from typing import Final

from broker.seal import primitives
from broker.seal.errors import SealError, require
from broker.seal.primitives import ED25519, SEED_SIZE, SigningPrivate

_SEED: Final = 18 << 3  # 'S'
_KINDS: Final = {"user": 20 << 3, "account": 0, "operator": 14 << 3}  # 'U', 'A', 'O'
_CRC_SIZE: Final = 2


def _checked(raw: bytes) -> bytes:
    # CRC-16/XMODEM, little-endian: nkeys' own choice.
    return raw + binascii.crc_hqx(raw, 0).to_bytes(_CRC_SIZE, "little")


def _decode(text: str) -> bytes:
    try:
        raw = base64.b32decode(text.encode("ascii") + b"=" * (-len(text) % 8))
    except ValueError:
        raise SealError("nkey") from None  # the cause holds the text, and the text may be a seed
    # Checksum and spelling at once: a key has one text, so trailing base32 bits are zero and case is upper.
    require(_text(raw[:-_CRC_SIZE]) == text, "nkey")
    return raw[:-_CRC_SIZE]


def _text(raw: bytes) -> str:
    return base64.b32encode(_checked(raw)).decode().rstrip("=")


def nkey_seed_text(seed: bytes, kind: str = "user") -> str:
    """`SU…`: the secret text form of a 32-byte seed."""
    require(len(seed) == SEED_SIZE, "nkey")
    prefix = _KINDS[kind]
    return _text(bytes((_SEED | prefix >> 5, (prefix & 31) << 3)) + seed)


def nkey_seed(text: str, kind: str = "user") -> bytes:
    """The 32-byte seed of a secret text form.

    Raises:
        SealError: `nkey`; never with the text in it.
    """
    raw = _decode(text)
    prefix = _KINDS[kind]
    require(len(raw) == SEED_SIZE + 2 and raw[0] == _SEED | prefix >> 5 and raw[1] == (prefix & 31) << 3, "nkey")
    return raw[2:]


def nkey_public(seed: bytes, kind: str = "user") -> str:
    """`U…`: the public text form for a 32-byte seed."""
    require(len(seed) == SEED_SIZE, "nkey")
    return _text(bytes((_KINDS[kind],)) + primitives.load_signing_key(ED25519, seed)[1])


def nkey_public_key(text: str, kind: str = "user") -> bytes:
    """The 32 bytes of a public text form.

    Raises:
        SealError: `nkey`.
    """
    raw = _decode(text)
    require(len(raw) == SEED_SIZE + 1 and raw[0] == _KINDS[kind], "nkey")
    return raw[1:]


@lru_cache(maxsize=8)
def _loaded(seed: bytes) -> SigningPrivate:
    return primitives.load_signing_key(ED25519, seed)[0]


def nkey_sign(seed: bytes, nonce: bytes) -> bytes:
    """The answer to the server's challenge: a raw Ed25519 signature of 64 bytes."""
    return primitives.sign(_loaded(seed), nonce)


def nkey_verify(public: str, nonce: bytes, signature: bytes, kind: str = "user") -> bool:
    return primitives.verify(ED25519, nkey_public_key(public, kind), signature, nonce)
