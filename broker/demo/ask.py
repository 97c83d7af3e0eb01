"""Questions to the sharing rules themselves, where no gateway can be asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from broker.demo.evidence import Refused
from broker.officer.rulebook import Rulebook, load_rulebook
from policy import Attributes, compile_rules

PROTECTED: Final = "protected-activity"

# The refused text as the rules would see it, had the border not refused it first.
_PORTION: Final[Attributes] = {
    "product": "BOLO",
    "category": "officer safety",
    "information class": "investigative",
    "TLP": "AMBER",
    "version": "full",
    "caveats": frozenset(),
    "dissemination": frozenset(),
    "content basis": "first-amendment activity only",
    "purpose": "officer safety",
    "traffic": "Actual",
    "origin state": "IL",
    "area": frozenset({"IL-SANGAMON"}),
    "region": "IL-C",
    "originator": "springfield-pd",
}


def never_rules(rules: Path) -> tuple[str, ...]:
    """The ids of every never rule, in the order of the file."""
    return tuple(rule.id for rule in _read(rules).ruleset.rules if rule.effect == "never")


def rule_names(rules: Path) -> dict[str, str]:
    """Every rule's whole name by its id: `R10` is `R10 Nothing to a suspended agency`."""
    return {rule.id: rule.name for rule in _read(rules).ruleset.rules}


def protected_activity_alone(refused: Refused, rules: Path, *, at: datetime) -> Refused:
    """Name the rule behind the refusal of protected activity.

    The border refuses such a text before any rule is asked, so the rule is asked here, about the same portion: the
    never rules that stand alone between it and some agency.
    """
    if refused.key != PROTECTED:
        return refused
    book = _read(rules)
    decision = compile_rules(book.ruleset, book.vocabulary, book.agencies, at=at).decide(_PORTION)
    alone = sorted({blocking[0] for blocking in decision.withheld.values() if len(blocking) == 1})
    return replace(refused, rules=tuple(alone))


def _read(rules: Path) -> Rulebook:
    return load_rulebook(rules)
