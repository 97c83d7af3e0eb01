"""A recorded portion comes back from JSON as it went, and nothing that is not one comes in."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy import PolicyError
from policy.history import parse_recorded, recorded_document
from tests.policy.recordings import narcotics, recorded

WORDS = st.text(max_size=30)
ATTRIBUTES = st.dictionaries(st.text(min_size=1, max_size=30), WORDS | st.frozensets(WORDS), max_size=8)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(ATTRIBUTES, MOMENTS)
def test_what_was_recorded_comes_back_from_json_as_it_was(attributes, at):
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    one = recorded(attributes, at=at)

    again = parse_recorded(json.loads(json.dumps(recorded_document(one))))

    assert replace(again, attributes=dict(again.attributes)) == one


def test_equal_recordings_have_equal_documents():
    one = recorded(narcotics(caveats=frozenset({"LES", "ORCON", "SOURCE"})))
    other = recorded(dict(reversed(narcotics(caveats=frozenset({"SOURCE", "LES", "ORCON"})).items())))

    assert json.dumps(recorded_document(one)) == json.dumps(recorded_document(other))


GOOD = recorded_document(recorded(narcotics(), originator="chicago-pd"))


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {**GOOD, "text": "SECRET"},
        {name: value for name, value in GOOD.items() if name != "at"},
        {**GOOD, "bulletin": "SECRET"},
        {**GOOD, "bulletin": "SPRINGFIELD-PD-2026-000001"},
        {**GOOD, "bulletin": "chicago-pd-2026-000001"},
        {**GOOD, "bulletin": 7},
        {**GOOD, "portion": "SECRET\n"},
        {**GOOD, "originator": "<b>SECRET"},
        {**GOOD, "originator": ["chicago-pd"]},
        {**GOOD, "at": "2026-11-20"},
        {**GOOD, "at": "2026-11-20T12:00:00.000+01:00"},
        {**GOOD, "at": "2026-13-20T12:00:00.000Z"},
        {**GOOD, "precedence": "flash"},
        {**GOOD, "attributes": []},
        {**GOOD, "attributes": {"SECRET": 1}},
        {**GOOD, "attributes": {"SECRET": ["b", "a"]}},
        {**GOOD, "attributes": {"SECRET": ["a", "a"]}},
        {**GOOD, "attributes": {"SECRET": ["a", 1]}},
        {**GOOD, "attributes": {"": "SECRET"}},
        {**GOOD, "attributes": {"SECRET": "x" * 201}},
        {**GOOD, "attributes": {"SECRET": [str(number) for number in range(1000, 2001)]}},
        {**GOOD, "attributes": {f"SECRET{number}": "" for number in range(101)}},
    ],
)
def test_what_is_no_recording_is_refused_without_repeating_it(document):
    with pytest.raises(PolicyError) as refused:
        parse_recorded(document)

    assert refused.value.code == "not-a-recording"
    assert "SECRET" not in str(refused.value)
