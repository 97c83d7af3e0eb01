"""A folder of sharing rules, read and tried without a gateway: what `tearline rules` shows.

It asks the very functions of `policy` that a gateway asks; there is no second evaluator that could disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from broker.model import (
    Bulletin,
    new_id,
    parse_bulletin,
    parse_json,
    parse_portion_document,
    portion_attributes,
    portion_document,
)
from policy import (
    Attributes,
    PolicyError,
    Ruleset,
    Vocabulary,
    compile_rules,
    explain,
    parse_agencies,
    parse_ruleset,
    parse_vocabulary,
)
from policy.explained import document

VOCABULARY: Final = "vocabulary.yaml"
RULES: Final = "rules.yaml"
AGENCIES: Final = "agencies.yaml"
FILES: Final = (VOCABULARY, RULES, AGENCIES)
_FIELD_OF: Final = {VOCABULARY: "vocabulary", RULES: "rules", AGENCIES: "agencies"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """The three files of a folder, as they are written."""

    vocabulary: str
    rules: str
    agencies: str

    def with_file(self, name: str, text: str) -> Texts:
        """The same texts with one of the files as it would be after a change."""
        return replace(self, **{_FIELD_OF[name]: text})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """Vocabulary, rules and agencies of one folder."""

    vocabulary: Vocabulary
    ruleset: Ruleset
    agencies: Mapping[str, Attributes]


def read_texts(folder: Path) -> Texts:
    """Read the three files of a folder.

    Raises:
        PolicyError: a file is not text.
        OSError: a file is missing.
    """
    return Texts(**{_FIELD_OF[name]: read_text(folder / name) for name in FILES})


def read_text(path: Path) -> str:
    """Read one text, with the line ends that it has.

    Raises:
        PolicyError: `not-utf8`.
        OSError: it cannot be read.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        told = "a character here is not UTF-8: save the file as UTF-8"
        raise PolicyError("not-utf8", told, source=path.name, line=line) from None


def parse_texts(texts: Texts) -> Rulebook:
    """Read what the texts mean.

    Raises:
        PolicyError: with file and line; the faults of rules and agencies are told together.
    """
    vocabulary = parse_vocabulary(texts.vocabulary, source=VOCABULARY)
    faults: list[PolicyError] = []
    try:
        agencies = parse_agencies(texts.agencies, vocabulary, source=AGENCIES)
    except PolicyError as error:
        agencies = {}
        faults += [error, *error.more]
    try:
        ruleset = parse_ruleset(texts.rules, vocabulary, source=RULES)
    except PolicyError as error:
        error.more = (*error.more, *faults)
        raise
    if faults:
        raise faults[0]
    return Rulebook(vocabulary=vocabulary, ruleset=ruleset, agencies=agencies)


def load_rulebook(folder: Path) -> Rulebook:
    """Read what the three files of a folder mean.

    Raises:
        PolicyError: with file and line.
        OSError: a file is missing.
    """
    return parse_texts(read_texts(folder))


def explain_bulletin(rulebook: Rulebook, raw: bytes, agency: str, *, at: datetime, random: Any) -> list[dict[str, Any]]:
    """Why `agency` would or would not get each portion of a bulletin that was never submitted.

    Raises:
        Refusal: the bulletin would be refused at the border.
        KeyError: no such agency.
    """
    rulebook.agencies[agency]
    submission = parse_bulletin(parse_json(raw), vocabulary=rulebook.vocabulary, now=at)
    bulletin = submission.accept(id=new_id(at, random, submission.agency), control_number="PREVIEW", created=at)
    decider = compile_rules(rulebook.ruleset, rulebook.vocabulary, rulebook.agencies, at=at)
    return [
        {"portion": portion.id, **document(explained)}
        for portion in bulletin.portions
        for explained in [
            explain(decider, _attributes(rulebook, bulletin, portion_document(bulletin, portion)), agency)
        ]
    ]


def _attributes(rulebook: Rulebook, bulletin: Bulletin, document: bytes) -> Attributes:
    return portion_attributes(
        parse_portion_document(document),
        origin=rulebook.agencies.get(bulletin.agency, {}),
        named=frozenset(named.agency for named in bulletin.named),
        approved=frozenset(bulletin.approved),
        requester=None,
        vocabulary=rulebook.vocabulary,
    )
