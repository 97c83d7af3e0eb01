"""What a proof holds against a rules file, each finding by a small file that earns it."""

import pytest

from bench.neutral_rules import neutral_rules
from policy import PolicyError, compile_rules, parse_ruleset, parse_vocabulary
from policy.comparison import SOME_AGENCY
from policy.proof import lint
from tests.policy.worlds import AGREEMENTS, EXAMPLE_RULES, EXAMPLE_VOCABULARY, VOCABULARY

HEAD = "policy: p\nversion: 1\nrules:\n"
ALL = "- {rule: ALL low, effect: share, when: {tlp: LOW}, to: everyone, because: x}\n"


def findings(rules, agreements=AGREEMENTS, vocabulary=VOCABULARY):
    known = parse_vocabulary(vocabulary, source="vocabulary")
    return lint(parse_ruleset(HEAD + rules + agreements, known, source="rules"), known)


def codes(rules, agreements=AGREEMENTS, vocabulary=VOCABULARY):
    return [(finding.code, finding.rule) for finding in findings(rules, agreements, vocabulary)]


def test_the_example_rules_have_no_finding():
    vocabulary = parse_vocabulary(EXAMPLE_VOCABULARY, source="vocabulary")
    assert lint(parse_ruleset(EXAMPLE_RULES, vocabulary, source="rules"), vocabulary) == ()


def test_a_share_by_an_agreement_shorter_than_the_clocks_are_sure_of_never_matches():
    rule = "- {rule: A pact, effect: share, when: anything, to: [{pact: P-1}], because: x}\n"
    short = "agreements: {P-1: {from: 2026-03-01T10:00Z, until: 2026-03-01T10:10Z}}\n"
    longer = "agreements: {P-1: {from: 2026-03-01T10:00Z, until: 2026-03-01T10:11Z}}\n"
    assert codes(rule, short) == [("never-matches", "A")]
    assert codes(rule, longer) == []


TWO_PACTS = VOCABULARY.replace(
    "tags: {set of: [t, u]}", "tags: {set of: [t, u]}\n  other: {set of: [O-1], dated: true}"
)


def test_a_share_by_two_agreements_that_are_never_in_force_together_never_matches():
    rule = "- {rule: A both, effect: share, when: anything, to: [{pact: P-1, other: O-1}], because: x}\n"
    apart = "agreements:\n  P-1: {from: 2026-03-01, until: 2026-03-31}\n  O-1: {from: 2026-04-01, until: 2026-04-30}\n"
    assert codes(rule, apart, TWO_PACTS) == [("never-matches", "A")]
    assert codes(rule, apart.replace("O-1: {from: 2026-04-01", "O-1: {from: 2026-03-31"), TWO_PACTS) == []


TWICE = VOCABULARY.replace(
    "serves: {key: area, index: counties}",
    "serves: {key: area, index: counties}\n  covers: {key: area, index: counties}",
)


def test_a_never_rule_that_contradicts_itself_matches_nothing_that_is_stated():
    rule = "- {rule: N odd, effect: never, when: anything, to: [{serves: yes, covers: no}], because: x}\n"
    assert codes(ALL + rule, vocabulary=TWICE) == [("never-matches", "N")]
    assert codes(ALL + rule.replace("covers: no", "covers: yes"), vocabulary=TWICE) == []


def test_a_require_rule_that_contradicts_itself_matches_nothing_that_is_stated():
    rule = """
- rule: Q odd
  effect: require
  when: anything
  to: [{serves: yes, covers: no}]
  with: {onward: own}
  because: x
"""
    assert codes(ALL + rule, vocabulary=TWICE) == [("never-matches", "Q")]


def test_a_share_whose_audience_another_rule_has_already_adds_nothing():
    narrower = "- {rule: B low a, effect: share, when: {tlp: LOW, topic: a}, to: [{kind: city}], because: x}\n"
    assert codes(ALL + narrower) == [("adds-nothing", "B")]
    assert codes(ALL + narrower.replace("tlp: LOW", "tlp: MID")) == []


def test_a_share_whose_audience_two_others_have_between_them_adds_nothing():
    rules = """
- {rule: A city, effect: share, when: {tlp: LOW}, to: [{serves: yes}], because: x}
- {rule: B rest, effect: share, when: {tlp: LOW}, to: [{serves: no}], because: x}
- {rule: C both, effect: share, when: {tlp: LOW, topic: a}, to: [{serves: yes}, {serves: no}], because: x}
"""
    assert codes(rules) == [("adds-nothing", "C")]


def test_two_equal_shares_are_both_found():
    assert codes(ALL + ALL.replace("ALL low", "TOO low")) == [("adds-nothing", "ALL"), ("adds-nothing", "TOO")]


@pytest.mark.parametrize(
    ("duty", "other", "adds"),
    [
        ("precedence: FLASH", "precedence: PRIORITY", True),
        ("precedence: PRIORITY", "precedence: FLASH", False),
        ("answer within: 1 hour", "answer within: 2 hours", True),
        ("answer within: 2 hours", "answer within: 60 minutes", False),
        ("onward: nobody", "onward: own", True),
        ("onward: public", "onward: public", False),
        ("strip: [names, sources]", "strip: [names]", True),
        ("strip: [names]", "strip: [names, sources]", False),
        ("note: [call first]", "note: [call, first]", True),
        ("note: [call first]", "strip: [names]", True),
    ],
)
def test_a_share_adds_something_by_a_stricter_duty_alone(duty, other, adds):
    rules = f"""
- {{rule: A all, effect: share, when: anything, to: everyone, with: {{{other}}}, because: x}}
- {{rule: B low, effect: share, when: {{tlp: LOW}}, to: everyone, with: {{{duty}}}, because: x}}
"""
    assert codes(rules) == ([] if adds else [("adds-nothing", "B")])


def test_a_share_whose_duty_a_require_rule_gives_already_adds_nothing():
    rules = """
- {rule: A all, effect: share, when: anything, to: everyone, because: x}
- {rule: B low, effect: share, when: {tlp: LOW}, to: everyone, with: {onward: own}, because: x}
- {rule: Q low, effect: require, when: {tlp: at most MID}, to: everyone, with: {onward: nobody}, because: x}
"""
    assert codes(rules) == [("adds-nothing", "B")]


def test_an_always_rule_adds_that_it_must_arrive_even_where_a_share_gives_the_same():
    rules = ALL + "- {rule: A low, effect: always, when: {tlp: LOW}, to: everyone, because: x}\n"
    # The share then has nothing left to give.
    assert codes(rules) == [("adds-nothing", "ALL")]
    assert codes(rules + "- {rule: B low, effect: always, when: {tlp: LOW}, to: everyone, because: x}\n") == [
        ("adds-nothing", "ALL"),
        ("adds-nothing", "A"),
        ("adds-nothing", "B"),
    ]


def test_a_share_that_a_never_rule_always_stops_is_found():
    never = "- {rule: N low, effect: never, when: {tlp: [LOW, MID]}, to: everyone, because: x}\n"
    assert codes(ALL + never) == [("always-blocked", "ALL")]
    assert codes(ALL + never.replace("to: everyone", "to: [{kind: city}]")) == []


def test_a_share_that_two_never_rules_stop_between_them_is_found():
    nevers = """
- {rule: N yes, effect: never, when: {tlp: LOW}, to: [{serves: yes}], because: x}
- {rule: M no, effect: never, when: {tlp: LOW}, to: [{serves: no}], because: x}
"""
    assert codes(ALL + nevers) == [("always-blocked", "ALL")]


ALWAYS = "- {rule: A life, effect: always, when: {topic: a}, to: [{kind: city, serves: yes}], because: x}\n"
NEVER = "- {rule: N high, effect: never, when: {tlp: HIGH}, to: everyone, because: x}\n"


def test_a_never_rule_that_can_stop_an_always_rule_unawares_is_found_with_an_example_that_production_confirms():
    (finding,) = findings(ALWAYS + NEVER)
    assert (finding.code, finding.rule, finding.line) == ("blocks-always", "A", 4)
    assert "N can block it" in finding.message
    example = finding.example
    vocabulary = parse_vocabulary(VOCABULARY, source="v")
    ruleset = parse_ruleset(HEAD + ALWAYS + NEVER + AGREEMENTS, vocabulary, source="r")
    decider = compile_rules(ruleset, vocabulary, {SOME_AGENCY: example.record}, at=example.at)
    assert decider.decide(example.portion).blocked_always == {SOME_AGENCY: ("N",)}


def test_a_never_rule_that_is_listed_may_stop_an_always_rule():
    assert codes(ALWAYS.replace("because", "yields to: [N], because") + NEVER) == []


def test_there_is_one_finding_for_each_pair_of_always_and_never():
    second = ALWAYS.replace("A life", "B life").replace("topic: a", "topic: b")
    other = NEVER.replace("N high", "M tags").replace("to: everyone", "to: [{tags: t}]")
    assert codes(ALWAYS + second + NEVER + other) == [
        ("blocks-always", "A"), ("blocks-always", "A"), ("blocks-always", "B"), ("blocks-always", "B")
    ]  # fmt: skip


def test_a_never_rule_about_another_kind_of_agency_cannot_stop_an_always_rule():
    assert codes(ALWAYS + NEVER.replace("to: everyone", "to: [{kind: fed}]")) == []


def test_a_listed_never_rule_that_can_never_stop_the_always_rule_is_found():
    rules = ALWAYS.replace("because", "yields to: [N], because") + NEVER.replace("to: everyone", "to: [{kind: fed}]")
    assert codes(rules) == [("yields-in-vain", "A")]


def test_dropping_r04_from_the_list_of_r02_is_found():
    vocabulary = parse_vocabulary(EXAMPLE_VOCABULARY, source="vocabulary")
    rules = EXAMPLE_RULES.replace("yields to: [R01, R04, ", "yields to: [R01, ")
    (finding,) = lint(parse_ruleset(rules, vocabulary, source="rules"), vocabulary)
    assert (finding.code, finding.rule) == ("blocks-always", "R02")
    assert "R04" in finding.message


def test_a_new_never_rule_on_amber_strict_is_found_because_it_can_block_r02():
    vocabulary = parse_vocabulary(EXAMPLE_VOCABULARY, source="vocabulary")
    new = """- rule: R20 Nothing marked AMBER+STRICT
  effect: never
  when: {TLP: AMBER+STRICT}
  to: everyone
  because: a test

agreements:
"""
    ruleset = parse_ruleset(EXAMPLE_RULES.replace("agreements:\n", new, 1), vocabulary, source="rules")
    assert [(finding.code, finding.rule) for finding in lint(ruleset, vocabulary)] == [("blocks-always", "R02")]


def test_a_vocabulary_that_looks_ids_up_in_a_closed_list_is_refused_not_guessed():
    odd = VOCABULARY.replace("{key: area, index: counties}", "{key: area, index: id}")
    with pytest.raises(PolicyError) as refused:
        findings(ALL, vocabulary=odd)
    assert refused.value.code == "not-provable"


def test_of_two_hundred_rules_only_the_unlisted_never_rules_are_found():
    vocabulary = parse_vocabulary(EXAMPLE_VOCABULARY, source="vocabulary")
    found = lint(parse_ruleset(neutral_rules(vocabulary), vocabulary, source="rules"), vocabulary)
    assert {finding.code for finding in found} == {"blocks-always"}
    assert sum(finding.example is not None for finding in found) == 20
