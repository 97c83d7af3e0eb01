"""Duties are joined, never chosen between."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy import PolicyError, compile_rules, join_obligations, parse_ruleset, parse_vocabulary
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


KNOWN = "precedence, answer within, onward, strip, note"


@pytest.mark.parametrize(
    ("duty", "code", "message"),
    [
        ({"smile": "always"}, "unknown-obligation", f"'smile' is not an obligation; use one of {KNOWN}"),
        ({"precedence": "URGENT"}, "unknown-value",
         "'URGENT' is not a value of precedence; use one of ROUTINE, PRIORITY, FLASH"),
        ({"precedence": 3}, "unknown-value", "'3' is not a value of precedence; use one of ROUTINE, PRIORITY, FLASH"),
        ({"answer within": "soon"}, "unknown-value", "answer within must be a positive number of seconds"),
        ({"answer within": True}, "unknown-value", "answer within must be a positive number of seconds"),
        ({"answer within": 0}, "unknown-value", "answer within must be a positive number of seconds"),
        ({"strip": ("faces",)}, "unknown-value",
         "'faces' is not a value of strip; use one of names, sources; did you mean names?"),
        ({"strip": "names"}, "unknown-value", "strip must be a tuple of texts"),
    ],
)  # fmt: skip
def test_a_duty_that_nobody_understands_is_refused_and_not_dropped(duty, code, message):
    with pytest.raises(PolicyError) as refused:
        join_obligations(VOCAB, {"precedence": "FLASH"}, duty)
    assert (refused.value.code, refused.value.message) == (code, message)


@pytest.mark.parametrize(
    ("written", "code", "message"),
    [
        ("{smile: always}", "unknown-obligation", f"'smile' is not an obligation; use one of {KNOWN}"),
        ("{strip: [names, faces]}", "unknown-value",
         "'faces' is not a value of strip; use one of names, sources; did you mean names?"),
        ("{onward: [own]}", "not-text", "'onward' must be a single value, not a list"),
        ("{onward: everybody}", "unknown-value",
         "'everybody' is not a value of onward; use one of public, own, nobody"),
        ("FLASH", "not-a-mapping", "'with' must be written as 'name: value' lines"),
    ],
)  # fmt: skip
def test_a_rule_that_obliges_to_something_unknown_is_refused(written, code, message):
    text = (
        "policy: p\nversion: 1\nrules:\n- {rule: A, effect: require, when: anything, to: everyone, "
        f"because: x, with: {written}}}\n"
    )
    with pytest.raises(PolicyError) as refused:
        parse_ruleset(text, VOCAB, source="rules")
    assert (refused.value.code, refused.value.message, refused.value.line) == (code, message, 4)


def test_only_a_recipient_has_duties():
    text = "policy: p\nversion: 1\nrules:\n- {rule: A, effect: share, when: anything, to: [{kind: city}], because: x}\n"
    agencies = {"city": {"kind": "city"}, "fed": {"kind": "fed"}}
    decision = compile_rules(parse_ruleset(text, VOCAB, source="r"), VOCAB, agencies, at=None).decide({})
    assert decision.obligations("city") == {}
    for agency in ("fed", "stranger"):
        with pytest.raises(PolicyError) as refused:
            decision.obligations(agency)
        assert refused.value.code == "not-in-audience"
        assert refused.value.message == f"`{agency}` does not get this portion"


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
