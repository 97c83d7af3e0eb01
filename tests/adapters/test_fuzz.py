"""Any bytes into any adapter: an intent or a coded refusal, nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.errors import DocumentRefusedError
from adapters.formats import cap_out, eido_out, stix_out
from tests.adapters import exchange

FEEDS = [path for path in sorted(exchange.EXAMPLES.rglob("*")) if path.suffix in {".json", ".xml"}]
TRANSLATE = {name: exchange.kind_of(name).translator(exchange.settings_of(name)) for name in exchange.KIND_OF}


def judged(agency, raw):
    try:
        TRANSLATE[agency](raw, exchange.NOW)
    except DocumentRefusedError as refused:
        assert refused.code  # noqa: PT017 - refused or not, both are right


def mutated(raw, edits):
    data = bytearray(raw)
    for place, value, length in edits:
        at = place % (len(data) + 1)
        data[at : at + length] = value
    return bytes(data)


edits = st.lists(st.tuples(st.integers(0, 100_000), st.binary(max_size=4), st.integers(0, 6)), min_size=1, max_size=5)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(FEEDS), edits)
def test_a_damaged_feed_gives_an_intent_or_a_coded_refusal(path, damage):
    judged(path.parent.name, mutated(path.read_bytes(), damage))


@pytest.mark.long
@settings(max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(FEEDS), edits)
def test_twenty_thousand_damaged_feeds(path, damage):
    judged(path.parent.name, mutated(path.read_bytes(), damage))


@given(st.sampled_from(sorted(exchange.KIND_OF)), st.binary(max_size=200))
def test_any_bytes_give_an_intent_or_a_coded_refusal(agency, raw):
    judged(agency, raw)


values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**40), 2**40),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=8),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=5,
)
STIX = json.loads((exchange.EXAMPLES / "il-fusion" / "dve-report.stix.json").read_bytes())


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(STIX["objects"]) - 1), st.data())
def test_any_value_in_any_stix_member_gives_an_intent_or_a_coded_refusal(place, data):
    bundle = json.loads(json.dumps(STIX))
    item = bundle["objects"][place]
    item[data.draw(st.sampled_from([*sorted(item), "extensions", "x_tearline", "granular_markings", "labels"]))] = (
        data.draw(values)
    )
    judged("il-fusion", json.dumps(bundle).encode())


@given(
    st.sampled_from(
        ["text/plain", "application/cap+xml", "application/emergency.eido+json", "application/stix+json;version=2.1"]
    ),
    st.text(max_size=60),
)
def test_any_received_text_is_written_or_refused_with_a_code(media_type, content):
    bulletin = {
        "id": "018f0000-0000-7000-8000-000000000001",
        "control_number": "A-2026-000001",
        "from": "a",
        "created": "2026-11-22T09:00:00Z",
        "product": "CAP-ALERT",
        "precedence": "FLASH",
        "status": "Actual",
        "portions": [{"id": "p1", "marking": {"tlp": "AMBER"}, "media_type": media_type, "content": content}],
    }
    for write in (eido_out.write, cap_out.write, stix_out.write):
        try:
            write(bulletin)
        except DocumentRefusedError as refused:
            assert refused.code  # noqa: PT017 - refused or not, both are right
