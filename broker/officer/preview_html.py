"""A preview as one HTML file: nothing is loaded, nothing runs, and every word of it is text.

The page says its own policy (CSP): no script, no request, no style but its own. It reads in black and white and prints.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from broker.officer import preview_words

_AGENCIES_SHOWN: Final = 200
# What an officer needs to know what a portion is about; the rest is in the JSON.
_ABOUT: Final = ("product", "category", "version", "purpose", "information class")


def page(document: Mapping[str, Any], sha256: str) -> str:
    """The report of a preview, from its document alone: the same document gives the same page."""
    style = _read("preview.css")
    return _template().render(
        d=document,
        w=preview_words,
        sha256=sha256,
        # The one text that is not escaped: it is this package's own file.
        style=Markup(style),  # noqa: S704
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        verdict_words=preview_words.verdict_words(document),
        notable=preview_words.notable(document["cases"]),
        precedences=_precedences(document["replay"]),
        files=sorted({*document["before"]["files"], *document["after"]["files"]}),
        about=_ABOUT,
        agencies_shown=_AGENCIES_SHOWN,
        number=_number,
        cell_of=_cell,
    )


@functools.cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_visible, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    environment.filters["pairs"] = dict
    return environment.from_string(_read("preview.html.j2"))


def _visible(value: Any) -> Any:
    """No character that a page does not show: one that turns the direction of the text would turn its meaning."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in value)


def _cell(cell: Sequence[int]) -> Markup:
    gained, lost = cell
    parts = [
        Markup('<span class="{}">{}{}</span>').format(name, sign, _number(count))
        for name, sign, count in (("gain", "+", gained), ("loss", "\N{MINUS SIGN}", lost))
        if count
    ]
    return Markup("<td>{}</td>").format(Markup("").join(parts) or "0")


def _number(value: int) -> str:
    return f"{value:,}"


def _precedences(replayed: Mapping[str, Any] | None) -> list[str]:
    """Every precedence that some figure counts, in the order in which the figures have them."""
    ordered: list[str] = []
    for effect in preview_words.EFFECTS if replayed is not None else ():
        _merge(ordered, [name for name, _ in (replayed or {})[effect]["by_precedence"]])
    return ordered


def _merge(ordered: list[str], more: Iterable[str]) -> None:
    """Put in what is new, each right after what stands before it."""
    place = 0
    for name in more:
        if name in ordered:
            place = ordered.index(name) + 1
        else:
            ordered.insert(place, name)
            place += 1


def _read(name: str) -> str:
    return files("broker.officer").joinpath(name).read_text(encoding="utf-8")
