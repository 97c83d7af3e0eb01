"""What a change of the rules does, proved: each verdict by a small change that has it, and rule by rule in words."""

from dataclasses import replace

import pytest

from policy import PolicyError, compile_rules, parse_agencies, parse_ruleset, parse_vocabulary
from policy.comparison import SOME_AGENCY, Edition
from policy.proof import compare
from tests.policy.worlds import AGREEMENTS, EXAMPLE_AGENCIES, EXAMPLE_RULES, EXAMPLE_VOCABULARY, VOCABULARY

WORDS = parse_vocabulary(EXAMPLE_VOCABULARY, source="vocabulary")
AGENCIES = parse_agencies(EXAMPLE_AGENCIES, WORDS, source="agencies")


def example(rules=EXAMPLE_RULES, agencies=AGENCIES):
    return Edition(vocabulary=WORDS, ruleset=parse_ruleset(rules, WORDS, source="rules"), agencies=agencies)


def edited(old, new, count=1):
    assert EXAMPLE_RULES.count(old) >= 1
    return compare(example(), example(EXAMPLE_RULES.replace(old, new, count)))


def shares(edition, witness):
    agency = witness.agency or SOME_AGENCY
    decider = compile_rules(edition.ruleset, edition.vocabulary, {agency: witness.record}, at=witness.at)
    return decider.decide(witness.portion).reaches(agency)


HEAD = "policy: p\nversion: 1\nrules:\n"
ALL = "- {rule: A low, effect: share, when: {tlp: LOW}, to: everyone, because: x}\n"


def small(rules, vocabulary=VOCABULARY, agreements=AGREEMENTS, agencies=None):
    known = parse_vocabulary(vocabulary, source="vocabulary")
    ruleset = parse_ruleset(HEAD + rules + agreements, known, source="rules")
    return Edition(vocabulary=known, ruleset=ruleset, agencies=agencies or {})


# --- the changes of an officer's day


REGION = (
    "category: firearms trafficking or human trafficking or narcotics; TLP: AMBER or CLEAR or GREEN; "
    "purpose: criminal investigation; agency 28 CFR 23 agreement: (not stated) or no; "
    "agreement HIDTA-2024, in force; allowed that purpose: yes"
)


def test_dropping_the_28_cfr_23_line_of_r11_widens_and_says_where():
    comparison = edited("    28 CFR 23 agreement: yes\n    allowed that purpose", "    allowed that purpose")
    assert comparison.audience == "WIDENS"
    assert comparison.discloses_more
    (change,) = comparison.rules
    assert (change.rule, change.effect, change.kind) == ("R11", "share", "matches more")
    assert change.regions == (REGION,)
    assert change.held_back_by == ("R05", "R06", "R07", "R08", "R10", "R14", "R15")
    # What a product rule shares with whoever asked or serves the area.
    assert change.granted_already_by == ("R17", "R18", "R19")
    assert not shares(example(), comparison.widening)
    assert comparison.widening.record.get("28 CFR 23 agreement") != "yes"
    assert comparison.narrowing is None


def test_a_typing_slip_in_the_orcon_rule_widens_and_narrows():
    comparison = edited("approved by the originator: no", "approved by the originator: yes")
    assert comparison.audience == "WIDENS AND NARROWS"
    assert [(change.rule, change.kind, change.regions) for change in comparison.rules] == [
        (
            "R05",
            "matches more",
            ("caveats: (not stated) or ORCON; approved by the originator: yes; is the originator: (not known) or no",),
        ),
        (
            "R05",
            "matches less",
            ("caveats: (not stated) or ORCON; approved by the originator: no; is the originator: (not known) or no",),
        ),
    ]
    assert {"R02", "R09"} <= set(comparison.rules[1].granted_already_by)


def test_reordering_rules_and_words_changes_nobody_s_audience():
    before = example()
    rules = tuple(
        replace(rule, when=rule.when[::-1], to=tuple(item[::-1] for item in rule.to[::-1]), line=rule.line + 1)
        for rule in before.ruleset.rules[::-1]
    )
    comparison = compare(before, replace(before, ruleset=replace(before.ruleset, rules=rules)))
    assert (comparison.audience, comparison.duties) == ("SAME", "SAME")
    assert {change.kind for change in comparison.rules} <= {"reworded"}
    assert comparison.verdict() == "SAME (proved)"


def test_another_reason_for_a_rule_is_reworded_and_the_same():
    comparison = edited("because: LES handling", "because: LES handling order of 2026")
    assert (comparison.audience, comparison.duties) == ("SAME", "SAME")
    assert [(change.rule, change.kind) for change in comparison.rules] == [("R14", "reworded")]
    assert "order of 2026" in comparison.rules[0].after
    assert "order of 2026" not in comparison.rules[0].before


def test_more_time_to_acknowledge_a_bolo_loosens_and_keeps_the_audience():
    comparison = edited("acknowledge within: 30 minutes", "acknowledge within: 4 hours")
    assert (comparison.audience, comparison.duties) == ("SAME", "LOOSENED")
    assert comparison.discloses_more
    assert [change.words for change in comparison.duty_changes] == ["acknowledge within: 30 minutes becomes 4 hours"]
    assert [(change.rule, change.kind) for change in comparison.rules] == [("R09", "duties")]


def test_a_new_never_rule_narrows_and_says_what_it_takes():
    new = "- {rule: R20 no, effect: never, when: {TLP: AMBER+STRICT}, to: everyone, because: x}\n"
    comparison = edited("agreements:\n", new + "agreements:\n")
    assert (comparison.audience, comparison.duties, comparison.discloses_more) == ("NARROWS", "SAME", False)
    (change,) = comparison.rules
    assert (change.rule, change.kind, change.before) == ("R20", "added", None)
    assert change.regions == ("TLP: (not stated) or AMBER+STRICT",)
    assert change.granted_already_by == ("R02", "R03", "R09")
    assert shares(example(), comparison.narrowing)


def test_a_later_end_of_an_agreement_widens_and_says_both_dates():
    comparison = edited("until: 2026-12-31", "until: 2027-12-31")
    assert comparison.audience == "WIDENS"
    (change,) = comparison.rules
    assert (change.rule, change.kind) == ("R11", "matches more")
    assert "HIDTA-2024 (2024-01-01 00:00 to 2027-01-01 00:00), not surely in force" in change.regions[0]
    assert "HIDTA-2024 (2024-01-01 00:00 to 2028-01-01 00:00), in force" in change.regions[0]
    # Five minutes before the old end nobody was sure any more.
    assert comparison.widening.at.isoformat() >= "2026-12-31T23:55"


def test_an_end_that_moves_by_one_minute_is_not_the_same():
    rules = "- {rule: A pact, effect: share, when: anything, to: [{pact: P-1}], because: x}\n"
    one, other = (
        small(rules, agreements=f"agreements: {{P-1: {{from: 2026-03-01T00:00Z, until: 2026-06-30T10:0{minute}Z}}}}\n")
        for minute in (0, 1)
    )
    assert compare(one, other).audience == "WIDENS"
    assert compare(other, one).audience == "NARROWS"
    assert compare(one, one).audience == "SAME"


def test_the_end_of_a_never_by_an_agreement_that_comes_sooner_widens():
    rules = ALL + "- {rule: N pact, effect: never, when: anything, to: [{pact: P-1}], because: x}\n"
    sooner = AGREEMENTS.replace("until: 2026-06-30", "until: 2026-05-31", 1)
    assert compare(small(rules), small(rules, agreements=sooner)).audience == "WIDENS"


# --- verdicts


def test_two_values_in_one_rule_or_in_two_are_the_same():
    both = "- {rule: A two, effect: share, when: {topic: [a, b]}, to: everyone, because: x}\n"
    apart = """
- {rule: A one, effect: share, when: {topic: a}, to: everyone, because: x}
- {rule: B two, effect: share, when: {topic: b}, to: everyone, because: x}
"""
    comparison = compare(small(both), small(apart))
    assert comparison.audience == "SAME"
    assert [(change.rule, change.kind, change.regions) for change in comparison.rules] == [
        ("A", "matches less", ("topic: b",)),
        ("B", "added", ("topic: b",)),
    ]


def test_a_share_that_never_rules_stop_anyway_adds_nobody():
    never = "- {rule: N low, effect: never, when: {topic: a}, to: everyone, because: x}\n"
    more = "- {rule: B a, effect: share, when: {topic: a}, to: [{kind: city}], because: x}\n"
    comparison = compare(small(ALL + never), small(ALL + never + more))
    assert comparison.audience == "SAME"
    (change,) = comparison.rules
    assert (change.kind, change.held_back_by, change.granted_already_by) == ("added", ("N",), ("A",))


def test_no_and_yes_of_a_relation_are_not_all_there_is():
    """A share with those who serve the area or do not leaves out those of whom it is not known."""
    halves = "- {rule: A low, effect: share, when: {tlp: LOW}, to: [{serves: yes}, {serves: no}], because: x}\n"
    comparison = compare(small(halves), small(ALL))
    assert comparison.audience == "WIDENS"
    assert comparison.rules[0].regions == ("tlp: LOW; serves: (not known)",)


def test_every_value_of_a_property_is_not_all_there_is():
    every = ALL.replace("tlp: LOW", "tlp: LOW, topic: [a, b, NO]")
    comparison = compare(small(every), small(ALL))
    assert comparison.audience == "WIDENS"
    assert comparison.rules[0].regions == ("topic: (not stated); tlp: LOW",)


def test_a_never_rule_that_lists_every_value_also_stops_what_is_not_stated():
    every = ALL + "- {rule: N every, effect: never, when: {topic: [a, b, NO]}, to: everyone, because: x}\n"
    plain = ALL + "- {rule: N every, effect: never, when: anything, to: everyone, because: x}\n"
    assert compare(small(every), small(plain)).audience == "SAME"


def test_a_rule_that_becomes_a_never_rule_is_removed_and_added():
    comparison = compare(small(ALL), small(ALL.replace("share", "never")))
    assert comparison.audience == "NARROWS"
    assert [(change.kind, change.effect) for change in comparison.rules] == [("removed", "share"), ("added", "never")]


def test_a_set_has_room_for_two_values_where_a_text_has_not():
    one = "- {rule: N x, effect: never, when: {caveats: X}, to: everyone, because: x}\n"
    two = ALL.replace("tlp: LOW", "tlp: LOW, caveats: Y")
    both = small(two + one)
    assert compare(both, small(two)).audience == "WIDENS"
    single = small(two.replace("caveats: Y", "topic: a") + one.replace("caveats: X", "topic: b"))
    assert compare(single, small(two.replace("caveats: Y", "topic: a"))).audience == "SAME"


def test_purpose_and_the_relation_by_purpose_are_one_attribute():
    """An agency that is allowed p surely has the relation where the purpose is p: a rule for both adds nobody."""
    relation = "- {rule: A all, effect: share, when: {purpose: [p, q]}, to: [{allowed: yes}], because: x}\n"
    one = "- {rule: B p, effect: share, when: {purpose: p}, to: [{allowed: yes}], because: x}\n"
    assert compare(small(relation), small(relation + one)).audience == "SAME"
    assert compare(small(one), small(relation + one)).audience == "WIDENS"


def test_many_scattered_differences_are_said_by_the_items_of_the_rule():
    lines = "".join(
        f"  - {{kind: {kind}, state: {state}, level: {level}}}\n"
        for kind, state, level in (("city", "IL", "one"), ("state", "OR", "two"), ("fed", "IN", "three"))
    )
    rule = "- rule: A many\n  effect: share\n  because: x\n  when: {tlp: LOW}\n  to:\n"
    wide = "  - {tags: t}\n"
    comparison = compare(small(rule + lines), small(rule + wide))
    assert comparison.audience == "WIDENS AND NARROWS"
    more = next(change for change in comparison.rules if change.kind == "matches more")
    assert more.regions == ("some of: tlp: LOW; agency tags: t",)


# --- duties


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ("precedence: FLASH", "precedence: PRIORITY", "LOOSENED"),
        ("precedence: PRIORITY", "precedence: FLASH", "TIGHTENED"),
        ("answer within: 1 hour", "answer within: 60 minutes", "SAME"),
        ("answer within: 1 hour", "answer within: 61 minutes", "LOOSENED"),
        ("answer within: 1 hour", "answer within: 59 minutes", "TIGHTENED"),
        ("onward: nobody", "onward: own", "LOOSENED"),
        ("onward: own", "onward: nobody", "TIGHTENED"),
        ("strip: [names, sources]", "strip: [names]", "LOOSENED"),
        ("strip: names", "strip: sources", "LOOSENED AND TIGHTENED"),
        ("note: call first", "note: [call first, call again]", "TIGHTENED"),
        ("onward: own", "precedence: FLASH", "LOOSENED AND TIGHTENED"),
    ],
)
def test_a_duty_that_changes_is_loosened_or_tightened(before, after, verdict):
    old, new = (small(ALL.replace("because", f"with: {{{duty}}}, because")) for duty in (before, after))
    comparison = compare(old, new)
    assert (comparison.audience, comparison.duties) == ("SAME", verdict)
    assert comparison.discloses_more is ("LOOSENED" in verdict)


def test_a_duty_that_another_rule_gives_as_well_is_not_loosened_by_dropping_it():
    with_duty = ALL.replace("because", "with: {onward: own}, because")
    require = "- {rule: Q all, effect: require, when: anything, to: everyone, with: {onward: nobody}, because: x}\n"
    assert compare(small(with_duty + require), small(ALL + require)).duties == "SAME"
    comparison = compare(small(with_duty), small(ALL))
    assert comparison.duties == "LOOSENED"
    assert [(change.before, change.after, change.words) for change in comparison.duty_changes] == [
        ("own", None, "onward: own is dropped")
    ]


def test_a_duty_of_somebody_who_gets_nothing_any_more_is_not_loosened():
    with_duty = ALL.replace("because", "with: {onward: own}, because")
    never = "- {rule: N low, effect: never, when: {tlp: LOW}, to: everyone, because: x}\n"
    comparison = compare(small(with_duty), small(ALL + never))
    assert (comparison.audience, comparison.duties) == ("NARROWS", "SAME")


# --- vocabularies


def test_a_value_that_the_vocabulary_learns_is_compared_as_the_word_it_is():
    wider = VOCABULARY.replace('topic: {one of: [a, b, "NO"]}', 'topic: {one of: [a, b, "NO", c]}')
    never = ALL + "- {rule: N a, effect: never, when: {topic: a}, to: everyone, because: x}\n"
    # Before, the unknown word c might have been a, and was withheld.
    comparison = compare(small(never), small(never, wider))
    assert comparison.audience == "WIDENS"
    assert comparison.widening.portion["topic"] == "c"
    assert [(change.rule, change.kind, change.regions) for change in comparison.rules] == [
        ("N", "matches less", ("topic: c",))
    ]
    assert compare(small(never, wider), small(never)).audience == "NARROWS"
    assert compare(small(ALL), small(ALL, wider)).audience == "SAME"


def test_an_area_that_the_vocabulary_learns_is_compared_by_name():
    wider = VOCABULARY.replace('A2: "17003"', 'A2: "17003", A3: "17005"')
    rule = ALL.replace("to: everyone", "to: [{serves: yes}]")
    comparison = compare(small(rule), small(rule, wider))
    assert comparison.audience == "WIDENS"
    assert comparison.widening.portion["area"] == "A3"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('topic: {one of: [a, b, "NO"]}', 'topic: {set of: [a, b, "NO"]}'),
        ("tags: {set of: [t, u]}", "tags: {set of: [t, u], dated: true}"),
        ("same region: {key: region, index: region}", "same region: {key: region, index: regions}"),
        ('area: {A1: "17001", A2: "17003"}', ""),
        ("onward: {strictest of: [public, own, nobody]}", "onward: {strictest of: [own, public, nobody]}"),
        ("onward: {strictest of: [public, own, nobody]}", "onward: {highest of: [public, own, nobody]}"),
    ],
)
def test_vocabularies_that_mean_other_things_by_one_name_are_refused(old, new):
    assert old in VOCABULARY
    with pytest.raises(PolicyError) as refused:
        compare(small(ALL), small(ALL, VOCABULARY.replace(old, new)))
    assert refused.value.code == "incomparable-vocabularies"


def test_a_rank_that_a_duty_learns_is_put_in_its_order():
    ranked = VOCABULARY.replace("[public, own, nobody]", "[public, friends, own, nobody]")
    old = small(ALL.replace("because", "with: {onward: public}, because"))
    new = small(ALL.replace("because", "with: {onward: friends}, because"), ranked)
    assert compare(old, new).duties == "TIGHTENED"
    assert compare(new, old).duties == "LOOSENED"
