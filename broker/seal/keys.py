"""Keys as values: what an agency holds and what the directory says about it.

Every private key is a 32-byte seed at rest; the loaded objects are kept, because building them costs more than using
them. No private value appears in a `repr`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol, Self

from broker.seal import cbor, primitives
from broker.seal.errors import SealError
from broker.seal.primitives import (
    ED25519,
    KEM_ALGORITHMS,
    ML_DSA_65,
    ML_KEM_768_X25519,
    ML_KEM_1024_P384,
    POST_QUANTUM_SIGNATURES,
    SIGNING_ALGORITHMS,
    KemPrivate,
    Random,
    SigningPrivate,
)

KID_SIZE: Final = 16  # bytes; two keys with one id need 2^64 work, and ids only select, they never authenticate

#: The ordered set every agency signs with: a classical signature and a post-quantum one, and both must verify.
SIGNATURE_SET: Final = (ED25519, ML_DSA_65)


def key_id(alg: int, key: bytes) -> bytes:
    """The COSE `kid`: the same for everyone who holds the key, and of one algorithm only."""
    return primitives.sha256(cbor.encode(["tearline key", alg, key]))[:KID_SIZE]


def fingerprint(raw: bytes) -> str:
    """The form in which a root, a key or a release is read aloud and compared: `sha256:<hex>`."""
    return "sha256:" + primitives.sha256(raw).hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key under its COSE algorithm number.

    Raises:
        SealError: `bad-key` when the id is not the key's; `check` also loads the key itself.
    """

    alg: int
    kid: bytes
    key: bytes

    def __post_init__(self) -> None:
        if self.kid != key_id(self.alg, self.key):
            raise SealError("bad-key", "the key id is not this key's")

    @classmethod
    def of(cls, alg: int, key: bytes) -> Self:
        """The key with its id; refused unless it is well-formed and of a known algorithm."""
        primitives.check_public_key(alg, key)
        return cls(alg=alg, kid=key_id(alg, key), key=key)

    def check(self) -> None:
        primitives.check_public_key(self.alg, self.key)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether the private half of this key signed the message."""
        return primitives.verify(self.alg, self.key, signature, message)


class Signer(Protocol):
    """Whoever can sign with every key of an ordered set, wherever the private halves are: in memory or on a token."""

    @property
    def public(self) -> tuple[PublicKey, ...]:
        """The public halves, in the order of the set."""
        ...

    def sign(self, position: int, message: bytes) -> bytes:
        """The signature of the key at this position of the set."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SigningKey:
    """One private key of a set whose other key is elsewhere."""

    seed: bytes
    public: PublicKey
    _private: SigningPrivate = field(compare=False)

    @classmethod
    def from_seed(cls, alg: int, seed: bytes) -> Self:
        """The key pair of a 32-byte seed.

        Raises:
            SealError: `bad-key` for an unknown algorithm or a seed of another size.
        """
        private, key = primitives.load_signing_key(alg, seed)
        return cls(seed=seed, public=PublicKey(alg=alg, kid=key_id(alg, key), key=key), _private=private)

    def sign(self, message: bytes) -> bytes:
        return primitives.sign(self._private, message)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SigningKeys:
    """The private half of the ordered signature set."""

    seeds: tuple[bytes, ...]
    public: tuple[PublicKey, ...]
    _private: tuple[SigningPrivate, ...] = field(compare=False)

    @classmethod
    def from_seeds(cls, *, ed25519: bytes, mldsa65: bytes) -> Self:
        """The two key pairs of 32-byte seeds.

        Raises:
            SealError: `bad-key` for a seed of another size.
        """
        loaded = [
            primitives.load_signing_key(ED25519, ed25519),
            primitives.load_signing_key(ML_DSA_65, mldsa65),
        ]
        public = tuple(
            PublicKey(alg=alg, kid=key_id(alg, key), key=key)
            for alg, (_, key) in zip(SIGNATURE_SET, loaded, strict=True)
        )
        return cls(seeds=(ed25519, mldsa65), public=public, _private=tuple(private for private, _ in loaded))

    @classmethod
    def generate(cls, random: Random) -> Self:
        return cls.from_seeds(ed25519=random(primitives.SEED_SIZE), mldsa65=random(primitives.SEED_SIZE))

    def sign(self, position: int, message: bytes) -> bytes:
        """The signature of the key at this position of the set."""
        return primitives.sign(self._private[position], message)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class KemKey:
    """A private KEM key; hybrid only."""

    alg: int
    seed: bytes
    public: PublicKey
    _private: KemPrivate = field(compare=False)

    @classmethod
    def from_seed(cls, alg: int, seed: bytes) -> Self:
        """The hybrid key pair of a 32-byte seed.

        Raises:
            SealError: `bad-key` for an unknown (for instance a classical) algorithm or a seed of another size.
        """
        private, key = primitives.load_kem_key(alg, seed)
        public = PublicKey(alg=alg, kid=key_id(alg, key), key=key)
        return cls(alg=alg, seed=seed, public=public, _private=private)

    @classmethod
    def generate(cls, random: Random, alg: int = ML_KEM_1024_P384) -> Self:
        return cls.from_seed(alg, random(primitives.SEED_SIZE))

    def open(self, enc: bytes, ciphertext: bytes, info: bytes) -> bytes:
        return primitives.hpke_decrypt(self.alg, self._private, enc, ciphertext, info)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AgencyKeys:
    """Everything private one agency holds; KEM keys newest first, older ones only to open what is still on its way."""

    agency: str
    signing: SigningKeys
    kem: tuple[KemKey, ...]

    def kem_key(self, kid: bytes) -> KemKey | None:
        return next((key for key in self.kem if key.public.kid == kid), None)

    def public(self, *, revoked: bool = False) -> AgencyPublic:
        return AgencyPublic(
            agency=self.agency, signing=self.signing.public, kem=tuple(key.public for key in self.kem), revoked=revoked
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AgencyPublic:
    """What the directory says about an agency's keys.

    Raises:
        SealError: `bad-key` for a signature set that is empty, repeats or lacks a post-quantum signature, or for a KEM
            key that is not hybrid: "all of no signatures verify" is true, so an empty set must not exist.
    """

    agency: str
    signing: tuple[PublicKey, ...]
    kem: tuple[PublicKey, ...]
    revoked: bool = False

    def __post_init__(self) -> None:
        require_signature_set(self.signing)
        if any(key.alg not in KEM_ALGORITHMS for key in self.kem):
            raise SealError("bad-key", "a KEM key without a post-quantum half")


def require_signature_set(keys: tuple[PublicKey, ...]) -> None:
    """Refuse a signature set nobody should rely on."""
    algorithms = [key.alg for key in keys]
    if len(set(algorithms)) != len(algorithms) or not set(algorithms) <= SIGNING_ALGORITHMS:
        raise SealError("bad-key", "a signature set with a repeated or unknown algorithm")
    if not POST_QUANTUM_SIGNATURES & set(algorithms):
        raise SealError("bad-key", "a signature set without a post-quantum signature")


__all__ = [
    "KID_SIZE",
    "ML_KEM_768_X25519",
    "ML_KEM_1024_P384",
    "SIGNATURE_SET",
    "AgencyKeys",
    "AgencyPublic",
    "KemKey",
    "PublicKey",
    "Signer",
    "SigningKey",
    "SigningKeys",
    "fingerprint",
    "key_id",
    "require_signature_set",
]
