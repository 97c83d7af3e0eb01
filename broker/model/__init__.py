"""The bulletin: frozen values, parsed once at the border, with a coded refusal for everything else. Pure."""

from broker.model.embedded import embedded_marking
from broker.model.ids import control_number, is_control_number, new_id, parse_id
from broker.model.lawful import MAX_TRANSIT
from broker.model.parse import parse_bulletin, parse_stored_bulletin
from broker.model.portions import (
    MAX_PORTIONS,
    PortionDocument,
    document_of,
    parse_portion_document,
    portion_attributes,
    portion_document,
)
from broker.model.refusal import Refusal
from broker.model.strictjson import MAX_SUBMISSION, JsonLike, JsonValue, canonical_json, parse_json
from broker.model.values import (
    Area,
    Bulletin,
    Embedded,
    Grading,
    Marking,
    Named,
    Portion,
    ReasonableSuspicion,
    References,
    SarReview,
    SourceDocument,
    Submission,
    banner,
)
from broker.model.words import (
    ACKNOWLEDGE_WITHIN,
    BEHAVIORS,
    CRIMINAL_BEHAVIORS,
    NON_CRIMINAL_BEHAVIORS,
    Kind,
    Precedence,
    Rung,
    Status,
    Tlp,
    highest,
    strictest,
)
from broker.model.written import write_time

__all__ = [
    "ACKNOWLEDGE_WITHIN",
    "BEHAVIORS",
    "CRIMINAL_BEHAVIORS",
    "MAX_PORTIONS",
    "MAX_SUBMISSION",
    "MAX_TRANSIT",
    "NON_CRIMINAL_BEHAVIORS",
    "Area",
    "Bulletin",
    "Embedded",
    "Grading",
    "JsonLike",
    "JsonValue",
    "Kind",
    "Marking",
    "Named",
    "Portion",
    "PortionDocument",
    "Precedence",
    "ReasonableSuspicion",
    "References",
    "Refusal",
    "Rung",
    "SarReview",
    "SourceDocument",
    "Status",
    "Submission",
    "Tlp",
    "banner",
    "canonical_json",
    "control_number",
    "document_of",
    "embedded_marking",
    "highest",
    "is_control_number",
    "new_id",
    "parse_bulletin",
    "parse_id",
    "parse_json",
    "parse_portion_document",
    "parse_stored_bulletin",
    "portion_attributes",
    "portion_document",
    "strictest",
    "write_time",
]
