"""Text that was derived from other text: does this sentence give away that name?

Exact identifiers, names and their words, numbers, and runs of words copied from longer texts are found, whatever
their case, accents, punctuation or invisible characters. A paraphrase is not: marking a text is a person's work.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

#: Six words in a row are copied, not coincidence ("in the state of Illinois" has five).
RUN: Final = 6
_MIN_WORD: Final = 4
_MIN_DIGITS: Final = 7  # a local telephone number
_KEPT_DIGITS: Final = 10
_WORDS: Final = re.compile(r"[^\W_]+")
_LITERAL: Final = re.compile(r"'((?:[^'\\]|\\.)*)'")
# Mail addresses, links and host names in the middle of a text.
_ADDRESS: Final = re.compile(
    r"[\w.+-]{1,64}@[\w.-]{3,255}|https?://\S{4,500}|\b(?:[\w-]{1,63}\.){1,8}[a-z]{2,24}\b", re.IGNORECASE
)
# Values from STIX vocabularies and times: they say what kind of thing it is, not which.
_STRUCTURE: Final = frozenset(
    {
        "type",
        "spec_version",
        "created",
        "modified",
        "published",
        "valid_from",
        "valid_until",
        "first_seen",
        "last_seen",
        "first_observed",
        "last_observed",
        "lang",
        "revoked",
        "labels",
        "sectors",
        "roles",
        "identity_class",
        "sophistication",
        "resource_level",
        "primary_motivation",
        "secondary_motivations",
        "relationship_type",
        "pattern_type",
        "pattern_version",
        "region",
        "country",
        "context",
        "account_type",
        "extension_type",
        "object_marking_refs",
        "created_by_ref",
        "granular_markings",
        "defanged",
        "opinion",
        "kill_chain_name",
        "phase_name",
        "source_name",
    }
)
_NAMES: Final = re.compile(r"name|alias|login|user_id|^value$|contact")
# Words of the trade that stand in the names of agencies and groups and give nobody away.
_COMMON: Final = frozenset(
    """
    agency alert area bureau case center city county department domestic event extremist extremism federal fire front
    fusion group house illinois incident intelligence investigation joint league local mayor movement national north
    office officer official organization patrol police public region regional report residence security service sheriff
    south springfield state street subject suspect task team terrorism threat unit united unknown vehicle violent with
    http https mail
    """.split()  # noqa: SIM905 - read as a paragraph
)


@dataclass(slots=True)
class Needles:
    """What must not be found: runs of words by their first word, and long numbers."""

    runs: dict[str, set[tuple[str, ...]]] = field(default_factory=dict)
    numbers: set[str] = field(default_factory=set)

    def add(self, words: tuple[str, ...]) -> None:
        if words:
            self.runs.setdefault(words[0], set()).add(words)

    def update(self, other: Needles) -> None:
        for first, runs in other.runs.items():
            self.runs.setdefault(first, set()).update(runs)
        self.numbers |= other.numbers

    def found_in(self, text: str) -> bool:
        """Whether the text holds one of them."""
        words = words_of(text)
        for place, word in enumerate(words):
            if any(words[place : place + len(run)] == run for run in self.runs.get(word, ())):
                return True
        return any(number in run for run in _numbers(words) for number in self.numbers)


@lru_cache(maxsize=8192)
def words_of(text: str) -> tuple[str, ...]:
    """Split into words as a reader would hear them: no case, accents, compatibility forms or invisible characters."""
    plain = unicodedata.normalize("NFKD", text)
    visible = "".join(letter for letter in plain if unicodedata.category(letter) not in {"Mn", "Cf"})
    return tuple(_WORDS.findall(visible.casefold()))


def needles_of(item: dict[str, Any]) -> Needles:
    """Return what would give an object away if it stood in another one's text."""
    needles = Needles()
    personal = _is_personal(item)
    for key, text in _leaves(item, ""):
        words = words_of(text)
        if key == "id":
            needles.add(words_of(text.partition("--")[2]))
            continue
        if key == "pattern":
            for literal in _LITERAL.findall(text):
                _add_short(needles, words_of(literal), is_name=True)
        needles.numbers.update(run[-_KEPT_DIGITS:] for run in _numbers(words))
        if len(words) < RUN:
            _add_short(needles, words, is_name=personal and _NAMES.search(key) is not None)
            continue
        for place in range(len(words) - RUN + 1):
            needles.add(words[place : place + RUN])
        for word in words:
            # Plates, case numbers, hashes: a word with digits in prose is somebody's or something's identifier.
            if len(word) > _MIN_WORD and any(map(str.isdigit, word)) and not word.isdigit():
                needles.add((word,))
        for address in _ADDRESS.findall(text):
            _add_short(needles, words_of(address)[:RUN], is_name=False)
    return needles


def _is_personal(item: dict[str, Any]) -> bool:
    """Whether a single word of the name gives it away: true of people and accounts, not of offices and products."""
    kind = str(item.get("type", ""))
    if kind == "identity":
        return item.get("identity_class", "individual") in {"individual", "unknown", "unspecified"}
    return kind in {"threat-actor", "user-account", "email-addr"} or "person" in kind


def _add_short(needles: Needles, words: tuple[str, ...], *, is_name: bool) -> None:
    if sum(map(len, words)) >= _MIN_WORD and not _COMMON.issuperset(words):
        needles.add(words)
    if is_name:
        for word in words:
            if len(word) >= _MIN_WORD and word not in _COMMON:
                needles.add((word,))


def leaves(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value, names of members included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)


def _leaves(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, item in value.items():
            if name in _STRUCTURE or name.endswith(("_types", "_ref", "_refs")):
                continue
            yield from _leaves(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, key)


def _numbers(words: Iterable[str]) -> Iterator[str]:
    """Join neighbouring groups of digits, so that `217-555-0100` and `2175550100` are one number."""
    run = ""
    for word in (*words, ""):
        if word.isdecimal():
            run += word
            continue
        if len(run) >= _MIN_DIGITS:
            yield run
        run = ""
