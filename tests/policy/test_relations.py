"""Relations look up one value or any of several; an empty set is known to be empty, a missing one is not."""

import pytest

from policy import compile_rules, parse_ruleset, parse_vocabulary
from tests.policy.worlds import VOCABULARY

VOCAB = parse_vocabulary(VOCABULARY, source="vocabulary")
AGENCIES = {
    "one": {"counties": frozenset({"A1"})},
    "two": {"counties": frozenset({"A2"})},
    "text": {"counties": "A2"},
    "none": {"counties": frozenset()},
    "hole": {},
    "odd": {"counties": frozenset({"A1", "A9"})},
}


def audience(rules, portion):
    text = f"policy: p\nversion: 1\nrules:\n{rules}"
    return set(compile_rules(parse_ruleset(text, VOCAB, source="r"), VOCAB, AGENCIES, at=None).decide(portion).audience)


ALL = "- {rule: ALL, effect: share, when: anything, to: everyone, because: x}\n"
SHARE_YES = "- {rule: Y, effect: share, when: anything, to: [{serves: yes}], because: x}\n"
SHARE_NO = "- {rule: N, effect: share, when: anything, to: [{serves: no}], because: x}\n"
NEVER_YES = ALL + "- {rule: Y, effect: never, when: anything, to: [{serves: yes}], because: x}\n"
NEVER_NO = ALL + "- {rule: N, effect: never, when: anything, to: [{serves: no}], because: x}\n"
EVERYONE = set(AGENCIES)


@pytest.mark.parametrize(
    ("area", "surely_yes", "surely_no"),
    [
        ("A1", {"one", "odd"}, {"two", "text", "none"}),
        (frozenset({"A1"}), {"one", "odd"}, {"two", "text", "none"}),
        (frozenset({"A1", "A2"}), {"one", "two", "text", "odd"}, {"none"}),
        ("A2", {"two", "text"}, {"one", "none"}),
        (frozenset(), set(), EVERYONE),
        ("A9", set(), set()),
        ("", set(), set()),
        (frozenset({"A1", "A9"}), {"one", "odd"}, set()),
        (None, set(), set()),
    ],
)
def test_shares_need_certainty_and_nevers_fire_on_a_perhaps(area, surely_yes, surely_no):
    portion = {} if area is None else {"area": area}
    assert audience(SHARE_YES, portion) == surely_yes
    assert audience(SHARE_NO, portion) == surely_no
    # A never on `yes` spares only those of whom it is surely no, and the other way round.
    assert audience(NEVER_YES, portion) == surely_no
    assert audience(NEVER_NO, portion) == surely_yes


def test_an_agency_is_known_by_its_own_id():
    rules = "- {rule: Y, effect: share, when: anything, to: [{named: yes}], because: x}\n"
    assert audience(rules, {"named": frozenset({"one", "hole", "stranger"})}) == {"one", "hole"}
    assert audience(rules, {"named": frozenset()}) == set()
    assert audience(rules, {}) == set()
