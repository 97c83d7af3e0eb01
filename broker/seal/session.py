"""Sessions: notices between two agencies that have met, under a secret they share instead of a KEM for each.

A sender puts 32 random bytes into a notice it seals with HPKE (content field 8). The recipient takes them only after
the whole envelope has passed every step: it knows then that the sender put them there, because only the sender and
itself know the seed_r that leads to the signed root. Once a receipt of its names the session, the sender may make
notices under it: one symmetric layer instead of a KEM.

A session authenticates nobody. What a notice says is believed, as ever, because it climbs to the signed root.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from broker.seal import cbor, cose, primitives
from broker.seal.cbor import Reader
from broker.seal.errors import SealError, require
from broker.seal.primitives import A256GCM, IV_SIZE, KEY_SIZE, TAG_SIZE, Random

SESSION_SIZE: Final = 32
LOCATOR_SIZE: Final = 16
SESSION_ID_SIZE: Final = 16

_HEAD: Final = cbor.head(cbor.ARRAY, 3)
# {1: A256GCM, 4: locator}, as far as the locator.
_PROTECTED: Final = b"".join(
    (cbor.head(cbor.MAP, 2), b"\x01", cbor.head(cbor.UINT, A256GCM), b"\x04", cbor.head(cbor.BSTR, LOCATOR_SIZE))
)
_PROTECTED_SIZE: Final = len(_PROTECTED) + LOCATOR_SIZE
_TO_LOCATOR: Final = _HEAD + cbor.head(cbor.BSTR, _PROTECTED_SIZE) + _PROTECTED
_TO_IV: Final = cbor.head(cbor.MAP, 1) + b"\x05" + cbor.head(cbor.BSTR, IV_SIZE)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Session:
    """A secret of one sender and one recipient, in that direction only.

    Raises:
        SealError: `bad-key` for a secret of another size.
    """

    sender: str
    recipient: str
    secret: bytes
    _locator_key: bytes = field(init=False, compare=False)

    def __post_init__(self) -> None:
        require(len(self.secret) == SESSION_SIZE, "bad-key", "a session secret is 32 bytes")
        info = cbor.encode(["tearline session locator", self.sender, self.recipient])
        object.__setattr__(self, "_locator_key", primitives.hkdf(self.secret, info))

    @classmethod
    def new(cls, sender: str, recipient: str, random: Random) -> Session:
        return cls(sender=sender, recipient=recipient, secret=random(SESSION_SIZE))

    @property
    def id(self) -> bytes:
        """What a receipt calls the session by; it tells nobody else anything."""
        whole = cbor.encode(["tearline session id", self.sender, self.recipient, self.secret])
        return primitives.sha256(whole)[:SESSION_ID_SIZE]

    def locator(self, hh: bytes) -> bytes:
        """How the recipient finds the session of a notice: another one in each envelope, so that nobody links two."""
        return primitives.hmac_sha256(self._locator_key, hh)[:LOCATOR_SIZE]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionNotice:
    """COSE_Encrypt0 (RFC 9052 §5.2) that names its key: `[<<{1: A256GCM, 4: locator}>>, {5: iv}, ciphertext]`."""

    raw: bytes
    kid: bytes
    iv: bytes
    ciphertext: bytes

    @classmethod
    def parse(cls, raw: bytes, code: str) -> SessionNotice:
        reader = Reader(raw, code)
        reader.literal(_TO_LOCATOR)
        kid = reader.take(LOCATOR_SIZE)
        reader.literal(_TO_IV)
        iv = reader.take(IV_SIZE)
        ciphertext = reader.bstr(len(raw), TAG_SIZE)
        reader.end()
        return cls(raw=raw, kid=kid, iv=iv, ciphertext=ciphertext)


def parse_notice(raw: bytes, code: str) -> cose.Encrypt | SessionNotice:
    """A notice of either kind; they differ in their first byte."""
    return SessionNotice.parse(raw, code) if is_under_session(raw) else cose.Encrypt.parse(raw, code)


def is_under_session(raw: bytes) -> bool:
    """Whether a notice was made under a session."""
    return raw[:1] == _HEAD


def _derive(session: Session, hh: bytes, body_digest: bytes) -> tuple[bytes, bytes]:
    """Key and IV. One envelope has one notice for a recipient, so the key is used once, whatever is made twice."""
    info = cbor.encode(["tearline session notice", session.sender, session.recipient, hh, body_digest])
    material = primitives.hkdf(session.secret, info, KEY_SIZE + IV_SIZE)
    return material[:KEY_SIZE], material[KEY_SIZE:]


def _aad(locator: bytes, context: bytes) -> bytes:
    return cbor.encode(["Encrypt0", _PROTECTED + locator, context])


def _context(session: Session, hh: bytes, body_digest: bytes) -> bytes:
    return cbor.encode(["tearline session notice", hh, body_digest, session.sender, session.recipient])


def encrypt_in(session: Session, hh: bytes, body_digest: bytes, padded: bytes) -> bytes:
    """A notice that only this session opens, for this header and body alone; the same input gives the same bytes."""
    key, iv = _derive(session, hh, body_digest)
    locator = session.locator(hh)
    aad = _aad(locator, _context(session, hh, body_digest))
    ciphertext = primitives.aes_gcm_encrypt(key, iv, padded, aad)
    return b"".join((_TO_LOCATOR, locator, _TO_IV, iv, cbor.bstr(ciphertext)))


def decrypt_in(session: Session, notice: SessionNotice, hh: bytes, body_digest: bytes) -> bytes:
    """The padded content.

    Raises:
        SealError: `notice-open` for another session, header or body, or an IV that is not the derived one.
    """
    key, iv = _derive(session, hh, body_digest)
    require(notice.iv == iv and notice.kid == session.locator(hh), "notice-open")
    try:
        aad = _aad(notice.kid, _context(session, hh, body_digest))
        return primitives.aes_gcm_decrypt(key, iv, notice.ciphertext, aad)
    except primitives.Undecryptable as error:
        raise SealError("notice-open") from error
