"""Documents as the agencies' systems would write them, dropped into the adapters' watched folders."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import adapters

# The documents that stand beside the adapters as examples of what they read.
EXAMPLES: Final = Path(adapters.__file__).resolve().parent / "examples"

# Times of the day on which the examples were written; those of published marking definitions are another day's.
_EIDO_TIME: Final = re.compile(rb"2026-11-2[0-9]T[0-9:]{8}\.[0-9]{3}[-+][0-9:]{5}")
_STIX_TIME: Final = re.compile(rb"2026-11-2[0-9]T[0-9:]{8}(\.[0-9]{3})?Z")
_CAP_SENT: Final = re.compile(rb"<sent>[^<]*</sent>")
_CAP_IDENTIFIER: Final = re.compile(rb"<identifier>[^<]*</identifier>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file for a watched folder."""

    name: str
    content: bytes


def threat(now: datetime) -> Document:
    """A 911 call as the dispatch center writes it: EIDO 1.0."""
    raw = _example("chicago-pd", "911-mayor-residence.eido.json")
    at = now.isoformat(timespec="milliseconds").encode()
    return Document(name="911-mayor-residence.eido.json", content=_EIDO_TIME.sub(at, raw))


def extremism(now: datetime) -> Document:
    """A report as the fusion center's analysts write it: a STIX 2.1 bundle with one RED object."""
    raw = _example("il-fusion", "dve-report.stix.json")
    at = now.isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()
    return Document(name="dve-report.stix.json", content=_STIX_TIME.sub(at, raw))


def bolo(_: datetime) -> Document:
    """A BOLO as the state police's records system writes it: JSON."""
    return Document(name="bolo.json", content=_example("il-state-police", "officer-safety-bolo.json"))


def alert(now: datetime) -> Document:
    """A public alert: CAP 1.2."""
    return _alert("missing-person.cap.xml", now)


def exercise(now: datetime) -> Document:
    """An alert that says it is an exercise: CAP 1.2."""
    return _alert("exercise.cap.xml", now)


def _alert(name: str, now: datetime) -> Document:
    # CAP 1.2 §3.3.2: whole seconds and "-00:00" for UTC; an identifier is used once.
    sent = now.replace(microsecond=0, tzinfo=None).isoformat().encode() + b"-00:00"
    raw = _CAP_SENT.sub(b"<sent>" + sent + b"</sent>", _example("springfield-pd", name))
    identifier = f"<identifier>SPD-{now:%Y%m%d%H%M%S}-{name.partition('.')[0]}</identifier>"
    return Document(name=name, content=_CAP_IDENTIFIER.sub(identifier.encode(), raw))


def _example(agency: str, name: str) -> bytes:
    return (EXAMPLES / agency / name).read_bytes()


def bulletin(key: str, document: Mapping[str, Any]) -> Document:
    """A bulletin as a records system of the agency writes it: JSON."""
    return Document(name=f"{key}.json", content=json.dumps(document, ensure_ascii=False, indent=1).encode())


def drop(watched: Path, document: Document) -> None:
    """Put a document into the folder at one stroke, as a careful system would."""
    part = watched / "in" / f".{document.name}.part"
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(document.content)
    part.replace(part.with_name(document.name))


def refusal_of(watched: Path, name: str) -> tuple[str, str] | None:
    """Code and sentence with which a document was refused; None while it was not."""
    reason = watched / "refused" / f"{name}.reason.json"
    if not reason.exists():
        return None
    said = json.loads(reason.read_text(encoding="utf-8"))
    return str(said["code"]), str(said["detail"])
