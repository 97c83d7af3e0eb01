"""Bulletins as JSON documents: the inverse of `parse`. Absent stays absent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from broker.model.strictjson import JsonLike

if TYPE_CHECKING:  # values import this module for their `to_json`
    from broker.model.values import Area, Grading, Marking, Portion, Submission


def write_time(at: datetime) -> str:
    """Return RFC 3339 in UTC, ending in Z; fractions only where there are any."""
    return at.isoformat().replace("+00:00", "Z")


def write_marking(marking: Marking) -> dict[str, JsonLike]:
    return _present(
        {
            "classification": "U",
            "tlp": marking.tlp,
            "cui": _sorted(marking.cui),
            "dissemination": _sorted(marking.dissemination),
            "caveats": _sorted(marking.caveats),
        }
    )


def write_portion(portion: Portion) -> dict[str, JsonLike]:
    return _present(
        {
            "id": portion.id,
            "version": portion.version,
            "marking": write_marking(portion.marking),
            "content_basis": portion.content_basis,
            "media_type": portion.media_type,
            "content": portion.content,
        }
    )


def write_area(area: Area | None) -> dict[str, JsonLike] | None:
    if area is None:
        return None
    return _present({"counties": list(area.counties) or None, "polygon": area.polygon, "circle": area.circle})


def write_grading(grading: Grading | None) -> dict[str, JsonLike] | None:
    return None if grading is None else {"source": grading.source, "information": grading.information}


def write_submission(said: Submission) -> dict[str, JsonLike]:
    references = _present(
        {
            "in_reply_to": _text(said.references.in_reply_to),
            "supersedes": _text(said.references.supersedes),
            "recalls": _text(said.references.recalls),
        }
    )
    return _present(
        {
            "kind": str(said.kind),
            "product": said.product,
            "precedence": str(said.precedence),
            "status": str(said.status),
            "expires": write_time(said.expires),
            "valid_until": _time(said.valid_until),
            "agency": said.agency,
            "control_official": said.control_official,
            "purpose": said.purpose,
            "info_class": said.info_class,
            "category": said.category,
            "area": write_area(said.area),
            "protectee": said.protectee,
            "named": [{"agency": named.agency, "person": named.person} for named in said.named] or None,
            "approved": list(said.approved) or None,
            "grading": write_grading(said.grading),
            "references": references or None,
            "reasonable_suspicion": _reasonable_suspicion(said),
            "sar": _sar(said),
            "due": _time(said.due),
            "source_document": _source_document(said),
            "portions": [write_portion(portion) for portion in said.portions] or None,
        }
    )


def _reasonable_suspicion(said: Submission) -> dict[str, JsonLike] | None:
    predicate = said.reasonable_suspicion
    if predicate is None:
        return None
    return {
        "crime": predicate.crime,
        "basis": predicate.basis,
        "officer": predicate.officer,
        "date": predicate.date.isoformat(),
    }


def _sar(said: Submission) -> dict[str, JsonLike] | None:
    sar = said.sar
    if sar is None:
        return None
    return _present(
        {
            "behaviors": list(sar.behaviors),
            "articulable_facts": sar.articulable_facts,
            "submitter": sar.submitter,
            "reviewer": sar.reviewer,
        }
    )


def _source_document(said: Submission) -> dict[str, JsonLike] | None:
    source = said.source_document
    if source is None:
        return None
    return {"format": source.format, "sha256": source.sha256, "lost": list(source.lost)}


def _sorted(values: frozenset[str] | None) -> list[str] | None:
    return None if values is None else sorted(values)


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)


def _time(at: datetime | None) -> str | None:
    return None if at is None else write_time(at)


def _present(members: Mapping[str, JsonLike]) -> dict[str, JsonLike]:
    return {name: value for name, value in members.items() if value is not None}
