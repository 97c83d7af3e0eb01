from __future__ import annotations

import io
import json
from contextlib import redirect_stdout

import pytest
from stix2validator import ValidationOptions, validate_instance

from adapters.errors import DocumentRefusedError
from adapters.formats import stix, stix_out
from tests.adapters import exchange
from tests.adapters.test_stix_leaks import ACTOR, PERSON, made, reading, report, sid

BODY = exchange.example("il-fusion/dve-report.stix.json").body
RECEIVED = {
    "id": "018f0000-0000-7000-8000-000000000001",
    "control_number": "IL-FUSION-2026-000001",
    "from": "il-fusion",
    "created": "2026-11-22T09:00:00Z",
    **BODY,
}
TEXT = {
    "id": "018f0000-0000-7000-8000-000000000002",
    "control_number": "JTTF-CHICAGO-2026-000001",
    "from": "jttf-chicago",
    "created": "2026-11-22T09:00:00.5Z",
    **exchange.example("jttf-chicago/threat-with-tearline.json").body,
}


def assert_valid(text):
    """The OASIS validator's musts (its warnings are advice about vocabularies and custom names)."""
    with redirect_stdout(io.StringIO()):
        result = validate_instance(json.loads(text), ValidationOptions(version="2.1", disabled=["all"]))
    assert result.is_valid, [str(error) for found in [result] for error in found.errors]


def test_every_portion_of_a_bundle_is_valid_stix():
    for portion in BODY["portions"]:
        assert_valid(portion["content"])


@pytest.mark.parametrize("bulletin", [RECEIVED, TEXT], ids=["stix portions", "text portions"])
def test_a_received_bulletin_is_written_as_valid_stix_and_always_the_same(bulletin):
    raw = stix_out.write(bulletin)
    assert_valid(raw)
    assert stix_out.write(bulletin) == raw


def test_a_written_bundle_divides_into_the_same_markings_when_read_back():
    read = stix.parse(stix_out.write(RECEIVED))
    assert [str(item.level.tlp) for item in read.portions] == ["AMBER", "RED"]
    assert "Placeholder" not in read.portions[0].content


def test_a_fed_only_portion_is_fed_only_again_when_it_is_read_back():
    read = stix.parse(stix_out.write(TEXT))
    strictest = read.portions[-1].level
    assert strictest.dissemination == frozenset({"FED ONLY"})
    assert "reporting source" not in read.portions[0].content
    assert "Heightened protection" in read.portions[0].content


def test_an_embedded_object_is_never_written_wider_than_the_portion_it_came_in():
    loose = json.dumps(
        {
            "type": "bundle",
            "id": sid("bundle", "x"),
            "objects": [made("malware", "m", "GREEN", name="Tool", is_family=False)],
        }
    )
    portion = {"id": "p1", "marking": {"tlp": "RED"}, "media_type": stix.MEDIA_TYPE, "content": loose}
    read = stix.parse(stix_out.write({**RECEIVED, "portions": [portion]}))
    holder = next(item for item in read.portions if "malware--" in item.content and '"Tool"' in item.content)
    assert str(holder.level.tlp) == "RED"


def test_the_reports_confidence_becomes_the_admiralty_grade_of_the_information():
    assert BODY["grading"] == {"source": "F", "information": 2}


def test_a_label_chooses_the_category_and_the_author_the_rest():
    assert (BODY["category"], BODY["product"], BODY["purpose"]) == (
        "domestic violent extremism",
        "SAB",
        "counter-terrorism",
    )


def test_named_recipients_may_come_from_the_settings(tmp_path):
    bundle = json.loads((exchange.EXAMPLES / "il-fusion" / "dve-report.stix.json").read_bytes())
    del bundle["objects"][-1]["x_tearline"]["named"]
    text = (exchange.EXAMPLES / "il-fusion" / "adapter.toml").read_text()
    path = tmp_path / "a.toml"
    path.write_text(text + '\n[[stix.named]]\nagency = "jttf-chicago"\nperson = "SA C. Sample"\n')
    kind = exchange.kind_of("il-fusion")
    settings = exchange.load(path, reads=kind.reads, writes=frozenset(kind.writers))

    body = kind.translator(settings)(json.dumps(bundle).encode(), exchange.NOW).body

    assert body["named"] == [{"agency": "jttf-chicago", "person": "SA C. Sample"}]


BROKEN = {
    "no object": ({"type": "bundle", "id": sid("bundle", "x"), "objects": []}, "stix-empty"),
    "STIX 2.0": (
        {"type": "bundle", "id": sid("bundle", "x"), "spec_version": "2.0", "objects": [ACTOR]},
        "stix-version",
    ),
    "a 2.0 object": (
        {
            "type": "bundle",
            "id": sid("bundle", "x"),
            "objects": [{k: v for k, v in ACTOR.items() if k != "spec_version"}],
        },
        "stix-version",
    ),
    "another document": ({"hello": "world"}, "not-stix"),
    "an id of another type": (ACTOR | {"id": sid("malware", "x")}, "stix-invalid"),
    "an impossible time": (ACTOR | {"created": "2026-02-30T00:00:00.000Z"}, "stix-invalid"),
    "a relationship to nothing": (
        made("relationship", "r", "AMBER", relationship_type="uses", source_ref="x", target_ref="y"),
        "stix-invalid",
    ),
    "an endless pattern": (
        made("indicator", "i", "AMBER", pattern="(" * 5000, pattern_type="stix", valid_from="2026-01-01T00:00:00Z"),
        "stix-pattern",
    ),
    "an unknown word from the author": (report(ACTOR) | {"x_tearline": {"who": "me"}}, "unknown-field"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_document_is_refused_by_name(name):
    document, code = BROKEN[name]
    with pytest.raises(DocumentRefusedError) as refused:
        stix.parse(json.dumps(document).encode())
    assert refused.value.code == code


def test_two_reports_that_state_different_things_are_refused():
    other = report(ACTOR) | {"id": sid("report", "other"), "x_tearline": {"product": "SAB"}}
    with pytest.raises(DocumentRefusedError) as refused:
        reading(ACTOR, other, report(ACTOR) | {"x_tearline": {"product": "OSB"}})
    assert refused.value.code == "several-reports"


def test_no_refusal_repeats_a_word_of_the_document():
    with pytest.raises(DocumentRefusedError) as refused:
        reading(PERSON | {"created": "Placeholder"})
    assert "Placeholder" not in str(refused.value)
