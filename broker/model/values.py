"""The bulletin as frozen values. Nothing here has a default: `None` means that the originator did not say.

Parsing is in `parse`, what travels is in `portions`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime
from uuid import UUID

from typing_extensions import override

from broker.model.strictjson import JsonLike
from broker.model.words import Kind, Precedence, Status, Tlp, strictest
from broker.model.written import write_submission, write_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Marking:
    """How one text must be handled: FIRST TLP 2.0, CUI categories, limited dissemination controls, caveats.

    Classification is not a field: only unclassified text exists here. The sets are `None` when the originator did
    not state them, which the rules treat as unknown and therefore as blocking.
    """

    tlp: Tlp
    cui: frozenset[str] | None
    dissemination: frozenset[str] | None
    caveats: frozenset[str] | None

    def narrowed_by(self, embedded: Embedded) -> Marking:
        """Return the strictest of this marking and what is embedded in the text; never wider than either."""
        return Marking(
            tlp=self.tlp if embedded.tlp is None else strictest((self.tlp, embedded.tlp)),
            cui=_joined(self.cui, embedded.cui),
            dissemination=_joined(self.dissemination, embedded.dissemination),
            caveats=_joined(self.caveats, embedded.caveats),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """The markings found inside a text (STIX, MISP, ACS, a banner line): a floor, never the whole answer."""

    tlp: Tlp | None
    cui: frozenset[str]
    dissemination: frozenset[str]
    caveats: frozenset[str]


UNMARKED = Embedded(tlp=None, cui=frozenset(), dissemination=frozenset(), caveats=frozenset())


def _joined(stated: frozenset[str] | None, found: frozenset[str]) -> frozenset[str] | None:
    return None if stated is None else stated | found


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """One separately marked, separately encrypted text. A tearline is written by a person, never derived."""

    id: str
    version: str | None
    marking: Marking
    content_basis: str | None
    media_type: str
    content: str
    embedded: Embedded

    @property
    def effective(self) -> Marking:
        """The marking that decides: the strictest of the portion's and of what its text embeds (DESIGN 5)."""
        return self.marking.narrowed_by(self.embedded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Where it matters. Only counties mean something to the rules; a shape alone is *unknown* to them."""

    counties: tuple[str, ...]
    polygon: str | None
    circle: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A natural person a text is addressed to, and that person's agency (TLP:RED names individuals)."""

    agency: str
    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grading:
    """The Admiralty scale: reliability of the source A to F, credibility of the information 1 to 6."""

    source: str
    information: int


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    in_reply_to: UUID | None
    supersedes: UUID | None
    recalls: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonableSuspicion:
    """The documented predicate of criminal intelligence (28 CFR 23.20(a) and (c)). It stays with the originator."""

    crime: str
    basis: str
    officer: str
    date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class SarReview:
    """What makes a suspicious-activity report lawful to share (ISE-SAR FS 1.5.5). It stays with the originator."""

    behaviors: tuple[str, ...]
    articulable_facts: str | None
    submitter: str | None
    reviewer: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDocument:
    """The foreign document a bulletin was mapped from, and the places whose meaning the mapping lost."""

    format: str
    sha256: str
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A bulletin as an agency submits it: checked, but not yet numbered."""

    kind: Kind
    product: str
    precedence: Precedence
    status: Status
    expires: datetime
    valid_until: datetime | None
    agency: str
    control_official: str
    purpose: str
    info_class: str
    category: str
    area: Area | None
    protectee: str | None
    named: tuple[Named, ...]
    approved: tuple[str, ...]
    grading: Grading | None
    references: References
    reasonable_suspicion: ReasonableSuspicion | None
    sar: SarReview | None
    due: datetime | None
    source_document: SourceDocument | None
    portions: tuple[Portion, ...]

    def to_json(self) -> dict[str, JsonLike]:
        """Return the document this was parsed from, with absent fields left out and counties as codes."""
        return write_submission(self)

    def accept(self, id: UUID, control_number: str, created: datetime) -> Bulletin:  # noqa: A002 - the field's name
        """Return the bulletin this becomes once the gateway has numbered it."""
        said = {field.name: getattr(self, field.name) for field in fields(Submission)}
        return Bulletin(id=id, control_number=control_number, created=created, **said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulletin(Submission):
    """A numbered bulletin: what was submitted, and the three fields that are the gateway's."""

    id: UUID
    control_number: str
    created: datetime

    @override
    def to_json(self) -> dict[str, JsonLike]:
        numbered = {"id": str(self.id), "control_number": self.control_number, "created": write_time(self.created)}
        return numbered | write_submission(self)

    @property
    def named_agencies(self) -> frozenset[str]:
        return frozenset(person.agency for person in self.named)

    @property
    def banner(self) -> str:
        """The banner line, computed from the portions: a bulletin has no marking of its own (DESIGN 5)."""
        return banner(portion.effective for portion in self.portions)


def banner(markings: Iterable[Marking]) -> str:
    """Return the banner over some texts: `TLP:AMBER//CUI//SP-CHRI/LEI//FED ONLY//LES`, empty when there are none.

    CUI Marking Handbook: categories specified first, then in alphabetical order, then the dissemination controls.
    """
    every = list(markings)
    if not every:
        return ""
    parts = [f"TLP:{strictest(marking.tlp for marking in every)}"]
    cui = frozenset[str]().union(*(marking.cui or () for marking in every))
    if cui:
        parts += ["CUI", "/".join(sorted(cui, key=lambda code: (not code.startswith("SP-"), code)))]
    for values in (
        frozenset[str]().union(*(marking.dissemination or () for marking in every)),
        frozenset[str]().union(*(marking.caveats or () for marking in every)),
    ):
        if values:
            parts.append("/".join(sorted(values)))
    return "//".join(parts)
