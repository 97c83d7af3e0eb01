"""One release of the sharing rules: the text officers signed, read as the rules a gateway decides by."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from broker.seal import cbor
from broker.trust.errors import TrustError
from broker.trust.release import Release
from policy import PolicyError, Ruleset, Vocabulary, parse_ruleset, parse_vocabulary

VOCABULARY_FILE: Final = "vocabulary.yaml"
RULES_FILE: Final = "rules.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """A verified release of the rules.

    `floor` is the oldest release that a receiver still accepts bulletins from: a narrowing release raises it, so that
    a gateway that has not heard of it cannot go on sharing by the old one. `files` is the SHA-256 of both texts: a
    rollback has the same under another number.
    """

    number: int
    hash: bytes
    created: datetime
    expires: datetime
    vocabulary: Vocabulary
    ruleset: Ruleset
    vocabulary_text: str
    rules_text: str
    floor: int
    files: bytes
    release: Release


def rules_content(vocabulary_text: str, rules_text: str, *, floor: int = 0) -> cbor.Cbor:
    """Return what the officers sign: both texts, letter by letter."""
    return {1: vocabulary_text, 2: rules_text, 3: floor}


def read_rules(release: Release) -> Rules:
    """Read a verified release of the rules.

    Raises:
        TrustError: `rules-invalid`, also for rules that this software does not understand; it never drops one.
    """
    match release.content:
        case {1: str(vocabulary_text), 2: str(rules_text), 3: int(floor)} if len(release.content) == 3:  # noqa: PLR2004
            pass
        case _:
            raise TrustError("rules-invalid", "the rules are refused: a field is missing or of another type")
    if not 0 <= floor <= release.number:
        raise TrustError("rules-invalid", "the rules are refused: the floor is above the release itself")
    try:
        vocabulary = parse_vocabulary(vocabulary_text, source=VOCABULARY_FILE)
        ruleset = parse_ruleset(rules_text, vocabulary, source=RULES_FILE)
    except PolicyError as error:
        raise TrustError("rules-invalid", f"the rules are refused: {error}") from error
    return Rules(
        number=release.number,
        hash=release.hash,
        created=release.created,
        expires=release.expires,
        vocabulary=vocabulary,
        ruleset=ruleset,
        vocabulary_text=vocabulary_text,
        rules_text=rules_text,
        floor=floor,
        files=hashlib.sha256(cbor.encode([vocabulary_text, rules_text])).digest(),
        release=release,
    )
