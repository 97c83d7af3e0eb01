"""Agreements end by themselves, and within five minutes of either end polarity decides."""

from datetime import UTC, datetime, timedelta

import pytest

from policy import PolicyError, compile_rules, parse_ruleset, parse_vocabulary
from policy.truth import Truth, property_truth
from tests.policy.worlds import VOCABULARY

VOCAB = parse_vocabulary(VOCABULARY, source="vocabulary")
TEXT = """policy: dated
version: 1
rules:
- {rule: S pact shares, effect: share, when: {topic: a}, to: [{pact: P-1}], because: x}
- {rule: A all of b, effect: share, when: {topic: b}, to: everyone, because: x}
- {rule: N pact forbids b, effect: never, when: {topic: b}, to: [{pact: P-1}], because: x}
agreements:
  P-1: {from: 2026-03-01, until: 2026-06-30}
  P-2: {from: 2026-01-01, until: 2026-12-31}
"""
AGENCIES = {"member": {"pact": frozenset({"P-1"})}, "other": {"pact": frozenset()}, "hole": {}}
START, END = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
SKEW, TICK = timedelta(minutes=5), timedelta(microseconds=1)


def decider(at, text=TEXT):
    return compile_rules(parse_ruleset(text, VOCAB, source="r"), VOCAB, AGENCIES, at=at)


def shares(at):
    return decider(at).decide({"topic": "a"}).reaches("member")


def forbids(at):
    return not decider(at).decide({"topic": "b"}).reaches("member")


@pytest.mark.parametrize(
    ("at", "shared", "forbidden"),
    [
        (START - SKEW - TICK, False, False),
        (START - SKEW, False, True),
        (START, False, True),
        (START + SKEW - TICK, False, True),
        (START + SKEW, True, True),
        (END - SKEW - TICK, True, True),
        (END - SKEW, False, True),
        (END, False, True),
        (END + SKEW - TICK, False, True),
        (END + SKEW, False, False),
    ],
)
def test_a_share_starts_late_and_ends_early_and_a_never_starts_early_and_ends_late(at, shared, forbidden):
    assert shares(at) is shared
    assert forbids(at) is forbidden


def test_without_a_time_an_agreement_shares_nothing_and_forbids_all_it_can():
    assert not shares(None)
    assert forbids(None)
    assert decider(None).valid_until is None


def test_an_agency_that_does_not_state_its_agreements_gets_nothing_by_one_and_is_forbidden_by_one():
    during = decider(START + timedelta(days=1))
    assert during.decide({"topic": "a"}).audience == ("member",)
    assert during.decide({"topic": "b"}).audience == ("other",)


def test_valid_until_walks_through_every_boundary_of_the_agreements_in_use_and_no_other():
    one = decider(datetime(2025, 1, 1, tzinfo=UTC))
    walked = []
    while one.valid_until is not None:
        walked.append(one.valid_until)
        one = one.at(one.valid_until)
    # P-2 is used by no rule: its dates change nothing.
    assert walked == [START - SKEW, START + SKEW, END - SKEW, END + SKEW]


@pytest.mark.parametrize("topic", ["a", "b"])
def test_between_two_boundaries_nothing_changes_and_refolding_equals_compiling(topic):
    one = decider(START - timedelta(days=30))
    moment = START - timedelta(days=1)
    while moment < END + timedelta(days=1):
        one = one.at(moment) if one.valid_until and moment >= one.valid_until else one
        fresh = decider(moment)
        assert one.decide({"topic": topic}).audience == fresh.decide({"topic": topic}).audience
        moment += timedelta(minutes=7, hours=13) if START + SKEW < moment < END - 2 * SKEW else timedelta(minutes=1)


def test_a_minute_with_its_zone_may_be_given_and_ends_at_that_very_minute():
    text = TEXT.replace("until: 2026-06-30", "until: 2026-06-30T18:00-05:00", 1)
    end = datetime(2026, 6, 30, 23, 0, tzinfo=UTC)
    assert decider(end - SKEW - TICK, text).decide({"topic": "a"}).reaches("member")
    assert not decider(end - SKEW, text).decide({"topic": "a"}).reaches("member")


def test_a_time_without_a_zone_is_refused():
    naive = datetime(2026, 3, 5)  # noqa: DTZ001 - the point of the test
    with pytest.raises(PolicyError, match="without a zone"):
        decider(naive)
    with pytest.raises(PolicyError, match="without a zone"):
        decider(START).at(naive)


@pytest.mark.parametrize(
    ("written", "said"),
    [("0001-01-01", "from: 2026-03-01"), ("0001-12-31", "from: 2026-03-01"), ("9999-12-31", "until: 2026-06-30")],
)
def test_the_ends_of_the_calendar_have_no_neighbours_and_are_refused(written, said):
    with pytest.raises(PolicyError) as refused:
        decider(START, TEXT.replace(said, f"{said.split(':')[0]}: {written}", 1))
    assert refused.value.code == "not-a-date"
    assert f"'{written}' is not a date" in refused.value.message
    assert "2026-12-31T18:00Z" in refused.value.message


def test_an_agreement_of_which_nothing_is_known_is_neither_in_force_nor_out_of_it():
    pact = VOCAB.agency["pact"]
    assert property_truth(pact, frozenset({"P-1"}), "P-1", {}) is Truth.UNKNOWN
    assert property_truth(pact, frozenset({"P-1"}), frozenset({"P-1", "P-2"}), {"P-2": Truth.YES}) is Truth.UNKNOWN
