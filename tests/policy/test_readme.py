"""The page about the rule language shows rules, sentences, refusals and explanations as they are."""

import re
from pathlib import Path

import pytest

from policy import PolicyError, compile_rules, explain, parse_ruleset
from policy.say import sentence
from tests.policy.test_example import AGENCIES, NOW, RULESET, VOCABULARY
from tests.policy.test_refusals import RULE, ruleset
from tests.policy.test_slips import SLIPS

TOP = Path(__file__).parents[2]
PAGE = (TOP / "policy" / "README.md").read_text(encoding="utf-8")
WORKED = re.findall(r"```yaml\n(- rule:.*?)```\n.*?((?:^> [^\n]*\n)+)", PAGE, re.DOTALL | re.MULTILINE)
ROWS = re.findall(r"^\| `([^`]+)` \| (.*) \|$", PAGE[PAGE.index("| you wrote") :], re.MULTILINE)
SEEN = [row for row in ROWS if " " in row[0] or ":" in row[0]]
CODES = [name for name, _ in ROWS if " " not in name and ":" not in name]


def parsed(text):
    return parse_ruleset(
        "policy: page\nversion: 1\nrules:\n" + text + never_rules(text), VOCABULARY, source="page"
    ).rules[0]


def never_rules(text):
    """An always rule yields to never rules of the example, and a dated line needs its dates."""
    targets = re.search(r"yields to: \[(.*)\]", text)
    rules = "".join(
        f"- {{rule: {target} x, effect: never, when: anything, to: everyone, because: x}}\n"
        for target in (targets[1].split(", ") if targets else ())
    )
    return rules + "agreements:\n  HIDTA-2024: {from: 2024-01-01, until: 2026-12-31}\n"


def test_there_are_ten_worked_rules():
    assert len({parsed(rule).id for rule, _ in WORKED}) == len(WORKED) == 10


@pytest.mark.parametrize(("rule", "said"), WORKED, ids=[rule.split()[2] for rule, _ in WORKED])
def test_a_worked_rule_is_that_of_the_example_and_reads_as_the_page_says(rule, said):
    shown = " ".join(line.removeprefix("> ") for line in said.splitlines())
    example = next(known for known in RULESET.rules if known.id == parsed(rule).id)
    assert sentence(parsed(rule), VOCABULARY) == shown == sentence(example, VOCABULARY)
    assert parsed(rule).name == example.name


def refusals():
    """What is seen for every slip, and the text it is in."""
    slips = {name: slip[:2] for name, slip in SLIPS.items()}
    slips["REDD"] = ("{TLP: GREEN}\n  to", "{TLP: REDD}\n  to")
    slips["duties"] = ("- status: suspended\n", "- status: suspended\n  with: {onward: nobody}\n")
    for was, now in slips.values():
        text = RULE.replace(was, now)
        with pytest.raises(PolicyError) as refused:
            ruleset(text)
        yield refused.value.message, text


def test_every_mistake_on_the_page_is_told_as_the_page_says():
    told = list(refusals())
    assert len(SEEN) >= 12
    for wrote, sees in SEEN:
        assert [text for message, text in told if message == sees and wrote.split(": ")[-1] in text], (wrote, sees)


def test_the_refusal_on_the_page_is_the_one_that_is_given():
    refusal = re.search(r"^    (rules\.yaml:6: .*)$", PAGE, re.MULTILINE)[1]
    with pytest.raises(PolicyError, match=f"^{re.escape(refusal)}$"):
        ruleset(RULE.replace("TLP: GREEN}\n  to", "TLP: REDD}\n  to"))


def test_every_code_of_a_check_is_on_the_page_and_no_other():
    """The codes as they stand in the program: the page is for officers, who see no program."""
    check = (TOP / "broker" / "officer" / "checking.py").read_text(encoding="utf-8")
    lint = (TOP / "policy" / "proof" / "lint.py").read_text(encoding="utf-8")
    known = re.findall(r'Fault\(code="([a-z-]+)"', check) + re.findall(r'_finding\(\s*"([a-z-]+)"', lint)
    assert sorted(set(known)) == sorted(CODES)


def test_the_explanation_on_the_page_is_the_one_that_is_given():
    shown = re.findall(r"^    (\S.*\.)$", PAGE[PAGE.index("**Why did it not go there?**") :], re.MULTILINE)
    bolo = next(case.portion for case in RULESET.cases if "by R10 alone" in case.name)
    told = explain(compile_rules(RULESET, VOCABULARY, AGENCIES, at=NOW), {**bolo, "caveats": frozenset()}, "newtown-pd")
    assert len(shown) == 4
    assert shown == [sentence for sentence in told.sentences() if sentence in shown]


def test_every_part_of_a_case_and_every_effect_is_on_the_page():
    parts = ("reaches exactly", "reaches nobody because of", "tearline reaches", "withheld from", "with", "at")
    for word in (*parts, "share", "always", "never", "require", "yields to", "at most", "at least"):
        assert word in PAGE
