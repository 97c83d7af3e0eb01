"""A slip in a rules file is refused with its line, the known words and the one that was probably meant."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy import PolicyError, check_agency, parse_agencies, parse_ruleset, parse_vocabulary
from tests.policy.worlds import EXAMPLE_AGENCIES, EXAMPLE_RULES, EXAMPLE_VOCABULARY

VOCABULARY = parse_vocabulary(EXAMPLE_VOCABULARY, source="vocabulary.yaml")

RULE = """policy: one rule
version: 1
rules:
- rule: R1 first
  effect: share
  when: {TLP: GREEN}
  to:
  - kind: JTTF
  because: reason
- rule: R2 second
  effect: never
  when: anything
  to:
  - status: suspended
  because: reason
- rule: R3 third
  effect: always
  when: anything
  to: everyone
  yields to: [R2]
  because: reason
- rule: R4 fourth
  effect: require
  when: anything
  to: everyone
  with: {onward: own agency}
  because: reason
agreements:
  HIDTA-2024: {from: 2024-01-01, until: 2026-12-31}
tests:
- test: a case
  bulletin: {TLP: GREEN}
  reaches exactly: []
"""


def ruleset(text):
    return parse_ruleset(text, VOCABULARY, source="rules.yaml")


def test_the_text_that_the_slips_are_made_in_is_accepted():
    assert [rule.id for rule in ruleset(RULE).rules] == ["R1", "R2", "R3", "R4"]


@pytest.mark.parametrize(
    ("was", "now", "code", "line", "says"),
    [
        ("{TLP: GREEN}\n  to", "{TLP: REDD}\n  to", "unknown-value", 6,
         "'REDD' is not a value of TLP; use one of CLEAR, GREEN, AMBER, AMBER+STRICT, RED; did you mean RED?"),
        ("{TLP: GREEN}\n  to", "{TLP: amber}\n  to", "unknown-value", 6, "did you mean AMBER?"),
        ("{TLP: GREEN}\n  to", "{TLP: at most REDD}\n  to", "unknown-value", 6, "did you mean RED?"),
        ("{TLP: GREEN}\n  to", "{product: at most BOLO}\n  to", "not-ordered", 6, "'product' has no order"),
        ("{TLP: GREEN}\n  to", "{TLP: []}\n  to", "empty", 6, "empty list"),
        ("{TLP: GREEN}\n  to", "{}\n  to", "empty", 6, "'when' is empty"),
        ("{TLP: GREEN}\n  to", "everything\n  to", "not-a-condition", 6, "anything"),
        ("{TLP: GREEN}\n  to", "{TPL: GREEN}\n  to", "unknown-property", 6, "did you mean TLP?"),
        ("{TLP: GREEN}\n  to", "{status: active}\n  to", "wrong-side", 6, "move it to 'to:'"),
        ("{TLP: GREEN}\n  to", "{serves the area: yes}\n  to", "wrong-side", 6, "move it to 'to:'"),
        ("{TLP: GREEN}\n  to", "{TLP: [GREEN, GREEN]}\n  to", "duplicate-value", 6, "written twice"),
        ("{TLP: GREEN}\n  to", "{TLP: {a: b}}\n  to", "not-a-list", 6, "must be a list"),
        ("kind: JTTF", "kind: JTTFs", "unknown-value", 8, "did you mean JTTF?"),
        ("kind: JTTF", "Status: suspended", "unknown-property", 8, "did you mean status?"),
        ("kind: JTTF", "TLP: RED", "wrong-side", 8, "move it to 'when:'"),
        ("kind: JTTF", "serves the area: maybe", "unknown-value", 8, "use one of yes, no"),
        ("kind: JTTF", "serves the area: [yes, no]", "not-text", 8, "single value"),
        ("kind: JTTF", "state: ZZ", "unknown-value", 8, "not a value of state"),
        ("kind: JTTF", "agreement: BORDER-TASK-2025", "undated-agreement", 8, "with dates in this file"),
        ("to:\n  - kind: JTTF", "to: []", "empty", 7, "empty list"),
        ("to:\n  - kind: JTTF", "to: [{}]", "empty", 7, "is empty"),
        ("to:\n  - kind: JTTF", "to: nobody", "not-a-condition", 7, "everyone"),
        ("to:\n  - kind: JTTF", "to: {kind: JTTF}", "not-a-list", 7, "must be a list"),
        ("effect: share", "effect: dney", "unknown-effect", 5, "use one of share, always, never, require"),
        ("  effect: share\n", "", "missing-effect", 4, "no 'effect:'"),
        ("  because: reason\n- rule: R2", "- rule: R2", "missing-because", 4, "no 'because:'"),
        ("  because: reason\n- rule: R2", "  because: ''\n- rule: R2", "empty-value", 9, "empty value"),
        ("  when: anything\n  to:\n  - status", "  to:\n  - status", "missing-when", 10, "no 'when:'"),
        ("rule: R2 second", "rule: R1 second", "duplicate-rule", 10, "rule R1 is written twice (first in line 4)"),
        ("rule: R2 second", "rule: 2 second", "rule-id", 10, "starts with its id"),
        ("- status: suspended\n", "- status: suspended\n  with: {onward: nobody}\n", "never-with-obligations", 15,
         "R2"),
        ("yields to: [R2]", "yields to: [R9]", "unknown-rule", 20, "'R9' is not the id of a never rule"),
        ("yields to: [R2]", "yields to: [R1]", "unknown-rule", 20, "'R1' is not the id of a never rule"),
        ("yields to: [R2]", "yields to: []", "empty", 20, "empty list"),
        ("effect: always", "effect: share", "yields-to", 20, "only an always rule yields"),
        ("  with: {onward: own agency}\n", "", "missing-with", 22, "R4 requires nothing"),
        ("onward: own agency", "onwards: own agency", "unknown-obligation", 26, "did you mean onward?"),
        ("onward: own agency", "onward: own agencies", "unknown-value", 26, "did you mean own agency?"),
        ("onward: own agency", "retain for: 0 days", "not-a-duration", 26, "30 minutes"),
        ("onward: own agency", "retain for: 30", "not-a-duration", 26, "not a duration"),
        ("onward: own agency", "strip: []", "empty", 26, "empty list"),
        ("onward: own agency", "precedence: [FLASH]", "not-text", 26, "single value"),
        ("HIDTA-2024:", "HIDTA-2025:", "unknown-agreement", 29, "did you mean HIDTA-2024?"),
        ("2026-12-31", "2026-02-30", "not-a-date", 29, "not a date"),
        ("2026-12-31", "2026-12-31T10:00", "not-a-date", 29, "not a date"),
        ("2026-12-31", "20261231", "not-a-date", 29, "not a date"),
        ("2026-12-31", "9999-12-31", "not-a-date", 29, "not a date"),
        ("2026-12-31", "2023-12-31", "agreement-dates", 29, "ends before it starts"),
        ("version: 1", "version: 1.5", "not-a-version", 2, "whole number"),
        ("version: 1", "verison: 1", "unknown-key", 2, "did you mean version?"),
        ("  reaches exactly: []", "  reaches: []", "unknown-key", 33, "did you mean reaches exactly?"),
        ("  reaches exactly: []\n", "", "case-expectation", 31, "says either"),
        ("reaches exactly: []", "reaches nobody because of: R1", "unknown-rule", 33, "'R1' is not the id of a never"),
        ("reaches exactly: []", "reaches exactly: [Chicago PD]", "agency-id", 33, "not an agency id"),
        ("bulletin: {TLP: GREEN}", "bulletin: {TLP: PURPLE}", "unknown-value", 32, "not a value of TLP"),
        ("bulletin: {TLP: GREEN}", "bulletin: {TLP: [GREEN]}", "not-text", 32, "single value"),
        ("bulletin: {TLP: GREEN}", "bulletin: {area: IL-COOKE}", "unknown-value", 32, "did you mean IL-COOK?"),
        ("bulletin: {TLP: GREEN}", "bulletin: {colour: red}", "unknown-property", 32, "not a property of a bulletin"),
        ("bulletin: {TLP: GREEN}", "at: tomorrow\n  bulletin: {TLP: GREEN}", "not-a-date", 32, "not a date"),
    ],
)  # fmt: skip
def test_a_slip_in_the_rules_is_refused_where_it_stands(was, now, code, line, says):
    assert RULE.count(was) == 1
    with pytest.raises(PolicyError) as refused:
        ruleset(RULE.replace(was, now))
    assert refused.value.code == code
    assert refused.value.line == line
    assert says in refused.value.message
    assert str(refused.value).startswith(f"rules.yaml:{line}: ")


def test_more_rules_or_recipients_than_any_exchange_needs_are_refused():
    rule = "- {rule: R%d x, effect: share, when: anything, to: [%s], because: x}\n"
    head = "policy: p\nversion: 1\nrules:\n"
    with pytest.raises(PolicyError, match="more than 2000 rules"):
        ruleset(head + "".join(rule % (number, "{kind: JTTF}") for number in range(2001)))
    with pytest.raises(PolicyError, match="more than 64 items"):
        ruleset(head + rule % (1, ", ".join(["{kind: JTTF}"] * 65)))


@pytest.mark.parametrize(
    ("was", "now", "code"),
    [
        ("product:       {one of:", "product:       {any of:", "unknown-key"),
        ("{ordered: [CLEAR, GREEN, AMBER,", "{ordered: [CLEAR, GREEN, AMBER, at most AMBER,", "reserved-word"),
        ("version:       {one of: [full, tearline]}", "version:       {one of: []}", "empty"),
        ("version:       {one of: [full, tearline]}", "version:       {one of: [full, full]}", "duplicate-value"),
        ("version:       {one of: [full, tearline]}", "version:       {one of: [a], set of: [b]}", "property-kind"),
        ("{one of: [active, suspended]}", "{one of: [active, suspended], dated: true}", "property-kind"),
        ("{state: true}", "{state: yes}", "unknown-value"),
        ("serves the area:            {key: area, index: serves}", "kind: {key: area, index: serves}", "name-clash"),
        ("{key: region, index: region}", "{key: region, index: serves}", "index-clash"),
        ("{key: region, index: region}", "{key: region, index: status}", "index-clash"),
        ("{least: duration}", "{least: money}", "unknown-value"),
        ("{union: text}", "{union: texts}", "unknown-value"),
        ("{union: text}", "{union: text, least: duration}", "obligation-kind"),
        ('"17167"', '"1716"', "county-code"),
        ('"17167"', '"17031"', "county-code"),
        ("obligation:", "obligations:", "unknown-key"),
    ],
)  # fmt: skip
def test_a_slip_in_the_vocabulary_is_refused(was, now, code):
    assert was in EXAMPLE_VOCABULARY
    with pytest.raises(PolicyError) as refused:
        parse_vocabulary(EXAMPLE_VOCABULARY.replace(was, now, 1), source="vocabulary.yaml")
    assert refused.value.code == code
    assert refused.value.line is not None


@pytest.mark.parametrize(
    ("record", "code", "says"),
    [
        ("{Suspended: yes}", "unknown-property", "not a property of an agency"),
        ("{status: suspendd}", "unknown-value", "did you mean suspended?"),
        ("{status: [active]}", "not-text", "single value"),
        ("{serves: [IL-COKO]}", "unknown-value", "did you mean IL-COOK?"),
        ("{purposes: [gossip]}", "unknown-value", "not a value of purposes"),
        ("{agreement: [HIDTA]}", "unknown-value", "did you mean HIDTA-2024?"),
        ("{id: other-pd}", "unknown-property", "not a property of an agency"),
        ("{}", "empty", "is empty"),
    ],
)
def test_a_slip_in_an_agency_record_is_refused_while_a_hole_is_not(record, code, says):
    assert parse_agencies("some-pd: {kind: city police}", VOCABULARY, source="a") == {
        "some-pd": {"kind": "city police"}
    }
    with pytest.raises(PolicyError) as refused:
        parse_agencies(f"some-pd: {record}", VOCABULARY, source="agencies.yaml")
    assert refused.value.code == code
    assert says in refused.value.message


@pytest.mark.parametrize("agency", ["Some-PD", "some pd", "-x", "x-", "a--b", "é", "a" * 65, "a.b", "*", ">"])
def test_an_agency_id_that_is_no_id_is_refused(agency):
    with pytest.raises(PolicyError, match="is not an agency id"):
        parse_agencies(f"'{agency}': {{kind: JTTF}}", VOCABULARY, source="agencies.yaml")
    with pytest.raises(PolicyError, match="is not an agency id"):
        check_agency(agency, {}, VOCABULARY)


@pytest.mark.parametrize(
    "record",
    [
        {"Suspended": "yes"},
        {"status": "suspendd"},
        {"status": frozenset({"active"})},
        {"serves": frozenset({"IL-COOK", "IL-X"})},
        {"agreement": "HIDTA"},
        {"region": ""},
    ],
)
def test_whoever_signs_a_directory_can_refuse_what_the_vocabulary_does_not_know(record):
    check_agency("some-pd", {"status": "active", "serves": frozenset({"IL-COOK"}), "region": "IL-N"}, VOCABULARY)
    with pytest.raises(PolicyError, match="some-pd"):
        check_agency("some-pd", record, VOCABULARY)


def mutated(text):
    """Small accidents: characters or lines removed, doubled or put elsewhere."""
    lines = text.split("\n")
    line = st.integers(min_value=0, max_value=len(lines) - 1)
    place = st.integers(min_value=0, max_value=len(text) - 1)
    piece = st.one_of(
        st.text(max_size=3), st.sampled_from([": ", "- ", "[", "]", "{", "}", "&a ", "*a", "\n", "#", "'"])
    )
    return st.one_of(
        st.builds(lambda at, new: text[:at] + new + text[at:], place, piece),
        st.builds(lambda at, count: text[:at] + text[at + count :], place, st.integers(min_value=1, max_value=40)),
        st.builds(lambda one, two: "\n".join([*lines[:one], lines[two], *lines[one:]]), line, line),
        st.builds(lambda one: "\n".join(lines[:one] + lines[one + 1 :]), line),
    )


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=80), mutated(RULE), mutated(EXAMPLE_RULES)))
def test_any_text_for_rules_gives_a_ruleset_or_a_policy_error(text):
    with suppress(PolicyError):
        ruleset(text)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=80), mutated(EXAMPLE_VOCABULARY)))
def test_any_text_for_a_vocabulary_gives_one_or_a_policy_error(text):
    with suppress(PolicyError):
        parse_vocabulary(text, source="vocabulary.yaml")


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=80), mutated(EXAMPLE_AGENCIES)))
def test_any_text_for_agencies_gives_records_or_a_policy_error(text):
    with suppress(PolicyError):
        parse_agencies(text, VOCABULARY, source="agencies.yaml")
