"""Recipients divided by duties, and the lists of agencies that are written out only when somebody reads them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy import compile_rules, join_obligations, parse_ruleset, parse_vocabulary
from policy.index import AgencyIndex, Members
from tests.policy.worlds import VOCABULARY, world

WORDS = parse_vocabulary(VOCABULARY, source="vocabulary")
RULES = """policy: p
version: 1
rules:
- {rule: A all, effect: share, when: anything, to: everyone, because: x}
- {rule: B1 city, effect: require, when: anything, to: [{kind: city}], with: {precedence: PRIORITY}, because: x}
- {rule: B2 level, effect: require, when: anything, to: [{level: one}], with: {precedence: FLASH}, because: x}
- {rule: B3 hour, effect: require, when: anything, to: [{kind: city}], with: {answer within: 1 hour}, because: x}
- {rule: B4 half, effect: require, when: anything, to: [{tags: t}], with: {answer within: 30 minutes}, because: x}
- {rule: B5 names, effect: require, when: anything, to: [{level: one}], with: {strip: [names]}, because: x}
- {rule: B6 both, effect: require, when: anything, to: [{tags: t}], with: {strip: [sources]}, because: x}
"""
PLAIN = {"kind": "fed", "level": "two", "tags": frozenset()}
AGENCIES = {
    "a-plain": PLAIN,
    "b-city": {**PLAIN, "kind": "city"},
    "c-one": {**PLAIN, "kind": "city", "level": "one"},
    "d-tagged": {**PLAIN, "kind": "city", "tags": frozenset({"t"})},
    "e-all": {"kind": "city", "level": "one", "tags": frozenset({"t"})},
    "f-plain": PLAIN,
}
EXPECTED = {
    "a-plain": {},
    "b-city": {"precedence": "PRIORITY", "answer within": 3600},
    "c-one": {"precedence": "FLASH", "answer within": 3600, "strip": ("names",)},
    "d-tagged": {"precedence": "PRIORITY", "answer within": 1800, "strip": ("sources",)},
    "e-all": {"precedence": "FLASH", "answer within": 1800, "strip": ("names", "sources")},
    "f-plain": {},
}


@pytest.fixture
def decision():
    return compile_rules(parse_ruleset(RULES, WORDS, source="r"), WORDS, AGENCIES, at=None).decide({})


def test_each_group_has_the_strictest_of_every_duty_that_reaches_it(decision):
    found = {agency: dict(duties) for duties, members in decision.groups() for agency in members}
    assert found == EXPECTED


def test_agencies_of_equal_duties_are_one_group_and_the_first_member_orders_them(decision):
    assert [tuple(members) for _, members in decision.groups()] == [
        ("a-plain", "f-plain"), ("b-city",), ("c-one",), ("d-tagged",), ("e-all",),
    ]  # fmt: skip


def test_the_duties_of_a_group_are_in_the_order_of_their_names(decision):
    for duties, _ in decision.groups():
        assert list(duties) == sorted(duties)


def test_classes_name_each_recipient_once_under_the_strictest_value(decision):
    index = AgencyIndex(WORDS, AGENCIES)
    classes = [(value, index.expand(bits)) for value, bits in decision.classes(WORDS.obligation["precedence"])]
    assert classes == [("FLASH", ("c-one", "e-all")), ("PRIORITY", ("b-city", "d-tagged"))]


def test_classes_of_a_union_keep_its_words_apart(decision):
    index = AgencyIndex(WORDS, AGENCIES)
    classes = [(value, index.expand(bits)) for value, bits in decision.classes(WORDS.obligation["strip"])]
    assert classes == [(("names",), ("c-one", "e-all")), (("sources",), ("d-tagged", "e-all"))]


def test_three_values_that_overlap_leave_each_recipient_under_the_strictest():
    rules = """policy: p
version: 1
rules:
- {rule: A all, effect: share, when: anything, to: everyone, because: x}
- {rule: B1, effect: require, when: anything, to: everyone, with: {answer within: 2 weeks}, because: x}
- {rule: B2, effect: require, when: anything, to: [{tags: t}], with: {answer within: 1 hour}, because: x}
- {rule: B3, effect: require, when: anything, to: [{level: one}], with: {answer within: 30 minutes}, because: x}
"""
    index = AgencyIndex(WORDS, AGENCIES)
    decision = compile_rules(parse_ruleset(rules, WORDS, source="r"), WORDS, AGENCIES, at=None).decide({})
    classes = [(value, index.expand(bits)) for value, bits in decision.classes(WORDS.obligation["answer within"])]
    assert classes == [
        (1800, ("c-one", "e-all")), (3600, ("d-tagged",)), (1_209_600, ("a-plain", "b-city", "f-plain")),
    ]  # fmt: skip


def test_a_duty_that_no_rule_gives_has_no_classes(decision):
    assert decision.classes(WORDS.obligation["onward"]) == []


def test_a_value_that_a_stricter_one_covers_wholly_has_no_class():
    rules = RULES.replace("{level: one}], with: {precedence: FLASH}", "{kind: city}], with: {precedence: FLASH}")
    decision = compile_rules(parse_ruleset(rules, WORDS, source="r"), WORDS, AGENCIES, at=None).decide({})
    assert [value for value, _ in decision.classes(WORDS.obligation["precedence"])] == ["FLASH"]


def test_rules_of_every_effect_that_reach_somebody_have_touched_the_decision():
    rules = RULES + (
        "- {rule: N, effect: never, when: anything, to: [{tags: t}], because: x}\n"
        "- {rule: O, effect: never, when: anything, to: [{kind: state}], because: x}\n"
        "- {rule: P, effect: require, when: anything, to: [{level: three}], with: {onward: own}, because: x}\n"
    )
    decision = compile_rules(parse_ruleset(rules, WORDS, source="r"), WORDS, AGENCIES, at=None).decide({})
    assert decision.touched == {"A", "B1", "B2", "B3", "B4", "B5", "B6", "N"}


def test_whom_a_rule_shares_with_are_recipients_and_a_rule_that_shares_nothing_has_none():
    rules = RULES + "- {rule: N, effect: never, when: anything, to: [{tags: t}], because: x}\n"
    decision = compile_rules(parse_ruleset(rules, WORDS, source="r"), WORDS, AGENCIES, at=None).decide({})
    assert decision.shared_by("A") == ("a-plain", "b-city", "c-one", "f-plain")
    assert decision.shared_by("B1") == decision.shared_by("N") == decision.shared_by("nothing of that name") == ()


@settings(max_examples=40, deadline=None)
@given(st.integers(min_value=0, max_value=2**32))
def test_a_groups_duties_are_the_join_over_all_rules_that_reach_its_members(seed):
    exchange = world(seed, agencies=20, portions=6, rules=14)
    decider = exchange.decider()
    for portion in exchange.portions:
        decision = decider.decide(portion)
        by_id = {rule.id: rule for rule in decider.ruleset.rules}
        for duties, members in decision.groups():
            for agency in members:
                place = decider.index.position[agency]
                reaching = [by_id[rule.id].obligations for rule, bits in decision.obliging if bits >> place & 1]
                assert dict(duties) == dict(join_obligations(decider.vocabulary, *reaching))


# Words whose rank is not their alphabetical order, as FLASH, PRIORITY and ROUTINE happen to be.
OTHER_WORDS = {"FLASH": "MOST", "PRIORITY": "HIGH", "ROUTINE": "LOW", "nobody": "zero", "public": "all"}


def in_other_words(text):
    for word, other in OTHER_WORDS.items():
        text = text.replace(word, other)
    return text


@settings(max_examples=40, deadline=None)
@given(st.integers(min_value=0, max_value=2**32))
def test_the_strictest_value_is_the_one_of_the_highest_rank_whatever_it_is_called(seed):
    exchange = world(seed, agencies=20, portions=6, rules=14)
    vocabulary = parse_vocabulary(in_other_words(VOCABULARY), source="vocabulary")
    ruleset = parse_ruleset(in_other_words(exchange.rules), vocabulary, source="rules")
    decider = compile_rules(ruleset, vocabulary, exchange.agencies, at=exchange.at)
    for portion in exchange.portions:
        decision = decider.decide(portion)
        grouped = {agency: duties for duties, members in decision.groups() for agency in members}
        assert grouped.keys() == set(decision.audience)
        for agency in decision.audience:
            # What one agency is obliged to is joined value by value, in another way.
            assert dict(grouped[agency]) == dict(decision.obligations(agency))
        for name in ("precedence", "onward"):
            known = vocabulary.obligation[name]
            ranks = [known.values.index(value) for value, _ in decision.classes(known)]
            assert ranks == sorted(ranks, reverse=True)


@given(st.sets(st.integers(min_value=0, max_value=2499)))
def test_a_set_of_agencies_lists_its_ids_sorted_whatever_its_size(places):
    listed = tuple(LARGE.ids[place] for place in sorted(places))
    assert LARGE.expand(sum(1 << place for place in places)) == listed


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 799, 800, 801, 2499, 2500])
def test_either_way_of_listing_gives_the_same_ids(size):
    assert LARGE.expand((1 << size) - 1) == LARGE.ids[:size]
    assert LARGE.expand(((1 << size) - 1) << (2500 - size)) == LARGE.ids[2500 - size :]


LARGE = AgencyIndex(WORDS, {f"a{number:04d}": {} for number in range(2500)})


def test_members_are_a_sequence_of_ids():
    members = Members(LARGE, 0b1011)
    assert len(members) == 3
    assert list(members) == ["a0000", "a0001", "a0003"]
    assert members[1] == "a0001"
    assert members[1:] == ("a0001", "a0003")
    assert "a0003" in members
    assert "a0002" not in members
    assert members == ("a0000", "a0001", "a0003") == members
    assert members == Members(LARGE, 0b1011)
    assert members != Members(LARGE, 0b1)
    assert members != "a0000"
    assert len({members, Members(LARGE, 0b1011)}) == 1
    assert repr(members) == "('a0000', 'a0001', 'a0003')"
