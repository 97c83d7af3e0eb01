from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.bulletin import Correct, Publish, Recall
from adapters.city_police.inbound import counties_of
from adapters.errors import DocumentRefusedError
from adapters.formats import cap, cap_out
from adapters.formats.cap_model import CATEGORIES, CERTAINTIES, RESPONSES, SEVERITIES, URGENCIES, Alert, Area, Info
from tests.adapters import exchange

RAW = (Path(__file__).parent / "fixtures" / "alert.cap.xml").read_bytes()
ALERT = cap.parse(RAW)


def changed(old: str, new: str) -> bytes:
    assert old.encode() in RAW
    return RAW.replace(old.encode(), new.encode())


MUSTS = {
    "sent with Z": (changed("02:20:00-06:00</sent>", "08:20:00Z</sent>"), "cap-datetime"),
    "sent without an offset": (changed("02:20:00-06:00</sent>", "08:20:00</sent>"), "cap-datetime"),
    "sent with a comma the schema lets pass": (
        changed("02:20:00-06:00</sent>", "08:20:00,06:00</sent>"),
        "cap-datetime",
    ),
    "sent on 30 February": (
        changed("2026-11-22T02:20:00-06:00</sent>", "2026-02-30T02:20:00-06:00</sent>"),
        "cap-datetime",
    ),
    "a sender with a space": (changed("dispatch@springfield-pd.example", "dispatch desk"), "cap-identifier"),
    "an identifier with a comma": (changed("SPD-2026-11-22-0007", "SPD,7"), "cap-identifier"),
    "Update without references": (changed("<msgType>Alert", "<msgType>Update"), "cap-references"),
    "Cancel without references": (changed("<msgType>Alert", "<msgType>Cancel"), "cap-references"),
    "Ack without references": (changed("<msgType>Alert", "<msgType>Ack"), "cap-references"),
    "Error without references": (changed("<msgType>Alert", "<msgType>Error"), "cap-references"),
    "references that are no triple": (
        changed("</scope>\n", "</scope><references>a,b</references>\n"),
        "cap-references",
    ),
    "Restricted without restriction": (changed("<scope>Public", "<scope>Restricted"), "cap-restriction"),
    "restriction although Public": (
        changed("</scope>\n", "</scope><restriction>police</restriction>\n"),
        "cap-restriction",
    ),
    "Private without addresses": (changed("<scope>Public", "<scope>Private"), "cap-addresses"),
    "a certainty of CAP 1.0": (changed("<certainty>Likely", "<certainty>Very Likely"), "cap-value"),
    "no urgency": (changed("<urgency>Immediate</urgency>", ""), "cap-schema"),
    "elements out of order": (
        changed(
            "<urgency>Immediate</urgency>\n    <severity>Severe</severity>",
            "<severity>Severe</severity><urgency>Immediate</urgency>",
        ),
        "cap-schema",
    ),
    "an element twice": (
        changed("<status>Actual</status>", "<status>Actual</status><status>Actual</status>"),
        "cap-schema",
    ),
    "an unknown element": (changed("<contact>", "<contacts>x</contacts><contact>"), "cap-schema"),
    "an open polygon": (changed("<geocode>", "<polygon>1,1 2,2 3,3 4,4</polygon><geocode>"), "cap-area"),
    "a circle without a radius": (changed("<geocode>", "<circle>1,1</circle><geocode>"), "cap-area"),
    "CAP 1.1": (changed("cap:1.2", "cap:1.1"), "cap-version"),
    "another document": (b"<note/>", "not-cap"),
}


@pytest.mark.parametrize("name", MUSTS)
def test_a_broken_must_of_the_standard_is_refused_by_name(name):
    raw, code = MUSTS[name]
    with pytest.raises(DocumentRefusedError) as refused:
        cap.parse(raw)
    assert refused.value.code == code


def test_what_breaks_a_must_cannot_be_written_either():
    for broken in (
        {"sent": "2026-11-22T08:20:00Z"},
        {"scope": "Private"},
        {"message_type": "Update"},
        {"status": "Real"},
    ):
        with pytest.raises(DocumentRefusedError):
            cap.write(dataclasses.replace(ALERT, **broken))


words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)
lines = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FF, blacklist_characters="\x7f"), min_size=1, max_size=40
).map(lambda text: " ".join(text.split()) or "x")
areas = st.builds(
    Area,
    description=lines,
    polygons=st.just(("1.5,2 3,4 5,-6 1.5,2",)),
    circles=st.sampled_from([(), ("32.9,-115.5 10",)]),
    geocodes=st.lists(st.tuples(words, words), max_size=2).map(tuple),
)
infos = st.builds(
    Info,
    categories=st.lists(st.sampled_from(sorted(CATEGORIES)), min_size=1, max_size=3).map(tuple),
    event=lines,
    responses=st.lists(st.sampled_from(sorted(RESPONSES)), max_size=2).map(tuple),
    urgency=st.sampled_from(sorted(URGENCIES)),
    severity=st.sampled_from(sorted(SEVERITIES)),
    certainty=st.sampled_from(sorted(CERTAINTIES)),
    headline=lines,
    expires=st.just("2026-11-23T00:00:00-00:00"),
    areas=st.lists(areas, max_size=2).map(tuple),
)
alerts = st.builds(
    Alert,
    identifier=words,
    sender=words,
    sent=st.just("2026-11-22T08:20:00-00:00"),
    status=st.sampled_from(["Actual", "Exercise", "System", "Test", "Draft"]),
    message_type=st.just("Alert"),
    scope=st.just("Restricted"),
    restriction=lines,
    note=lines,
    infos=st.lists(infos, max_size=3).map(tuple),
)


@given(alerts)
def test_what_is_written_is_read_back(alert):
    assert cap.parse(cap.write(alert)) == alert


@given(alerts)
def test_what_is_written_is_valid_by_the_oasis_schema(alert):
    schema = pytest.importorskip("lxml.etree")
    path = _schema()
    document = schema.fromstring(cap.write(alert))
    assert schema.XMLSchema(file=str(path)).validate(document)


def _schema() -> Path:
    import os

    folder = os.environ.get("TEARLINE_SAMPLES")
    if not folder:
        pytest.skip("TEARLINE_SAMPLES is not set")
    return Path(folder) / "vocab" / "google__cap12.xsd"


def intent(raw: bytes, agency: str = "springfield-pd"):
    return exchange.translate(agency, raw)


def test_an_exercise_is_carried_as_an_exercise_so_that_the_gateway_refuses_it():
    assert intent(changed("<status>Actual", "<status>Exercise")).body["status"] == "Exercise"


REFERENCES = "</scope><references>dispatch@springfield-pd.example,SPD-1,2026-11-22T02:00:00-06:00</references>\n"


def referring(kind: str, status: str = "Actual") -> bytes:
    return (
        RAW.replace(b"<msgType>Alert", f"<msgType>{kind}".encode())
        .replace(b"</scope>\n", REFERENCES.encode())
        .replace(b"<status>Actual", f"<status>{status}".encode())
    )


def test_an_update_corrects_and_a_cancel_recalls_what_was_sent_before():
    update, cancel = intent(referring("Update")), intent(referring("Cancel"))
    earlier = "cap:dispatch@springfield-pd.example,SPD-1,2026-11-22T02:00:00-06:00"
    assert isinstance(update, Correct)
    assert update.of == (earlier,)
    assert update.otherwise_new
    assert cancel == Recall(of=(earlier,), reason="cancelled by its sender")


@pytest.mark.parametrize("status", ["Exercise", "Test", "System", "Draft"])
def test_an_exercise_cancel_does_not_recall_a_live_bulletin(status):
    with pytest.raises(DocumentRefusedError) as refused:
        intent(referring("Cancel", status))
    assert refused.value.code == "exercise-on-live-exchange"


@pytest.mark.parametrize("kind", ["Ack", "Error"])
def test_an_acknowledgement_is_not_a_bulletin(kind):
    with pytest.raises(DocumentRefusedError) as refused:
        intent(referring(kind))
    assert refused.value.code == "cap-message-type"


@pytest.mark.parametrize(
    ("urgency", "severity", "certainty", "precedence"),
    [
        ("Immediate", "Extreme", "Observed", "FLASH"),
        ("Immediate", "Extreme", "Likely", "FLASH"),
        ("Immediate", "Extreme", "Possible", "IMMEDIATE"),
        ("Immediate", "Severe", "Unknown", "IMMEDIATE"),
        ("Expected", "Extreme", "Observed", "PRIORITY"),
        ("Future", "Extreme", "Observed", "ROUTINE"),
    ],
)
def test_urgency_severity_and_certainty_give_the_precedence(urgency, severity, certainty, precedence):
    raw = (
        RAW.replace(b">Immediate<", f">{urgency}<".encode())
        .replace(b">Severe<", f">{severity}<".encode())
        .replace(b">Likely<", f">{certainty}<".encode())
    )
    assert intent(raw).body["precedence"] == precedence


def test_same_codes_become_counties_and_a_whole_state_does_not():
    assert counties_of(ALERT) == ["17167"]
    assert counties_of(cap.parse(changed("017167", "017000"))) == []


def test_a_signature_is_dropped_and_said_to_be_lost():
    signed = changed("</alert>", '<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/></alert>')
    body = intent(signed).body
    assert body["source_document"]["lost"] == ["/alert/Signature"]
    assert "Signature" not in body["portions"][0]["content"]


def test_a_scope_without_a_configured_marking_is_refused():
    raw = changed("<scope>Public", "<scope>Private").replace(b"</scope>\n", b"</scope><addresses>a</addresses>\n")
    with pytest.raises(DocumentRefusedError) as refused:
        intent(raw)
    assert refused.value.code == "missing-marking"


def received(body, **more):
    return {
        "id": "018f0000-0000-7000-8000-000000000001",
        "control_number": "SPRINGFIELD-PD-2026-000001",
        "from": body["agency"],
        "created": "2026-11-22T09:00:00Z",
        **body,
        **more,
    }


def test_a_received_alert_is_written_as_cap_restricted_to_its_marking():
    publish = intent(RAW)
    assert isinstance(publish, Publish)
    written = cap.parse(cap_out.write(received(publish.body)))

    assert (written.scope, written.restriction, written.status) == ("Restricted", "(TLP:GREEN)", "Actual")
    assert written.infos == ALERT.infos
    assert written.sent.endswith("-00:00")


def test_only_clear_alerts_are_written_as_public():
    body = intent(RAW).body
    clear = body["portions"][0] | {"marking": {"classification": "U", "tlp": "CLEAR", "caveats": []}}
    assert cap.parse(cap_out.write(received(body, portions=[clear]))).scope == "Public"


def test_a_bulletin_that_is_no_alert_is_not_written_as_one():
    assert cap_out.write({"product": "BOLO"}) is None
