"""Why it went, why it did not, and the one line that stood between."""

import json
import re
from datetime import UTC, datetime

import pytest

from policy import PolicyError, compile_rules, explain
from policy.explain import Others
from policy.explained import document
from policy.needed import WEIGHT
from tests.policy.test_example import AGENCIES, NOW, RULESET, VOCABULARY
from tests.policy.worlds import world

DECIDER = compile_rules(RULESET, VOCABULARY, AGENCIES, at=NOW)


def portion(words):
    return next(case.portion for case in RULESET.cases if words in case.name)


BOLO, THREAT, HIDTA = portion("by R10 alone"), portion("mayor's protectors"), portion("HIDTA sharing works now")


def test_shared_names_the_rule_its_basis_and_the_duties():
    told = explain(DECIDER, BOLO, "springfield-pd")
    assert (told.outcome, told.granted_by, told.blocked_by, told.nearest_miss) == ("shared", ("R09",), (), None)
    assert told.sentences() == [
        "springfield-pd gets this portion.",
        "R09 (Officer-safety BOLO to police of the same region) shares it, because: Regional BOLO agreement.",
        "By R09 it also goes to il-state-police.",
        (
            "Its duties: precedence IMMEDIATE; acknowledge within 30 minutes; retain for 30 days; onward own agency;"
            " not to be used for civil immigration enforcement."
        ),
    ]


def test_withheld_names_the_never_rule_and_what_it_found():
    told = explain(DECIDER, BOLO, "peoria-pd")
    assert (told.outcome, told.granted_by, told.blocked_by) == ("withheld", ("R09",), ("R10",))
    assert told.sentences() == [
        "peoria-pd does not get this portion: R09 would share it, but it is withheld.",
        "R10 (Nothing to a suspended agency) forbids it, because: Security officer's suspension order.",
        "It applies to them by 'status: suspended': the directory entry of peoria-pd states status suspended.",
        (
            "To share it by R09 (Officer-safety BOLO to police of the same region): status of peoria-pd would have to "
            "be active (it is suspended)."
        ),
        "R10 (Nothing to a suspended agency) would then no longer forbid it: 'status: suspended' would not hold.",
    ]


def test_withheld_because_data_is_missing_says_so():
    told = explain(DECIDER, BOLO, "newtown-pd")
    assert told.outcome == "withheld"
    assert told.blocked_by == ("R10", "R14")
    assert [line.text for line in told.blocks[0].undecided] == ["status: suspended"]
    assert (
        "R10 forbids it to be safe, because data is missing for 'status: suspended':"
        " the directory entry of newtown-pd does not state status."
    ) in told.sentences()


def test_not_shared_names_the_nearest_rule_and_the_single_line_that_failed():
    told = explain(DECIDER, BOLO, "chicago-pd")
    assert told.outcome == "not shared"
    assert told.nearest_miss.rule == "R09"
    assert told.nearest_miss.single.text == "in the same region: yes"
    assert told.sentences()[1:] == [
        (
            "The nearest rule is R09 (Officer-safety BOLO to police of the same region);"
            " a single line kept it from matching."
        ),
        (
            "'in the same region: yes' does not hold: the bulletin states region IL-C,"
            " the directory entry of chicago-pd states region IL-N."
        ),
        "Nothing would share this portion with chicago-pd; other bulletins go there by R02, R11, R17, R19.",
    ]


@pytest.mark.parametrize(
    ("change", "agency", "line", "found"),
    [
        ({"region": None}, "springfield-pd", "in the same region: yes", "the bulletin does not state region"),
        ({"TLP": None}, "springfield-pd", "TLP: at most AMBER+STRICT", "the bulletin does not state TLP"),
        ({"TLP": "PURPLE"}, "springfield-pd", "TLP: at most AMBER+STRICT",
         "the bulletin states a TLP that the vocabulary does not know"),
        ({"TLP": frozenset({"AMBER"})}, "springfield-pd", "TLP: at most AMBER+STRICT",
         "the bulletin states TLP as a set, which has one value"),
    ],
)  # fmt: skip
def test_a_nearest_miss_by_missing_data_is_named_as_such(change, agency, line, found):
    changed = {name: value for name, value in {**BOLO, **change}.items() if value is not None}
    miss = explain(DECIDER, changed, agency).nearest_miss
    assert miss.rule == "R09"
    assert (miss.single.text, miss.single.missing, miss.single.found) == (line, True, found)


def test_what_a_hostile_bulletin_states_is_not_repeated():
    told = explain(DECIDER, {**BOLO, "TLP": "<script>", "region": "IL-C"}, "springfield-pd")
    assert "<script>" not in " ".join(told.sentences())


def test_free_names_are_told_short_and_on_one_line():
    told = explain(DECIDER, {**BOLO, "region": "x\n\u202e" + "y" * 1000}, "springfield-pd")
    assert all(sentence.isprintable() and len(sentence) < 400 for sentence in told.sentences())


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (datetime(2027, 1, 5, tzinfo=UTC), "HIDTA-2024 is not in force"),
        (datetime(2027, 1, 1, tzinfo=UTC), "it starts or ends within five minutes"),
    ],
)
def test_an_agreement_that_ended_is_told_with_its_name(at, words):
    told = explain(DECIDER.at(at), HIDTA, "cook-sheriff")
    assert told.nearest_miss.rule == "R11"
    assert told.nearest_miss.single.text == "agreement: HIDTA-2024"
    assert words in told.nearest_miss.single.found


def test_an_agency_outside_the_directory_has_no_explanation():
    with pytest.raises(PolicyError, match="`stranger` is not in the directory"):
        explain(DECIDER, BOLO, "stranger")


@pytest.mark.parametrize("seed", range(12))
def test_every_explanation_agrees_with_the_decision(seed):
    exchange = world(seed, agencies=15, portions=8)
    decider = exchange.decider()
    for one in exchange.portions:
        decision = decider.decide(one)
        for agency in exchange.agencies:
            told = explain(decider, one, agency)
            assert (told.outcome == "shared") is decision.reaches(agency)
            assert (told.outcome == "withheld") is (agency in decision.withheld)
            assert all(line.holds for report in told.grants for line in report.lines)
            assert all(line.holds or line.missing for report in told.blocks for line in report.lines)
            if told.nearest_miss is not None:
                assert told.nearest_miss.lines
                assert not any(line.holds for line in told.nearest_miss.lines)
            assert all(sentence.endswith(".") for sentence in told.sentences())


def test_without_any_sharing_rule_the_explanation_says_that():
    exchange = world(1)
    text = exchange.rules[: exchange.rules.index("- rule:")] + (
        "- {rule: N never, effect: never, when: anything, to: everyone, because: x}\n"
    )
    decider = type(exchange)(rules=text, agencies={"g1": {}}, portions=[], at=None).decider()
    assert "There is no rule that shares anything." in explain(decider, {}, "g1").sentences()


def test_who_else_got_it_by_the_same_rule_is_told_with_a_bounded_list_and_a_count():
    record = AGENCIES["springfield-pd"]
    many = {**AGENCIES, **{f"town-{number:03d}": record for number in range(200)}}
    told = explain(compile_rules(RULESET, VOCABULARY, many, at=NOW), BOLO, "springfield-pd")
    (others,) = told.others
    assert (others.rule, others.count, len(others.agencies)) == ("R09", 201, 10)
    assert "and 191 more." in told.sentences()[2]


def test_whoever_gets_it_alone_is_told_so():
    told = explain(DECIDER, HIDTA, "cook-sheriff")
    assert told.others == (Others(rule="R11", count=0, agencies=()),)
    assert "Nobody else gets it by R11." in told.sentences()


def test_what_would_share_it_is_told_after_what_keeps_it_back():
    record = {name: value for name, value in AGENCIES["cook-sheriff"].items() if name != "28 CFR 23 agreement"}
    decider = compile_rules(RULESET, VOCABULARY, {**AGENCIES, "cook-sheriff": record}, at=NOW)
    told = explain(decider, HIDTA, "cook-sheriff")
    assert any("because data is missing for '28 CFR 23 agreement: no'" in sentence for sentence in told.sentences())
    first = next(sentence for sentence in told.sentences() if sentence.startswith("To share it"))
    assert first == (
        "To share it by R11 (Narcotics with HIDTA partners while the agreement is in force): "
        "28 CFR 23 agreement of cook-sheriff would have to be yes (it is not stated)."
    )


def test_no_sentence_says_to_call_a_bulletin_something_else():
    for case in RULESET.cases:
        for agency in AGENCIES:
            for sentence in explain(DECIDER, case.portion, agency).sentences():
                assert not re.search(r"(category|purpose|product) would need to be .*\(it is (?!not stated)", sentence)


def test_the_document_of_an_explanation_says_what_its_sentences_say():
    for agency in AGENCIES:
        told = explain(DECIDER, THREAT, agency)
        written = json.loads(json.dumps(document(told)))
        assert written["sentences"] == told.sentences()
        assert written["outcome"] == told.outcome
        assert len(written["ways"]) == (0 if told.shareable is None else len(told.shareable.ways))
        for way in written["ways"]:
            assert way["changes"]
            assert all(change["kind"] in WEIGHT for change in way["changes"])
