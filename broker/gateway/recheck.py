"""The recipient's own judgement of what arrived: would the rules have shared *this* portion with *me*?

A sender's gateway may be broken or bought. So each recipient decides again, under the release the manifest names, from
the portion it now holds and its own copy of the directory, and holds itself to the stricter of both obligations.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from uuid import UUID

from broker.gateway.clock import to_ms
from broker.gateway.core import Node
from broker.model import PortionDocument, Refusal, parse_portion_document, portion_attributes
from broker.seal import Hold, Manifest, SealError, Unsealed
from broker.store import bulletins
from policy import Obligations, join_obligations

# What enters a live exchange (DESIGN 5); a bought gateway need not have asked its own border.
LIVE = frozenset({"Actual", "System"})
# References that only the signer of the bulletin referred to may make.
OF_THE_SIGNER = frozenset({"supersedes", "recalls", "purges", "escalates"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rechecked:
    """What a recipient accepted: the bulletin's id and, per part, the document and the obligations in force here."""

    bulletin: UUID
    documents: dict[int, PortionDocument] = field(default_factory=dict)
    obligations: dict[int, Obligations] = field(default_factory=dict)


class Judge:
    """The two callbacks of ``unseal`` for one agency; afterwards ``checked`` holds what they found."""

    def __init__(self, node: Node, agency: str) -> None:
        self._node = node
        self._agency = agency
        self._checked: Rechecked | None = None

    @property
    def checked(self) -> Rechecked:
        """The outcome of ``portions``, which must have passed."""
        if self._checked is None:
            raise RuntimeError  # unseal returned without its last step
        return self._checked

    def releases(self, manifest: Manifest) -> None:
        """Step 14: the manifest's releases are ones this gateway holds, the very same ones.

        Raises:
            Hold: newer than mine.
            SealError: a release this gateway never had, or the same number with other content.
        """
        trust = self._node.trust
        number, digest = manifest.rules
        rules = trust.rules_at(number)
        if rules is None:
            if trust.rules is None or number > trust.rules.number:
                raise Hold("newer-rules")
            raise SealError("recheck-refused", "decided under a rules release this gateway never had")
        if rules.hash != digest:
            raise SealError("recheck-refused", "decided under a rules release of that number with other content")
        if trust.rules is not None and number < trust.rules.floor:
            raise SealError("rules-floor")
        if trust.directory_at(manifest.directory) is None:
            if trust.directory is None or manifest.directory > trust.directory.number:
                raise Hold("newer-directory")
            raise SealError("recheck-refused", "decided under a directory this gateway never had")

    def portions(self, unsealed: Unsealed) -> None:
        """Step 18: the opened portions are consistent, and the rules share each of them with this agency.

        Raises:
            SealError: ``recheck-refused``.
        """
        self._must_be_its_own(unsealed)
        if not unsealed.parts:
            self._checked = Rechecked(bulletin=UUID(bytes=unsealed.header.id))
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
            if reference.kind in OF_THE_SIGNER:
                row = bulletins.find(self._node.store, self._agency, reference.bulletin)
                if row is not None and row["sender"] != unsealed.sender:
                    raise SealError("recheck-refused", f"it {reference.kind} a bulletin of another agency")

    def _decided(self, unsealed: Unsealed, documents: dict[int, PortionDocument]) -> dict[int, Obligations]:
        node, manifest = self._node, unsealed.manifest
        rules = node.trust.rules_at(manifest.rules[0])
        directory = node.trust.directory_at(manifest.directory)
        if rules is None or directory is None:
            raise RuntimeError  # step 14 ran before
        decider = node.trust.decider_at(rules.number, directory.number, node.now())
        me = frozenset({self._agency})
        obligations: dict[int, Obligations] = {}
        for number, document in documents.items():
            attributes = portion_attributes(
                document,
                origin=directory.agencies.get(unsealed.sender, {}),
                named=me if unsealed.terms.named else frozenset(),
                approved=me if unsealed.terms.approved else frozenset(),
                requester=self._requester(unsealed),
                vocabulary=rules.vocabulary,
            )
            permitted, mine = decider.admits(attributes, self._agency)
            if not permitted:
                raise SealError("recheck-refused", "the rules do not share this portion with this agency")
            stated = unsealed.terms.obligations.get(number, {})
            obligations[number] = join_obligations(rules.vocabulary, stated, mine)
        return obligations

    def _requester(self, unsealed: Unsealed) -> str | None:
        """This agency, if the bulletin answers a question it really asked; otherwise unknown to the rules."""
        for reference in unsealed.references:
            if reference.kind == "in_reply_to":
                row = bulletins.find(self._node.store, self._agency, reference.bulletin)
                if row is not None and row["role"] == "originator":
                    return self._agency
        return None


def _parse(part: bytes) -> PortionDocument:
    try:
        return parse_portion_document(part)
    except Refusal as refusal:
        raise SealError("recheck-refused", f"a portion is not a portion document ({refusal.code})") from refusal


def _must_agree(document: PortionDocument, first: PortionDocument, unsealed: Unsealed) -> None:
    manifest = unsealed.manifest
    agrees = (
        document.agency == unsealed.sender
        and document.kind == manifest.kind
        and document.status == manifest.status
        and document.info_class == manifest.retention
        and to_ms(document.created) == to_ms(manifest.created)
        and to_ms(document.expires) == to_ms(manifest.expires)
        # All but the portion itself is the bulletin's, and one bulletin has one product, one deadline, one number.
        and replace(document, portion=first.portion) == first
    )
    if not agrees:
        raise SealError("recheck-refused", "a portion contradicts the manifest it came under")
