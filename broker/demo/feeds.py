"""Documents as the agencies' systems would write them, dropped into the adapters' watched folders."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file for a watched folder."""

    name: str
    content: bytes


def bulletin(key: str, document: Mapping[str, Any]) -> Document:
    """A bulletin as a records system of the agency writes it: JSON."""
    return Document(name=f"{key}.json", content=json.dumps(document, ensure_ascii=False, indent=1).encode())


def drop(watched: Path, document: Document) -> None:
    """Put a document into the folder at one stroke, as a careful system would."""
    part = watched / "in" / f".{document.name}.part"
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(document.content)
    os.replace(part, part.with_name(document.name))


def refusal_of(watched: Path, name: str) -> str | None:
    """The code with which a document was refused; None while it was not."""
    reason = watched / "refused" / f"{name}.reason.json"
    if not reason.exists():
        return None
    return str(json.loads(reason.read_text(encoding="utf-8"))["code"])
