"""The border of the HTTP API: a JSON document becomes a `Submission`, or is refused with a code and a place."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from broker.model.blocks import read_area, read_grading
from broker.model.ids import is_control_number, parse_id
from broker.model.lawful import check_lawful, check_timely
from broker.model.members import MAX_ITEMS, Members, read_agency, read_date, read_line, read_word
from broker.model.portions import MAX_PORTIONS, check_size, read_portion
from broker.model.refusal import Refusal
from broker.model.strictjson import JsonValue
from broker.model.values import (
    Bulletin,
    Named,
    Portion,
    ReasonableSuspicion,
    References,
    SarReview,
    SourceDocument,
    Submission,
)
from broker.model.words import BEHAVIORS, KINDS, PRECEDENCES, STATUSES, Kind, Precedence, Status
from policy.vocabulary import Vocabulary

_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


def parse_bulletin(document: JsonValue, *, vocabulary: Vocabulary, now: datetime, live: bool = True) -> Submission:
    """Read a bulletin as an agency submits it, and refuse what may not be shared (DESIGN 5).

    Raises:
        Refusal: with the code of the first thing that is wrong.
    """
    submission = _read(Members(document, ""), vocabulary)
    check_lawful(submission, now=now, live=live)
    check_timely(submission, now=now)
    check_size(submission)
    return submission


def parse_stored_bulletin(document: JsonValue, *, vocabulary: Vocabulary) -> Bulletin:
    """Read back what `Bulletin.to_json` wrote: it was judged when it was accepted, so only its form is checked.

    Raises:
        Refusal: when it is not a bulletin.
    """
    members = Members(document, "")
    bulletin_id = parse_id(members.line("id"), members.at("id"))
    number = members.line("control_number")
    if not is_control_number(number):
        raise Refusal("bad-id", members.at("control_number"), "a control number is wanted")
    created = members.time("created")
    return _read(members, vocabulary).accept(bulletin_id, number, created)


def _read(members: Members, vocabulary: Vocabulary) -> Submission:
    known = vocabulary.bulletin
    submission = Submission(
        kind=Kind(members.word("kind", KINDS)),
        product=members.word("product", known["product"].values),
        precedence=Precedence(members.word("precedence", PRECEDENCES)),
        status=Status(members.word("status", STATUSES)),
        expires=members.time("expires"),
        valid_until=members.optional_time("valid_until"),
        agency=members.agency("agency", code="missing-originator"),
        control_official=members.line("control_official", code="missing-control-official"),
        purpose=members.word("purpose", known["purpose"].values, code="missing-purpose"),
        info_class=members.word("info_class", known["information class"].values),
        category=members.word("category", known["category"].values),
        area=read_area(members, vocabulary),
        protectee=members.optional_agency("protectee"),
        named=tuple(_named(value, place) for value, place in members.items("named")),
        approved=tuple(read_agency(value, place) for value, place in members.items("approved")),
        grading=read_grading(members),
        references=_references(members),
        reasonable_suspicion=_reasonable_suspicion(members),
        sar=_sar(members),
        due=members.optional_time("due"),
        source_document=_source_document(members),
        portions=_portions(members, vocabulary),
    )
    members.done()
    return submission


def _portions(members: Members, vocabulary: Vocabulary) -> tuple[Portion, ...]:
    portions = tuple(
        read_portion(value, place, vocabulary) for value, place in members.items("portions", limit=MAX_ITEMS)
    )
    if len(portions) > MAX_PORTIONS:
        raise Refusal("too-many-portions", members.at("portions"), f"at most {MAX_PORTIONS} portions are taken")
    if len({portion.id for portion in portions}) != len(portions):
        raise Refusal("duplicate-portion", members.at("portions"), "two portions have one id")
    return portions


def _named(value: JsonValue, pointer: str) -> Named:
    members = Members(value, pointer)
    # A RED text addressed to an agency instead of a person is the very thing that TLP forbids, so both have one code.
    named = Named(agency=members.agency("agency"), person=members.line("person", code="red-without-named-persons"))
    members.done()
    return named


def _references(members: Members) -> References:
    names = members.object("references")
    if names is None:
        return References(in_reply_to=None, supersedes=None, recalls=None)
    found = {
        name: None if (line := names.optional_line(name)) is None else parse_id(line, names.at(name))
        for name in ("in_reply_to", "supersedes", "recalls")
    }
    names.done()
    return References(**found)


def _reasonable_suspicion(members: Members) -> ReasonableSuspicion | None:
    predicate = members.object("reasonable_suspicion")
    if predicate is None:
        return None
    missing = "reasonable-suspicion-missing"
    read = ReasonableSuspicion(
        crime=predicate.line("crime", code=missing),
        basis=predicate.paragraphs("basis", code=missing),
        officer=predicate.line("officer", code=missing),
        date=read_date(predicate.need("date", missing), predicate.at("date")),
    )
    predicate.done()
    return read


def _sar(members: Members) -> SarReview | None:
    sar = members.object("sar")
    if sar is None:
        return None
    behaviors = [
        read_word(value, frozenset(BEHAVIORS.values()), place)
        for value, place in sar.items("behaviors", limit=len(BEHAVIORS))
    ]
    facts = sar.paragraphs("articulable_facts", code="sar-facts-missing") if sar.has("articulable_facts") else None
    sar.take("articulable_facts")
    read = SarReview(
        behaviors=tuple(behaviors),
        articulable_facts=facts,
        submitter=sar.optional_line("submitter"),
        reviewer=sar.optional_line("reviewer"),
    )
    sar.done()
    return read


def _source_document(members: Members) -> SourceDocument | None:
    source = members.object("source_document")
    if source is None:
        return None
    document_format, digest = source.line("format"), source.line("sha256")
    lost = tuple(_lost(value, place) for value, place in source.items("lost"))
    source.done()
    if not _SHA256.fullmatch(digest):
        raise Refusal("bad-digest", source.at("sha256"), "64 lower-case hexadecimal digits are wanted")
    return SourceDocument(format=document_format, sha256=digest, lost=lost)


def _lost(value: JsonValue, pointer: str) -> str:
    """Return a place in the foreign document. It may be an XPath or a JSON pointer; it is shown, never followed."""
    return read_line(value, pointer)
