"""One release of the directory or the rules: numbered, chained by hash, and signed by two persons of two agencies.

Pure: what a release says and whether it may follow another. Keeping them is the `TrustStore`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias, cast

from broker.seal import SealError, cbor, fingerprint, unverified_payload, verify_document
from broker.seal.document import MAX_DOCUMENT
from broker.trust.errors import TrustError
from broker.trust.root import THRESHOLD, Root

ReleaseType: TypeAlias = Literal["directory", "rules"]

RELEASE_FORMAT: Final = "tearline release/1"
TYPES: Final = ("directory", "rules")
#: What the first release of a chain names as its predecessor.
NO_HASH: Final = bytes(32)
_FIELDS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A verified release. `hash` is the SHA-256 of its signed bytes, what manifests and successors name."""

    type: ReleaseType
    number: int
    previous: bytes
    created: datetime
    expires: datetime
    content: cbor.Cbor
    hash: bytes
    signers: tuple[str, ...]


def release_payload(
    release_type: ReleaseType,
    content: cbor.Cbor,
    *,
    root: Root,
    previous: Release | None,
    created: datetime,
    expires: datetime,
) -> bytes:
    """Return the bytes that officers sign for the release after `previous`."""
    return cbor.encode(
        {
            1: RELEASE_FORMAT,
            2: release_type,
            3: 1 if previous is None else previous.number + 1,
            4: NO_HASH if previous is None else previous.hash,
            5: int(created.timestamp()),
            6: int(expires.timestamp()),
            7: root.fingerprint,
            8: content,
        }
    )


def read_release(document: bytes, root: Root) -> Release:
    """Verify a release's signatures and form; whether its number is the next one is for `check_follows`.

    1. It is a signed document at all.
    2. Its type is a release's, so that the signatures can be checked for that purpose and no other. Read by hand: the
       payload is decoded only after step 4.
    3. Every signature belongs to an officer of this root and verifies.
    4. The signers are at least two persons of at least two agencies.
    5. Its fields are complete, and it belongs to this root.

    Raises:
        TrustError: `not-a-release`, `bad-signature`, `too-few-persons`, `too-few-agencies`, `other-exchange`.
    """
    try:
        payload = unverified_payload(document)  # 1
    except SealError as error:
        raise TrustError("not-a-release", "not a signed document") from error
    release_type = _type(payload)  # 2
    try:
        payload, names = verify_document(document, root.keyring(), release_type)  # 3
    except SealError as error:
        raise TrustError("bad-signature", f"a signature does not verify ({error.code})") from error
    officers = root.signers(names)
    persons = {officer.person for officer in officers}
    if len(persons) < THRESHOLD:  # 4
        raise TrustError("too-few-persons", f"{len(persons)} of {THRESHOLD} persons signed")
    if len({officer.agency for officer in officers}) < THRESHOLD:
        raise TrustError("too-few-agencies", "the persons who signed are of one agency")
    return _read(payload, root, tuple(sorted(persons)))  # 5


def check_follows(release: Release, head: Release | None) -> None:
    """Refuse a release that is not the very next one after `head`.

    Raises:
        TrustError: `rollback` for a smaller number, `equivocation` for the same number with another content,
            `skipped-number` for a later one (an attacker who could jump would exhaust the numbers), `fork` when it
            follows another release than ours.
    """
    number, previous = (0, NO_HASH) if head is None else (head.number, head.hash)
    if release.number < number:
        raise TrustError("rollback", f"{release.type} {release.number} is older than {number}, which is in force")
    if release.number == number:
        raise TrustError("equivocation", f"{release.type} {number} exists twice, with different content")
    if release.number > number + 1:
        raise TrustError("skipped-number", f"{release.type} {release.number} came before {number + 1}")
    if release.previous != previous:
        raise TrustError("fork", f"{release.type} {release.number} does not follow the {number} that is known here")


def _type(payload: bytes) -> ReleaseType:
    """Read the type by hand: nobody vouches for these bytes yet, and a general decoder works as hard as they please."""
    reader = cbor.Reader(payload, "document-shape")
    try:
        reader.literal(cbor.head(cbor.MAP, _FIELDS) + b"\x01" + cbor.tstr(RELEASE_FORMAT) + b"\x02")
        release_type = reader.tstr(max(map(len, TYPES)))
    except SealError as error:
        raise TrustError("not-a-release", "not a release of this version") from error
    if release_type not in TYPES:
        raise TrustError("not-a-release", "not a release of this version")
    return cast("ReleaseType", release_type)


def _read(payload: bytes, root: Root, signers: tuple[str, ...]) -> Release:
    """Decode what the signers vouch for."""
    try:
        fields = cbor.decode(payload, limit=MAX_DOCUMENT, code="document-shape")
    except SealError as error:
        raise TrustError("not-a-release", "not strict CBOR") from error
    match fields:
        case {3: int(number), 4: bytes(previous), 5: int(created), 6: int(expires), 7: str(origin), 8: content}:
            pass
        case _:
            raise TrustError("not-a-release", "a field is missing or of another type")
    if len(fields) != _FIELDS or number < 1 or len(previous) != len(NO_HASH):
        raise TrustError("not-a-release", "a field is surplus or out of range")
    if origin != root.fingerprint:
        raise TrustError("other-exchange", "the release belongs to another exchange")
    try:
        times = datetime.fromtimestamp(created, tz=UTC), datetime.fromtimestamp(expires, tz=UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise TrustError("not-a-release", "no such time") from error
    return Release(
        type=cast("ReleaseType", fields[2]),
        number=number,
        previous=previous,
        created=times[0],
        expires=times[1],
        content=content,
        hash=bytes.fromhex(fingerprint(payload).partition(":")[2]),
        signers=signers,
    )
