"""The example exchange: its cases hold, and they look at every rule."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy import compile_rules, parse_agencies, parse_ruleset, parse_vocabulary, run_cases, untouched_rules
from tests.policy.oracle import Oracle
from tests.policy.worlds import EXAMPLE, EXAMPLE_AGENCIES, EXAMPLE_RULES, EXAMPLE_VOCABULARY

VOCABULARY = parse_vocabulary(EXAMPLE_VOCABULARY, source="vocabulary.yaml")
RULESET = parse_ruleset(EXAMPLE_RULES, VOCABULARY, source="rules.yaml")
AGENCIES = parse_agencies(EXAMPLE_AGENCIES, VOCABULARY, source="agencies.yaml")
NEVERS = [rule.id for rule in RULESET.rules if rule.effect == "never"]
NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize("result", run_cases(RULESET, VOCABULARY, AGENCIES), ids=lambda result: result.name)
def test_case(result):
    assert result.passed, result.detail


def test_every_rule_is_touched_by_a_case():
    assert untouched_rules(RULESET, run_cases(RULESET, VOCABULARY, AGENCIES)) == ()


@pytest.mark.parametrize("never", NEVERS)
def test_every_never_rule_is_the_only_reason_in_some_case(never):
    alone = [case.name for case in RULESET.cases if {never} in (case.withheld_from or {}).values()]
    assert alone, f"no case in which {never} alone withholds a portion"


@pytest.mark.parametrize("never", NEVERS)
def test_taking_a_never_rule_out_fails_a_case(never):
    start = EXAMPLE_RULES.index(f"- rule: {never} ")
    end = EXAMPLE_RULES.index("- rule:", start + 1)
    text = (EXAMPLE_RULES[:start] + EXAMPLE_RULES[end:]).replace(f", {never}]", "]").replace(f"{never}, ", "")
    text = text.replace(f"because of: {never}", "because of: R01" if never != "R01" else "because of: R04")
    text = text.replace(f"[{never}]", "[R01]" if never != "R01" else "[R04]")
    ruleset = parse_ruleset(text, VOCABULARY, source="rules.yaml")
    assert not all(result.passed for result in run_cases(ruleset, VOCABULARY, AGENCIES))


def test_the_officer_safety_bolo_misses_the_suspended_agency_by_r10_alone():
    case = next(case for case in RULESET.cases if "by R10 alone" in case.name)
    decision = compile_rules(RULESET, VOCABULARY, AGENCIES, at=NOW).decide(case.portion)
    assert decision.withheld["peoria-pd"] == ("R10",)
    assert decision.granted_by("peoria-pd") == ("R09",)
    assert decision.blocked_always == {}


def test_a_threat_that_may_not_reach_a_protector_is_reported_for_the_telephone():
    case = next(case for case in RULESET.cases if "FED ONLY" in case.name)
    decision = compile_rules(RULESET, VOCABULARY, AGENCIES, at=NOW).decide(case.portion)
    assert decision.blocked_always == {
        "il-fusion": ("R15",),
        "il-state-police": ("R15",),
        "springfield-pd": ("R15",),
    }


def test_the_half_filled_record_gets_nothing_in_any_case():
    decider = compile_rules(RULESET, VOCABULARY, AGENCIES, at=NOW)
    assert all(not decider.decide(case.portion).reaches("newtown-pd") for case in RULESET.cases)


def test_the_independent_evaluator_agrees_on_every_case():
    decider = compile_rules(RULESET, VOCABULARY, AGENCIES, at=NOW)
    oracle = Oracle(EXAMPLE_VOCABULARY, EXAMPLE_RULES, AGENCIES, NOW)
    for case in RULESET.cases:
        for version in ("full", "tearline"):
            portion = {**case.portion, "version": version}
            decision = decider.decide(portion)
            for agency in AGENCIES:
                shared, granting, _, blocking, duties = oracle.judge(portion, agency)
                assert decision.reaches(agency) is shared
                assert list(decision.granted_by(agency)) == granting
                assert list(decision.blocked_by(agency)) == blocking
                assert not shared or dict(decision.obligations(agency)) == duties


def words(name):
    return st.sampled_from(VOCABULARY.bulletin[name].values)


SETS = ("caveats", "dissemination")
portions = st.fixed_dictionaries(
    {name: words(name) for name in VOCABULARY.bulletin if name not in (*SETS, "TLP")}
    | {name: st.frozensets(words(name), max_size=2) for name in SETS}
    | {
        "TLP": words("TLP"),
        "area": st.sampled_from(sorted(VOCABULARY.area)),
        "region": st.sampled_from(["IL-C", "IL-N"]),
        "protectee": st.sampled_from(["mayor-springfield", "mayor-chicago"]),
        **{name: st.frozensets(st.sampled_from(sorted(AGENCIES)), max_size=3) for name in ("named", "approved")},
        **{name: st.sampled_from(sorted(AGENCIES)) for name in ("originator", "requester")},
    }
)
DECIDER = compile_rules(RULESET, VOCABULARY, AGENCIES, at=NOW)


@settings(max_examples=200, deadline=None)
@given(portions, words("TLP"), st.frozensets(words("caveats")), st.frozensets(words("dissemination")))
def test_combining_markings_never_widens(portion, tlp, caveats, dissemination):
    ranks = VOCABULARY.bulletin["TLP"].values
    combined = {
        **portion,
        "TLP": max(portion["TLP"], tlp, key=ranks.index),
        "caveats": portion["caveats"] | caveats,
        "dissemination": portion["dissemination"] | dissemination,
    }
    assert set(DECIDER.decide(combined).audience) <= set(DECIDER.decide(portion).audience)


def test_county_codes_are_turned_into_the_names_that_rules_use():
    assert VOCABULARY.area_name("17167") == "IL-SANGAMON"
    assert VOCABULARY.area_name("99999") is None


def test_the_files_of_the_example_are_the_ones_that_are_tested():
    assert sorted(path.name for path in EXAMPLE.iterdir()) == ["agencies.yaml", "rules.yaml", "vocabulary.yaml"]
