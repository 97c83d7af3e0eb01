"""The directory turned round says of all agencies at once what one line says of one."""

from random import Random  # noqa: TID251 - reproducible by seed

from hypothesis import given, settings
from hypothesis import strategies as st

from policy import parse_ruleset, parse_vocabulary
from policy.index import AgencyIndex
from policy.truth import Truth, line_truth, relation_truth
from tests.policy.worlds import AGENCY, ODD, PORTION, VOCABULARY, record, world

# Two relations look agencies up by their id: one by free names, one by a closed list that only some ids are in.
WORDS = parse_vocabulary(
    VOCABULARY.replace(
        "  allowed:",
        "  bears its purpose: {key: purpose, index: id}\n  bears its area: {key: area, index: id}\n  allowed:",
    ),
    source="vocabulary",
)
STRANGE = [*ODD, frozenset({"p", "PURPLE"}), frozenset({"g1", ""})]


def directory(random):
    ids = ["p", "q", "g1", "g2", "g3", *(f"h{number}" for number in range(70))]
    return {agency: record(random, AGENCY, missing=0.2, odd=0.1) for agency in ids}


def portion_of(random):
    portion = record(random, PORTION, missing=0.15, odd=0.1)
    if random.random() < 0.3:
        portion[random.choice(sorted(PORTION))] = random.choice(STRANGE)
    return portion


@settings(max_examples=60, deadline=None)
@given(st.integers(min_value=0, max_value=2**32))
def test_every_relation_is_looked_up_as_it_is_judged_for_each_agency(seed):
    random = Random(seed)
    agencies = directory(random)
    index = AgencyIndex(WORDS, agencies)
    portion = portion_of(random)
    for relation in WORDS.relation.values():
        sure, possible = index.related(relation, portion)
        truths = {agency: relation_truth(WORDS, relation, portion, agency, agencies[agency]) for agency in agencies}
        assert set(index.expand(sure)) == {agency for agency, truth in truths.items() if truth is Truth.YES}
        assert set(index.expand(possible)) == {agency for agency, truth in truths.items() if truth is not Truth.NO}


@settings(max_examples=40, deadline=None)
@given(st.integers(min_value=0, max_value=2**32), st.lists(st.sampled_from(list(Truth)), min_size=2, max_size=2))
def test_every_line_about_agencies_reaches_whom_it_is_true_of(seed, truths):
    random = Random(seed)
    agencies = directory(random)
    index = AgencyIndex(WORDS, agencies)
    force = dict(zip(("P-1", "P-2"), truths, strict=True))
    rules = parse_ruleset(world(seed).rules, WORDS, source="rules").rules
    for line in {line for rule in rules for item in rule.to for line in item if line.side == "agency"}:
        # Asked twice: what does not depend on a date is remembered, what does is not.
        for known in (force, dict.fromkeys(force, Truth.NO)):
            sure, possible = index.line_reach(line, known)
            judged = {
                agency: line_truth(WORDS, line, {}, agency=agency, record=agencies[agency], force=known)
                for agency in agencies
            }
            assert set(index.expand(sure)) == {agency for agency, truth in judged.items() if truth is Truth.YES}
            assert set(index.expand(possible)) == {agency for agency, truth in judged.items() if truth is not Truth.NO}


def test_a_seat_is_no_agency():
    agencies = {"b": {"kind": "city"}, "d": {"kind": "fed"}}
    index = AgencyIndex(WORDS, agencies, seats=("a", "c", "d"))
    assert index.ids == ("a", "b", "c", "d")
    assert index.expand(index.everyone) == ("b", "d")
    relation = WORDS.relation["named"]
    assert index.related(relation, {"named": frozenset({"a", "b", "c"})}) == (0b10, 0b10)
    assert index.related(relation, {}) == (0, index.everyone)
    # Whose own id is outside the list that closes the relation is undecided; a seat is not even that.
    assert index.related(WORDS.relation["bears its purpose"], {"purpose": "p"}) == (0, index.everyone)
