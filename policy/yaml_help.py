"""What is wrong with a text that is not YAML, in the words of somebody who never heard of YAML.

A parser notices a slip where it can no longer go on, which is often a line too late, and names it in its own terms.
Here the lines around that place are looked at for the slips that people make.
"""

import re
from collections.abc import Sequence

_NO_BLANK_AFTER_DASH = re.compile(r"\s*-[^\s-]")
_NO_BLANK_AFTER_COLON = re.compile(r"\s*(?:- )?([A-Za-z0-9][\w ]*):([^\s:].*)")
_COLON_IN_TEXT = re.compile(r"\s*(?:- )?([^:\"'\[{]+): ([^\s\"'\[{].*: ?.*)")
_KEY = re.compile(r"(\s*(?:- +)*)[^\s#-][^:]*:(?: +(\S.*))?")
# A person's line is shorter; a message repeats no more of one.
_LOOKED_AT = 200
# What a plain text cannot begin with: a reader of YAML takes it for something else.
_BEGINS = re.compile(r"\s*(?:- )?(?:[^:\"'\[{]+: )?([@`%*&!|>])")


def explain_slip(text: str, line: int, *, context: str, context_line: int | None) -> tuple[str, int] | None:
    """The slip and its line, or None when nothing known is found near `line` (both count from 1)."""
    lines = text.splitlines()
    if "quoted scalar" in context and context_line is not None:
        return "the quote that opens here is never closed", context_line
    for opening, closing, what in (("[", "]", "sequence"), ("{", "}", "mapping")):
        if f"flow {what}" in context and context_line is not None:
            return f"the '{opening}' that opens here is never closed: write '{closing}' at its end", context_line
    near = [number for number in (line, _before(lines, line)) if 0 < number <= len(lines)]
    for number in near:
        found = _slip(lines[number - 1][:_LOOKED_AT])
        if found is not None:
            return found, number
    return _indentation(lines, near)


def _before(lines: Sequence[str], line: int) -> int:
    """The line above that says something; 0 if there is none."""
    return next((number for number in range(line - 1, 0, -1) if _says_something(lines, number)), 0)


def _says_something(lines: Sequence[str], number: int) -> bool:
    text = lines[number - 1].strip() if number <= len(lines) else ""
    return bool(text) and not text.startswith("#")


def _slip(line: str) -> str | None:
    if begins := _BEGINS.match(line):
        item = "; an item of a list begins with '- '" if begins[1] == "*" else ""
        return f"a text must not begin with '{begins[1]}': put it in quotes{item}"
    if _NO_BLANK_AFTER_DASH.match(line):
        return "write a blank after '-'"
    if joined := _NO_BLANK_AFTER_COLON.fullmatch(line):
        return f"write a blank after the colon: '{joined[1].strip()}: {joined[2]}'"
    if inner := _COLON_IN_TEXT.fullmatch(line):
        return f'a text with a colon in it must stand in quotes: {inner[1].strip()}: "{inner[2].strip()}"'
    if line.strip() and ":" not in line and not line.strip().startswith(("-", "#", "[", "{", "]", "}")):
        return "this line has no colon: write 'name: value'"
    return None


def _indentation(lines: Sequence[str], near: Sequence[int]) -> tuple[str, int] | None:
    """Lines that belong together start in the same column."""
    if len(near) < len(("here", "above")):
        return None
    here, above = (_KEY.fullmatch(lines[number - 1]) for number in near)
    if here is None or above is None:
        return None
    column, other = len(here[1]), len(above[1])
    deeper_below_a_value = column > other and above[2] is not None
    enclosing = {len(found[1]) for number in range(1, near[0]) if (found := _KEY.fullmatch(lines[number - 1]))}
    if not deeper_below_a_value and column in enclosing:
        return None
    return (
        f"this line starts in column {column + 1}, the line above in column {other + 1}: "
        "lines that belong together start in the same column"
    ), near[0]
