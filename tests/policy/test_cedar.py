"""Cedar, given the rules as sets of what is surely and what is possibly so, decides as we do; needs cedarpy."""

import pytest

from bench.cedar import cedar_policies, compare
from bench.national import national_directory, national_vocabulary
from bench.neutral_rules import neutral_rules
from bench.portions import national_portions
from bench.rulebook import national_rules
from policy import compile_rules, parse_ruleset
from policy.index import AgencyIndex
from tests.policy.test_bench import AT
from tests.policy.worlds import world

pytest.importorskip("cedarpy")


def test_random_rules_over_records_and_portions_with_holes_are_decided_alike():
    compared = shared = 0
    for seed in range(12):
        exchange = world(seed)
        found = compare(exchange.decider(), exchange.portions, sampled=len(exchange.agencies))
        assert found.mismatches == 0, seed
        compared += found.compared
        shared += found.shared
    assert compared > 10_000
    # A comparison of refusals only would prove nothing.
    assert compared * 0.1 < shared < compared * 0.9


@pytest.mark.parametrize("make", [national_rules, lambda: neutral_rules(national_vocabulary())])
def test_the_rules_of_the_measurement_are_decided_alike(make):
    vocabulary = national_vocabulary()
    directory = national_directory(agencies=400, half_filled=0.3, suspended=0.1)
    decider = compile_rules(parse_ruleset(make(), vocabulary, source="rules"), vocabulary, directory, at=AT)
    portions = national_portions(directory, vocabulary, count=12, missing=0.1, unknown=0.05)
    portions.sort(key=lambda portion: -decider.decide(portion).size)
    found = compare(decider, portions, sampled=60)
    assert found.mismatches == 0
    assert found.compared > 400
    assert found.shared > 0


def test_a_decision_that_differs_is_counted(monkeypatch):
    exchange = world(1)
    decider = exchange.decider()
    related = AgencyIndex.related
    monkeypatch.setattr(AgencyIndex, "related", lambda self, *given: related(self, *given)[::-1])
    assert compare(decider, exchange.portions, sampled=40).mismatches > 0


def test_a_never_rule_asks_for_what_is_possible_and_a_share_rule_for_what_is_sure():
    vocabulary = national_vocabulary()
    rules = parse_ruleset(national_rules(count=20), vocabulary, source="rules").rules
    texts = {rule.id: cedar_policies([rule], vocabulary) for rule in rules}
    assert texts["R10"] == (
        '@id("R10")\nforbid(principal, action, resource) when '
        '{ true && ((principal["status possibly"].containsAny(["suspended"]))) };\n'
    )
    assert '!resource["key named surely"].containsAny(principal["index id surely"])' in texts["R01"]
    assert 'resource["key area surely"].containsAny(principal["index serves surely"])' in texts["R18"]
    assert texts["R12"] == ""
