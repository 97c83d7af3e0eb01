"""What a gateway sees for itself, without a solver, of a release that one officer made alone."""

import subprocess
import sys
from dataclasses import replace
from random import Random  # noqa: TID251 - reproducible by seed

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy import PolicyError, parse_ruleset, parse_vocabulary
from policy.comparison import Edition
from policy.narrowing import may_block_always, only_adds_nevers
from policy.proof.sides import Ground
from tests.policy.worlds import AGREEMENTS, EXAMPLE_RULES, EXAMPLE_VOCABULARY, VOCABULARY, rule_text

WORDS = parse_vocabulary(EXAMPLE_VOCABULARY, source="vocabulary")
SMALL_WORDS = parse_vocabulary(VOCABULARY, source="vocabulary")
STOP = "- {rule: E1 stop, effect: never, when: {category: narcotics}, to: everyone, because: an emergency}\n"


def test_what_a_gateway_loads_of_this_room_loads_no_solver():
    loaded = "import sys, policy, policy.narrowing, policy.comparison; sys.exit('z3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded], check=False).returncode == 0


def example(rules=EXAMPLE_RULES):
    return parse_ruleset(rules, WORDS, source="rules")


def added(text, rules=EXAMPLE_RULES):
    return example(rules.replace("agreements:\n", text + "agreements:\n", 1))


def refusal(after, before=None):
    with pytest.raises(PolicyError) as refused:
        only_adds_nevers(before or example(), after)
    assert refused.value.code == "not-only-nevers"
    return refused.value.message


def test_one_never_rule_more_is_seen_whatever_its_place_in_the_text():
    assert [rule.id for rule in only_adds_nevers(example(), added(STOP))] == ["E1"]
    first = example(EXAMPLE_RULES.replace("rules:\n", "rules:\n" + STOP, 1).replace("version: 41", "version: 42"))
    assert [rule.id for rule in only_adds_nevers(example(), first)] == ["E1"]
    shuffled = replace(first, rules=first.rules[::-1])
    assert [rule.id for rule in only_adds_nevers(example(), shuffled)] == ["E1"]


def test_no_rule_more_is_none():
    assert only_adds_nevers(example(), example()) == ()


@pytest.mark.parametrize("effect", ["share", "always", "require"])
def test_a_new_rule_that_does_not_forbid_is_refused(effect):
    rule = STOP.replace("never", effect).replace("because", "with: {onward: nobody}, because")
    assert "E1 is added and does not forbid" in refusal(added(rule))


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("when: {TLP: RED}\n  to:\n  - named", "when: {TLP: [RED, AMBER]}\n  to:\n  - named", "R01"),
        ("because: LES handling", "because: LES", "R14"),
        ("R14 Law-enforcement-sensitive", "R14 Sensitive", "R14"),
        ("acknowledge within: 30 minutes", "acknowledge within: 20 minutes", "R09"),
        ("yields to: [R01, ", "yields to: [", "R02"),
        ("until: 2026-12-31", "until: 2026-12-30", "agreement"),
        ("policy: Regional threat bulletins", "policy: Others", "name"),
        ("reaches exactly: [il-fusion]\n", "reaches exactly: [il-fusion, chicago-pd]\n", "the case 'RED without names"),
        ("test: HIDTA sharing works now", "test: HIDTA", "the case 'HIDTA sharing works now' is removed"),
    ],
)
def test_anything_else_that_differs_is_refused_by_name(old, new, named):
    assert old in EXAMPLE_RULES
    rules = EXAMPLE_RULES.replace(old, new, 1)
    assert named in refusal(added(STOP, rules))


def test_a_rule_that_is_gone_is_refused():
    before = example()
    after = replace(before, rules=tuple(rule for rule in before.rules if rule.id != "R14"))
    assert refusal(after) == "more than never rules is added: R14 is removed"


def test_more_cases_are_no_other_rules():
    case = "- test: one more\n  bulletin: {category: narcotics}\n  reaches exactly: []\n"
    assert [rule.id for rule in only_adds_nevers(example(), added(STOP, EXAMPLE_RULES + case))] == ["E1"]


def never(when, to):
    text = f"- {{rule: E1 stop, effect: never, when: {when}, to: {to}, because: an emergency}}\n"
    return only_adds_nevers(example(), added(text))[0]


@pytest.mark.parametrize(
    ("when", "to", "blocks"),
    [
        ("{category: narcotics}", "everyone", False),
        ("{TLP: AMBER+STRICT}", "everyone", True),
        ("anything", "[{kind: county sheriff}]", False),
        ("anything", "[{kind: county sheriff}, {kind: JTTF}]", True),
        ("anything", "[{kind: JTTF, serves the area: no}]", False),
        ("anything", "[{serves the area: no}]", True),
        ("anything", "[{kind: [JTTF, fusion center, state police], serves the area: no}]", False),
        ("anything", "[{kind: city police, protects the person: no}]", False),
        ("anything", "[{kind: city police, serves the area: no}]", True),
        ("{caveats: LES}", "[{status: suspended}]", True),
    ],
)
def test_whom_a_new_never_rule_could_stop_is_seen_line_by_line(when, to, blocks):
    rule = never(when, to)
    assert may_block_always(example(), WORDS, rule) == (("R02",) if blocks else ())
    assert provable(example(), WORDS, rule) == (("R02",) if blocks else ())


def provable(ruleset, vocabulary, rule):
    """The same by proof."""
    both = replace(ruleset, rules=(*(one for one in ruleset.rules if one.id != rule.id), rule))
    edition = Edition(vocabulary=vocabulary, ruleset=both, agencies={})
    ground = Ground(edition)
    meaning = ground.meaning(edition, ground.anyone())
    return tuple(
        sorted(
            one.id
            for one in both.rules
            if one.effect == "always" and ground.logic.possible(meaning.matches[one.id], meaning.matches[rule.id])
        )
    )


def test_on_the_example_file_the_lines_say_what_the_proof_says():
    ruleset = example()
    for rule in ruleset.rules:
        if rule.effect == "never":
            assert may_block_always(ruleset, WORDS, rule) == provable(ruleset, WORDS, rule), rule.id


def random_rules(seed, count=8):
    random = Random(seed)
    blocks = [rule_text(random, f"A{number}", "always") for number in range(count)]
    blocks += [rule_text(random, f"N{number}", "never") for number in range(count)]
    text = "policy: random\nversion: 1\nrules:\n" + "".join(blocks) + AGREEMENTS
    return parse_ruleset(text, SMALL_WORDS, source="rules")


def same_as_proved(seed):
    """Pairs that were compared, and pairs that cannot meet."""
    ruleset = random_rules(seed)
    pairs = apart = 0
    for rule in ruleset.rules:
        if rule.effect != "never":
            continue
        seen, proved = may_block_always(ruleset, SMALL_WORDS, rule), provable(ruleset, SMALL_WORDS, rule)
        assert set(proved) <= set(seen), rule.id
        # No vocabulary of this exchange ties lines to each other.
        assert seen == proved, rule.id
        pairs, apart = pairs + 8, apart + 8 - len(seen)
    return pairs, apart


@settings(max_examples=5, deadline=None)
@given(st.integers(min_value=0, max_value=2**32))
def test_whatever_a_proof_says_can_be_stopped_the_lines_say_too(seed):
    same_as_proved(seed)


def test_random_rules_stop_each_other_often_enough_to_compare():
    pairs, apart = same_as_proved(1)
    assert 0 < apart < pairs
