"""From events of the gateway to files an agency's system can read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapters.errors import DocumentRefusedError
from adapters.files import read_json_file, write_json, write_whole
from adapters.sse import ServerEvent

_SAFE: Final = re.compile(r"[^A-Za-z0-9-]")
_LADDER: Final = ("stored", "fetched", "read", "acknowledged", "acted", "purged")


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """One format: `write` returns the file, or None for a bulletin that the format has no place for."""

    suffix: str
    write: Callable[[Mapping[str, Any]], bytes | None]


def write_bulletin_json(bulletin: Mapping[str, Any]) -> bytes:
    return json.dumps(bulletin, ensure_ascii=False, indent=1).encode() + b"\n"


JSON_WRITER: Final = Writer(suffix="json", write=write_bulletin_json)


class OutFolder:
    """`out` and `sent` below an agency's folder. Blocking; call it from a thread.

    Every write replaces a file of the same name by the same content, so an event that comes twice changes nothing.
    """

    def __init__(self, root: Path, writers: Mapping[str, Writer]) -> None:
        self._out, self._sent = root / "out", root / "sent"
        for folder in (self._out, self._sent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._writers = writers

    def take(self, event: ServerEvent) -> list[str]:
        """Write what the event says; returns the names of formats that could not hold the bulletin."""
        match event.event:
            case "bulletin" if isinstance(event.data.get("bulletin"), dict):
                return self._bulletin(event.data["bulletin"])
            case "receipt":
                self._receipt(event.data)
            case "recall":
                self._recall(event.data)
            case _:
                mark = hashlib.sha256(event.id.encode()).hexdigest()[:8]
                write_json(self._out / f"{_name(event.data)}.{_safe(event.event)}-{mark}.json", event.data)
        return []

    def published(self, bulletin_id: str, answer: Mapping[str, Any]) -> None:
        """Begin the record of who has an own bulletin."""
        path = self._sent / f"{_safe(bulletin_id)}.json"
        record = read_json_file(path) or {}
        write_json(path, {"id": bulletin_id, **answer, "recipients": record.get("recipients", {})})

    def _bulletin(self, bulletin: Mapping[str, Any]) -> list[str]:
        failed = []
        for format_name, writer in self._writers.items():
            try:
                content = writer.write(bulletin)
            except (DocumentRefusedError, KeyError, TypeError, ValueError, AttributeError) as error:
                # A text from elsewhere must not stop the feed: the JSON has it all, and the reason stands beside it.
                known = error if isinstance(error, DocumentRefusedError) else DocumentRefusedError("not-writable")
                reason = {"code": known.code, "pointer": known.pointer, "detail": known.detail}
                write_json(self._out / f"{_name(bulletin)}.{writer.suffix}.reason.json", reason)
                failed.append(format_name)
                content = None
            if content is not None:
                write_whole(self._out / f"{_name(bulletin)}.{writer.suffix}", content)
        if failed and "json" not in self._writers:
            write_whole(self._out / f"{_name(bulletin)}.json", write_bulletin_json(bulletin))
        return failed

    def _receipt(self, said: Mapping[str, Any]) -> None:
        """Keep the highest rung per recipient: receipts may come twice and out of order."""
        path = self._sent / f"{_safe(str(said.get('id', '')))}.json"
        record = read_json_file(path) or {"id": said.get("id")}
        recipients = record.setdefault("recipients", {})
        recipient, rung = str(said.get("recipient", "")), str(said.get("rung", ""))
        if _height(rung) >= _height(str(recipients.get(recipient, {}).get("rung", ""))):
            recipients[recipient] = {name: said[name] for name in ("rung", "person", "note", "at") if said.get(name)}
        write_json(path, record)

    def _recall(self, said: Mapping[str, Any]) -> None:
        """What has not been fetched from the folder yet disappears; the recall itself stays."""
        bulletin_id = _safe(str(said.get("id") or ""))
        if bulletin_id:
            for path in self._out.glob(f"*{bulletin_id}.*"):
                if ".recall." not in path.name:
                    path.unlink(missing_ok=True)
        write_json(self._out / f"{bulletin_id}.recall.json", said)


def _height(rung: str) -> int:
    return _LADDER.index(rung) if rung in _LADDER else -1


def _name(said: Mapping[str, Any]) -> str:
    """A file name of control number and id; both come from another agency, so only letters and digits get through."""
    number, identifier = _safe(str(said.get("control_number") or "")), _safe(str(said.get("id") or ""))
    return "_".join(part for part in (number, identifier) if part) or "event"


def _safe(text: str) -> str:
    return _SAFE.sub("-", text)[:80]
