"""A received portion as a person reads it, whatever format it travelled in, under its own mark."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from adapters.errors import DocumentRefusedError
from adapters.formats import cap, eido

_RENDER: Final[Mapping[str, Callable[[bytes], str]]] = MappingProxyType(
    {
        cap.MEDIA_TYPE: lambda raw: cap.text_of(cap.parse(raw)),
        eido.MEDIA_TYPE: lambda raw: eido.text_of(eido.parse(raw)),
    }
)


def portion_mark(marking: Mapping[str, Any]) -> str:
    """Return the mark that stands before a paragraph: `(TLP:AMBER//LES//FED ONLY)`."""
    controls = [control for name in ("cui", "caveats", "dissemination") for control in marking.get(name) or ()]
    return "(" + "//".join([f"TLP:{marking.get('tlp', 'RED')}", *controls]) + ")"


def portion_text(portion: Mapping[str, Any]) -> str:
    """Return the marked text; a content that cannot be read as its format is shown as it came."""
    content = str(portion.get("content", ""))
    render = _RENDER.get(str(portion.get("media_type", "")))
    if render is not None:
        # What its sender's system got wrong is still shown, character for character.
        with contextlib.suppress(DocumentRefusedError):
            content = render(content.encode())
    return f"{portion_mark(portion.get('marking') or {})} {content}"
