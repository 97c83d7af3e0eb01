"""The recipient's own judgement of what arrived: would the rules have shared *this* portion with *me*?

A sender's gateway may be broken or bought. So each recipient decides again, under the release the manifest names, from
the portion it now holds and its own copy of the directory, and holds itself to the stricter of both obligations.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from broker.gateway.clock import to_ms
from broker.gateway.core import Node
from broker.model import (
    MAX_TRANSIT,
    PortionDocument,
    Refusal,
    control_id,
    is_bound,
    is_control_number_of,
    parse_portion_document,
    portion_attributes,
)
from broker.seal import Hold, Manifest, SealError, Unsealed
from broker.store import bulletins, deliveries
from broker.trust import TrustStore
from broker.trust.beat import SKEW
from broker.trust.pulse import CUT_OFF_AFTER
from broker.trust.release import ReleaseType
from policy import Obligations, PolicyError, join_obligations

# What enters a live exchange (DESIGN 5); a bought gateway need not have asked its own border.
LIVE = frozenset({"Actual", "System"})
# References that only the signer of the bulletin referred to may make.
OF_THE_SIGNER = frozenset({"supersedes", "recalls", "purges", "escalates"})
# Kinds that carry no portion. No rule may keep them from somebody who has the bulletin they are about (DESIGN 6), so
# no release decides about them: neither an old one nor one that this gateway lacks.
CONTROLS = frozenset({"recall", "purge", "escalation"})
# A release this far above mine is not one that I am late with.
MAX_AHEAD = 16
# How long a sender that hears nothing may go on by a release after its successor came into force: until it counts as
# cut off. From then on it must not send more than what cannot wait, or harms nobody.
GRACE = CUT_OFF_AFTER + SKEW
# Times travel in whole milliseconds.
ROUNDING = timedelta(seconds=1)
NOT_SHARED = "the rules do not share this portion with this agency"
REPLACED = "decided under a release that had been replaced before, and not among what goes out even then"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rechecked:
    """What a recipient accepted: the bulletin's id and, per part, the document and the obligations in force here."""

    bulletin: UUID
    documents: dict[int, PortionDocument] = field(default_factory=dict)
    obligations: dict[int, Obligations] = field(default_factory=dict)


class Judge:
    """The two callbacks of ``unseal`` for one agency; afterwards ``checked`` holds what they found."""

    def __init__(self, node: Node, agency: str, *, patient: bool = True) -> None:
        """``patient``: releases far ahead of mine may still be on their way (at a start, after a long silence)."""
        self._node = node
        self._agency = agency
        self._patient = patient
        self._checked: Rechecked | None = None
        #: The release it was decided under had been replaced before: set by `releases`.
        self.late = False

    @property
    def agency(self) -> str:
        """Whose judgement it is."""
        return self._agency

    @property
    def checked(self) -> Rechecked:
        """The outcome of ``portions``, which must have passed."""
        if self._checked is None:
            raise RuntimeError  # unseal returned without its last step
        return self._checked

    def releases(self, manifest: Manifest) -> None:
        """Step 14: the manifest's releases are ones this gateway holds, the very same ones, and were in force then.

        Raises:
            Hold: newer than mine.
            SealError: a release this gateway never had, the same number with other content; or a transit life no
                bulletin has.
        """
        if manifest.expires - manifest.created > MAX_TRANSIT + ROUNDING:
            raise SealError("recheck-refused", f"under way for more than {MAX_TRANSIT.days} days")
        if manifest.kind in CONTROLS:
            return
        trust = self._node.trust
        number, digest = manifest.rules
        rules = trust.rules_at(number)
        if rules is None:
            self._hold_if_newer(number, _newest(trust, "rules"), "newer-rules")
            raise SealError("recheck-refused", "decided under a rules release this gateway never had")
        if rules.hash != digest:
            raise SealError("recheck-refused", "decided under a rules release of that number with other content")
        if trust.rules is not None and number < trust.rules.floor:
            raise SealError("rules-floor")
        if trust.directory_at(manifest.directory) is None:
            self._hold_if_newer(manifest.directory, _newest(trust, "directory"), "newer-directory")
            raise SealError("recheck-refused", "decided under a directory this gateway never had")
        force = trust.force
        self.late = _replaced_before(manifest.created, force.replaced("rules", number)) or _replaced_before(
            manifest.created, force.replaced("directory", manifest.directory)
        )

    def hold_if_newer_directory(self, claimed: int | None) -> None:
        """A signer that cannot be verified may only have keys that this gateway has not heard of yet.

        Raises:
            Hold: the (unverified) manifest names a directory newer than mine.
        """
        if claimed is not None:
            self._hold_if_newer(claimed, _newest(self._node.trust, "directory"), "newer-directory")

    def _hold_if_newer(self, claimed: int, mine: int | None, code: str) -> None:
        if mine is None or (claimed > mine and (self._patient or claimed <= mine + MAX_AHEAD)):
            raise Hold(code)

    def portions(self, unsealed: Unsealed) -> None:
        """Step 18: the opened portions are consistent, and the rules share each of them with this agency.

        Raises:
            SealError: ``recheck-refused``.
        """
        self._must_be_its_own(unsealed)
        if bool(unsealed.parts) == (unsealed.manifest.kind in CONTROLS):
            raise SealError("recheck-refused", "portions belong to every kind but recall, purge and escalation")
        if not unsealed.parts:
            self._checked = Rechecked(bulletin=control_id(unsealed.sender, unsealed.header.id))
            return
        documents = {number: _parse(part) for number, part in unsealed.parts.items()}
        first = next(iter(documents.values()))
        for document in documents.values():
            _must_agree(document, first, unsealed)
        self._checked = Rechecked(
            bulletin=first.bulletin, documents=documents, obligations=self._decided(unsealed, documents)
        )

    def _must_be_its_own(self, unsealed: Unsealed) -> None:
        """Only the original signer corrects, recalls, purges or escalates; and no exercise enters a live exchange."""
        if unsealed.manifest.status not in LIVE:
            raise SealError("recheck-refused", "only Actual and System enter a live exchange")
        for reference in unsealed.references:
            if reference.kind in OF_THE_SIGNER and not is_bound(reference.bulletin, unsealed.sender):
                raise SealError("recheck-refused", f"it {reference.kind} a bulletin of another agency")

    def _decided(self, unsealed: Unsealed, documents: dict[int, PortionDocument]) -> dict[int, Obligations]:
        node, manifest = self._node, unsealed.manifest
        rules = node.trust.rules_at(manifest.rules[0])
        directory = node.trust.directory_at(manifest.directory)
        if rules is None or directory is None:
            raise RuntimeError  # step 14 ran before
        decider = node.trust.decider_at(rules.number, directory.number, node.now(), decided=manifest.created)
        me = frozenset({self._agency})
        requester = self._requester(unsealed)
        obligations: dict[int, Obligations] = {}
        for number, document in documents.items():
            attributes = portion_attributes(
                document,
                origin=directory.agencies.get(unsealed.sender, {}),
                named=me if unsealed.terms.named else frozenset(),
                approved=me if unsealed.terms.approved else frozenset(),
                requester=requester,
                vocabulary=rules.vocabulary,
            )
            stated = unsealed.terms.obligations.get(number, {})
            try:
                permitted, mine = decider.admits(attributes, self._agency, cut_off=self.late)
                # The usual case, in which both gateways read the same rules, is told without joining them.
                obligations[number] = mine if stated == mine else join_obligations(rules.vocabulary, stated, mine)
            except PolicyError as error:
                raise SealError("recheck-refused", "terms that the vocabulary does not know") from error
            if not permitted:
                raise SealError("recheck-refused", REPLACED if self.late else NOT_SHARED)
        return obligations

    def _requester(self, unsealed: Unsealed) -> str | None:
        """This agency, if the bulletin answers a question it really asked that agency; otherwise unknown to the rules.

        Raises:
            SealError: a response to a bulletin of this agency that was no question, or not one to that sender.
        """
        response = unsealed.manifest.kind == "response"
        for reference in unsealed.references:
            if reference.kind != "in_reply_to":
                continue
            row = bulletins.find(self._node.store, self._agency, reference.bulletin)
            if row is None or row["role"] != "originator":
                continue
            asked = deliveries.of_bulletin(self._node.store, self._agency, bytes(row["id"]))
            was_asked = any(one["recipient"] == unsealed.sender for one in asked)
            if was_asked and (row["kind"] == "request" or not response):
                return self._agency
            if response:
                raise SealError("recheck-refused", "a response to what this agency never asked that sender")
        return None


def _newest(trust: TrustStore, release_type: ReleaseType) -> int | None:
    head = trust.staged(release_type)
    return None if head is None else head.number


def _parse(part: bytes) -> PortionDocument:
    try:
        return parse_portion_document(part)
    except Refusal as refusal:
        raise SealError("recheck-refused", f"a portion is not a portion document ({refusal.code})") from refusal


def _replaced_before(created: datetime, replaced: datetime | None) -> bool:
    return replaced is not None and replaced + GRACE <= created


def _must_agree(document: PortionDocument, first: PortionDocument, unsealed: Unsealed) -> None:
    manifest = unsealed.manifest
    agrees = (
        document.agency == unsealed.sender
        and document.kind == manifest.kind
        and document.status == manifest.status
        and document.info_class == manifest.retention
        and is_bound(document.bulletin, unsealed.sender)
        and is_control_number_of(document.control_number, unsealed.sender)
        and to_ms(document.created) == to_ms(manifest.created)
        and to_ms(document.expires) == to_ms(manifest.expires)
        # All but the portion itself is the bulletin's, and one bulletin has one product, one deadline, one number.
        and (document is first or replace(document, portion=first.portion) == first)
    )
    if not agrees:
        raise SealError("recheck-refused", "a portion contradicts the manifest it came under")
