"""A proposed release on its way between two officers: what its author signed, and the preview that both have seen.

The author signs a draft that names the preview's hash; the approver, a person of another agency, signs the draft's
hash. A proposal is a file: it holds no secret, and whoever changes a byte of it has no proposal any more.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from broker.seal import SealError, cbor, encrypt_release, sign_document
from broker.seal.document import MAX_DOCUMENT
from broker.trust import Accepted, OfficerKeys, TrustError, TrustStore, endorse
from broker.trust.emergency import check_rested
from broker.trust.release import (
    Conditions,
    Release,
    ReleaseType,
    check_follows,
    read_draft,
    read_release,
    release_payload,
)
from broker.trust.root import Root

PROPOSAL_FORMAT: Final = "tearline proposal/1"
_MAX_PROPOSAL: Final = MAX_DOCUMENT + 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """`document` is the draft with whatever signatures it has; `preview` the canonical JSON that was shown."""

    document: bytes
    preview: bytes

    def encode(self) -> bytes:
        return cbor.encode({1: PROPOSAL_FORMAT, 2: self.document, 3: self.preview})

    @classmethod
    def decode(cls, raw: bytes) -> Proposal:
        """Read a proposal's file; nothing in it is verified yet.

        Raises:
            TrustError: `not-a-proposal`.
        """
        try:
            fields = cbor.decode(raw, limit=_MAX_PROPOSAL, code="document-shape")
        except SealError as error:
            raise TrustError("not-a-proposal", "this file is not a proposal") from error
        match fields:
            case {1: str(form), 2: bytes(document), 3: bytes(preview)} if len(fields) == 3 and form == PROPOSAL_FORMAT:  # noqa: PLR2004
                return cls(document=document, preview=preview)
            case _:
                raise TrustError("not-a-proposal", "this file is not a proposal of this version")


def draft(
    release_type: ReleaseType,
    content: cbor.Cbor,
    *,
    store: TrustStore,
    author: OfficerKeys,
    preview: bytes,
    conditions: Conditions,
    created: datetime,
    expires: datetime,
) -> Proposal:
    """Sign the next release of a chain as its author; the preview's hash goes into what is signed.

    Raises:
        TrustError: `no-root`, `bad-signature` for an author who is no officer of this exchange.
    """
    root = _root(store)
    payload = release_payload(
        release_type,
        content,
        root=root,
        previous=store.staged(release_type),
        created=created,
        expires=expires,
        conditions=replace(conditions, preview=hashlib.sha256(preview).digest()),
    )
    document = sign_document(payload, [author.signing], release_type)
    read_draft(document, root)
    return Proposal(document=document, preview=preview)


def examine(proposal: Proposal, store: TrustStore) -> Release:
    """Verify a proposal against the folder of releases: it can still be approved, and its preview is the signed one.

    Raises:
        TrustError: those of `read_draft`; `proposal-overtaken` when another release came meanwhile;
            `preview-differs`.
    """
    release = read_draft(proposal.document, _root(store))
    try:
        check_follows(release, store.staged(release.type))
    except TrustError as error:
        raise TrustError("proposal-overtaken", f"it cannot be approved any more: {error}") from error
    if hashlib.sha256(proposal.preview).digest() != release.preview:
        raise TrustError("preview-differs", "the preview in this file is not the one that its author signed")
    return release


def approve(proposal: Proposal, *, store: TrustStore, approver: OfficerKeys) -> Proposal:
    """Return the proposal with the approver's signature.

    Raises:
        TrustError: those of `examine`; `own-proposal` for a person who signed it already, `too-few-agencies` for one
            of the author's agency, `bad-signature` for one who is no officer of this exchange.
    """
    release = examine(proposal, store)
    root = _root(store)
    if approver.person in release.signers:
        raise TrustError("own-proposal", f"`{approver.person}` signed this already; another person approves it")
    signed = replace(proposal, document=endorse(proposal.document, release.type, approver.signing))
    if not read_draft(signed.document, root).confirmed:
        raise TrustError("too-few-agencies", f"author and approver are both of {approver.agency}")
    return signed


def release(proposal: Proposal, *, store: TrustStore, now: datetime) -> Accepted:
    """Put an approved proposal into the folder of releases, where the hub finds it.

    Raises:
        TrustError: as a gateway would refuse it; `emergency-prolonged` for an emergency that no gateway would put in
            force.
    """
    signed = read_release(proposal.document, _root(store))
    if not signed.confirmed:
        check_rested(signed, lambda number: store.release("rules", number))
    accepted = store.offer(encrypt_release(_root(store).fingerprint, proposal.document), now=now)
    if accepted is None:
        raise TrustError("proposal-overtaken", "this release is in the folder already")
    return accepted


def confirm(number: int, *, store: TrustStore, approver: OfficerKeys, now: datetime) -> Accepted:
    """Sign an emergency as its second officer, so that it does not lapse.

    Raises:
        TrustError: `no-emergency`, `emergency-lapsed`, `own-proposal`, `too-few-agencies`.
    """
    rules = store.rules_at(number)
    if rules is None or rules.release.lapses is None or rules.release.confirmed:
        raise TrustError("no-emergency", f"rules {number} is no emergency that waits for a second officer")
    if rules.release.lapsed(now):
        # What was decided meanwhile, without it, would be refused by those who hear of the confirmation first.
        raise TrustError("emergency-lapsed", f"rules {number} lapsed; its rules can be proposed like any others")
    if approver.person in rules.release.signers:
        raise TrustError("own-proposal", f"`{approver.person}` signed this already; another person confirms it")
    document = endorse(store.document("rules", number), "rules", approver.signing)
    if not read_draft(document, _root(store)).confirmed:
        raise TrustError("too-few-agencies", "the second officer is of another agency than the first")
    accepted = store.offer(encrypt_release(_root(store).fingerprint, document), now=now)
    if accepted is None:
        raise TrustError("no-emergency", f"rules {number} is confirmed already")
    return accepted


def _root(store: TrustStore) -> Root:
    if store.root is None:
        raise TrustError("no-root", "there is no root in this folder of releases")
    return store.root
