"""What travels in one encrypted part: one portion and the bulletin-level fields it is judged and read by.

Nothing here may speak of another portion, of who else receives it, or of the file behind it: a recipient of the
tearline alone reads this very document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID

from broker.model.blocks import read_area, read_grading
from broker.model.embedded import embedded_marking, is_json
from broker.model.ids import is_control_number, parse_id
from broker.model.markings import read_marking
from broker.model.members import MAX_LINE, Members, read_text
from broker.model.refusal import Refusal
from broker.model.strictjson import MAX_SUBMISSION, JsonLike, JsonValue, canonical_json, parse_json
from broker.model.values import Area, Bulletin, Grading, Portion, Submission
from broker.model.words import KINDS, PRECEDENCES, STATUSES, Kind, Precedence, Status
from broker.model.written import write_area, write_grading, write_portion, write_time
from policy.vocabulary import Attributes, Value, Vocabulary

MAX_PORTIONS: Final = 16
#: A body is at most 512 KiB (DESIGN 6); Padmé pads each part by at most 12 % and the manifest takes 8 KiB.
MAX_PARTS: Final = MAX_SUBMISSION

#: What the rules see of a portion's origin, and where the originator's directory entry says it.
ORIGIN: Final[Mapping[str, str]] = MappingProxyType({"origin state": "state", "region": "region"})
_PORTION_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)
_XML_TYPE: Final = re.compile(r"(?:application|text)/(?:[a-z0-9.+-]+\+)?xml(?:;.*)?", re.ASCII | re.IGNORECASE)
_PLAIN_TYPE: Final = re.compile(r"text/plain(?:; ?charset=utf-8)?", re.ASCII | re.IGNORECASE)
_DOCTYPE: Final = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
# A stand-in for what the gateway assigns later, at least as long as the real one: the size check needs no more.
_UNNUMBERED: Final = (UUID(int=0), "X" * 80, datetime(2026, 1, 1, microsecond=1, tzinfo=UTC))


@dataclass(frozen=True, slots=True, kw_only=True)
class PortionDocument:
    """One portion as its recipient reads it. `sender` is not here: the verified signature says who sent it."""

    bulletin: UUID
    control_number: str
    kind: Kind
    product: str
    precedence: Precedence
    status: Status
    created: datetime
    expires: datetime
    valid_until: datetime | None
    due: datetime | None
    agency: str
    control_official: str
    purpose: str
    info_class: str
    category: str
    area: Area | None
    protectee: str | None
    grading: Grading | None
    portion: Portion


def read_portion(value: JsonValue, pointer: str, vocabulary: Vocabulary | None) -> Portion:
    """Read one portion and find the markings inside its text.

    Raises:
        Refusal: `missing-marking`, `classified`, `media-type-unknown`, `doctype`, `empty-content`, the codes of
            `parse_json` for content that is not the JSON it says, and those of any field.
    """
    members = Members(value, pointer)
    portion_id = members.line("id")
    if not _PORTION_ID.fullmatch(portion_id):
        raise Refusal("bad-id", members.at("id"), "lower-case letters, digits and hyphens are wanted, at most 32")
    marking = read_marking(members.take("marking"), members.at("marking"), vocabulary)
    media_type = members.line("media_type")
    content = read_text(members.need("content"), members.at("content"), limit=MAX_SUBMISSION)
    if not content.strip():
        raise Refusal("empty-content", members.at("content"), "a portion has a text")
    _check_media(content, media_type, members)
    try:
        embedded = embedded_marking(content, media_type)
    except Refusal as refusal:
        # The place inside the content would be text of the content.
        raise Refusal(refusal.code, members.at("content"), refusal.detail) from None
    portion = Portion(
        id=portion_id,
        version=_word(members, "version", vocabulary, "version"),
        marking=marking,
        content_basis=_word(members, "content_basis", vocabulary, "content basis"),
        media_type=media_type,
        content=content,
        embedded=embedded,
    )
    members.done()
    return portion


def portion_document(bulletin: Bulletin, portion: Portion) -> bytes:
    """Return the bytes of one part: canonical JSON, the same for every recipient."""
    return canonical_json(_document(bulletin, portion, bulletin.id, bulletin.control_number, bulletin.created))


def check_size(said: Submission) -> None:
    """Refuse what could not be sealed.

    Raises:
        Refusal: `too-large`.
    """
    size = sum(len(canonical_json(_document(said, portion, *_UNNUMBERED))) for portion in said.portions)
    if size > MAX_PARTS:
        raise Refusal("too-large", "/portions", f"the portions together take at most {MAX_PARTS} bytes")


def parse_portion_document(raw: bytes) -> PortionDocument:
    """Read what `portion_document` wrote, at the recipient. Words stay as they are: its rules decide what they mean.

    Raises:
        Refusal: also for `not-canonical`; one portion has one spelling.
    """
    value = parse_json(raw)
    if canonical_json(value) != raw:
        raise Refusal("not-canonical", detail="a portion travels as canonical JSON")
    members = Members(value, "")
    number = members.line("control_number")
    if not is_control_number(number):
        raise Refusal("bad-id", members.at("control_number"), "a control number is wanted")
    document = PortionDocument(
        bulletin=parse_id(members.line("bulletin"), members.at("bulletin")),
        control_number=number,
        kind=Kind(members.word("kind", KINDS)),
        product=members.line("product"),
        precedence=Precedence(members.word("precedence", PRECEDENCES)),
        status=Status(members.word("status", STATUSES)),
        created=members.time("created"),
        expires=members.time("expires"),
        valid_until=members.optional_time("valid_until"),
        due=members.optional_time("due"),
        agency=members.agency("agency"),
        control_official=members.line("control_official"),
        purpose=members.line("purpose"),
        info_class=members.line("info_class"),
        category=members.line("category"),
        area=read_area(members, None),
        protectee=members.optional_agency("protectee"),
        grading=read_grading(members),
        portion=read_portion(members.need("portion"), members.at("portion"), None),
    )
    members.done()
    return document


def portion_attributes(
    document: PortionDocument,
    *,
    origin: Attributes,
    named: frozenset[str],
    approved: frozenset[str],
    requester: str | None,
    vocabulary: Vocabulary,
) -> Attributes:
    """Return what the rules see of one portion; an attribute that nobody stated is absent, that is, unknown.

    The marking is the effective one. `origin` is the originator's directory entry and `requester` comes from the
    stored bulletin that is answered: neither is ever the submitter's word (DESIGN 5). A recipient passes as `named`
    and `approved` what its own leaf of the audience says about itself.
    """
    portion, marking = document.portion, document.portion.effective
    stated: Mapping[str, Value | None] = {
        "product": document.product,
        "category": document.category,
        "information class": document.info_class,
        "TLP": str(marking.tlp),
        "version": portion.version,
        "caveats": marking.caveats,
        "dissemination": marking.dissemination,
        "content basis": portion.content_basis,
        "purpose": document.purpose,
        "traffic": str(document.status),
        **{name: origin.get(stated) for name, stated in ORIGIN.items()},
        "area": _area_names(document.area, vocabulary),
        "protectee": document.protectee,
        "originator": document.agency,
        "named": named,
        "approved": approved,
        "requester": requester,
    }
    return {name: value for name, value in stated.items() if value is not None}


def document_of(bulletin: Bulletin, portion: Portion) -> PortionDocument:
    """Return the portion document as a value, without a detour over bytes: what `parse_portion_document` would read."""
    return PortionDocument(
        bulletin=bulletin.id,
        control_number=bulletin.control_number,
        kind=bulletin.kind,
        product=bulletin.product,
        precedence=bulletin.precedence,
        status=bulletin.status,
        created=bulletin.created,
        expires=bulletin.expires,
        valid_until=bulletin.valid_until,
        due=bulletin.due,
        agency=bulletin.agency,
        control_official=bulletin.control_official,
        purpose=bulletin.purpose,
        info_class=bulletin.info_class,
        category=bulletin.category,
        area=bulletin.area,
        protectee=bulletin.protectee,
        grading=bulletin.grading,
        portion=portion,
    )


def _document(said: Submission, portion: Portion, bulletin: UUID, number: str, created: datetime) -> JsonLike:
    members: dict[str, JsonLike] = {
        "bulletin": str(bulletin),
        "control_number": number,
        "kind": str(said.kind),
        "product": said.product,
        "precedence": str(said.precedence),
        "status": str(said.status),
        "created": write_time(created),
        "expires": write_time(said.expires),
        "valid_until": None if said.valid_until is None else write_time(said.valid_until),
        "due": None if said.due is None else write_time(said.due),
        "agency": said.agency,
        "control_official": said.control_official,
        "purpose": said.purpose,
        "info_class": said.info_class,
        "category": said.category,
        "area": write_area(said.area),
        "protectee": said.protectee,
        "grading": write_grading(said.grading),
        "portion": write_portion(portion),
    }
    return {name: value for name, value in members.items() if value is not None}


def _area_names(area: Area | None, vocabulary: Vocabulary) -> frozenset[str] | None:
    """Return the counties by the names that rules and directory use.

    A county without a name is served by nobody the rules could speak of, so leaving it out changes no answer; when
    no county is left, or there is only a shape, the area is unknown.
    """
    names = [vocabulary.area_name(code) for code in (area.counties if area is not None else ())]
    return frozenset(name for name in names if name is not None) or None


def _word(members: Members, name: str, vocabulary: Vocabulary | None, attribute: str) -> str | None:
    if vocabulary is None:
        return members.optional_line(name, limit=MAX_LINE)
    return members.optional_word(name, vocabulary.bulletin[attribute].values)


def _check_media(content: str, media_type: str, members: Members) -> None:
    if _XML_TYPE.fullmatch(media_type):
        if _DOCTYPE.search(content):
            raise Refusal("doctype", members.at("content"), "XML with a document type is not taken")
    elif not is_json(media_type) and not _PLAIN_TYPE.fullmatch(media_type):
        raise Refusal("media-type-unknown", members.at("media_type"), "plain text, JSON or XML is wanted")
