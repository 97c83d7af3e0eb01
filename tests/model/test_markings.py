"""An adapter cannot mark a portion wider than the document inside it says (OpenCTI #17576, #15533)."""

import json
import os
import pathlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.model import Embedded, Marking, Refusal, Tlp, embedded_marking
from broker.model.embedded import TLP_IDS
from tests.model.examples import DOCUMENT, Read

SAMPLES = pathlib.Path(os.environ.get("TEARLINE_SAMPLES", "/nonexistent")) / "stix"
STIX = "application/stix+json;version=2.1"
TLP2 = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
ACS = "extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce"
CUI = "extension-definition--dff17fb3-edcb-4f99-ad1b-4b751c95738a"
GREEN_ID = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
RED_ID = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
AMBER_1_ID = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"
OTHER_ID = "marking-definition--11111111-1111-4111-8111-111111111111"


def bundle(*objects: dict[str, Any]) -> str:
    return json.dumps({"type": "bundle", "id": "bundle--1", "objects": list(objects)})


def report(*refs: str, **fields: Any) -> dict[str, Any]:
    return {"type": "report", "id": "report--1", "object_marking_refs": list(refs), **fields}


def definition(marking_id: str = OTHER_ID, **fields: Any) -> dict[str, Any]:
    return {"type": "marking-definition", "id": marking_id, **fields}


def acs(**controls: Any) -> dict[str, Any]:
    body = {
        "control_set": controls,
        "policy_reference": "urn:isa:policy:acs:ns:v3.0?privdefault=deny&sharedefault=permit",
    }
    return definition(extensions={ACS: body})


@pytest.mark.parametrize(
    ("content", "tlp"),
    [
        pytest.param(bundle(report()), None, id="no marking at all"),
        pytest.param(bundle(report(GREEN_ID)), Tlp.GREEN, id="a TLP 2 id"),
        pytest.param(bundle(report(AMBER_1_ID)), Tlp.AMBER, id="a TLP 1 id"),
        pytest.param(bundle(report(GREEN_ID), report(RED_ID)), Tlp.RED, id="one RED object in a GREEN report"),
        pytest.param(bundle(report(OTHER_ID)), Tlp.RED, id="an id nobody knows"),
        pytest.param(bundle(report(GREEN_ID, 7)), Tlp.RED, id="a reference that is no text"),
        pytest.param(
            bundle(report(granular_markings=[{"selectors": ["name"], "marking_ref": RED_ID}])),
            Tlp.RED,
            id="a granular marking",
        ),
        pytest.param(
            bundle(report(GREEN_ID), definition(GREEN_ID, extensions={TLP2: {"tlp_2_0": "red"}})),
            Tlp.RED,
            id="a known id redefined",
        ),
        pytest.param(
            bundle(report(RED_ID), definition(RED_ID, extensions={TLP2: {"tlp_2_0": "clear"}})),
            Tlp.RED,
            id="the RED id redefined as CLEAR",
        ),
        pytest.param(bundle(definition(extensions={TLP2: {"tlp_2_0": "amber+strict"}})), Tlp.AMBER_STRICT, id="TLP 2"),
        pytest.param(bundle(definition(extensions={TLP2: {"tlp_2_0": "pink"}})), Tlp.RED, id="a label nobody knows"),
        pytest.param(bundle(definition(definition_type="tlp", definition={"tlp": "white"})), Tlp.CLEAR, id="TLP 1"),
        pytest.param(bundle(definition(definition_type="house", definition={})), Tlp.RED, id="a type nobody knows"),
        pytest.param(
            bundle(definition(extensions={"extension-definition--x": {}})), Tlp.RED, id="an extension nobody knows"
        ),
        pytest.param(bundle(definition()), Tlp.RED, id="a definition of nothing"),
        pytest.param(
            bundle(report(OTHER_ID), definition(definition_type="statement", definition={"statement": "(c)"})),
            None,
            id="a copyright line",
        ),
        pytest.param(bundle(acs(classification="U", formal_determination=["FOUO"])), None, id="an ACS marking we know"),
        pytest.param(bundle(acs(classification="U", caveat=["FISA"])), Tlp.RED, id="an ACS control we do not know"),
        pytest.param(json.dumps({"Event": {"Tag": [{"name": "tlp:amber"}]}}), Tlp.AMBER, id="a MISP tag"),
        pytest.param(json.dumps({"Event": {"Tag": [{"name": "tlp:ex:chr"}]}}), Tlp.RED, id="a MISP tag nobody knows"),
        pytest.param("TLP:AMBER+STRICT\nx", Tlp.AMBER_STRICT, id="a banner line"),
        pytest.param("x\n  tlp:white\r\n", Tlp.CLEAR, id="a banner line of TLP 1"),
        pytest.param("They said TLP:RED to me", None, id="a mention"),
    ],
)
def test_the_strictest_marking_inside_is_found(content: str, tlp: Tlp | None) -> None:
    for media_type in {STIX, "application/json"} if content.startswith("{") else {"text/plain"}:
        assert embedded_marking(content, media_type).tlp == tlp
    # Mislabelled as plain text it is found as well.
    assert embedded_marking(content, "text/plain").tlp == tlp


@pytest.mark.parametrize("level", ["C", "S", "TS", None, "u"])
@pytest.mark.parametrize("extension", [ACS, "extension-definition--a-later-revision"])
def test_an_embedded_classification_above_u_is_refused(level: str | None, extension: str) -> None:
    content = bundle(definition(extensions={extension: {"control_set": {"classification": level}}}))
    for media_type in (STIX, "application/json", "text/plain"):
        with pytest.raises(Refusal, match="classified"):
            embedded_marking(content, media_type)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="TEARLINE_SAMPLES is not set")
@pytest.mark.parametrize(
    "name",
    ["common__acs-use-case-1", "common__acs-use-case-3", "mispstix__external__get_bundle_with_acs_marking"],
)
def test_the_published_acs_examples_above_u_are_refused(name: str) -> None:
    with pytest.raises(Refusal, match="classified"):
        embedded_marking((SAMPLES / f"{name}.json").read_text(), STIX)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="TEARLINE_SAMPLES is not set")
def test_no_published_stix_document_is_read_wider_than_its_labels() -> None:
    for path in sorted(SAMPLES.glob("*.json")):
        try:
            found = embedded_marking(path.read_text(), STIX)
        except Refusal:
            continue
        for marking_id, label in TLP_IDS.items():
            if f'"{marking_id}"' in path.read_text():
                assert found.tlp is not None, path.name
                assert found.tlp >= label, path.name


def test_embedded_controls_and_caveats_are_kept() -> None:
    extensions = {CUI: {"categories": ["SP-SSEL", "LEI"], "disseminations": ["NOFORN"]}}
    found = embedded_marking(
        bundle(definition(extensions=extensions), acs(classification="U", sensitivity=["LES"])), STIX
    )
    assert found == Embedded(
        tlp=None, cui=frozenset({"SP-SSEL", "LEI"}), dissemination=frozenset({"NOFORN"}), caveats=frozenset({"LES"})
    )


def test_embedded_asylum_records_are_refused() -> None:
    with pytest.raises(Refusal, match="immigration-status"):
        embedded_marking(bundle(definition(extensions={CUI: {"categories": ["ASYL"]}})), STIX)


def test_a_green_portion_with_a_red_object_inside_is_red_and_needs_names(read: Read) -> None:
    portion = DOCUMENT["portions"][0] | {"media_type": STIX, "content": bundle(report(RED_ID))}
    with pytest.raises(Refusal, match="red-without-named-persons"):
        read(DOCUMENT | {"portions": [portion]})
    submission = read(DOCUMENT | {"portions": [portion], "named": [{"agency": "il-fusion", "person": "B. Example"}]})
    assert submission.portions[0].marking.tlp is Tlp.AMBER
    assert submission.portions[0].effective.tlp is Tlp.RED


CONTROLS = st.frozensets(st.sampled_from(["FED ONLY", "NOFORN", "LES", "ORCON"]))
MARKINGS = st.builds(
    Marking,
    tlp=st.sampled_from(list(Tlp)),
    cui=st.none() | CONTROLS,
    dissemination=st.none() | CONTROLS,
    caveats=st.none() | CONTROLS,
)
FOUND = st.builds(
    Embedded, tlp=st.none() | st.sampled_from(list(Tlp)), cui=CONTROLS, dissemination=CONTROLS, caveats=CONTROLS
)


@given(MARKINGS, FOUND)
def test_combining_markings_never_widens(stated: Marking, found: Embedded) -> None:
    effective = stated.narrowed_by(found)
    assert effective.tlp >= stated.tlp
    assert found.tlp is None or effective.tlp >= found.tlp
    for name in ("cui", "dissemination", "caveats"):
        before, after = getattr(stated, name), getattr(effective, name)
        # Unknown blocks more than any known set, so it must stay unknown.
        assert after is None if before is None else after == before | getattr(found, name)


@given(
    st.lists(st.sampled_from([GREEN_ID, RED_ID, AMBER_1_ID, OTHER_ID]), max_size=4), st.sampled_from([GREEN_ID, RED_ID])
)
def test_one_more_marking_inside_never_widens(refs: list[str], more: str) -> None:
    fewer = embedded_marking(bundle(report(*refs)), STIX).tlp
    assert fewer is None or (embedded_marking(bundle(report(*refs, more)), STIX).tlp or Tlp.CLEAR) >= fewer


@given(st.text(max_size=300), st.sampled_from([STIX, "application/json", "text/plain", "application/xml"]))
def test_any_text_gives_a_marking_or_a_refusal(content: str, media_type: str) -> None:
    try:
        embedded_marking(content, media_type)
    except Refusal:
        return
