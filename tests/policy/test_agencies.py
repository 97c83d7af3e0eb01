"""Who signs a directory is told which record the vocabulary does not fully understand, and what would be right."""

import pytest

from policy import PolicyError, check_agency, parse_vocabulary
from tests.policy.worlds import VOCABULARY

WORDS = parse_vocabulary(VOCABULARY, source="vocabulary")
WHOLE = {
    "kind": "city",
    "state": "IL",
    "level": "two",
    "pact": frozenset({"P-1"}),
    "tags": "t",
    "counties": frozenset({"A1", "A2"}),
    "region": "anywhere",
    "purposes": "p",
}
KNOWN = "kind, state, level, pact, tags, counties, region, purposes, clearances"


@pytest.mark.parametrize("record", [{}, WHOLE, {"tags": frozenset()}, {"region": frozenset({"N", "S"})}])
def test_a_record_of_known_words_passes_half_filled_or_whole(record):
    check_agency("springfield-pd", record, WORDS)


@pytest.mark.parametrize(
    ("agency", "record", "code", "message"),
    [
        ("Springfield", {}, "agency-id", "'Springfield' is not an agency id (lower-case words and hyphens)"),
        ("a-b", {"rank": "x"}, "unknown-property",
         f"a-b: 'rank' is not a property of an agency; use one of {KNOWN}"),
        ("a-b", {"kinds": "city"}, "unknown-property",
         f"a-b: 'kinds' is not a property of an agency; use one of {KNOWN}; did you mean kind?"),
        ("a-b", {"kind": frozenset({"city"})}, "unknown-value", "a-b: kind has one value, not a set"),
        ("a-b", {"level": frozenset({"one"})}, "unknown-value", "a-b: level has one value, not a set"),
        ("a-b", {"kind": "town"}, "unknown-value",
         "a-b: 'town' is not a value of kind; use one of city, state, fed"),
        ("a-b", {"tags": frozenset({"t", "z", "y"})}, "unknown-value",
         "a-b: 'y' is not a value of tags; use one of t, u"),
        ("a-b", {"counties": frozenset({"A2", "A9"})}, "unknown-value",
         "a-b: 'A9' is not a value of counties; use one of A1, A2"),
        ("a-b", {"region": ""}, "unknown-value", "a-b: '' is not a value of region; there is none"),
    ],
)  # fmt: skip
def test_what_the_vocabulary_does_not_know_is_named_with_what_would_be_right(agency, record, code, message):
    with pytest.raises(PolicyError) as refusal:
        check_agency(agency, {**record}, WORDS)
    assert (refusal.value.code, refusal.value.message) == (code, message)
