"""The smallest crypto surface: the only file that imports `cryptography`.

Everything is bytes in, bytes out. Algorithms are COSE numbers; a number that is not in a table here does not exist.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from broker.seal.errors import SealError

A256GCM: Final = 3  # RFC 9053 §4.1
ED25519: Final = -19  # RFC 9864
ML_DSA_65: Final = -49  # RFC 9964
# The PQ/T HPKE ids are not registered: private-use numbers, -(65536 + the draft's assumed value).
ML_KEM_768_X25519: Final = -65593  # HPKE-9-KE: SHAKE256, A256GCM
ML_KEM_1024_P384: Final = -65595  # HPKE-10-KE: SHAKE256, A256GCM

SIGNING_ALGORITHMS: Final = frozenset({ED25519, ML_DSA_65})
KEM_ALGORITHMS: Final = frozenset({ML_KEM_768_X25519, ML_KEM_1024_P384})
POST_QUANTUM_SIGNATURES: Final = frozenset({ML_DSA_65})

HASH_SIZE: Final = 32
KEY_SIZE: Final = 32
SEED_SIZE: Final = 32
IV_SIZE: Final = 12
TAG_SIZE: Final = 16

#: bytes of a public key, of an encapsulation (`ek`) and of a signature
PUBLIC_SIZE: Final = {ED25519: 32, ML_DSA_65: 1952, ML_KEM_768_X25519: 1184 + 32, ML_KEM_1024_P384: 1568 + 97}
ENC_SIZE: Final = {ML_KEM_768_X25519: 1088 + 32, ML_KEM_1024_P384: 1568 + 97}
SIGNATURE_SIZE: Final = {ED25519: 64, ML_DSA_65: 3309}

_P384_ORDER: Final = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16
)

SigningPrivate: TypeAlias = ed25519.Ed25519PrivateKey | mldsa.MLDSA65PrivateKey
SigningPublic: TypeAlias = ed25519.Ed25519PublicKey | mldsa.MLDSA65PublicKey
KemPrivate: TypeAlias = hpke.MLKEM768X25519PrivateKey | hpke.MLKEM1024P384PrivateKey
KemPublic: TypeAlias = hpke.MLKEM768X25519PublicKey | hpke.MLKEM1024P384PublicKey
Random: TypeAlias = Callable[[int], bytes]

_SUITES: Final = {
    ML_KEM_768_X25519: hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.SHAKE256, hpke.AEAD.AES_256_GCM),
    ML_KEM_1024_P384: hpke.Suite(hpke.KEM.MLKEM1024_P384, hpke.KDF.SHAKE256, hpke.AEAD.AES_256_GCM),
}

# Loading a public key costs more than using it; a gateway speaks with the same few thousand agencies all day.
_LOADED_KEYS: Final = 4096


class Undecryptable(Exception):  # noqa: N818 - never leaves this room; mapped to a code where it is caught
    """A ciphertext and its tag do not belong together under this key and context."""


def sha256(*pieces: bytes) -> bytes:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def shake256(material: bytes, size: int) -> bytes:
    return hashlib.shake_256(material).digest(size)


def hkdf(ikm: bytes, info: bytes, size: int = KEY_SIZE, *, salt: bytes | None = None) -> bytes:
    """HKDF-SHA256, extract and expand (RFC 5869)."""
    return HKDF(hashes.SHA256(), size, salt, info).derive(ikm)


def scrypt(passphrase: bytes, salt: bytes, *, n: int, r: int, p: int) -> bytes:
    """RFC 7914: as slow and as large as the costs say, 128 * n * r bytes; the caller bounds them."""
    return Scrypt(salt=salt, length=KEY_SIZE, n=n, r=r, p=p).derive(passphrase)


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def equal(left: bytes, right: bytes) -> bool:
    return hmac.compare_digest(left, right)


def aes_gcm_encrypt(key: bytes, iv: bytes, plaintext: bytes, aad: bytes) -> bytes:
    return AESGCM(key).encrypt(iv, plaintext, aad)


def aes_gcm_decrypt(key: bytes, iv: bytes, ciphertext: bytes, aad: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(iv, ciphertext, aad)
    except (InvalidTag, ValueError) as error:
        raise Undecryptable from error


def load_signing_key(alg: int, seed: bytes) -> tuple[SigningPrivate, bytes]:
    """The private key object and the public key bytes for a 32-byte seed (RFC 8032 §5.1.5; RFC 9964 `priv`)."""
    if len(seed) != SEED_SIZE:
        raise SealError("bad-key", "a signing seed is 32 bytes")
    if alg == ED25519:
        ed = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
        return ed, ed.public_key().public_bytes_raw()
    if alg == ML_DSA_65:
        ml = mldsa.MLDSA65PrivateKey.from_seed_bytes(seed)
        return ml, ml.public_key().public_bytes_raw()
    raise SealError("bad-key", "unknown signing algorithm")


def load_kem_key(alg: int, seed: bytes) -> tuple[KemPrivate, bytes]:
    """The private key object and the public key bytes for a 32-byte seed.

    The seed expands with SHAKE256 as draft-ietf-hpke-pq does: first the 64-byte ML-KEM seed, then the classical scalar.
    """
    if len(seed) != SEED_SIZE:
        raise SealError("bad-key", "a KEM seed is 32 bytes")
    if alg == ML_KEM_768_X25519:
        expanded = shake256(seed, 64 + 32)
        ml768 = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        x = x25519.X25519PrivateKey.from_private_bytes(expanded[64:])
        public = ml768.public_key().public_bytes_raw() + x.public_key().public_bytes_raw()
        return hpke.MLKEM768X25519PrivateKey(ml768, x), public
    if alg == ML_KEM_1024_P384:
        expanded = shake256(seed, 64 + 48)
        scalar = int.from_bytes(expanded[64:], "big")
        if not 0 < scalar < _P384_ORDER:  # one seed in 2^190; refused rather than resampled
            raise SealError("bad-key", "this KEM seed has no P-384 half")
        ml1024 = mlkem.MLKEM1024PrivateKey.from_seed_bytes(expanded[:64])
        p = ec.derive_private_key(scalar, ec.SECP384R1())
        point = p.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return hpke.MLKEM1024P384PrivateKey(ml1024, p), ml1024.public_key().public_bytes_raw() + point
    raise SealError("bad-key", "unknown KEM algorithm")


@lru_cache(maxsize=_LOADED_KEYS)
def _signing_public(alg: int, key: bytes) -> SigningPublic:
    if alg == ED25519:
        return ed25519.Ed25519PublicKey.from_public_bytes(key)
    if alg == ML_DSA_65:
        return mldsa.MLDSA65PublicKey.from_public_bytes(key)
    raise ValueError("unknown signing algorithm")


@lru_cache(maxsize=_LOADED_KEYS)
def _kem_public(alg: int, key: bytes) -> KemPublic:
    if alg == ML_KEM_768_X25519:
        return hpke.MLKEM768X25519PublicKey(
            mlkem.MLKEM768PublicKey.from_public_bytes(key[:1184]),
            x25519.X25519PublicKey.from_public_bytes(key[1184:]),
        )
    if alg == ML_KEM_1024_P384:
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), key[1568:])
        return hpke.MLKEM1024P384PublicKey(mlkem.MLKEM1024PublicKey.from_public_bytes(key[:1568]), point)
    raise ValueError("unknown KEM algorithm")


def check_public_key(alg: int, key: bytes) -> None:
    """Load a public key once so that a malformed one is refused where it enters.

    Raises:
        SealError: `bad-key`.
    """
    if len(key) != PUBLIC_SIZE.get(alg):
        raise SealError("bad-key", "unknown algorithm or wrong size")
    try:
        if alg in SIGNING_ALGORITHMS:
            _signing_public(alg, key)
        else:
            _kem_public(alg, key)
    except ValueError as error:
        raise SealError("bad-key", "not a valid public key") from error


def sign(private: SigningPrivate, message: bytes) -> bytes:
    """Sign; ML-DSA with an empty context, as RFC 9964 §3 demands."""
    return private.sign(message)


def verify(alg: int, key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature stands. OpenSSL refuses an Ed25519 S at or above the group order (RFC 8032 §5.1.7)."""
    if len(signature) != SIGNATURE_SIZE.get(alg):
        return False
    try:
        _signing_public(alg, key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def hpke_encrypt(alg: int, key: bytes, plaintext: bytes, info: bytes) -> tuple[bytes, bytes]:
    """HPKE base mode: (encapsulation, ciphertext)."""
    try:
        sealed = _SUITES[alg].encrypt(plaintext, _kem_public(alg, key), info=info)
    except ValueError as error:
        raise SealError("bad-key", "this KEM key cannot be sealed to") from error
    return sealed[: ENC_SIZE[alg]], sealed[ENC_SIZE[alg] :]


def hpke_decrypt(alg: int, private: KemPrivate, enc: bytes, ciphertext: bytes, info: bytes) -> bytes:
    try:
        return _SUITES[alg].decrypt(enc + ciphertext, private, info=info)
    except (InvalidTag, ValueError) as error:
        raise Undecryptable from error
