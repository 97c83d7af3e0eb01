"""The measurement measures what it says, and the engine keeps its figures."""

import pytest

from bench.audience import run
from bench.directory import AGENCIES, national_directory, national_vocabulary
from bench.neutral_rules import neutral_rules
from policy import check_agency, parse_ruleset


def test_the_national_directory_is_the_same_for_the_same_seed_and_has_the_stated_holes():
    directory, again, other = (national_directory(seed=seed, agencies=6000) for seed in (1, 1, 2))
    assert directory == again
    assert directory != other
    missing = 1 - sum(len(record) for record in directory.values()) / (10 * len(directory))
    assert 0.02 < missing < 0.04


def test_the_national_directory_is_what_it_claims():
    vocabulary = national_vocabulary()
    assert len(vocabulary.area) == 3144
    directory = national_directory(missing=0)
    assert len(directory) == AGENCIES == 18_000
    kinds = [record["kind"] for record in directory.values()]
    assert (kinds.count("fusion center"), kinds.count("JTTF"), kinds.count("state police")) == (80, 56, 50)
    for agency, record in directory.items():
        check_agency(agency, record, vocabulary)


def test_the_neutral_rules_are_200_and_of_every_effect():
    vocabulary = national_vocabulary()
    rules = parse_ruleset(neutral_rules(vocabulary), vocabulary, source="neutral").rules
    assert len(rules) == 200
    assert sum(rule.effect == "never" for rule in rules) == 40
    assert {rule.effect for rule in rules} == {"share", "always", "never", "require"}


@pytest.mark.long
def test_an_audience_of_18_000_agencies_and_200_rules_takes_100_microseconds_at_the_median():
    figures = run(5.0)
    assert figures["agencies"] == 18_000
    assert figures["rules"] == 200
    assert figures["audience_p50"] > 1000
    assert figures["decide_us"]["p50"] <= 100
    assert figures["decide_us"]["p99"] <= 300
    assert figures["compile_ms"] <= 1000
