"""At rest: keys and small secrets wrapped under a storage key. Destroying the storage key is the purge."""

from __future__ import annotations

import os
from typing import Final

from broker.seal import cbor, cose, primitives
from broker.seal.errors import SealError, require
from broker.seal.primitives import IV_SIZE, KEY_SIZE, Random

STORAGE_KEY_SIZE: Final = KEY_SIZE


def _derive(storage_key: bytes, context: bytes) -> tuple[bytes, bytes]:
    require(len(storage_key) == STORAGE_KEY_SIZE, "bad-key", "a storage key is 32 bytes")
    info = cbor.encode(["tearline rest", context])
    # One key per context: random IVs under one long-lived key would run into AES-GCM's 2^32 limit (SP 800-38D §8.3).
    return primitives.hkdf(storage_key, info), cose.encrypt0_aad(info)


def wrap_at_rest(storage_key: bytes, plaintext: bytes, context: bytes, *, random: Random = os.urandom) -> bytes:
    """Encrypt for this place only: `context` names what and where it is, and must be the same to open it."""
    key, aad = _derive(storage_key, context)
    iv = random(IV_SIZE)
    return cose.Encrypt0(iv=iv, ciphertext=primitives.aes_gcm_encrypt(key, iv, plaintext, aad)).encode()


def unwrap_at_rest(storage_key: bytes, wrapped: bytes, context: bytes) -> bytes:
    """What was wrapped under this key and context.

    Raises:
        SealError: `rest-shape` or `rest-open`.
    """
    key, aad = _derive(storage_key, context)
    frame = cose.Encrypt0.parse(wrapped, "rest-shape")
    try:
        return primitives.aes_gcm_decrypt(key, frame.iv, frame.ciphertext, aad)
    except primitives.Undecryptable as error:
        raise SealError("rest-open") from error
