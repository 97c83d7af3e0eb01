"""Bulletins as agencies would submit them, for the example rules."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any


def later(**ahead: float) -> str:
    return (datetime.now(UTC) + timedelta(**ahead)).isoformat(timespec="milliseconds").replace("+00:00", "Z")  # noqa: TID251


def portion(
    text: str, *, ident: str = "p1", tlp: str = "AMBER", version: str = "full", **marking: Any
) -> dict[str, Any]:
    return {
        "id": ident,
        "version": version,
        "marking": {"classification": "U", "tlp": tlp, "cui": [], "dissemination": [], "caveats": [], **marking},
        "content_basis": "criminal predicate",
        "media_type": "text/plain",
        "content": text,
    }


def threat(text: str = "a call names the mayor's house", **changes: Any) -> dict[str, Any]:
    """A threat to the mayor of Springfield: by R02 to those who protect him and serve Sangamon county."""
    document = {
        "kind": "bulletin",
        "product": "THREAT",
        "precedence": "FLASH",
        "status": "Actual",
        "expires": later(days=2),
        "agency": "chicago-pd",
        "control_official": "Lt. A. Example",
        "purpose": "protection of life",
        "info_class": "investigative",
        "category": "threat to a public official",
        "area": {"counties": ["17167"]},
        "protectee": "mayor-springfield",
        "portions": [portion(text, caveats=["LES"])],
    }
    return deepcopy(document | changes)


def alert(text: str = "road closed", **changes: Any) -> dict[str, Any]:
    """A public-safety alert of the state police for Sangamon county: by R19 to all who serve it."""
    return (
        threat(
            agency="il-state-police",
            product="CAP-ALERT",
            precedence="ROUTINE",
            category="missing person",
            info_class="public safety",
            protectee=None,
            portions=[portion(text, tlp="GREEN") | {"content_basis": "public safety"}],
        )
        | changes
    )
