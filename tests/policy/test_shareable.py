"""What would make it shareable: with the named changes production really shares, and with none fewer."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest

from policy import SKEW, Agreement, compile_rules, parse_ruleset, parse_vocabulary
from policy.shareable import CHOICES, shareable
from policy.supposing import Choices
from tests.policy.test_example import AGENCIES, NOW, RULESET, VOCABULARY
from tests.policy.worlds import VOCABULARY as SMALL_TEXT
from tests.policy.worlds import world

DECIDER = compile_rules(RULESET, VOCABULARY, AGENCIES, at=NOW)
SMALL = parse_vocabulary(SMALL_TEXT, source="vocabulary")
EVERYTHING = Choices(bulletin=None, agency=None)


def portion(words):
    return next(case.portion for case in RULESET.cases if words in case.name)


BOLO, THREAT, HIDTA = portion("by R10 alone"), portion("mayor's protectors"), portion("HIDTA sharing works now")
IMMIGRATION, JUVENILE = portion("immigration purpose is refused"), portion("by R07 alone")
RESPONSE = portion("by R08 alone")


def told(given, agency, decider=DECIDER):
    return [sentence for way in shareable(decider, given, agency).ways for sentence in way.sentences()]


def shares(decider, way, agency):
    """Decide anew, with the decider of production, over the directory with the record as it is supposed to be."""
    at = decider.moment
    forced = {name: Agreement(name=name, start=at - 2 * SKEW, end=at + 2 * SKEW) for name in way.supposed.forced}
    ruleset = replace(decider.ruleset, agreements={**decider.ruleset.agreements, **forced})
    agencies = {**decider.agencies, agency: way.supposed.record}
    return compile_rules(ruleset, decider.vocabulary, agencies, at=at).decide(way.supposed.portion).reaches(agency)


@pytest.mark.parametrize("seed", range(40))
def test_with_the_named_changes_the_decider_of_production_really_shares(seed):
    exchange = world(seed, agencies=8, portions=6, rules=10)
    decider = exchange.decider()
    for one in exchange.portions:
        decision = decider.decide(one)
        for agency in exchange.agencies:
            if not decision.reaches(agency):
                for way in shareable(decider, one, agency, choices=EVERYTHING).ways:
                    assert way.changes
                    assert shares(decider, way, agency)


def subsets(values):
    return [frozenset(chosen) for count in range(len(values) + 1) for chosen in combinations(sorted(values), count)]


def single_changes(given, agency, record):
    """Every portion and record that differ in one attribute."""
    areas, names = subsets(["A1", "A2"]), subsets(["N", "S", "elsewhere"])
    ids = [frozenset(), frozenset({agency})]
    for name, known in SMALL.bulletin.items():
        for value in subsets(known.values) if known.kind == "set of" else known.values:
            yield {**given, name: value}, record
    for name, values in (("area", areas), ("region", names), ("named", ids)):
        for value in values:
            yield {**given, name: value}, record
    for name, known in SMALL.agency.items():
        for value in subsets(known.values) if known.kind == "set of" else known.values:
            yield given, {**record, name: value}
    keys = {"counties": areas, "region": names, "purposes": subsets(["p", "q"]), "clearances": subsets(["X", "Y", "Z"])}
    for name, values in keys.items():
        for value in values:
            yield given, {**record, name: value}


@pytest.mark.parametrize("seed", range(100, 108))
def test_no_single_change_that_would_share_is_overlooked(seed):
    exchange = world(seed, agencies=4, portions=3, rules=8)
    decider = exchange.decider()
    for one in exchange.portions:
        for agency in exchange.agencies:
            if decider.decide(one).reaches(agency):
                continue
            ways = shareable(decider, one, agency, choices=EVERYTHING).ways
            record = exchange.agencies[agency]
            records = {}
            for given, changed in single_changes(one, agency, record):
                records.setdefault(tuple(sorted((name, str(value)) for name, value in changed.items())), (changed, []))[
                    1
                ].append(given)
            single = any(
                compiled.decide(given).reaches(agency)
                for changed, givens in records.values()
                for compiled in [compile_rules(decider.ruleset, SMALL, {agency: changed}, at=decider.moment)]
                for given in givens
            )
            by_attribute = [way for way in ways if len(way.changes) == 1 and way.changes[0].side != "agreement"]
            assert bool(by_attribute) is single


@pytest.mark.parametrize("seed", range(200, 215))
def test_ways_come_with_the_fewest_changes_first(seed):
    exchange = world(seed, agencies=8, portions=5)
    decider = exchange.decider()
    for one in exchange.portions:
        for agency in exchange.agencies:
            counts = [len(way.changes) for way in shareable(decider, one, agency, choices=EVERYTHING).ways]
            assert counts == sorted(counts)


def test_an_agency_that_needs_an_agreement_is_told_which_and_that_it_is_not_stated():
    record = {name: value for name, value in AGENCIES["cook-sheriff"].items() if name != "28 CFR 23 agreement"}
    decider = compile_rules(RULESET, VOCABULARY, {**AGENCIES, "cook-sheriff": record}, at=NOW)
    assert told(HIDTA, "cook-sheriff", decider)[:2] == [
        (
            "To share it by R11 (Narcotics with HIDTA partners while the agreement is in force): 28 CFR 23 agreement "
            "of cook-sheriff would have to be yes (it is not stated)."
        ),
        (
            "R08 (Criminal intelligence only under a 28 CFR 23 agreement; others get the tearline) would then no "
            "longer forbid it: '28 CFR 23 agreement: no' would not hold."
        ),
    ]


@pytest.mark.parametrize(
    ("at", "dates"),
    [
        (datetime(2027, 2, 1, tzinfo=UTC), "it ended at 2027-01-01 00:00 UTC"),
        (datetime(2023, 2, 1, tzinfo=UTC), "it begins at 2024-01-01 00:00 UTC"),
        (datetime(2027, 1, 1, tzinfo=UTC), "it ended at 2027-01-01 00:00 UTC"),
        (datetime(2027, 1, 1, tzinfo=UTC) - timedelta(minutes=3), "it starts or ends within five minutes"),
    ],
)
def test_an_agreement_that_is_not_in_force_is_told_with_its_dates(at, dates):
    decider = DECIDER.at(at)
    way = shareable(decider, HIDTA, "cook-sheriff").ways[0]
    assert [change.words for change in way.changes] == [f"the agreement HIDTA-2024 would have to be in force ({dates})"]
    assert shares(decider, way, "cook-sheriff")


def test_without_a_time_no_agreement_is_supposed_to_be_in_force():
    untimed = compile_rules(RULESET, VOCABULARY, AGENCIES, at=None)
    assert all(not way.supposed.forced for way in shareable(untimed, HIDTA, "cook-sheriff").ways)


def test_a_tearline_is_named_as_something_that_a_person_writes():
    first = shareable(DECIDER, RESPONSE, "lake-sheriff").ways
    assert [[change.kind for change in way.changes] for way in first[:2]] == [["tearline"], ["directory"]]
    assert told(RESPONSE, "lake-sheriff")[0] == (
        "To share it by R17 (An answer goes to the agency that asked): a tearline would be needed: a version that a "
        "person writes and marks by itself."
    )


def test_naming_by_the_originator_comes_before_another_marking():
    red = portion("RED without names")
    ways = shareable(DECIDER, red, "springfield-pd").ways
    assert [way.changes[0].words for way in ways[:2]] == [
        "the originator would have to name springfield-pd as a recipient",
        "TLP would need to be at most AMBER+STRICT (it is RED)",
    ]
    assert all(one.rule == "R01" for way in ways[:2] for one in way.released)


def test_approval_by_the_originator_is_a_way_past_originator_control():
    ways = shareable(DECIDER, portion("by R05 alone"), "springfield-pd").ways
    assert ways[0].changes[0].words == "the originator would have to approve springfield-pd"


def test_a_suspended_agency_is_told_that_its_status_is_in_the_way():
    assert told(BOLO, "peoria-pd")[:2] == [
        (
            "To share it by R09 (Officer-safety BOLO to police of the same region): status of peoria-pd would have to "
            "be active (it is suspended)."
        ),
        "R10 (Nothing to a suspended agency) would then no longer forbid it: 'status: suspended' would not hold.",
    ]


def test_what_is_forbidden_for_its_subject_is_never_made_shareable_by_another_name():
    """R04 forbids the purpose: no way supposes another one, although R11 would then share it."""
    for agency in AGENCIES:
        for way in shareable(DECIDER, IMMIGRATION, agency).ways:
            assert "purpose" not in {change.name for change in way.changes}


@pytest.mark.parametrize("case", RULESET.cases, ids=lambda case: case.name)
def test_nobody_is_told_to_change_what_nobody_chooses(case):
    decider = DECIDER if case.at is None else DECIDER.at(case.at)
    for agency, record in AGENCIES.items():
        for way in shareable(decider, case.portion, agency).ways:
            for change in way.changes:
                if change.side == "bulletin":
                    assert change.name in CHOICES.bulletin or change.name not in case.portion
                if change.side == "agency":
                    assert change.name in CHOICES.agency or change.name not in record
            if not decider.decide(case.portion).reaches(agency):
                assert shares(decider, way, agency)


def test_a_tearline_is_never_told_to_be_completed():
    tearline = portion("by R14 alone")
    assert all(
        change.name != "version" for agency in AGENCIES for way in shareable(DECIDER, tearline, agency).ways
        for change in way.changes
    )  # fmt: skip


def test_a_marking_that_says_what_is_in_the_text_is_not_taken_off():
    ways = shareable(DECIDER, JUVENILE, "springfield-pd").ways
    assert ways[0].changes[0].kind == "tearline"
    assert "caveats" not in {change.name for way in ways for change in way.changes}


def test_a_rule_that_is_for_other_agencies_is_out_of_reach():
    found = shareable(DECIDER, JUVENILE, "springfield-mayor")
    assert "R02" in found.out_of_reach
    assert "R02" not in {way.rule for way in found.ways}


NAMES = ("product", "category", "purpose", "information class")


def test_a_search_without_an_end_is_ended_and_says_so():
    """Thousands of bulletins could be meant, and a never rule that forbids everything makes each of them futile."""
    wanted = {name: ", ".join(VOCABULARY.bulletin[name].values[1:]) for name in NAMES}
    text = (
        "policy: p\nversion: 1\nrules:\n- rule: R1 wide\n  effect: share\n  when: {"
        + ", ".join(f"{name}: [{values}]" for name, values in wanted.items())
        + "}\n  to: everyone\n  because: x\n- {rule: N1 all, effect: never, when: anything, to: everyone, because: x}\n"
    )
    decider = compile_rules(parse_ruleset(text, VOCABULARY, source="r"), VOCABULARY, AGENCIES, at=NOW)
    found = shareable(decider, {}, "cook-sheriff")
    assert (found.ways, found.out_of_reach, found.complete) == ((), ("R1",), False)
