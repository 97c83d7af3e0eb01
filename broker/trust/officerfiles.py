"""The form of an officer's file: what it says openly, and what only a passphrase opens, bound to all of the former."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from broker.model import JsonLike, JsonValue, canonical_json
from broker.model.written import write_time
from broker.seal import SIGNATURE_SET, PublicKey, SealError, Stretch, seal_with_passphrase, unseal_with_passphrase
from broker.seal.passphrase import BLOCK, LANES
from broker.trust import keyfiles
from broker.trust.errors import TrustError
from broker.trust.keys import Random
from policy.vocabulary import is_agency_id

OFFICER_FORMAT: Final = "tearline officer keys 2"
TOKEN_FORMAT: Final = "tearline officer token 1"  # noqa: S105 - the name of a format
MIN_PASSPHRASE: Final = 12  # characters

_COMMON: Final = frozenset({"format", "person", "agency", "created", "signing", "kdf", "sealed"})
_PLACE: Final = frozenset({"module", "token", "key"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPlace:
    """Where an officer's Ed25519 key is: a PKCS#11 module, the label of the token and the label of the key on it."""

    module: str
    token: str
    key: str

    @property
    def question(self) -> str:
        """What is asked for, in words."""
        return f"PIN of the token {self.token}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficerFile:
    """What an officer's file says of itself. Nobody vouches for it before `unseal` gave the secret."""

    name: str
    person: str
    agency: str
    signing: tuple[PublicKey, ...]
    place: TokenPlace | None
    _members: Mapping[str, JsonValue] = field(repr=False)
    _stretch: Stretch = field(repr=False)
    _sealed: bytes = field(repr=False)

    @property
    def question(self) -> str:
        """What is asked for, in words."""
        return f"passphrase of {self.person} ({self.name})"

    def unseal(self, passphrase: str) -> bytes:
        """Return the secret; then every member of the file is what its officer wrote.

        Raises:
            TrustError: `wrong-passphrase`, also when the file was changed: nobody can tell which.
        """
        context = canonical_json(self._members)
        try:
            return unseal_with_passphrase(passphrase, self._sealed, context, stretch=self._stretch)
        except SealError:
            raise TrustError("wrong-passphrase", "the passphrase is wrong, or the file was changed") from None

    def resealed(self, secret: bytes, passphrase: str, *, random: Random = os.urandom) -> bytes:
        """Return the same file under another passphrase."""
        members = {name: value for name, value in self._members.items() if name != "kdf"}
        return sealed_document(members, secret, passphrase, random)


def open_members(
    form: str, person: str, agency: str, public: tuple[PublicKey, ...], *, created: datetime
) -> dict[str, JsonLike]:
    keyfiles.require_id(person)
    keyfiles.require_id(agency)
    signing: list[JsonLike] = [{"alg": key.alg, "key": keyfiles.text(key.key)} for key in public]
    return {"format": form, "person": person, "agency": agency, "created": write_time(created), "signing": signing}


def require_passphrase(passphrase: str) -> None:
    """Refuse a passphrase that a machine guesses: length is what counts, and nothing else is asked of it.

    Raises:
        TrustError: `weak-passphrase`.
    """
    if len(passphrase) < MIN_PASSPHRASE or not passphrase.strip():
        raise TrustError("weak-passphrase", f"a passphrase has at least {MIN_PASSPHRASE} characters")
    try:
        passphrase.encode()
    except UnicodeEncodeError:
        raise TrustError("weak-passphrase", "the passphrase is not text") from None


def sealed_document(members: Mapping[str, JsonLike], secret: bytes, passphrase: str, random: Random) -> bytes:
    """Return the bytes of an officer's file.

    Raises:
        TrustError: `weak-passphrase`.
    """
    require_passphrase(passphrase)
    stretch = Stretch.new(random)
    # What the passphrase opens is bound to every other member: nobody moves it under another name or cheaper costs.
    bound: dict[str, JsonLike] = {**members, "kdf": _kdf(stretch)}
    sealed = seal_with_passphrase(passphrase, secret, canonical_json(bound), stretch=stretch, random=random)
    return keyfiles.document(bound | {"sealed": keyfiles.text(sealed)})


def _kdf(stretch: Stretch) -> dict[str, JsonLike]:
    salt = keyfiles.text(stretch.salt)
    return {"name": "scrypt", "n": stretch.cost, "r": BLOCK, "p": LANES, "salt": salt}


def parse_file(members: dict[str, JsonValue], path: Path) -> OfficerFile:
    """Return an officer's file, checked for its form; what it says is still anybody's word.

    Raises:
        TrustError: `keys-malformed`, `key-file-costs`.
    """
    on_token = members.get("format") == TOKEN_FORMAT
    if members.get("format") not in {OFFICER_FORMAT, TOKEN_FORMAT}:
        raise keyfiles.malformed(path)
    if set(members) != (_COMMON | _PLACE if on_token else _COMMON):
        raise keyfiles.malformed(path)
    if not all(isinstance(value, str) for name, value in members.items() if name not in {"kdf", "signing"}):
        raise keyfiles.malformed(path)
    person, agency = str(members["person"]), str(members["agency"])
    if not is_agency_id(person) or not is_agency_id(agency):
        raise keyfiles.malformed(path)
    bound = {name: value for name, value in members.items() if name != "sealed"}
    return OfficerFile(
        name=path.name,
        person=person,
        agency=agency,
        signing=_public(members["signing"], path),
        place=TokenPlace(**{name: str(members[name]) for name in _PLACE}) if on_token else None,
        _members=bound,
        _stretch=_stretch(members["kdf"], path),
        _sealed=keyfiles.raw(members["sealed"], path),
    )


def _public(value: JsonValue, path: Path) -> tuple[PublicKey, ...]:
    keys = []
    for item in value if isinstance(value, list) else ():
        match item:
            case {"alg": int(alg), "key": str(key), **rest} if not rest:
                keys.append((alg, keyfiles.raw(key, path)))
            case _:
                raise keyfiles.malformed(path)
    if tuple(alg for alg, _ in keys) != SIGNATURE_SET:
        raise keyfiles.malformed(path)
    try:
        return tuple(PublicKey.of(alg, key) for alg, key in keys)
    except SealError:
        raise keyfiles.malformed(path) from None


def _stretch(value: JsonValue, path: Path) -> Stretch:
    match value:
        case {"n": int(cost), "salt": str(salt)}:
            pass
        case _:
            raise keyfiles.malformed(path)
    # Judged before anything is computed: what stands here decides how long a guess takes, and how much memory.
    try:
        stretch = Stretch(cost=cost, salt=keyfiles.raw(salt, path))
    except SealError:
        raise _costs(path) from None
    if canonical_json(value) != canonical_json(_kdf(stretch)):
        raise _costs(path)
    return stretch


def _costs(path: Path) -> TrustError:
    return TrustError("key-file-costs", f"`{path.name}` makes a guess at its passphrase too cheap or too large")
