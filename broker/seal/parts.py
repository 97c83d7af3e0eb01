"""The parts of a body: part 0 holds the signed manifest, every other part one portion.

`CEK_i ‖ COM_i ‖ IV_i = HKDF(K_i, ["tearline part", cx, i])`. AES-GCM does not commit to its key: one ciphertext can be
made to open differently for two recipients. COM_i does commit, sits in the signed manifest, and is compared before a
part is opened. IV and padding must be the derived ones, so a part has one form only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from broker.seal import cbor, cose, padding, primitives
from broker.seal.errors import SealError
from broker.seal.primitives import HASH_SIZE, IV_SIZE, KEY_SIZE

MAX_PORTIONS: Final = 16  # a bulletin's own limit
MAX_PARTS: Final = MAX_PORTIONS + 1


def context_hash(hh: bytes, sender: str) -> bytes:
    """`cx`: a part belongs to this header *and* this sender, so nobody passes another's part off under his own name."""
    return primitives.sha256(cbor.encode(["tearline/1", hh, sender]))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PartKeys:
    """What one K_i turns into for one place."""

    cek: bytes
    commitment: bytes
    iv: bytes


def derive(key: bytes, cx: bytes, index: int) -> PartKeys:
    material = primitives.hkdf(key, _context(cx, index), KEY_SIZE + HASH_SIZE + IV_SIZE)
    return PartKeys(
        cek=material[:KEY_SIZE],
        commitment=material[KEY_SIZE : KEY_SIZE + HASH_SIZE],
        iv=material[KEY_SIZE + HASH_SIZE :],
    )


def _context(cx: bytes, index: int) -> bytes:
    return cbor.encode(["tearline part", cx, index])


def encrypt_part(keys: PartKeys, cx: bytes, index: int, content: bytes) -> bytes:
    padded = padding.pad(content, padding.padme(len(content) + 1))
    aad = cose.encrypt0_aad(_context(cx, index))
    ciphertext = primitives.aes_gcm_encrypt(keys.cek, keys.iv, padded, aad)
    return cose.Encrypt0(iv=keys.iv, ciphertext=ciphertext).encode()


def decrypt_part(
    keys: PartKeys, cx: bytes, index: int, part: cose.Encrypt0, *, open_code: str, padding_code: str
) -> bytes:
    """The content of a part whose IV and commitment the caller has compared already."""
    try:
        aad = cose.encrypt0_aad(_context(cx, index))
        padded = primitives.aes_gcm_decrypt(keys.cek, part.iv, part.ciphertext, aad)
    except primitives.Undecryptable as error:
        raise SealError(open_code) from error
    return padding.unpad_exact(padded, padding_code)


def open_part(key: bytes, cx: bytes, index: int, part: cose.Encrypt0) -> bytes:
    """Open a part of a body that was accepted (or made) before and is known by its digest."""
    keys = derive(key, cx, index)
    return decrypt_part(keys, cx, index, part, open_code="part-open", padding_code="part-padding")
