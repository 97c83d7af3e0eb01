"""One release of the directory, the rules or a trial of rules: numbered, chained by hash, signed by two persons.

The two are of different agencies, and what they sign names the preview that they saw. One officer alone may sign an
*emergency*: a release of the rules that says when it lapses (`broker.trust.emergency` says what it may contain).

Pure: what a release says and whether it may follow another. Keeping them is the `TrustStore`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

from broker.seal import SealError, cbor, fingerprint, unverified_payload
from broker.seal.document import MAX_DOCUMENT
from broker.trust.endorsement import endorsers, split
from broker.trust.errors import TrustError
from broker.trust.root import THRESHOLD, Officer, Root

ReleaseType: TypeAlias = Literal["directory", "rules", "trial"]

RELEASE_FORMAT: Final = "tearline release/1"
TYPES: Final[tuple[ReleaseType, ...]] = ("directory", "rules", "trial")
#: What the first release of a chain names as its predecessor, and as its preview: there was nothing to compare with.
NO_HASH: Final = bytes(32)
#: An emergency ends by itself unless a second officer signs it, too.
EMERGENCY_VALID: Final = timedelta(hours=24)
ALL: Final = 100
_MAX_FAILING: Final = 2000
_FIELDS: Final = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A verified release.

    Attributes:
        hash: SHA-256 of its signed bytes, what manifests, beats and successors name.
        preview: SHA-256 of the preview that its signers saw.
        quorum: how many in a hundred of the gateways must be ready before it comes into force.
        basis: number of the earlier release that it repeats (a rollback) or adds to (an emergency); 0 otherwise.
        lapses: when an emergency ends unless it is confirmed; None for every other release.
        failing: names of the cases that the officers know will fail under it: a suspension breaks those that are about
            the suspended. Gateways are ready all the same.
        confirmed: two persons of two agencies signed it.
    """

    type: ReleaseType
    number: int
    previous: bytes
    created: datetime
    expires: datetime
    content: cbor.Cbor
    hash: bytes
    signers: tuple[str, ...]
    preview: bytes
    quorum: int
    basis: int
    lapses: datetime | None
    failing: frozenset[str]
    confirmed: bool

    def lapsed(self, at: datetime) -> bool:
        """Tell whether it was an emergency that nobody confirmed in time."""
        return not self.confirmed and self.lapses is not None and self.lapses <= at


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What officers sign beside the content; the meanings are those of `Release`'s attributes."""

    preview: bytes = NO_HASH
    quorum: int = ALL
    basis: int = 0
    lapses: datetime | None = None
    failing: frozenset[str] = frozenset()


#: Of the first release of a chain.
FIRST: Final = Conditions()


def release_payload(
    release_type: ReleaseType,
    content: cbor.Cbor,
    *,
    root: Root,
    previous: Release | None,
    created: datetime,
    expires: datetime,
    conditions: Conditions,
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
            9: conditions.preview,
            10: conditions.quorum,
            11: conditions.basis,
            12: 0 if conditions.lapses is None else int(conditions.lapses.timestamp()),
            13: sorted(conditions.failing),
        }
    )


def read_draft(document: bytes, root: Root) -> Release:
    """Verify what an officer proposes: the first four steps of `read_release`, whoever and however many signed it.

    Raises:
        TrustError: as `read_release`, except for too few signers.
    """
    try:
        signed, endorsements = split(document)
        payload = unverified_payload(signed)  # 1
    except SealError as error:
        raise TrustError("not-a-release", "not a signed document") from error
    release_type = _type(payload)  # 2
    payload, names = root.verify(signed, release_type)  # 3
    officers = (*root.signers(names), *endorsers(endorsements, release_type, payload, root))
    release = _read(payload, root, officers)  # 4
    if release.number > 1 and release.preview == NO_HASH:
        raise TrustError("no-preview", "nobody saw a preview of this release")
    return release


def read_release(document: bytes, root: Root) -> Release:
    """Verify a release's signatures and form; whether its number is the next one is for `check_follows`.

    1. It is a signed document at all.
    2. Its type is a release's, so that the signatures can be checked for that purpose and no other. Read by hand: the
       payload is decoded only after step 3.
    3. Every signature and every endorsement belongs to an officer of this root and verifies.
    4. Its fields are complete, it belongs to this root, and only a first release has no preview.
    5. The signers are at least two persons of at least two agencies; one is enough for an emergency of the rules.

    Raises:
        TrustError: `not-a-release`, `bad-signature`, `wrong-role`, `other-endorsement`, `other-exchange`,
            `too-few-persons`, `too-few-agencies`, `no-preview`.
    """
    release = read_draft(document, root)  # 1 to 4
    if release.lapses is None and not release.confirmed:  # 5
        if len(release.signers) < THRESHOLD:
            raise TrustError("too-few-persons", f"{len(release.signers)} of {THRESHOLD} persons signed")
        raise TrustError("too-few-agencies", "the persons who signed are of one agency")
    return release


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
    return release_type


def _read(payload: bytes, root: Root, officers: tuple[Officer, ...]) -> Release:
    """Decode what the signers vouch for."""
    try:
        fields = cbor.decode(payload, limit=MAX_DOCUMENT, code="document-shape")
    except SealError as error:
        raise TrustError("not-a-release", "not strict CBOR") from error
    match fields:
        case {
            3: int(number), 4: bytes(previous), 5: int(created), 6: int(expires), 7: str(origin), 8: content,
            9: bytes(preview), 10: int(quorum), 11: int(basis), 12: int(lapses), 13: list(failing),
        }:  # fmt: skip
            pass
        case _:
            raise TrustError("not-a-release", "a field is missing or of another type")
    if len(fields) != _FIELDS or number < 1 or len(previous) != len(NO_HASH) or len(preview) != len(NO_HASH):
        raise TrustError("not-a-release", "a field is surplus or out of range")
    if not 0 < quorum <= ALL or not 0 <= basis < number:
        raise TrustError("not-a-release", "the quorum or the basis is out of range")
    if len(failing) > _MAX_FAILING or not all(isinstance(name, str) for name in failing):
        raise TrustError("not-a-release", "the failing cases are not a list of names")
    if origin != root.fingerprint:
        raise TrustError("other-exchange", "the release belongs to another exchange")
    release_type: ReleaseType = fields[2]
    made, ends = _time(created), _time(expires)
    if lapses and not (release_type == "rules" and basis and made < _time(lapses) <= made + EMERGENCY_VALID):
        raise TrustError("not-a-release", "an emergency adds to rules and lapses within a day")
    return Release(
        type=release_type,
        number=number,
        previous=previous,
        created=made,
        expires=ends,
        content=content,
        hash=bytes.fromhex(fingerprint(payload).partition(":")[2]),
        signers=tuple(sorted({officer.person for officer in officers})),
        preview=preview,
        quorum=quorum,
        basis=basis,
        lapses=_time(lapses) if lapses else None,
        failing=frozenset(failing),
        confirmed=enough(officers),
    )


def enough(officers: Iterable[Officer]) -> bool:
    """Tell whether these are two persons of two agencies; two keys of one person are one person."""
    signed = list(officers)
    persons, agencies = {one.person for one in signed}, {one.agency for one in signed}
    return len(persons) >= THRESHOLD and len(agencies) >= THRESHOLD


def _time(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise TrustError("not-a-release", "no such time") from error
