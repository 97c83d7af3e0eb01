"""Bulletins from words on a command line: the fields a person did not say are those of the question they answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from broker.cli.errors import USAGE, Stop
from broker.ops.clock import now

_ANSWER_DAYS: Final = 7


def submission(raw: bytes) -> dict[str, Any]:
    """A bulletin as it stands in a file; the gateway judges it, this only refuses what is not a JSON object."""
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Stop(USAGE, f"the bulletin is not JSON: {type(error).__name__}") from error
    if not isinstance(document, dict):
        raise Stop(USAGE, "the bulletin is not a JSON object")
    return document


def request_for(
    *,
    question: str,
    areas: Sequence[str],
    asker: str,
    official: str,
    category: str,
    purpose: str,
    tlp: str,
    caveats: Sequence[str],
    precedence: str,
    days: int,
) -> dict[str, Any]:
    """A request for information."""
    return {
        "kind": "request",
        "product": "RFI",
        "precedence": precedence,
        "status": "Actual",
        "expires": _in_days(days),
        "agency": asker,
        "control_official": official,
        "purpose": purpose,
        "info_class": "investigative",
        "category": category,
        "area": {"counties": list(areas)},
        "portions": [_portion(question, _marking(tlp, caveats), "criminal predicate")],
    }


def answer_to(
    asked: dict[str, Any],
    *,
    text: str,
    feedback: bool,
    answerer: str,
    official: str,
    tlp: str | None,
    caveats: Sequence[str],
) -> dict[str, Any]:
    """An answer (or feedback): category, purpose and class of the question, and never a weaker marking by default."""
    portion = asked["portions"][0]
    marking = dict(portion["marking"])
    if tlp is not None:
        marking["tlp"] = tlp
    if caveats:
        marking["caveats"] = list(caveats)
    return {
        "kind": "feedback" if feedback else "response",
        "product": "FEEDBACK" if feedback else "RFI-RESPONSE",
        "precedence": asked["precedence"],
        "status": "Actual",
        "expires": _in_days(_ANSWER_DAYS),
        "agency": answerer,
        "control_official": official,
        "purpose": asked["purpose"],
        "info_class": asked["info_class"],
        "category": asked["category"],
        **({"area": asked["area"]} if asked.get("area") else {}),
        "references": {"in_reply_to": asked["id"]},
        "portions": [_portion(text, marking, portion.get("content_basis"))],
    }


def _portion(text: str, marking: dict[str, Any], basis: str | None) -> dict[str, Any]:
    return {
        "id": "p1",
        "version": "full",
        "marking": marking,
        **({"content_basis": basis} if basis else {}),
        "media_type": "text/plain",
        "content": text,
    }


def _in_days(days: int) -> str:
    return (now() + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _marking(tlp: str, caveats: Sequence[str]) -> dict[str, Any]:
    # Controls are written out even when there are none: what nobody stated is unknown, and unknown blocks.
    return {"classification": "U", "tlp": tlp, "dissemination": [], "caveats": list(caveats)}
