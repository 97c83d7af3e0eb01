"""Officers' keys: files that a passphrase opens, whose public halves anyone may read who may read the file.

An officer whose Ed25519 key is on a token has a file of the same kind: it names the token, and its passphrase opens the
post-quantum half. What speaks with the token is `broker.officer.token`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

from broker.model.written import write_time
from broker.seal import SIGNATURE_SET, Signer, SigningKeys
from broker.trust import keyfiles
from broker.trust.errors import TrustError
from broker.trust.files import create_private, replace_private
from broker.trust.keys import Random
from broker.trust.officerfiles import (
    OFFICER_FORMAT,
    TOKEN_FORMAT,
    OfficerFile,
    TokenPlace,
    open_members,
    parse_file,
    sealed_document,
)

#: Asks a person for a secret: what it is the secret of, in words.
Ask: TypeAlias = Callable[[str], str]

#: Seeds in the clear: only the published example keys, whose seeds everybody has.
EXAMPLE_FORMAT: Final = "tearline officer keys 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficerKeys:
    """One person of the exchange authority. A person may hold several key files and still counts once.

    Raises:
        TrustError: `keys-malformed` for a signer that lacks a key of the set.
    """

    person: str
    agency: str
    signing: Signer

    def __post_init__(self) -> None:
        if tuple(key.alg for key in self.signing.public) != SIGNATURE_SET:
            raise TrustError("keys-malformed", "an officer signs with every key of the signature set")


def new_officer_keys(person: str, agency: str, *, random: Random = os.urandom) -> OfficerKeys:
    keyfiles.require_id(person)
    keyfiles.require_id(agency)
    return OfficerKeys(person=person, agency=agency, signing=SigningKeys.generate(random))


def write_officer_keys(
    keys: OfficerKeys, path: Path, *, passphrase: str, created: datetime, random: Random = os.urandom
) -> None:
    """Write a new key file under a passphrase, mode 0600.

    Raises:
        TrustError: `keys-exist`, `weak-passphrase`; `keys-on-token` for keys whose seeds nobody has.
    """
    if not isinstance(keys.signing, SigningKeys):
        raise TrustError("keys-on-token", "these keys are on a token and cannot be written to a file")
    members = open_members(OFFICER_FORMAT, keys.person, keys.agency, keys.signing.public, created=created)
    create_private(path, sealed_document(members, b"".join(keys.signing.seeds), passphrase, random))


def write_token_file(
    keys: OfficerKeys,
    path: Path,
    *,
    place: TokenPlace,
    seed: bytes,
    passphrase: str,
    created: datetime,
    random: Random = os.urandom,
) -> None:
    """Write the file of an officer with a token: where the token's key is, and the seed of the other half, sealed.

    Raises:
        TrustError: `keys-exist`, `weak-passphrase`.
    """
    members = open_members(TOKEN_FORMAT, keys.person, keys.agency, keys.signing.public, created=created)
    members |= {"module": place.module, "token": place.token, "key": place.key}
    create_private(path, sealed_document(members, seed, passphrase, random))


def example_document(person: str, agency: str, signing: SigningKeys, *, created: datetime) -> bytes:
    """Return the bytes of a published example: its seeds in the clear."""
    return keyfiles.document(
        {
            "format": EXAMPLE_FORMAT,
            "person": person,
            "agency": agency,
            "created": write_time(created),
            "signing": keyfiles.signing_seeds(signing),
        }
    )


def load_officer_keys(path: Path, *, ask: Ask | None = None, allow_example: bool = False) -> OfficerKeys:
    """Read an officer's key file, asking for its passphrase.

    Raises:
        TrustError: `keys-missing`, `keys-too-open`, `keys-malformed`, `key-reused`, `key-file-costs`, `example-keys`;
            `wrong-passphrase`, `no-passphrase`; `plain-keys` for seeds in the clear that are no example;
            `keys-on-token` for the file of an officer with a token.
    """
    members = keyfiles.fields(path)
    if members.get("format") == EXAMPLE_FORMAT:
        return _load_example(path, allow_example=allow_example)
    file = parse_file(members, path)
    keyfiles.refuse_examples([key.key for key in file.signing], path, allow_example=allow_example)
    if file.place is not None:
        raise TrustError("keys-on-token", f"the keys of `{path.name}` are on a token; it is needed too")
    if ask is None:
        raise TrustError("no-passphrase", f"`{path.name}` needs its passphrase")
    secret = file.unseal(ask(file.question))
    if len(secret) != 2 * keyfiles.SEED_SIZE:
        raise keyfiles.malformed(path)
    seeds = secret[: keyfiles.SEED_SIZE], secret[keyfiles.SEED_SIZE :]
    keyfiles.require_distinct(seeds, path)
    signing = SigningKeys.from_seeds(ed25519=seeds[0], mldsa65=seeds[1])
    if signing.public != file.signing:
        raise keyfiles.malformed(path)
    return OfficerKeys(person=file.person, agency=file.agency, signing=signing)


def read_officer_file(path: Path) -> OfficerFile:
    """Read what needs no passphrase: who it is, and the public halves.

    Raises:
        TrustError: `keys-missing`, `keys-too-open`, `keys-malformed`; `plain-keys` for seeds in the clear.
    """
    members = keyfiles.fields(path)
    if members.get("format") == EXAMPLE_FORMAT:
        raise _plain(path)
    return parse_file(members, path)


def on_token(path: Path) -> bool:
    """Whether this is the file of an officer with a token.

    Raises:
        TrustError: `keys-missing`, `keys-too-open`, `keys-malformed`.
    """
    return keyfiles.fields(path).get("format") == TOKEN_FORMAT


def change_passphrase(path: Path, *, old: Ask, new: Ask) -> OfficerFile:
    """Seal an officer's file under another passphrase, at one stroke; its keys stay the same.

    Raises:
        TrustError: as `read_officer_file`; `wrong-passphrase`, `weak-passphrase`.
    """
    file = read_officer_file(path)
    secret = file.unseal(old(file.question))
    replace_private(path, file.resealed(secret, new(f"new {file.question}")))
    return file


def _load_example(path: Path, *, allow_example: bool) -> OfficerKeys:
    members = keyfiles.fields_of(path, EXAMPLE_FORMAT, {"person", "agency", "signing"})
    person, agency = members["person"], members["agency"]
    if not isinstance(person, str) or not isinstance(agency, str):
        raise keyfiles.malformed(path)
    signing = keyfiles.signing(members["signing"], path)
    publics = [key.key for key in signing.public]
    keyfiles.refuse_examples(publics, path, allow_example=allow_example)
    if not all(keyfiles.is_example([public]) for public in publics):
        raise _plain(path)
    return OfficerKeys(person=person, agency=agency, signing=signing)


def _plain(path: Path) -> TrustError:
    return TrustError("plain-keys", f"`{path.name}` holds an officer's keys in the clear; make new ones")
