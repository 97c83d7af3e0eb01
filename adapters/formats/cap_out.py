"""CAP 1.2 out: a received alert for the systems that show alerts, never wider than its marking."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from adapters.formats import cap
from adapters.formats.cap_model import Alert, Info
from adapters.formats.portion_text import portion_mark, portion_text

_PRODUCT: Final = "CAP-ALERT"


def write(bulletin: Mapping[str, Any]) -> bytes | None:
    """Write an alert; None for a bulletin that is none.

    A corrected alert is a new Alert with a note: an Update would have to name the time at which a message was sent
    that this recipient may never have had (CAP 1.2 §3.2.1, `references`).

    Raises:
        DocumentRefusedError: the portion claims to be CAP and is not.
    """
    if bulletin.get("product") != _PRODUCT:
        return None
    portions = bulletin.get("portions") or []
    infos = tuple(info for portion in portions for info in _infos(portion, bulletin))
    labels = [portion.get("marking") or {} for portion in portions]
    public = bool(labels) and all(marking.get("tlp") == "CLEAR" and not marking.get("caveats") for marking in labels)
    supersedes = (bulletin.get("references") or {}).get("supersedes")
    return cap.write(
        Alert(
            identifier=str(bulletin["id"]),
            sender=str(bulletin["from"]),
            sent=cap.timestamp(datetime.fromisoformat(bulletin["created"])),
            status=str(bulletin["status"]),
            message_type="Alert",
            source="Tearline",
            scope="Public" if public else "Restricted",
            restriction="" if public else " ".join(dict.fromkeys(map(portion_mark, labels))) or "(TLP:RED)",
            note=f"replaces {supersedes}" if supersedes else "",
            incidents=str(bulletin.get("control_number", "")),
            infos=infos,
        )
    )


def _infos(portion: Mapping[str, Any], bulletin: Mapping[str, Any]) -> tuple[Info, ...]:
    if portion.get("media_type") == cap.MEDIA_TYPE:
        return cap.parse(str(portion.get("content", "")).encode()).infos
    return (
        Info(
            categories=("Other",),
            event=str(bulletin.get("category") or _PRODUCT),
            urgency="Unknown",
            severity="Unknown",
            certainty="Unknown",
            sender_name=str(bulletin["from"]),
            headline=str(bulletin.get("control_number", "")),
            description=portion_text(portion),
        ),
    )
