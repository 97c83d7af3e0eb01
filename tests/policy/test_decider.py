"""A decider at another moment, and one that is cut off, decide as they must."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy import PolicyError, compile_rules, parse_ruleset, parse_vocabulary
from policy.decide import OPEN
from tests.policy.worlds import (
    END,
    EXAMPLE_VOCABULARY,
    MOMENTS,
    START,
    VOCABULARY,
    world,
)

WORDS = parse_vocabulary(VOCABULARY, source="vocabulary")
EXAMPLE_WORDS = parse_vocabulary(EXAMPLE_VOCABULARY, source="vocabulary.yaml")
few = settings(max_examples=40, deadline=None)
seeds = st.integers(min_value=0, max_value=2**32)
FIVE = timedelta(minutes=5)


def said(decision):
    """Everything that a decision says."""
    return (
        decision.audience,
        dict(decision.withheld),
        dict(decision.blocked_always),
        decision.touched,
        [(dict(duties), tuple(members)) for duties, members in decision.groups()],
        {agency: dict(decision.obligations(agency)) for agency in decision.audience},
    )


@few
@given(seeds, st.sampled_from([moment for moment in MOMENTS if moment is not None]))
def test_rules_folded_again_for_another_moment_say_what_rules_folded_for_it_say(seed, moment):
    exchange = world(seed, agencies=14, portions=8, rules=12)
    decider = exchange.decider()
    moved = decider.at(moment)
    fresh = compile_rules(decider.ruleset, decider.vocabulary, decider.agencies, at=moment)
    assert moved.moment == moment
    assert moved.valid_until == fresh.valid_until
    for portion in exchange.portions:
        assert said(moved.decide(portion)) == said(fresh.decide(portion))


DATED = """policy: p
version: 1
rules:
- {rule: A dated, effect: share, when: anything, to: [{pact: P-1}], with: {precedence: FLASH}, because: x}
- {rule: B plain, effect: share, when: anything, to: [{kind: fed}], because: x}
agreements:
  P-1: {from: 2026-03-01, until: 2026-06-30}
  P-2: {from: 2025-01-01, until: 2027-12-31}
"""


def dated(at):
    agencies = {"a": {"pact": "P-1", "kind": "city"}, "b": {"pact": frozenset(), "kind": "fed"}}
    return compile_rules(parse_ruleset(DATED, WORDS, source="r"), WORDS, agencies, at=at)


def test_only_rules_that_depend_on_a_date_are_folded_again():
    before = dated(START + FIVE)
    assert before.at(START + 2 * FIVE)._plans is before._plans
    after = before.at(END)
    assert after._plans[0] is not before._plans[0]
    assert after._plans[1] is before._plans[1]


def test_a_decider_is_valid_until_the_next_edge_of_an_agreement_that_some_rule_asks_for():
    assert dated(None).valid_until is None
    assert dated(datetime(2024, 1, 1, tzinfo=UTC)).valid_until == START - FIVE
    assert dated(START - FIVE).valid_until == START + FIVE
    assert dated(START + FIVE).valid_until == END - FIVE
    assert dated(END - FIVE).valid_until == END + FIVE
    assert dated(END + FIVE).valid_until is None


def test_a_moment_without_a_zone_is_refused():
    with pytest.raises(PolicyError) as refusal:
        dated(START).at(datetime(2026, 5, 1))  # noqa: DTZ001 - the fault under test
    assert refusal.value.code == "naive-time"


@few
@given(seeds)
def test_the_recheck_of_one_agency_agrees_with_the_decision_when_cut_off_too(seed):
    exchange = world(seed, agencies=10, portions=6, rules=12)
    decider = exchange.decider()
    for portion in exchange.portions:
        decision = decider.decide(portion, cut_off=True)
        for agency in exchange.agencies:
            admitted, duties = decider.admits(portion, agency, cut_off=True)
            assert admitted is (agency in decision.audience)
            assert dict(duties) == (dict(decision.obligations(agency)) if admitted else {})


# The word `TLP` is what tells what is open; the random vocabulary spells it otherwise.
TLP_WORDS = parse_vocabulary(
    VOCABULARY.replace("tlp: {ordered: [LOW, MID, HIGH]}", "TLP: {ordered: [CLEAR, GREEN, RED]}"), source="v"
)
CUT_OFF = """policy: p
version: 1
rules:
- {rule: A always, effect: always, when: anything, to: [{kind: city}], yields to: [N], because: x}
- {rule: S share, effect: share, when: anything, to: everyone, because: x}
- {rule: N never, effect: never, when: anything, to: [{state: OR}], because: x}
"""


@pytest.mark.parametrize(
    ("portion", "audience"),
    [
        ({"TLP": "CLEAR"}, ("city", "fed")),
        ({"TLP": "GREEN"}, ("city", "fed")),
        ({"TLP": "RED"}, ("city",)),
        ({"TLP": "PURPLE"}, ("city",)),
        ({"TLP": frozenset({"GREEN"})}, ("city",)),
        ({}, ("city",)),
    ],
)
def test_cut_off_from_the_hub_only_always_rules_and_what_is_surely_open_go_out(portion, audience):
    agencies = {
        "city": {"kind": "city", "state": "IL"},
        "fed": {"kind": "fed", "state": "IL"},
        "city-or": {"kind": "city", "state": "OR"},
    }
    decider = compile_rules(parse_ruleset(CUT_OFF, TLP_WORDS, source="r"), TLP_WORDS, agencies, at=None)
    assert decider.decide(portion).audience == ("city", "fed")
    assert decider.decide(portion, cut_off=True).audience == audience
    assert decider.admits(portion, "fed")[0] is True
    assert decider.admits(portion, "fed", cut_off=True)[0] is ("fed" in audience)


def test_what_is_open_are_the_two_mildest_labels_of_the_example_vocabulary():
    assert set(EXAMPLE_WORDS.bulletin["TLP"].values[:2]) == OPEN
