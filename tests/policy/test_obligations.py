"""Duties are joined, never chosen between."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy import PolicyError, join_obligations, parse_vocabulary
from policy.obligations import describe_obligations
from tests.policy.guarantees import as_strict
from tests.policy.oracle import Oracle
from tests.policy.worlds import VOCABULARY

VOCAB = parse_vocabulary(VOCABULARY, source="vocabulary")
WORDS = Oracle(VOCABULARY, "rules: []", {}, None).vocabulary
duties = st.fixed_dictionaries(
    {},
    optional={
        "precedence": st.sampled_from(["ROUTINE", "PRIORITY", "FLASH"]),
        "answer within": st.integers(min_value=1, max_value=10**9),
        "onward": st.sampled_from(["public", "own", "nobody"]),
        "strip": st.sets(st.sampled_from(["names", "sources"]), min_size=1).map(lambda words: tuple(sorted(words))),
        "note": st.sets(st.text(min_size=1, max_size=5), min_size=1).map(lambda words: tuple(sorted(words))),
    },
)


@settings(max_examples=100)
@given(st.lists(duties, max_size=5))
def test_combining_obligations_never_loosens_any_of_them(many):
    joined = join_obligations(VOCAB, *many)
    for one in many:
        for name, value in one.items():
            assert as_strict(WORDS, name, joined.get(name), value)


@settings(max_examples=100)
@given(duties, duties, duties)
def test_combining_is_a_semilattice_so_order_and_repetition_cannot_matter(a, b, c):
    join = lambda *many: dict(join_obligations(VOCAB, *many))  # noqa: E731
    assert join(a, b) == join(b, a)
    assert join(join(a, b), c) == join(a, join(b, c))
    assert join(a, a) == a


@pytest.mark.parametrize(
    ("duty", "code"),
    [
        ({"smile": "always"}, "unknown-obligation"),
        ({"precedence": "URGENT"}, "unknown-value"),
        ({"precedence": 3}, "unknown-value"),
        ({"answer within": "soon"}, "unknown-value"),
        ({"answer within": True}, "unknown-value"),
        ({"answer within": 0}, "unknown-value"),
        ({"strip": ("faces",)}, "unknown-value"),
        ({"strip": "names"}, "unknown-value"),
    ],
)
def test_a_duty_that_nobody_understands_is_refused_and_not_dropped(duty, code):
    with pytest.raises(PolicyError) as refused:
        join_obligations(VOCAB, {"precedence": "FLASH"}, duty)
    assert refused.value.code == code


def test_duties_are_told_as_an_officer_writes_them():
    told = describe_obligations(
        VOCAB, {"answer within": 5400, "strip": ("names", "sources"), "precedence": "FLASH", "onward": "own"}
    )
    assert told == ["precedence FLASH", "answer within 90 minutes", "onward own", "strip names, sources"]
    assert describe_obligations(VOCAB, {"answer within": 31_536_000 * 5}) == ["answer within 5 years"]
    assert describe_obligations(VOCAB, {"answer within": 1209600}) == ["answer within 14 days"]
    assert describe_obligations(VOCAB, {"answer within": 61}) == ["answer within 61 seconds"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"), (2, "2 seconds"), (60, "1 minute"), (120, "2 minutes"), (3600, "1 hour"), (7200, "2 hours"),
        (86_400, "1 day"), (172_800, "2 days"), (31_536_000, "1 year"), (63_072_000, "2 years"), (3660, "61 minutes"),
    ],
)  # fmt: skip
def test_one_of_a_unit_is_told_in_the_singular(seconds, words):
    assert describe_obligations(VOCAB, {"answer within": seconds}) == [f"answer within {words}"]
