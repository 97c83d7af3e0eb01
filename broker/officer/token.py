"""An officer's Ed25519 key on a PKCS#11 token: made there, used there, never anywhere else.

Tokens that sign with ML-DSA-65 are hardly to be had, and a signature set is never half a set: the post-quantum half is
a seed in the officer's file, under its passphrase. To sign, the officer needs the token, its PIN, the file and the
passphrase.

The only file that imports `pkcs11` (extra `officer`); `broker.officer.signers` imports this one when there is a token.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, Session

from broker.seal import PublicKey, SealError, SigningKey
from broker.seal.primitives import ED25519, ML_DSA_65, SEED_SIZE
from broker.trust import (
    Ask,
    OfficerFile,
    OfficerKeys,
    TokenPlace,
    TrustError,
    read_officer_file,
    require_passphrase,
    write_token_file,
)
from broker.trust.keyfiles import require_id
from broker.trust.keys import Random

_POINT_SIZE: Final = 32
#: DER of an OCTET STRING of 32 bytes (PKCS#11 3.0 §2.3.5); some modules give the bare 32 bytes.
_OCTET_STRING: Final = bytes((0x04, _POINT_SIZE))
#: DER of the object identifier id-Ed25519 (RFC 8410 §3): SoftHSM before 2.6 knows no other name of the curve.
_CURVE: Final = bytes.fromhex("06032b6570")
_PROBE: Final = b"tearline token probe"

# A PIN is one of few tries, so each way to fail at it is told apart.
_REFUSALS: Final[dict[type[pkcs11.PKCS11Error], tuple[str, str]]] = {
    pkcs11.PinIncorrect: ("wrong-pin", "the PIN is wrong; a token locks itself after a few wrong ones"),
    pkcs11.PinInvalid: ("wrong-pin", "the PIN has a character that the token does not take"),
    pkcs11.PinLenRange: ("wrong-pin", "the PIN is too short or too long for this token"),
    pkcs11.PinLocked: ("pin-locked", "the token is locked after too many wrong PINs"),
    pkcs11.NoSuchToken: ("token-missing", "there is no token of this label; is it plugged in?"),
    pkcs11.MultipleTokensReturned: ("token-ambiguous", "two tokens have this label"),
    pkcs11.NoSuchKey: ("token-key-missing", "the token has no Ed25519 key of this label"),
    pkcs11.MultipleObjectsReturned: ("token-key-ambiguous", "two keys on the token have this label"),
    pkcs11.UserAlreadyLoggedIn: ("token-busy", "another part of this program is using the token"),
    pkcs11.DeviceRemoved: ("token-missing", "the token was removed"),
    pkcs11.PKCS11Error: ("token-module", "the file is no PKCS#11 module, or one for another machine"),
}


class TokenSigner:
    """Signs with an Ed25519 key that never leaves its token, and with the ML-DSA-65 key that its file held.

    The token is opened for each signature and closed after it. Its signatures are verified before they are handed on: a
    fault in one Ed25519 signature can give the key away, and another token of the same label signs with another key.
    """

    def __init__(self, *, place: TokenPlace, pin: str, ed25519: PublicKey, mldsa65: SigningKey) -> None:
        self._place = place
        self._pin = pin
        self._mldsa65 = mldsa65
        self.public = (ed25519, mldsa65.public)

    def sign(self, position: int, message: bytes) -> bytes:
        """Return the signature of the key at this position of the set.

        Raises:
            TrustError: `wrong-pin`, `token-missing` …; `token-signature` for one that this officer's key did not make.
        """
        if self.public[position].alg == ML_DSA_65:
            return self._mldsa65.sign(message)
        with _open(self._place, self._pin) as session:
            signature = _sign(session, self._place, message)
        if not self.public[position].verifies(signature, message):
            raise TrustError("token-signature", "the token's signature is not of this officer's key")
        return signature


def load_token_officer(path: Path, *, ask: Ask) -> OfficerKeys:
    """Read the file of an officer with a token, ask for its passphrase and the token's PIN, and try both.

    Raises:
        TrustError: as `read_officer_file`; `wrong-passphrase`, `wrong-pin`, `token-missing`, `token-key-missing`,
            `token-module`, `token-failed`.
    """
    file = read_officer_file(path)
    if file.place is None:
        raise TrustError("keys-malformed", f"`{path.name}` names no token")
    # The passphrase first: until it opened the file, the module that it names is anybody's code.
    mldsa65 = _mldsa65(file, file.unseal(ask(file.question)))
    pin = ask(file.place.question)
    with _open(file.place, pin) as session:
        _private(session, file.place)
    signer = TokenSigner(place=file.place, pin=pin, ed25519=file.signing[0], mldsa65=mldsa65)
    return OfficerKeys(person=file.person, agency=file.agency, signing=signer)


def make_token_officer(
    person: str,
    agency: str,
    path: Path,
    *,
    place: TokenPlace,
    pin: str,
    passphrase: str,
    created: datetime,
    random: Random = os.urandom,
) -> OfficerKeys:
    """Make an officer's Ed25519 key on a token, and the file with the other half.

    Raises:
        TrustError: `keys-exist`, `bad-name`, `weak-passphrase`; `token-key-exists`, `token-without-ed25519`,
            `token-key-extractable`; as `load_token_officer`. Then nothing new is left, neither file nor key.
    """
    require_passphrase(passphrase)
    require_id(person)
    require_id(agency)
    if path.exists():
        raise TrustError("keys-exist", f"`{path.name}` exists and is not overwritten")
    mldsa65 = SigningKey.from_seed(ML_DSA_65, random(SEED_SIZE))
    with _open(place, pin, write=True) as session:
        _require_free(session, place)
        pair = _generate(session, place)
        try:
            ed25519 = _public_of(pair, session, place)
            signer = TokenSigner(place=place, pin=pin, ed25519=ed25519, mldsa65=mldsa65)
            keys = OfficerKeys(person=person, agency=agency, signing=signer)
            write_token_file(
                keys, path, place=place, seed=mldsa65.seed, passphrase=passphrase, created=created, random=random
            )
        except BaseException:
            # A key that no file names would block its label, and nobody would know whose it is.
            for key in pair:
                key.destroy()
            raise
    return keys


def _mldsa65(file: OfficerFile, seed: bytes) -> SigningKey:
    try:
        key = SigningKey.from_seed(ML_DSA_65, seed)
    except SealError:
        raise TrustError("keys-malformed", f"`{file.name}` holds no seed of ML-DSA-65") from None
    if key.public != file.signing[1]:
        raise TrustError("keys-malformed", f"`{file.name}` holds another key than it says")
    return key


@contextmanager
def _open(place: TokenPlace, pin: str, *, write: bool = False) -> Iterator[Session]:
    """Log in to the token; every error of the module has a code of ours, and none of them quotes the PIN."""
    _require_safe(place.module)
    try:
        token = pkcs11.lib(place.module).get_token(token_label=place.token)
        if Mechanism.EDDSA not in token.slot.get_mechanisms():
            raise TrustError("token-without-ed25519", "the token cannot sign with Ed25519")
        with token.open(rw=write, user_pin=pin) as session:
            yield session
    except pkcs11.PKCS11Error as error:
        code, words = _REFUSALS.get(type(error), ("token-failed", f"the token failed ({type(error).__name__})"))
        raise TrustError(code, words) from None


def _require_safe(module: str) -> None:
    """Refuse a module that another user could have written: it is loaded into the process that signs."""
    path = Path(module)
    if not path.is_absolute() or not path.is_file():
        raise TrustError("token-module", "the PKCS#11 module is no file at an absolute path")
    real = path.resolve()
    for place in (real, *real.parents):
        status = place.stat()
        if status.st_uid not in {os.geteuid(), 0} or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise TrustError("token-module", "the PKCS#11 module lies where another user can change it")


def _private(session: Session, place: TokenPlace) -> Any:
    return session.get_key(object_class=ObjectClass.PRIVATE_KEY, key_type=KeyType.EC_EDWARDS, label=place.key)


def _sign(session: Session, place: TokenPlace, message: bytes) -> bytes:
    return bytes(_private(session, place).sign(message, mechanism=Mechanism.EDDSA))


def _require_free(session: Session, place: TokenPlace) -> None:
    if any(True for _ in session.get_objects({Attribute.LABEL: place.key})):
        raise TrustError("token-key-exists", "the token has something of this label already")


def _generate(session: Session, place: TokenPlace) -> tuple[Any, Any]:
    curve = session.create_domain_parameters(KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: _CURVE}, local=True)
    return curve.generate_keypair(
        mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
        store=True,
        label=place.key,
        private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
    )


def _public_of(pair: tuple[Any, Any], session: Session, place: TokenPlace) -> PublicKey:
    """Return the public half, once the private one proved that it belongs to it and that it stays on the token."""
    public, private = pair
    if private[Attribute.EXTRACTABLE] or not private[Attribute.SENSITIVE]:
        raise TrustError("token-key-extractable", "the token made a key that can leave it")
    point = bytes(public[Attribute.EC_POINT]).removeprefix(_OCTET_STRING)
    try:
        key = PublicKey.of(ED25519, point)
    except SealError:
        raise TrustError("token-failed", "the token gives no Ed25519 public key") from None
    if not key.verifies(_sign(session, place, _PROBE), _PROBE):
        raise TrustError("token-signature", "the token's signature is not of the key that it made")
    return key
