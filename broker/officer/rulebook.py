"""A folder of sharing rules, read and tried without a gateway: what `tearline rules` shows.

It asks the very functions of `policy` that a gateway asks; there is no second evaluator that could disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    CaseResult,
    Ruleset,
    Vocabulary,
    compile_rules,
    explain,
    parse_agencies,
    parse_ruleset,
    parse_vocabulary,
    run_cases,
)

VOCABULARY: Final = "vocabulary.yaml"
RULES: Final = "rules.yaml"
AGENCIES: Final = "agencies.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """Vocabulary, rules and agencies of one folder."""

    vocabulary: Vocabulary
    ruleset: Ruleset
    agencies: Mapping[str, Attributes]


def load_rulebook(folder: Path) -> Rulebook:
    """Read the three files of a folder.

    Raises:
        PolicyError: with file and line.
        OSError: a file is missing.
    """
    vocabulary = parse_vocabulary((folder / VOCABULARY).read_text(encoding="utf-8"), source=VOCABULARY)
    ruleset = parse_ruleset((folder / RULES).read_text(encoding="utf-8"), vocabulary, source=RULES)
    agencies = parse_agencies((folder / AGENCIES).read_text(encoding="utf-8"), vocabulary, source=AGENCIES)
    return Rulebook(vocabulary=vocabulary, ruleset=ruleset, agencies=agencies)


def check(rulebook: Rulebook) -> list[CaseResult]:
    """Run every case that stands beside the rules."""
    return list(run_cases(rulebook.ruleset, rulebook.vocabulary, rulebook.agencies))


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
        {
            "portion": portion.id,
            "outcome": explained.outcome,
            "granted_by": list(explained.granted_by),
            "blocked_by": list(explained.blocked_by),
            "sentences": explained.sentences(),
        }
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
