"""The bitset engine and an independent evaluator decide alike."""

import pytest

from tests.policy.guarantees import agrees_with_the_oracle
from tests.policy.worlds import world


def compare(seeds):
    totals = [0, 0, 0]
    for seed in seeds:
        for place, count in enumerate(agrees_with_the_oracle(world(seed))):
            totals[place] += count
    return totals


def test_bitsets_and_an_independent_evaluator_agree_on_100_000_random_decisions():
    decisions, shared, withheld = compare(range(90))
    assert decisions >= 100_000
    # A comparison of refusals only would prove nothing.
    assert shared > decisions * 0.1
    assert withheld > decisions * 0.05


def test_they_agree_where_dozens_of_rules_speak_at_once():
    speaking = 0
    for seed in range(8):
        exchange = world(seed, agencies=12, portions=5, rules=120)
        agrees_with_the_oracle(exchange)
        decider = exchange.decider()
        speaking = max(speaking, *(len(decider.decide(portion).touched) for portion in exchange.portions))
    # Many rules are gone through in another way than few.
    assert speaking > 32


@pytest.mark.long
@pytest.mark.timeout(600)
def test_bitsets_and_an_independent_evaluator_agree_on_a_million_random_decisions():
    decisions, _, _ = compare(range(1000, 1900))
    assert decisions >= 1_000_000
