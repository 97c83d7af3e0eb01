"""A later signature on a release: officers who approve sign at another desk and another hour than its author.

A COSE_Sign names its whole signature set in what is signed, so nobody can be added to it. An approver therefore signs
the release's hash in a document of their own, and both travel together: `[release, [endorsement, …]]`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from broker.seal import SealError, Signer, cbor, fingerprint, sign_document, unverified_payload
from broker.seal.document import MAX_DOCUMENT
from broker.trust.errors import TrustError
from broker.trust.root import Officer, Root

ENDORSEMENT_FORMAT: Final = "tearline endorsement/1"
MAX_ENDORSEMENTS: Final = 8
_MAX_ENDORSEMENT: Final = 32 * 1024
_ENDORSED: Final = cbor.head(cbor.ARRAY, 2)


def split(document: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """Return the release as its author signed it, and the endorsements that came with it; nothing is verified.

    Raises:
        TrustError: `not-a-release`.
    """
    if not document.startswith(_ENDORSED):
        return document, ()
    reader = cbor.Reader(document, "document-shape")
    try:
        reader.literal(_ENDORSED)
        release = reader.bstr(MAX_DOCUMENT)
        count = reader.array(1, MAX_ENDORSEMENTS)
        endorsements = tuple(reader.bstr(_MAX_ENDORSEMENT) for _ in range(count))
        reader.end()
    except SealError as error:
        raise TrustError("not-a-release", "not a signed document") from error
    return release, endorsements


def endorse(document: bytes, release_type: str, signer: Signer) -> bytes:
    """Return the release with one more signature, by an officer who approves it.

    Raises:
        TrustError: `not-a-release`.
    """
    release, endorsements = split(document)
    try:
        payload = _payload(fingerprint(unverified_payload(release)))
    except SealError as error:
        raise TrustError("not-a-release", "not a signed document") from error
    added = sign_document(payload, [signer], _context(release_type))
    return cbor.encode([release, [*endorsements, added]])


def endorsers(endorsements: tuple[bytes, ...], release_type: str, payload: bytes, root: Root) -> Iterator[Officer]:
    """Verify endorsements of a release; yield the officers.

    Raises:
        TrustError: `bad-signature`, `wrong-role`, or `other-endorsement` for one of another release.
    """
    expected = _payload(fingerprint(payload))
    for endorsement in endorsements:
        signed, names = root.verify(endorsement, _context(release_type))
        if signed != expected:
            raise TrustError("other-endorsement", "an endorsement is of another release")
        yield from root.signers(names)


def _payload(digest: str) -> bytes:
    return cbor.encode({1: ENDORSEMENT_FORMAT, 2: digest})


def _context(release_type: str) -> str:
    return f"{release_type} endorsement"
