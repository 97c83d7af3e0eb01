"""The demo's feeds, read by their adapters and decided by the example rules: the audiences the scenario promises."""

from __future__ import annotations

import pytest

from adapters.bulletin import Correct, Recall
from broker.model import Refusal
from tests.adapters import exchange

PROTECTORS = ["il-fusion", "il-state-police", "jttf-springfield", "springfield-pd"]
AUDIENCES = {
    "chicago-pd/911-mayor-residence.eido.json": {"p1": PROTECTORS, "p2": sorted([*PROTECTORS, "springfield-mayor"])},
    "il-fusion/dve-report.stix.json": {
        "p1": ["jttf-chicago", "jttf-springfield", "north-il-fusion"],
        "p2": ["jttf-springfield"],
    },
    "il-state-police/officer-safety-bolo.json": {"p1": ["springfield-pd"]},
    "jttf-chicago/threat-with-tearline.json": {
        "p1": ["jttf-springfield"],
        "p2": sorted([*PROTECTORS, "springfield-mayor"]),
    },
    "springfield-pd/rfi.json": {"p1": ["il-fusion", "jttf-springfield"]},
    "springfield-pd/sighting.json": {"p1": ["il-fusion", "jttf-springfield"]},
    "springfield-pd/missing-person.cap.xml": {
        "p1": ["il-fusion", "il-state-police", "jttf-springfield", "springfield-mayor"]
    },
    "il-fusion/threat-due-in-5-seconds.json": {"p1": ["il-state-police", "jttf-springfield", "springfield-pd"]},
}


@pytest.mark.parametrize("path", AUDIENCES)
def test_a_feed_reaches_exactly_whom_the_scenario_says(path):
    found = exchange.decisions(exchange.example(path).body)
    assert {portion: audience for portion, (audience, _) in found.items()} == AUDIENCES[path]


SOLE = {
    "il-fusion/dve-report.stix.json": ("p2", "jttf-chicago", "R01"),
    "illegal/chicago-pd/immigration-purpose.json": ("p1", "il-fusion", "R04"),
    "never/chicago-pd/r05-originator-control.json": ("p1", "lake-sheriff", "R05"),
    "never/chicago-pd/r07-juvenile.json": ("p1", "cook-sheriff", "R07"),
    "never/chicago-pd/r08-criminal-intelligence.json": ("p1", "lake-sheriff", "R08"),
    "il-state-police/officer-safety-bolo.json": ("p1", "peoria-pd", "R10"),
    "never/il-fusion/r14-law-enforcement-sensitive.json": ("p1", "springfield-mayor", "R14"),
    "jttf-chicago/threat-with-tearline.json": ("p1", "springfield-pd", "R15"),
}


@pytest.mark.parametrize("path", SOLE)
def test_each_never_rule_is_once_the_only_thing_in_the_way(path):
    portion, agency, rule = SOLE[path]
    assert exchange.decisions(exchange.example(path).body)[portion][1][agency] == (rule,)


REFUSED = {
    "illegal/springfield-pd/criminal-intelligence-without-suspicion.json": "reasonable-suspicion-missing",
    "illegal/il-fusion/red-without-names.json": "red-without-named-persons",
    "springfield-pd/exercise.cap.xml": "exercise-on-live-exchange",
}


@pytest.mark.parametrize("path", REFUSED)
def test_an_illegal_feed_is_refused_with_its_reason(path):
    with pytest.raises(Refusal) as refused:
        exchange.submitted(exchange.example(path).body)
    assert refused.value.code == REFUSED[path]


def test_nobody_may_have_the_immigration_question():
    found = exchange.decisions(exchange.example("illegal/chicago-pd/immigration-purpose.json").body)
    assert found["p1"][0] == []


def test_the_answer_goes_to_the_city_that_asked():
    body = exchange.example("il-fusion/rfi-answer.json").body
    body["references"]["in_reply_to"] = "018f0000-0000-7000-8000-000000000001"
    assert exchange.decisions(body, requester="springfield-pd")["p1"][0] == ["springfield-pd"]


def test_a_correction_and_a_recall_name_their_bulletin():
    assert isinstance(exchange.example("jttf-chicago/correction.json"), Correct)
    assert isinstance(exchange.example("il-fusion/recall.json"), Recall)


@pytest.mark.parametrize("agency", exchange.KIND_OF)
def test_the_example_settings_load(agency):
    assert exchange.settings_of(agency).agency == agency
