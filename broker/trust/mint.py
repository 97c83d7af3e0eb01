"""What officers do: found an exchange, and sign the next release of its directory or its rules.

Nothing here is needed on a gateway's path. What is minted is read back by the very functions that gateways use, so
that no release is signed that they would refuse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from broker.seal import PublicKey, cbor, encrypt_release, sign_document
from broker.trust.directory import Directory, Entry, directory_content, read_directory
from broker.trust.errors import TrustError
from broker.trust.officers import OfficerKeys
from broker.trust.release import FIRST, Conditions, Release, ReleaseType, read_release, release_payload
from broker.trust.root import ROOT_CONTEXT, Officer, Root, read_root, root_payload
from broker.trust.rules import Rules, read_rules, rules_content
from policy import PolicyError, Vocabulary, check_agency

#: wire.md section 3: how long each is good for; freezing a member longer than this does not go unnoticed.
ROOT_VALID: Final = timedelta(days=365)
DIRECTORY_VALID: Final = timedelta(days=30)
RULES_VALID: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class MintedRoot:
    """A new root: `sealed` is what travels, `root.fingerprint` is what members are given by hand."""

    root: Root
    document: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """A signed release: `sealed` is what travels."""

    release: Release
    document: bytes
    sealed: bytes


def mint_root(
    name: str,
    officers: Sequence[OfficerKeys],
    *,
    beats: Sequence[tuple[PublicKey, ...]],
    created: datetime,
    expires: datetime | None = None,
) -> MintedRoot:
    """Found an exchange: every officer signs who the officers are, and which key (or two) beats.

    Raises:
        TrustError: `root-invalid`, for instance with officers of one agency only.
    """
    listed = [Officer(person=keys.person, agency=keys.agency, signing=keys.signing.public) for keys in officers]
    payload = root_payload(name, listed, beats, created=created, expires=expires or created + ROOT_VALID)
    document = sign_document(payload, [keys.signing for keys in officers], ROOT_CONTEXT)
    root = read_root(document, expected=None)
    return MintedRoot(root=root, document=document, sealed=encrypt_release(root.fingerprint, document))


def mint_release(
    release_type: ReleaseType,
    content: cbor.Cbor,
    *,
    root: Root,
    previous: Release | None,
    officers: Sequence[OfficerKeys],
    created: datetime,
    expires: datetime,
    conditions: Conditions = FIRST,
) -> Minted:
    """Sign the release after `previous` (None for the first).

    Raises:
        TrustError: `too-few-persons`, `too-few-agencies`, `bad-signature` (an officer who is not in the root),
            `no-preview`, `directory-invalid`, `rules-invalid`.
    """
    payload = release_payload(
        release_type, content, root=root, previous=previous, created=created, expires=expires, conditions=conditions
    )
    document = sign_document(payload, [keys.signing for keys in officers], release_type)
    release = read_release(document, root)
    if release_type == "directory":
        read_directory(release)
    else:
        read_rules(release)
    return Minted(release=release, document=document, sealed=encrypt_release(root.fingerprint, document))


def mint_directory(
    entries: Iterable[Entry],
    gateways: Mapping[str, str],
    *,
    root: Root,
    previous: Directory | None,
    officers: Sequence[OfficerKeys],
    created: datetime,
    expires: datetime | None = None,
    vocabulary: Vocabulary | None = None,
    conditions: Conditions = FIRST,
) -> Minted:
    """Sign the next directory: all of its entries, and every gateway's NATS public key.

    With a vocabulary, every attribute is checked to be one that the rules understand.

    Raises:
        TrustError: as `mint_release`; `directory-invalid` also for what the vocabulary does not know.
    """
    listed = list(entries)
    if vocabulary is not None:
        for entry in listed:
            try:
                check_agency(entry.agency, entry.attributes, vocabulary)
            except PolicyError as error:
                raise TrustError("directory-invalid", f"the directory is refused: {error}") from error
    return mint_release(
        "directory",
        directory_content(listed, gateways),
        root=root,
        previous=None if previous is None else previous.release,
        officers=officers,
        created=created,
        expires=expires or created + DIRECTORY_VALID,
        conditions=conditions,
    )


def mint_rules(
    vocabulary_text: str,
    rules_text: str,
    *,
    root: Root,
    previous: Rules | None,
    officers: Sequence[OfficerKeys],
    created: datetime,
    expires: datetime | None = None,
    floor: int = 0,
    conditions: Conditions = FIRST,
) -> Minted:
    """Sign the next rules.

    Raises:
        TrustError: as `mint_release`.
    """
    return mint_release(
        "rules",
        rules_content(vocabulary_text, rules_text, floor=floor),
        root=root,
        previous=None if previous is None else previous.release,
        officers=officers,
        created=created,
        expires=expires or created + RULES_VALID,
        conditions=conditions,
    )
