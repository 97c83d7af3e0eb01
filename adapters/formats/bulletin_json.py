"""Tearline's own JSON: the bulletin of the gateway's API, as a person or a records system writes it into a file.

Beyond the API a file may leave out what the agency's settings say, give times from now on (`expires_in_seconds`,
`due_in_seconds`), and name a bulletin by its control number where the API wants its id.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from adapters.bulletin import Bulletin, Correct, Intent, Publish, Recall, Receipt, Source
from adapters.clock import write_time
from adapters.errors import DocumentRefusedError
from adapters.formats.strict import JsonObject, read_object
from adapters.settings import Words

FORMAT: Final = "Tearline bulletin JSON"
_FROM_SETTINGS: Final = ("control_official", "purpose", "info_class", "category", "product", "precedence")
_MAX_SECONDS: Final = 30 * 86_400
_RUNGS: Final = frozenset({"read", "acknowledged", "acted"})
_DEFAULT_HOURS: Final = 72


def parse(raw: bytes, *, agency: str, words: Words, now: datetime) -> Intent:
    """Read a file; what it says itself always wins over the settings. The gateway judges the rest.

    Raises:
        DocumentRefusedError: what strict JSON refuses, `not-a-bulletin`, `not-this-agency`, `bad-duration`,
            `missing-reference`.
    """
    return parse_object(read_object(raw), raw, agency=agency, words=words, now=now)


def parse_object(document: JsonObject, raw: bytes, *, agency: str, words: Words, now: datetime) -> Intent:
    kind = document.get("kind")
    if not isinstance(kind, str):
        raise DocumentRefusedError("not-a-bulletin", "/kind", "the document has no kind")
    if document.get("agency", agency) != agency:
        raise DocumentRefusedError("not-this-agency", "/agency", "this adapter speaks for another agency")
    body: Bulletin = {"agency": agency, **document}
    if kind == "recall":
        return _recall(body)
    for name in _FROM_SETTINGS:
        value = getattr(words, name)
        if value is not None:
            body.setdefault(name, value)
    if "area" not in body and words.counties:
        body["area"] = {"counties": list(words.counties)}
    body.setdefault("status", "Actual")
    _set_time(body, "due", now)
    if "expires_in_seconds" in body:
        _set_time(body, "expires", now)
    body.setdefault("expires", write_time(now + timedelta(hours=words.expires_hours or _DEFAULT_HOURS)))
    body.setdefault("source_document", Source(format=FORMAT, raw=raw).to_json())
    references = body.get("references")
    if kind == "correction":
        return Correct(of=(_reference(references, "supersedes"),), body=body)
    return Publish(body=body)


def parse_receipt(raw: bytes) -> Receipt:
    """Read a file of the `ack` folder: bulletin, rung, person, note.

    Raises:
        DocumentRefusedError: what strict JSON refuses, `unknown-field`, `bad-receipt`.
    """
    document = read_object(raw)
    if document.keys() - {"bulletin", "rung", "person", "note"}:
        raise DocumentRefusedError("unknown-field", "", "a receipt has bulletin, rung, person and note")
    if not all(isinstance(value, str) for value in document.values()):
        raise DocumentRefusedError("bad-receipt", "", "every member is text")
    if document.get("rung") not in _RUNGS or not document.get("bulletin") or not document.get("person"):
        raise DocumentRefusedError(
            "bad-receipt", "", "bulletin, person and one of read, acknowledged, acted are needed"
        )
    return Receipt(
        of=document["bulletin"], rung=document["rung"], person=document["person"], note=document.get("note", "")
    )


def _recall(body: Bulletin) -> Recall:
    reason = body.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise DocumentRefusedError("missing-reason", "/reason", "a recall says why")
    return Recall(of=(_reference(body.get("references"), "recalls"),), reason=reason)


def _reference(references: Any, name: str) -> str:
    value = references.get(name) if isinstance(references, dict) else None
    if not isinstance(value, str) or not value:
        raise DocumentRefusedError("missing-reference", f"/references/{name}", "the bulletin meant is not named")
    return value


def _set_time(body: Bulletin, name: str, now: datetime) -> None:
    seconds = body.pop(f"{name}_in_seconds", None)
    if seconds is None:
        return
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 < seconds <= _MAX_SECONDS or name in body:
        raise DocumentRefusedError(
            "bad-duration", f"/{name}_in_seconds", "a number of seconds, and no other time beside it"
        )
    body[name] = write_time(now + timedelta(seconds=seconds))
