"""Log set-up: fixed event texts with fields, as JSON lines or for a terminal, through one processor that redacts.

Redaction is the second line of defence. The first is that nobody passes content, keys or tokens to a logger.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

CUT: Final = "[cut]"
#: Log lines carry ids and numbers; whatever is longer is a text.
MAX_TEXT: Final = 300
_MAX_ITEMS: Final = 50

#: Names whose values are secret or content, whole or as a part of a longer name (`gateway_seed`, `note_text`).
_SECRET: Final = re.compile(
    r"(?:^|_)(?:secrets?|seeds?|private|passwords?|tokens?|authorization|bearer|cookie|keys?|keyring|content|contents|body"
    r"|plaintext|text|portions?|parts?|note|notes|person|persons|named|protectee|basis|facts|articulable_facts"
    r"|reason_text|control_official|payload|document|raw)(?:$|_)",
    re.IGNORECASE,
)
#: Names that contain such a word and are harmless.
_HARMLESS: Final = frozenset({"key_id", "kid", "storage_key_name", "part_count", "portion_count", "key_file"})
#: Values that are secret wherever they stand: NATS seeds, bearer tokens, PEM, 32 bytes in base64 or hex.
_SECRET_VALUE: Final = re.compile(
    r"\bS[UAOCNX][A-Z2-7]{56}\b|\bBearer\s+\S+|-----BEGIN [A-Z ]*PRIVATE KEY|[A-Za-z0-9+_-]{43,}"
)


def redact(_: WrappedLogger | None, __: str, event: EventDict) -> EventDict:
    """Cut everything from an event that may be content, a key or a token; never raises."""
    return {name: _field(name, value) for name, value in event.items()}


def _field(name: str, value: Any) -> Any:
    if name not in _HARMLESS and _SECRET.search(name):
        return CUT
    return _value(value)


def _value(value: Any) -> Any:
    match value:
        case None | bool() | int() | float():
            shown: Any = value
        case str():
            shown = _text(value)
        case bytes() | bytearray() | memoryview():
            shown = CUT
        case Mapping():
            shown = {str(name): _field(str(name), item) for name, item in list(value.items())[:_MAX_ITEMS]}
        case Sequence() | set() | frozenset():
            shown = [_value(item) for item in list(value)[:_MAX_ITEMS]]
        case BaseException():
            # Messages of foreign exceptions quote their input, so only the kind and our own code are kept.
            code = getattr(value, "code", None)
            shown = f"{type(value).__name__}: {_text(code)}" if isinstance(code, str) else type(value).__name__
        case _:
            shown = _text(str(value))
    return shown


def _text(text: str) -> str:
    if len(text) > MAX_TEXT or _SECRET_VALUE.search(text):
        return CUT
    return text


def _kind_of_exception(_: WrappedLogger | None, __: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by the error's kind and the places it passed; a traceback would quote its message."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["error"] = error
        event["at"] = _places(error)
    return event


def _places(error: BaseException) -> list[str]:
    places: list[str] = []
    step = error.__traceback__
    while step is not None:
        places.append(f"{step.tb_frame.f_globals.get('__name__', '?')}:{step.tb_lineno}")
        step = step.tb_next
    return places[-_MAX_ITEMS:]


def configure(*, json_lines: bool = True, stream: TextIO | None = None, debug: bool = False) -> None:
    """Set structlog up for this process. Words go to standard error; data is not logged.

    Args:
        json_lines: one JSON object a line; otherwise coloured lines for a person.
        stream: where to, standard error when left out.
        debug: also events of level debug.
    """
    renderer: Processor = structlog.processors.JSONRenderer() if json_lines else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _kind_of_exception,
            redact,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if debug else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
