"""The page about the rule language shows rules and refusals as they are."""

import re
from pathlib import Path

import pytest

from policy import PolicyError, parse_ruleset
from tests.policy.test_example import RULESET, VOCABULARY
from tests.policy.test_refusals import RULE

PAGE = (Path(__file__).parents[2] / "policy" / "README.md").read_text(encoding="utf-8")


def test_the_rule_on_the_page_is_accepted():
    rule = re.search(r"```yaml\n(- rule:.*?)```", PAGE, re.DOTALL)[1]
    parsed = parse_ruleset("policy: page\nversion: 1\nrules:\n" + rule, VOCABULARY, source="page").rules[0]
    assert parsed.because == next(known.because for known in RULESET.rules if known.id == parsed.id)


def test_the_refusal_on_the_page_is_the_one_that_is_given():
    refusal = re.search(r"^    (rules\.yaml:6: .*)$", PAGE, re.MULTILINE)[1]
    with pytest.raises(PolicyError, match=f"^{re.escape(refusal)}$"):
        parse_ruleset(RULE.replace("TLP: GREEN}\n  to", "TLP: REDD}\n  to"), VOCABULARY, source="rules.yaml")


def test_every_part_of_a_case_and_every_effect_is_on_the_page():
    parts = ("reaches exactly", "reaches nobody because of", "tearline reaches", "withheld from", "with", "at")
    for word in (*parts, "share", "always", "never", "require", "yields to", "at most", "at least"):
        assert word in PAGE
