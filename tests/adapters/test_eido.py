from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import DocumentRefusedError
from adapters.formats import eido, eido_out, pidf
from adapters.formats.pidf import Place, Point
from tests.adapters import exchange

CALL = json.loads((exchange.EXAMPLES / "chicago-pd" / "911-mayor-residence.eido.json").read_bytes())
ELSEWHERE = "<presence xmlns='urn:ietf:params:xml:ns:pidf'/>"


def call(**changes):
    return copy.deepcopy(CALL) | changes


def at(document, *, location=None, phone=None):
    document = copy.deepcopy(document)
    document["locationComponent"][0]["locationByValue"] = location or ELSEWHERE
    if phone:
        document["callbackComponent"][0]["callBackInformationUri"] = [phone]
    return document


def civic(**parts):
    return pidf.write(Place(civic=parts), "pres:a@example.org")


def translated(document, agency="chicago-pd"):
    return exchange.translate(agency, json.dumps(document).encode()).body


def refusal(document):
    with pytest.raises(DocumentRefusedError) as refused:
        eido.parse(json.dumps(document).encode())
    return refused.value.code


def test_a_911_call_naming_the_protected_residence_is_a_flash_threat_with_the_approved_tearline():
    body = translated(CALL)
    full, tearline = body["portions"]

    assert (body["product"], body["precedence"], body["protectee"]) == ("THREAT", "FLASH", "mayor-springfield")
    assert body["category"] == "threat to a public official"
    assert body["area"] == {"counties": ["IL-SANGAMON"]}
    assert (full["version"], full["marking"]["tlp"], full["marking"]["caveats"]) == ("full", "AMBER", ["LES"])
    assert (tearline["version"], tearline["marking"]["tlp"]) == ("tearline", "GREEN")
    assert tearline["content"] == exchange.settings_of("chicago-pd").protected_sites[0].tearline


HOUSE = {"A1": "IL", "A3": "Springfield", "HNO": "1400", "RD": "Example"}


@pytest.mark.parametrize(
    "location",
    [
        civic(**HOUSE, PRD="West", STS="Avenue"),
        civic(**{**HOUSE, "RD": "example", "A3": "SPRINGFIELD"}, PRD="W", STS="AV"),
        civic(**{**HOUSE, "RD": "W. Example Ave."}),
        civic(**{name: value for name, value in HOUSE.items() if name != "A1"}, PRD="W", STS="Ave"),
        pidf.write(Place(points=(Point(39.7920, -89.6734),)), "pres:a@example.org"),
    ],
    ids=["long words", "capitals", "in one field", "without a state", "89 m away"],
)
def test_the_residence_is_recognised_however_it_is_written(location):
    assert translated(at(CALL, location=location))["product"] == "THREAT"


@pytest.mark.parametrize(
    "location",
    [
        civic(**{**HOUSE, "HNO": "1402"}, PRD="W", STS="Ave"),
        civic(**{**HOUSE, "A3": "Chatham"}, PRD="W", STS="Ave"),
        civic(**{**HOUSE, "A1": "MO"}, PRD="W", STS="Ave"),
        pidf.write(Place(points=(Point(39.7930, -89.6734),)), "pres:a@example.org"),
        ELSEWHERE,
    ],
    ids=["next door", "another city", "Springfield, Missouri", "200 m away", "nowhere"],
)
def test_another_place_is_not_the_residence(location):
    body = translated(at(CALL, location=location))
    assert (body["product"], body["category"]) == ("SITREP", "targeted violence")
    assert [portion["version"] for portion in body["portions"]] == ["full"]


@pytest.mark.parametrize("phone", ["tel:+1-217-555-0100", "tel:2175550100", "sip:12175550100@osp.example"])
def test_a_call_from_the_residences_own_telephone_is_recognised(phone):
    assert translated(at(CALL, phone=phone))["product"] == "THREAT"


@pytest.mark.parametrize(
    ("number", "precedence"), [(10, "IMMEDIATE"), (9, "IMMEDIATE"), (5, "PRIORITY"), (4, "ROUTINE"), (0, "ROUTINE")]
)
def test_priority_ten_is_the_highest(number, precedence):
    document = at(CALL)
    document["incidentComponent"][0]["incidentCommonPriorityNumber"] = number
    assert translated(document)["precedence"] == precedence


@pytest.mark.parametrize("number", [11, -1, "10", True, 5.5])
def test_a_priority_outside_the_scale_is_refused(number):
    document = call()
    document["incidentComponent"][0]["incidentCommonPriorityNumber"] = number
    assert refusal(document) == "eido-schema"


@pytest.mark.parametrize("code", ["ALIEN", "alien", " Alien "])
def test_an_immigration_incident_is_held_for_review(code):
    document = call()
    document["incidentComponent"][0]["incidentTypeCommonRegistryText"] = ["THREATS", code]
    assert refusal(document) == "held-for-review"


@pytest.mark.parametrize("name", ["immigrationStatusText", "personCitizenshipText", "alienRegistrationNumber"])
def test_a_field_for_immigration_status_is_held_for_review(name):
    assert refusal(call(personComponent=[{"$id": "p", name: "x"}])) == "held-for-review"


def test_call_takers_and_raw_additional_data_stay_behind_and_so_do_references_to_them():
    incident = eido.parse(json.dumps(CALL).encode())
    text = json.dumps(incident.document)

    assert "calltaker" not in text
    assert "agentComponent" not in incident.document
    assert set(incident.lost) == {"/agentComponent", "/updatedByAgentReference", "/callComponent/0/agentReference/0"}


def test_a_doctype_inside_the_location_inside_the_json_is_refused():
    attack = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><presence>&x;</presence>'
    assert refusal(at(CALL, location=attack)) == "doctype"


def test_a_location_reference_is_never_fetched():
    document = call()
    document["locationComponent"][0]["locationByReferenceUrl"] = "http://127.0.0.1:9/location"
    incident = eido.parse(json.dumps(document).encode())
    assert "/locationComponent/0/locationByReferenceUrl" in incident.lost
    assert "127.0.0.1" not in json.dumps(incident.document)


BROKEN = {
    "no version": (lambda d: d.pop("eidoVersion"), "not-an-eido"),
    "version 2": (lambda d: d.update(eidoVersion="2.0"), "eido-version"),
    "no agency": (lambda d: d.pop("agencyComponent"), "eido-schema"),
    "no identifier": (lambda d: d.pop("$id"), "eido-schema"),
    "no time": (lambda d: d.pop("lastUpdateTimeStamp"), "eido-schema"),
    "a component that is no object": (lambda d: d.update(notesComponent=["x"]), "eido-schema"),
    "a component without identifier": (lambda d: d.update(notesComponent=[{}]), "eido-schema"),
    "one identifier twice": (lambda d: d["notesComponent"].append(d["notesComponent"][0]), "eido-duplicate-id"),
    "a position off the globe": (
        lambda d: d["locationComponent"][0].update(
            locationByValue='<pos xmlns="http://www.opengis.net/gml">91 0</pos>'
        ),
        "pidf-position",
    ),
    "a location that is no XML": (lambda d: d["locationComponent"][0].update(locationByValue="<a"), "pidf-not-xml"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_incident_is_refused_by_name(name):
    change, code = BROKEN[name]
    document = call()
    change(document)
    assert refusal(document) == code


def test_a_notification_with_one_incident_is_that_incident_and_with_two_is_refused():
    assert eido.parse(json.dumps({"event": {"notification": [CALL]}}).encode()).id == CALL["$id"]
    assert refusal({"event": {"notification": [CALL, CALL]}}) == "several-documents"


def test_a_received_bulletin_is_written_as_an_incident_that_reads_back():
    body = translated(CALL)
    bulletin = {
        "id": "018f0000-0000-7000-8000-000000000001",
        "control_number": "CHICAGO-PD-2026-000001",
        "from": "chicago-pd",
        "created": "2026-11-22T09:00:00Z",
        **body,
    }
    raw = eido_out.write(bulletin)
    incident = eido.parse(raw)

    assert incident.types == ("THREATS",)
    assert incident.priority == 10
    assert incident.places[0].address == "1400 W Example Avenue, Springfield, IL"
    assert incident.notes[0].startswith("(TLP:AMBER//LES) 911 incident")
    assert incident.notes[1] == "(TLP:GREEN) " + body["portions"][1]["content"]
    assert incident.lost == ()
    assert eido_out.write(bulletin) == raw


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 20), st.text(max_size=10), st.just("<a/>")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["$id", "$ref", "x", "event"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.sampled_from([*CALL, "personComponent", "vehicleComponent"]), json_values, st.sampled_from(["top", "inside"]))
def test_any_value_in_any_member_gives_an_incident_or_a_coded_refusal(name, value, where):
    document = call()
    if where == "inside" and isinstance(document.get(name), list):
        for key in list(document[name][0]):
            document[name][0][key] = value
    else:
        document[name] = value
    try:
        exchange.translate("chicago-pd", json.dumps(document).encode())
    except DocumentRefusedError as refused:
        assert refused.code  # noqa: PT017 - refused or not, both are right
