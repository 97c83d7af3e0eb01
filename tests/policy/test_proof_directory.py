"""What a change of the directory does, agency by agency; and what one officer may do alone."""

from dataclasses import replace

import pytest

from policy import PolicyError, compile_rules
from policy.comparison import Edition
from policy.compile import POSSIBLY
from policy.proof import compare, lint, narrows_only
from tests.policy.test_proof_compare import AGENCIES, ALL, EXAMPLE_RULES, edited, example, small


def changed(**records):
    """The example with some records changed, added or (None) removed."""
    agencies = {**AGENCIES, **{name.replace("_", "-"): record for name, record in records.items()}}
    return example(agencies={name: record for name, record in agencies.items() if record is not None})


def of(agency, **attributes):
    return {**AGENCIES[agency], **{name.replace("_", " "): value for name, value in attributes.items()}}


def test_an_unchanged_directory_in_another_order_is_the_same():
    comparison = compare(example(), example(agencies=dict(reversed(AGENCIES.items()))))
    assert (comparison.audience, comparison.duties, comparison.agencies) == ("SAME", "SAME", ())


def test_suspending_an_agency_narrows_and_says_what_was_written():
    comparison = compare(example(), changed(il_fusion=of("il-fusion", status="suspended")))
    (one,) = comparison.agencies
    assert (one.agency, one.kind, one.audience, one.duties) == ("il-fusion", "changed", "NARROWS", "SAME")
    assert one.words == ("status: active becomes suspended",)
    assert (one.narrowing.agency, one.narrowing) == ("il-fusion", comparison.narrowing)
    assert comparison.audience == "NARROWS"
    assert comparison.rules == ()


def test_a_signed_agreement_widens_for_this_agency_alone():
    record = {**AGENCIES["lake-sheriff"], "28 CFR 23 agreement": "yes"}
    comparison = compare(example(), changed(lake_sheriff=record))
    assert [(one.agency, one.audience) for one in comparison.agencies] == [("lake-sheriff", "WIDENS")]
    witness = comparison.widening
    for agencies, gets in ((AGENCIES, False), ({**AGENCIES, "lake-sheriff": record}, True)):
        decider = compile_rules(example().ruleset, example().vocabulary, agencies, at=witness.at)
        assert decider.decide(witness.portion).reaches("lake-sheriff") is gets


def test_a_new_agency_widens_and_one_that_may_get_nothing_does_not():
    comparison = compare(example(), changed(new_pd=AGENCIES["chicago-pd"], empty_pd={}))
    assert [(one.agency, one.kind, one.audience) for one in comparison.agencies] == [
        ("empty-pd", "added", "SAME"),
        ("new-pd", "added", "WIDENS"),
    ]
    assert comparison.agencies[1].before is None
    assert "kind: city police" in comparison.agencies[1].words


def test_a_removed_agency_narrows_unless_it_was_suspended():
    comparison = compare(example(), changed(chicago_pd=None, peoria_pd=None))
    assert [(one.agency, one.kind, one.audience) for one in comparison.agencies] == [
        ("chicago-pd", "removed", "NARROWS"),
        ("peoria-pd", "removed", "SAME"),
    ]


def test_another_area_of_a_sheriff_widens_and_narrows():
    serves = frozenset({"IL-LAKE", "IL-PEORIA"})
    (one,) = compare(example(), changed(jttf_chicago=of("jttf-chicago", serves=serves))).agencies
    assert one.audience == "WIDENS AND NARROWS"
    assert one.words == ("serves: now without IL-COOK and with IL-PEORIA",)


def test_a_text_written_as_a_set_of_one_is_the_same():
    (one,) = compare(example(), changed(chicago_pd=of("chicago-pd", region=frozenset({"IL-N"})))).agencies
    assert one.audience == "SAME"
    assert one.words == ("region: IL-N is written otherwise",)


def test_a_record_and_the_rules_may_change_at_once():
    rules = EXAMPLE_RULES.replace("    28 CFR 23 agreement: yes\n    allowed that purpose", "    allowed that purpose")
    agencies = {**AGENCIES, "il-fusion": of("il-fusion", status="suspended")}
    comparison = compare(example(), example(rules, agencies))
    assert comparison.audience == "WIDENS AND NARROWS"
    assert [one.audience for one in comparison.agencies] == ["NARROWS"]
    assert [change.rule for change in comparison.rules] == ["R11"]


def test_a_duty_that_only_a_changed_agency_gets_is_said_with_its_name():
    rules = """
- {rule: A all, effect: share, when: anything, to: everyone, because: x}
- {rule: Q city, effect: require, when: anything, to: [{kind: city}], with: {onward: own}, because: x}
"""
    old, new = small(rules, agencies={"g": {"kind": "city"}}), small(rules, agencies={"g": {"kind": "fed"}})
    comparison = compare(old, new)
    assert (comparison.audience, comparison.duties) == ("SAME", "LOOSENED")
    assert [(one.words, one.witness.agency) for one in comparison.duty_changes] == [("onward: own is dropped", "g")]


def test_an_agency_that_is_named_by_its_id_is_compared_by_its_id():
    rules = "- {rule: A named, effect: share, when: anything, to: [{named: yes, kind: city}], because: x}\n"
    comparison = compare(small(rules), small(rules, agencies={"g7": {"kind": "city"}}))
    assert comparison.widening.portion["named"] == "g7"


def test_a_proof_that_production_does_not_confirm_is_never_shown(monkeypatch):
    stated = small(ALL.replace("tlp: LOW", "tlp: LOW, topic: [a, b, NO]"))
    assert compare(stated, small(ALL)).audience == "WIDENS"
    # A decider that shares with whom a rule possibly matches would have shared this already.
    monkeypatch.setattr("policy.decide.GRANTS_READ", POSSIBLY)
    with pytest.raises(PolicyError) as refused:
        compare(stated, small(ALL))
    assert refused.value.code == "proof-mismatch"


def test_a_finding_that_production_does_not_confirm_is_never_shown(monkeypatch):
    always = "- {rule: A low, effect: always, when: {tlp: LOW}, to: everyone, because: x}\n"
    never = "- {rule: N a, effect: never, when: anything, to: [{kind: city}], because: x}\n"
    one = small(always + never)
    monkeypatch.setattr("policy.decide.Decision", lambda **parts: EmptyDecision())
    with pytest.raises(PolicyError) as refused:
        lint(one.ruleset, one.vocabulary)
    assert refused.value.code == "proof-mismatch"


class EmptyDecision:
    def granted_by(self, agency):
        return ()

    def blocked_by(self, agency):
        return ()


# --- what one officer may do alone


def refusal(before, after):
    with pytest.raises(PolicyError) as refused:
        narrows_only(before, after)
    return refused.value.code


def with_never(when, to):
    rule = f"- {{rule: E1 stop, effect: never, when: {when}, to: {to}, because: an emergency}}\n"
    return example(EXAMPLE_RULES.replace("agreements:\n", rule + "agreements:\n", 1))


def test_a_never_rule_that_stops_no_always_rule_only_narrows():
    comparison = narrows_only(example(), with_never("{category: narcotics}", "everyone"))
    assert (comparison.audience, comparison.duties) == ("NARROWS", "SAME")


def test_a_never_rule_that_could_stop_an_always_rule_is_refused():
    assert refusal(example(), with_never("{TLP: AMBER+STRICT}", "everyone")) == "blocks-always"


def test_suspending_one_who_must_be_warned_is_refused():
    assert refusal(example(), changed(il_fusion=of("il-fusion", status="suspended"))) == "blocks-always"


def test_suspending_one_whom_no_always_rule_reaches_only_narrows():
    suspended = changed(cook_sheriff=of("cook-sheriff", status="suspended"))
    assert narrows_only(example(), suspended).audience == "NARROWS"


def test_a_change_that_widens_is_refused_whatever_else_it_does():
    more = EXAMPLE_RULES.replace("when: {TLP: RED}", "when: {TLP: RED, category: narcotics}", 1)
    assert refusal(example(), example(more)) == "widens"


def test_a_change_that_loosens_a_duty_is_refused():
    assert refusal(example(), example(EXAMPLE_RULES.replace("onward: nobody", "onward: own agency"))) == "loosens"


def test_an_always_rule_that_becomes_a_share_stops_what_must_arrive():
    always = ALL.replace("share", "always")
    assert compare(small(always), small(ALL)).audience == "SAME"
    assert refusal(small(always), small(ALL)) == "blocks-always"


def test_a_stricter_duty_and_another_reason_only_narrow():
    before = example()
    stricter = EXAMPLE_RULES.replace("acknowledge within: 30 minutes", "acknowledge within: 20 minutes")
    assert narrows_only(before, example(stricter)).duties == "TIGHTENED"
    again = Edition(vocabulary=before.vocabulary, ruleset=replace(before.ruleset, version=42), agencies=before.agencies)
    assert narrows_only(before, again).audience == "SAME"


def test_a_comparison_of_what_was_edited_by_hand_is_the_one_that_is_checked():
    assert edited("because: LES handling", "because: LES").audience == "SAME"


def test_the_words_of_an_agency_do_not_depend_on_the_order_its_record_was_written_in():
    record = AGENCIES["springfield-pd"]
    turned = dict(reversed(record.items()))
    said = [compare(example(), changed(new_pd=one)).agencies[0].words for one in (record, turned)]
    assert list(record) != list(turned)
    assert said[0] == said[1]
