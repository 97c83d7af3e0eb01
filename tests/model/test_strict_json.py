"""JSON that two readers could read differently is refused."""

import json
import os
import pathlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.model import Refusal, canonical_json, parse_json

SAMPLES = pathlib.Path(os.environ.get("TEARLINE_SAMPLES", "/nonexistent")) / "hostile-json"
#: Valid JSON that we refuse on purpose (RFC 7493 section 2.3: names are unique).
OURS = {"jts__y_object_duplicated_key.json", "jts__y_object_duplicated_key_and_value.json"}


def refusal_of(raw: bytes) -> str | None:
    """The code of the refusal, None for a value; nothing else may come out."""
    try:
        parse_json(raw)
    except Refusal as refusal:
        return refusal.code
    return None


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b'{"a":1,"a":1}', "duplicate-key"),
        (b'{"a":1,"\\u0061":2}', "duplicate-key"),
        (b'[{"x":{"a":1,"a":2}}]', "duplicate-key"),
        (b"NaN", "not-a-number"),
        (b"[Infinity]", "not-a-number"),
        (b"-Infinity", "not-a-number"),
        (b"1e400", "number-out-of-range"),
        (b"9007199254740992", "number-out-of-range"),
        (b"1" * 5000, "number-out-of-range"),
        (b"[" * 33 + b"]" * 33, "too-deep"),
        (b"[" * 100_000, "too-deep"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "too-deep"),
        (b"\xef\xbb\xbf{}", "byte-order-mark"),
        (b'"\xff"', "invalid-utf-8"),
        ("{}".encode("utf-16"), "invalid-utf-8"),
        (b'"\xed\xa0\x80"', "invalid-utf-8"),
        (b'"\\ud800"', "lone-surrogate"),
        (b'{"\\uDC00":1}', "lone-surrogate"),
        (b'[["\\ud83d x"]]', "lone-surrogate"),
        (b"", "not-json"),
        (b"{} {}", "not-json"),
        (b"[1,]", "not-json"),
        (b'{"a":1,}', "not-json"),
        (b"{'a':1}", "not-json"),
        (b'"\t"', "not-json"),
        (b"// c\n1", "not-json"),
        (b"\x0b1", "not-json"),
        (b"01", "not-json"),
        (b"nan", "not-json"),
    ],
)
def test_is_refused(raw: bytes, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_json(raw)
    assert refused.value.code == code


def test_too_many_bytes_are_refused_before_they_are_read() -> None:
    with pytest.raises(Refusal, match="too-large"):
        parse_json(b'"' + b"a" * 100, limit=50)


def test_depth_counts_only_brackets_outside_strings() -> None:
    assert parse_json(b'"' + b"[" * 1000 + b'\\"{"') == "[" * 1000 + '"{'
    assert parse_json(b"[" * 32 + b"]" * 32) is not None


def test_a_surrogate_pair_is_one_character() -> None:
    assert parse_json(b'"\\ud83d\\ude00"') == "\U0001f600"


@pytest.mark.parametrize("raw", [b'"' + b'\\"' * 200_000, b'"' * 400_000, b"\\" * 400_000, b"[" + b'"a",' * 100_000])
def test_a_hostile_text_costs_no_more_than_its_length(raw: bytes) -> None:
    started = time.process_time()
    with pytest.raises(Refusal):
        parse_json(raw)
    assert time.process_time() - started < 1


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="TEARLINE_SAMPLES is not set")
def test_the_json_test_suite_agrees() -> None:
    seen = {"y": 0, "n": 0}
    for path in sorted(SAMPLES.glob("jts__[yn]_*.json")):
        verdict = path.name[len("jts__")]
        code = refusal_of(path.read_bytes())
        if path.name in OURS:
            assert code == "duplicate-key"
        else:
            assert (code is None) == (verdict == "y"), path.name
        seen[verdict] += 1
    assert seen["y"] > 50
    assert seen["n"] > 100


@settings(max_examples=200)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_give_a_value_or_a_refusal(raw: bytes) -> None:
    assert refusal_of(raw) != ""


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@settings(max_examples=200)
@given(VALUES)
def test_what_we_write_we_read(value: object) -> None:
    raw = canonical_json(value)  # type: ignore[arg-type]
    assert parse_json(raw) == value
    assert json.loads(raw) == value
