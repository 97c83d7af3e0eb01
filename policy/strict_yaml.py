"""A small, strict part of YAML 1.1 in which what a reader sees is what the rules mean.

Every scalar is text: `NO` stays NO and `2024-01-01` stays text. Anchors, aliases, tags, merge keys, duplicate keys,
directives, several documents, block scalars, empty values, control characters and invisible or bidirectional characters
are refused. Every node and every error carries its line.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

import yaml

from policy.errors import PolicyError
from policy.yaml_help import explain_slip

# A directory of 18,000 agencies is about 6 MB; nothing legitimate is larger.
MAX_TEXT = 16 * 1024 * 1024
# The deepest legitimate place is a value in a list of an obligation in a case: 7.
MAX_DEPTH = 12
# Names, reasons and values are read by people, on one line.
MAX_SCALAR = 500

# Newer ones stop by themselves at 1000 levels, before the event of the first level that is too deep here.
_LIBYAML_TOO_DEEP = "exceeded maximum nesting depth"
_LOADER = yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader


@dataclass(frozen=True, slots=True)
class Text:
    """One scalar, always text, never empty, without surrounding blanks."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Items:
    """A YAML sequence; may be empty, so that the caller decides whether that has a meaning."""

    items: "tuple[Node, ...]"
    line: int


@dataclass(frozen=True, slots=True)
class Fields:
    """A YAML mapping in the order of the text; keys are unique."""

    entries: "dict[str, tuple[Text, Node]]"
    line: int


Node = Text | Items | Fields


def load(text: str, *, source: str, loader: type = _LOADER) -> Node:
    """Read one document of the strict part of YAML.

    Raises:
        PolicyError: for every text outside that part; nothing else is raised.
    """
    _refuse_characters(text, source)
    try:
        return _Reader(yaml.parse(text, Loader=loader), source).document()
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, text, source) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML's escapes reach chr() unchecked: "\UFFFFFFFF" is a ValueError there, a scanner error in libyaml.
        raise PolicyError(
            "not-yaml", "this cannot be read: an escape in quotes names no character", source=source
        ) from error


def _not_yaml(error: yaml.MarkedYAMLError, text: str, source: str) -> PolicyError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark is not None else None
    if error.problem == _LIBYAML_TOO_DEEP:
        return PolicyError("too-deep", f"nested deeper than {MAX_DEPTH} levels", source=source, line=line)
    opened = error.context_mark.line + 1 if error.context_mark is not None else None
    slip = explain_slip(text, line, context=error.context or "", context_line=opened) if line is not None else None
    if slip is not None:
        return PolicyError("not-yaml", slip[0], source=source, line=slip[1])
    told = f"this cannot be read ({error.problem or error.context}): look at colons, quotes and columns here and above"
    return PolicyError("not-yaml", told, source=source, line=line)


def _refuse_characters(text: str, source: str) -> None:
    if len(text) > MAX_TEXT:
        raise PolicyError("too-large", f"longer than {MAX_TEXT} characters", source=source)
    if text.isascii() and text.replace("\n", "").isprintable():
        return
    line = 1
    for index, character in enumerate(text):
        if character == "\n":
            line += 1
        elif character == "\r" and text[index + 1 : index + 2] == "\n":
            continue  # the line ends of another system
        elif _hidden(character):
            _refuse_character(character, source, line)


def _hidden(character: str) -> bool:
    """Whether a reader would not see the character for what it is (control, format, separator, surrogate, private)."""
    return not character.isprintable()


def _refuse_character(character: str, source: str, line: int) -> NoReturn:
    name = unicodedata.name(character, "a control character")
    what, instead = f"U+{ord(character):04X} ({name})", "delete it"
    if character == "\t":
        what, instead = "a tab", "indent with blanks"
    elif unicodedata.category(character) == "Zs":
        instead = "type a plain blank"
    raise PolicyError(
        "hidden-character",
        f"{what} is not allowed here, a reader would not see it: {instead}",
        source=source,
        line=line,
    )


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 1


class _Reader:
    """Builds nodes from parser events: composed nodes no longer show anchors, aliases and tags."""

    def __init__(self, events: Iterator[yaml.Event], source: str) -> None:
        self._events = events
        self._source = source
        self._flow = 0

    def document(self) -> Node:
        next(self._events)  # stream start
        event = next(self._events)
        if not isinstance(event, yaml.DocumentStartEvent):
            raise PolicyError("empty-text", "the text is empty", source=self._source)
        if event.version is not None or event.tags:
            self._refuse("directive", "YAML directives are not allowed", event)
        node = self._node(next(self._events), 1)
        next(self._events)  # document end
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            self._refuse("several-documents", "one file holds one document: remove the line '---'", event)
        return node

    def _node(self, event: yaml.Event, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            self._refuse("alias", f"aliases (*{event.anchor}) are not allowed: write the value out", event)
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            self._refuse("anchor", f"anchors (&{event.anchor}) are not allowed: write the value out", event)
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
            self._refuse("tag", f"tags ({event.tag}) are not allowed: every value is text", event)
        if depth > MAX_DEPTH:
            self._refuse("too-deep", f"nested deeper than {MAX_DEPTH} levels", event)
        if isinstance(event, yaml.ScalarEvent):
            return self._text(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._items(event, depth)
        if not isinstance(event, yaml.MappingStartEvent):
            self._refuse("not-yaml", "not YAML", event)
        return self._fields(event, depth)

    def _text(self, event: yaml.ScalarEvent) -> Text:
        if event.style in ("|", ">"):
            self._refuse("block-text", "block texts (| and >) are not allowed: write it on one line", event)
        if event.style not in ("'", '"') and self._flow and "?" in event.value:
            # The one text that libyaml accepts and PyYAML's own parser refuses (700,000 random texts compared).
            self._refuse("question-mark", "a text with a question mark between [ ] or { } must stand in quotes", event)
        text = event.value.strip()
        if not text:
            self._refuse("empty-value", "an empty value means nothing here: write a value or remove the line", event)
        if len(text) > MAX_SCALAR:
            self._refuse("too-long", f"a single value is longer than {MAX_SCALAR} characters", event)
        for character in text:
            if _hidden(character):  # an escape in a double-quoted text can still produce one
                _refuse_character(character, self._source, _line(event))
        return Text(text, _line(event))

    def _items(self, start: yaml.SequenceStartEvent, depth: int) -> Items:
        self._flow += bool(start.flow_style)
        items: list[Node] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        self._flow -= bool(start.flow_style)
        return Items(tuple(items), _line(start))

    def _fields(self, start: yaml.MappingStartEvent, depth: int) -> Fields:
        self._flow += bool(start.flow_style)
        entries: dict[str, tuple[Text, Node]] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            if not isinstance(key, Text):
                self._refuse("key-not-text", "a key must be one text", event)
            if key.text == "<<":
                self._refuse("merge-key", "merge keys (<<) are not allowed: write the lines out", event)
            if key.text in entries:
                first = entries[key.text][0].line
                self._refuse(
                    "duplicate-key",
                    f"'{key.text}' is written twice (first in line {first}); a new item of a list starts with '- '",
                    event,
                )
            entries[key.text] = (key, self._node(next(self._events), depth + 1))
        self._flow -= bool(start.flow_style)
        return Fields(entries, _line(start))

    def _refuse(self, code: str, message: str, event: yaml.Event) -> NoReturn:
        raise PolicyError(code, message, source=self._source, line=_line(event))
