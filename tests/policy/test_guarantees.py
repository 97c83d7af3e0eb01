"""What must hold for any rules, any directory and any portion, each named for the fact."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from policy import compile_rules, parse_ruleset, parse_vocabulary
from tests.policy import guarantees
from tests.policy.worlds import AGREEMENTS, VOCABULARY, rule_text, world

seeds = st.integers(min_value=0, max_value=2**32)
few = settings(max_examples=60, deadline=None)


def small(seed):
    return world(seed, agencies=14, portions=10, rules=9)


@few
@given(seeds)
def test_no_decision_shares_with_an_agency_that_a_never_rule_possibly_matches(seed):
    guarantees.never_is_never_crossed(small(seed))


@few
@given(seeds)
def test_nobody_gets_a_portion_without_a_share_rule_that_surely_matches(seed):
    guarantees.nothing_is_shared_by_default(small(seed))


@few
@given(seeds)
def test_a_requirement_that_possibly_applies_binds_every_recipient(seed):
    guarantees.every_possible_requirement_binds(small(seed))


@few
@given(seeds)
def test_forgetting_an_attribute_or_mistyping_its_value_never_adds_a_recipient(seed):
    guarantees.forgetting_never_adds_a_recipient(small(seed))


@few
@given(seeds)
def test_the_order_of_rules_does_not_matter(seed):
    guarantees.order_does_not_matter(small(seed))


def with_one_more(exchange, random, effect):
    """Deciders without and with one more random rule of `effect`."""
    before = exchange.decider()
    text = "policy: more\nversion: 1\nrules:\n" + rule_text(random, "MORE", effect) + AGREEMENTS
    rule = parse_ruleset(text, before.vocabulary, source="more").rules[0]
    ruleset = replace(before.ruleset, rules=(*before.ruleset.rules, rule))
    return before, compile_rules(ruleset, before.vocabulary, before.agencies, at=before.moment)


@few
@given(seeds, st.randoms(use_true_random=False))
def test_one_more_never_rule_adds_nobody(seed, random):
    exchange = small(seed)
    before, after = with_one_more(exchange, random, "never")
    for portion in exchange.portions:
        assert set(after.decide(portion).audience) <= set(before.decide(portion).audience)


@few
@given(seeds, st.randoms(use_true_random=False))
def test_one_more_share_rule_removes_nobody_and_loosens_no_duty(seed, random):
    exchange = small(seed)
    before, after = with_one_more(exchange, random, "share")
    for portion in exchange.portions:
        old, new = before.decide(portion), after.decide(portion)
        assert set(old.audience) <= set(new.audience)
        assert_no_looser(old, new)


@few
@given(seeds, st.randoms(use_true_random=False))
def test_one_more_require_rule_changes_no_audience_and_loosens_no_duty(seed, random):
    exchange = small(seed)
    before, after = with_one_more(exchange, random, "require")
    for portion in exchange.portions:
        old, new = before.decide(portion), after.decide(portion)
        assert old.audience == new.audience
        assert_no_looser(old, new)


WORDS = world(0).oracle().vocabulary


def assert_no_looser(old, new):
    for agency in old.audience:
        for name, value in old.obligations(agency).items():
            assert guarantees.as_strict(WORDS, name, new.obligations(agency).get(name), value)


@few
@given(seeds)
def test_an_agency_outside_the_directory_is_never_admitted(seed):
    exchange = small(seed)
    decider = exchange.decider()
    for portion in exchange.portions:
        assert decider.admits({**portion, "named": "stranger"}, "stranger") == (False, {})


@few
@given(seeds)
def test_the_recheck_of_one_agency_agrees_with_the_decision_for_all(seed):
    exchange = small(seed)
    decider = exchange.decider()
    for portion in exchange.portions:
        decision = decider.decide(portion)
        for agency in exchange.agencies:
            admitted, duties = decider.admits(portion, agency)
            assert admitted is (agency in decision.audience)
            assert dict(duties) == (dict(decision.obligations(agency)) if admitted else {})


def test_without_agencies_nobody_gets_anything():
    vocabulary = parse_vocabulary(VOCABULARY, source="vocabulary")
    text = "policy: p\nversion: 1\nrules:\n- {rule: A all, effect: share, when: anything, to: everyone, because: x}\n"
    decision = compile_rules(parse_ruleset(text, vocabulary, source="r"), vocabulary, {}, at=None).decide({})
    assert decision.audience == ()
    assert decision.groups() == []


def test_ids_of_a_large_audience_are_listed_sorted_and_completely():
    vocabulary = parse_vocabulary(VOCABULARY, source="vocabulary")
    text = """policy: p
version: 1
rules:
- {rule: A all, effect: share, when: anything, to: [{kind: city}], because: x}
"""
    agencies = {f"a{n}": {"kind": "city" if n % 3 else "fed"} for n in range(1000)}
    decider = compile_rules(parse_ruleset(text, vocabulary, source="r"), vocabulary, agencies, at=None)
    assert list(decider.decide({}).audience) == sorted(f"a{n}" for n in range(1000) if n % 3)
