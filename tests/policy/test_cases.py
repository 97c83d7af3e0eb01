"""A case that does not hold says in words what is different."""

import pytest

from policy import parse_agencies, parse_ruleset, parse_vocabulary, run_cases, untouched_rules
from tests.policy.worlds import EXAMPLE_AGENCIES, EXAMPLE_RULES, EXAMPLE_VOCABULARY

VOCABULARY = parse_vocabulary(EXAMPLE_VOCABULARY, source="vocabulary.yaml")
AGENCIES = parse_agencies(EXAMPLE_AGENCIES, VOCABULARY, source="agencies.yaml")
HEAD = EXAMPLE_RULES[: EXAMPLE_RULES.index("tests:")]
BULLETIN = (
    "{product: BOLO, category: officer safety, TLP: AMBER, version: full, caveats: [LES], dissemination: [], "
    "content basis: criminal predicate, information class: investigative, purpose: officer safety, origin state: IL, "
    "area: IL-PEORIA, region: IL-C, originator: il-state-police}"
)


def result(expectation, bulletin=BULLETIN):
    text = f"{HEAD}tests:\n- test: one\n  bulletin: {bulletin}\n" + "".join(f"  {line}\n" for line in expectation)
    return run_cases(parse_ruleset(text, VOCABULARY, source="rules.yaml"), VOCABULARY, AGENCIES)[0]


REACHES = "reaches exactly: [springfield-pd, il-state-police]"


@pytest.mark.parametrize(
    ("expectation", "detail"),
    [
        ([REACHES], ""),
        (["reaches exactly: [springfield-pd]"], "it also reaches il-state-police"),
        (["reaches exactly: []"], "it also reaches il-state-police, springfield-pd"),
        (
            ["reaches exactly: [springfield-pd, il-state-police, peoria-pd]"],
            "it does not reach peoria-pd",
        ),
        (
            [REACHES.replace("]", ", atlantis-pd]")],
            "atlantis-pd is not in the directory",
        ),
        (["reaches nobody because of: R10"], "it reaches il-state-police, springfield-pd"),
        ([REACHES, "with: {springfield-pd: {onward: own agency, retain for: 30 days}}"], ""),
        (
            [REACHES, "with: {springfield-pd: {precedence: FLASH}}"],
            "springfield-pd: precedence is IMMEDIATE, expected FLASH",
        ),
        (
            [REACHES, "with: {springfield-pd: {acknowledge within: 1 hour}}"],
            "springfield-pd: acknowledge within is 30 minutes, expected 1 hour",
        ),
        (
            [REACHES, "with: {springfield-pd: {strip: [source identity]}}"],
            "springfield-pd: strip is nothing, expected source identity",
        ),
        ([REACHES, "with: {peoria-pd: {precedence: FLASH}}"], "peoria-pd does not get it and so has no duties"),
        ([REACHES, "withheld from: {peoria-pd: [R10]}"], ""),
        (
            [REACHES, "withheld from: {peoria-pd: [R10, R14]}"],
            "withheld from peoria-pd by R10, expected R10, R14",
        ),
        (
            [REACHES, "withheld from: {chicago-pd: [R10]}"],
            "withheld from chicago-pd by no rule, expected R10",
        ),
        ([REACHES, "tearline reaches: []"], ""),
        ([REACHES, "tearline reaches: [peoria-pd]"], "the tearline does not reach peoria-pd"),
    ],
)
def test_a_case_that_does_not_hold_says_what_is_different(expectation, detail):
    outcome = result(expectation)
    assert outcome.detail.startswith(detail)
    assert outcome.passed is (outcome.detail == "") is (detail == "")


def test_nobody_because_of_a_rule_needs_the_rule_to_be_reason_enough():
    suspended = BULLETIN.replace("region: IL-C", "region: IL-N").replace("officer safety, TLP", "cyber, TLP")
    assert result(["reaches exactly: []"], suspended).passed
    # Nobody gets it, but R10 stops only one agency: it is not the reason.
    assert "is not blocked by R10" in result(["reaches nobody because of: R10"], suspended).detail
    assert "R15 blocks nobody" in result(["reaches nobody because of: R15"], suspended).detail


def test_a_case_without_a_time_knows_nothing_of_agreements():
    bulletin = (
        "{category: narcotics, TLP: AMBER, version: full, caveats: [], dissemination: [], content basis: criminal "
        "predicate, information class: criminal intelligence, purpose: criminal investigation, origin state: IL, "
        "area: IL-COOK, originator: chicago-pd}"
    )
    assert result(["reaches exactly: []"], bulletin).passed
    assert result(["at: 2026-10-25", "reaches exactly: [cook-sheriff]"], bulletin).passed
    assert result(["at: 2026-12-31T23:54:59Z", "reaches exactly: [cook-sheriff]"], bulletin).passed
    assert result(["at: 2026-12-31T23:55Z", "reaches exactly: []"], bulletin).passed


def test_a_changed_directory_can_fail_a_case():
    text = f"{HEAD}tests:\n- test: one\n  bulletin: {BULLETIN}\n  {REACHES}\n"
    ruleset = parse_ruleset(text, VOCABULARY, source="rules.yaml")
    agencies = {**AGENCIES, "peoria-pd": {**AGENCIES["peoria-pd"], "status": "active"}}
    assert run_cases(ruleset, VOCABULARY, AGENCIES)[0].passed
    assert run_cases(ruleset, VOCABULARY, agencies)[0].detail == "it also reaches peoria-pd"


def growing(expectation, *, without):
    text = f"{HEAD}tests:\n- test: one\n  bulletin: {BULLETIN}\n" + "".join(f"  {line}\n" for line in expectation)
    agencies = {agency: record for agency, record in AGENCIES.items() if agency not in without}
    return run_cases(parse_ruleset(text, VOCABULARY, source="rules.yaml"), VOCABULARY, agencies)[0]


@pytest.mark.parametrize(
    ("expectation", "absent"),
    [
        ([REACHES], "springfield-pd"),
        (["reaches exactly: [springfield-pd, il-state-police, atlantis-pd]"], "atlantis-pd"),
        ([REACHES, "with: {springfield-pd: {precedence: IMMEDIATE}}"], "springfield-pd"),
        ([REACHES, "withheld from: {peoria-pd: [R10]}"], "peoria-pd"),
        ([REACHES, "tearline reaches: [atlantis-pd]"], "atlantis-pd"),
    ],
)
def test_a_case_about_an_agency_that_is_no_member_yet_waits_for_it(expectation, absent):
    outcome = growing(expectation, without={absent})
    assert (outcome.passed, outcome.failed, outcome.waits) == (False, False, True)
    assert outcome.missing == {absent}
    assert outcome.detail == f"{absent} is not in the directory"


@pytest.mark.parametrize(
    ("expectation", "detail"),
    [
        (["reaches exactly: [springfield-pd]"], "it also reaches il-state-police"),
        (["reaches exactly: [springfield-pd, peoria-pd, il-state-police]"], "it does not reach peoria-pd"),
        ([REACHES, "with: {il-state-police: {precedence: FLASH}}"], "precedence is IMMEDIATE, expected FLASH"),
        ([REACHES, "withheld from: {peoria-pd: [R14]}"], "withheld from peoria-pd by R10, expected R14"),
        (["reaches nobody because of: R10", "withheld from: {springfield-pd: [R10]}"], "it reaches il-state-police"),
    ],
)
def test_a_case_that_waits_for_an_agency_still_fails_for_those_that_are_there(expectation, detail):
    outcome = growing(expectation, without={"springfield-pd"})
    assert (outcome.passed, outcome.failed, outcome.waits) == (False, True, False)
    assert outcome.missing == {"springfield-pd"}
    assert detail in outcome.detail


def test_a_case_with_all_its_agencies_there_waits_for_nobody():
    outcome = growing([REACHES], without={"chicago-pd"})
    assert (outcome.passed, outcome.failed, outcome.waits, outcome.missing) == (True, False, False, frozenset())


def test_nobody_because_of_a_rule_waits_while_those_it_would_block_are_missing():
    suspended = [agency for agency in AGENCIES if AGENCIES[agency].get("status") != "active"]
    bulletin = BULLETIN.replace("officer safety, TLP", "cyber, TLP")
    text = (
        f"{HEAD}tests:\n- test: one\n  bulletin: {bulletin}\n  reaches nobody because of: R10\n"
        "  withheld from: {peoria-pd: [R10]}\n"
    )
    agencies = {agency: record for agency, record in AGENCIES.items() if agency not in suspended}
    assert run_cases(parse_ruleset(text, VOCABULARY, source="rules.yaml"), VOCABULARY, agencies)[0].waits


def test_rules_that_widen_or_narrow_want_a_case_and_rules_that_only_oblige_do_not():
    text = f"{HEAD}tests:\n- test: one\n  bulletin: {BULLETIN}\n  {REACHES}\n"
    ruleset = parse_ruleset(text, VOCABULARY, source="rules.yaml")
    untouched = untouched_rules(ruleset, run_cases(ruleset, VOCABULARY, AGENCIES))
    effects = {rule.id: rule.effect for rule in ruleset.rules}
    assert {"R04", "R11", "R19"} <= set(untouched)
    assert "require" not in {effects[rule] for rule in untouched}
    assert not {"R09", "R10"} & set(untouched)


def test_every_duty_that_differs_and_every_agency_that_waits_are_named_not_the_first_alone():
    wrong = result(
        [
            REACHES,
            "with:",
            "  atlantis-pd: {precedence: FLASH}",
            "  peoria-pd: {precedence: FLASH}",
            "  springfield-pd: {precedence: FLASH}",
        ]
    )
    assert wrong.name == "one"
    assert wrong.line == len(HEAD.splitlines()) + 2
    assert wrong.detail == (
        "atlantis-pd is not in the directory; peoria-pd does not get it and so has no duties; "
        "springfield-pd: precedence is IMMEDIATE, expected FLASH"
    )


def test_differences_are_listed_as_an_officer_would_write_them():
    outside = result(["reaches exactly: [chicago-pd, il-fusion, il-state-police, springfield-pd]"])
    assert outside.detail == "it does not reach chicago-pd, il-fusion"
