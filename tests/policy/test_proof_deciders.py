"""Three deciders that share no code decide alike: the bitsets of production, the slow oracle and the z3 model."""

from dataclasses import replace

import pytest

from policy import compile_rules
from tests.policy.guarantees import agrees_with_the_oracle
from tests.policy.proofs import Proof, edition
from tests.policy.worlds import MOMENTS, world


def agree(seeds, *, agencies, portions, rules=14, one_by_one=False):
    """How many decisions were compared, and how many of them shared or withheld something."""
    counts = [0, 0, 0]
    for seed in seeds:
        exchange = world(seed, agencies=agencies, portions=portions, rules=rules)
        one = edition(exchange, exchange.agencies)
        decider, oracle = exchange.decider(), exchange.oracle()
        decisions = [decider.decide(portion) for portion in exchange.portions]
        anyone = None if one_by_one else Proof(one)
        for agency in exchange.agencies:
            proof = anyone or Proof(one, agency)
            for portion, decision in zip(exchange.portions, decisions, strict=True):
                found = proof.judge(portion, agency, exchange.at)
                shared, granting, _, blocking, _ = oracle.judge(portion, agency)
                requiring = sorted(
                    rule["rule"].split(" ")[0]
                    for rule in oracle.file["rules"]
                    if rule["effect"] == "require" and oracle.rule_truth(rule, portion, agency) > 0
                )
                assert (found.shared, found.granting, found.blocking) == (shared, granting, blocking)
                assert found.requiring == requiring
                assert decision.reaches(agency) is shared
                counts[0] += 1
                counts[1] += shared
                counts[2] += bool(granting and blocking)
    return counts


def test_the_solver_says_of_a_point_what_its_formulas_say():
    for seed in (1, 2):
        exchange = world(seed, agencies=4, portions=5)
        one = edition(exchange, exchange.agencies)
        proof = Proof(one)
        for agency in exchange.agencies:
            for portion in exchange.portions:
                assert proof.solve(portion, agency, exchange.at) == proof.judge(portion, agency, exchange.at)


def test_the_model_of_any_agency_decides_as_the_bitsets_and_the_oracle():
    decisions, shared, withheld = agree(range(24), agencies=12, portions=12)
    assert decisions == 3456
    assert shared > decisions * 0.08
    assert withheld > decisions * 0.04


def test_the_model_of_one_agency_decides_as_the_bitsets_and_the_oracle():
    decisions, shared, withheld = agree(range(100, 110), agencies=8, portions=8, one_by_one=True)
    assert decisions == 640
    assert shared > decisions * 0.08
    assert withheld > decisions * 0.04


@pytest.mark.parametrize("purpose", [{"p"}, {"p", "q"}, {"p", "PURPLE"}, set()])
def test_a_property_with_one_value_that_comes_as_a_set_is_unknown_but_still_a_key(purpose):
    for seed in range(200, 204):
        exchange = world(seed, agencies=8, portions=5)
        exchange = replace(exchange, portions=[{**one, "purpose": frozenset(purpose)} for one in exchange.portions])
        one = edition(exchange, exchange.agencies)
        proof, oracle, decider = Proof(one), exchange.oracle(), exchange.decider()
        for portion in exchange.portions:
            decision = decider.decide(portion)
            for agency in exchange.agencies:
                found = proof.judge(portion, agency, exchange.at)
                shared, granting, _, blocking, _ = oracle.judge(portion, agency)
                assert (found.shared, found.granting, found.blocking) == (shared, granting, blocking)
                assert decision.reaches(agency) is shared


def test_the_model_knows_every_edge_of_an_agreement():
    text = """policy: p
version: 1
rules:
- {rule: A pact, effect: share, when: anything, to: [{pact: P-1}], because: x}
- {rule: N pact, effect: never, when: {topic: a}, to: [{pact: P-1}], because: x}
- {rule: B all, effect: share, when: {topic: a}, to: everyone, because: x}
agreements: {P-1: {from: 2026-03-01, until: 2026-06-30}}
"""
    one = edition(text, {"g": {"pact": "P-1"}})
    proof = Proof(one)
    for at in MOMENTS:
        decider = compile_rules(one.ruleset, one.vocabulary, one.agencies, at=at)
        for topic in ("a", "b"):
            found = proof.judge({"topic": topic}, "g", at)
            assert found.shared is decider.decide({"topic": topic}).reaches("g"), (at, topic)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_three_deciders_agree_on_more_than_half_a_million_random_decisions():
    bitsets = sum(agrees_with_the_oracle(world(seed))[0] for seed in range(5000, 5450))
    assert bitsets >= 500_000
    decisions, shared, withheld = agree(range(6000, 6250), agencies=16, portions=12)
    one_by_one, _, _ = agree(range(7000, 7040), agencies=12, portions=12, one_by_one=True)
    assert decisions + one_by_one >= 50_000
    assert shared > decisions * 0.08
    assert withheld > decisions * 0.04
