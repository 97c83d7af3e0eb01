"""What two gateways compare: the same wherever it is computed, and another one where anything is decided otherwise."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from policy import compile_rules, parse_agencies, parse_ruleset, parse_vocabulary
from policy.probe import fingerprint, probes

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "policy" / "rules.example"
AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
VOCABULARY = parse_vocabulary((FOLDER / "vocabulary.yaml").read_text(), source="vocabulary.yaml")
RULES = (FOLDER / "rules.yaml").read_text()
AGENCIES = (FOLDER / "agencies.yaml").read_text()


def made(rules: str = RULES, agencies: str = AGENCIES, at: datetime = AT) -> bytes:
    ruleset = parse_ruleset(rules, VOCABULARY, source="rules.yaml")
    listed = parse_agencies(agencies, VOCABULARY, source="agencies.yaml")
    return fingerprint(compile_rules(ruleset, VOCABULARY, listed, at=at))


@pytest.mark.parametrize("seed", ["0", "1", "4294967295"])
def test_the_order_in_which_python_keeps_sets_changes_nothing(seed: str) -> None:
    found = subprocess.run(
        [sys.executable, "-c", "from tests.policy.test_probe import made; print(made().hex())"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == made().hex()


def test_the_same_decider_at_another_moment_and_back_says_the_same() -> None:
    ruleset = parse_ruleset(RULES, VOCABULARY, source="rules.yaml")
    listed = parse_agencies(AGENCIES, VOCABULARY, source="agencies.yaml")
    once = compile_rules(ruleset, VOCABULARY, listed, at=datetime(2020, 1, 1, tzinfo=UTC))
    assert fingerprint(once.at(AT)) == made()


@pytest.mark.parametrize(
    ("text", "other"),
    [
        pytest.param("acknowledge within: 10 minutes", "acknowledge within: 11 minutes", id="a duty"),
        pytest.param("when: {category: threat to a public official}", "when: {category: hate crime}", id="about whom"),
        pytest.param("  effect: always", "  effect: share", id="nothing but what must arrive"),
    ],
)
def test_another_decision_is_seen(text: str, other: str) -> None:
    changed = RULES.replace(text, other, 1)
    if other.endswith("share"):
        changed = changed.replace("  yields to: [R01, R04, R05, R06, R07, R08, R10, R14, R15]\n", "", 1)
        # Who gets what under which duties is the same: whether it *must* arrive is proved when it is signed.
        assert made(changed) == made()
        return
    assert changed != RULES
    assert made(changed) != made()


def test_an_agency_more_or_otherwise_is_seen() -> None:
    assert made(agencies=AGENCIES.replace("status: active", "status: suspended", 1)) != made()


def test_every_value_of_every_property_is_tried() -> None:
    ruleset = parse_ruleset(RULES, VOCABULARY, source="rules.yaml")
    tried = list(probes(ruleset, VOCABULARY))
    for name, known in VOCABULARY.bulletin.items():
        for value in known.values:
            assert any(portion.get(name) in (value, frozenset((value,))) for portion in tried)
