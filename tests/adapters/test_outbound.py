from __future__ import annotations

import json

from adapters.city_police.outbound import WRITERS
from adapters.outbound import JSON_WRITER, OutFolder
from adapters.sse import ServerEvent
from tests.adapters import exchange

IDENTIFIER = "018f0000-0000-7000-8000-000000000001"


def bulletin(**more):
    body = exchange.example("il-state-police/officer-safety-bolo.json").body
    return {
        "id": IDENTIFIER,
        "control_number": "IL-STATE-POLICE-2026-000001",
        "from": "il-state-police",
        "created": "2026-11-22T09:00:00Z",
        **body,
        **more,
    }


def event(kind, cursor="c1", **data):
    return ServerEvent(event=kind, id=cursor, data=data)


def names(root, folder="out"):
    return {path.name for path in (root / folder).iterdir()}


def test_names_from_another_agency_cannot_leave_the_folder(tmp_path):
    out = OutFolder(tmp_path / "feed", {"json": JSON_WRITER})
    evil = bulletin(id="../../evil", control_number="/etc/passwd\0\n")
    out.take(event("bulletin", id="../../evil", bulletin=evil))
    out.take(event("recall", id="../../../evil"))
    out.take(event("../alarm", id=".."))

    assert [path.name for path in tmp_path.iterdir()] == ["feed"]
    assert all("/" not in name and not name.startswith(".") for name in names(tmp_path / "feed"))


def test_a_recall_of_nothing_removes_nothing(tmp_path):
    out = OutFolder(tmp_path, {"json": JSON_WRITER})
    out.take(event("bulletin", bulletin=bulletin()))
    out.take(event("recall", id="*"))
    out.take(event("recall", id=""))
    assert f"IL-STATE-POLICE-2026-000001_{IDENTIFIER}.json" in names(tmp_path)


def test_a_bulletin_a_format_cannot_hold_is_written_as_json_with_the_reason_beside_it(tmp_path):
    out = OutFolder(tmp_path, {"cap": WRITERS["cap"]})
    portion = bulletin()["portions"][0] | {"media_type": "application/cap+xml", "content": "<!DOCTYPE a><a/>"}
    failed = out.take(event("bulletin", bulletin=bulletin(product="CAP-ALERT", portions=[portion])))

    stem = f"IL-STATE-POLICE-2026-000001_{IDENTIFIER}"
    assert failed == ["cap"]
    assert names(tmp_path) == {f"{stem}.json", f"{stem}.cap.xml.reason.json"}
    assert json.loads((tmp_path / "out" / f"{stem}.cap.xml.reason.json").read_bytes())["code"] == "doctype"


def test_the_same_event_twice_leaves_the_same_files(tmp_path):
    out = OutFolder(tmp_path, WRITERS)
    events = [
        event("bulletin", bulletin=bulletin()),
        event("escalation", "c2", id=IDENTIFIER, due="2026-11-22T10:00:00Z"),
        event("receipt", "c3", id=IDENTIFIER, recipient="a", rung="stored"),
        event("refused", "c4", id=IDENTIFIER, code="x"),
    ]
    for one in events:
        out.take(one)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    for one in events:
        out.take(one)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.json")} == before


def test_a_lower_rung_that_comes_late_does_not_take_the_higher_one_back(tmp_path):
    out = OutFolder(tmp_path, {"json": JSON_WRITER})
    for rung in ("acted", "read", "stored", "unheard-of"):
        out.take(event("receipt", id=IDENTIFIER, recipient="a", rung=rung, person="P"))
    record = json.loads((tmp_path / "sent" / f"{IDENTIFIER}.json").read_bytes())
    assert record["recipients"]["a"]["rung"] == "acted"


def test_no_half_written_file_is_ever_visible(tmp_path):
    out = OutFolder(tmp_path, WRITERS)
    out.take(event("bulletin", bulletin=bulletin()))
    assert not [name for name in names(tmp_path) if name.endswith(".tmp")]


def test_a_bulletin_without_what_a_format_needs_does_not_stop_the_feed(tmp_path):
    out = OutFolder(tmp_path, WRITERS)
    failed = out.take(event("bulletin", bulletin={"id": IDENTIFIER, "product": "CAP-ALERT", "portions": [None]}))
    assert failed == ["eido", "cap"]
    assert f"{IDENTIFIER}.json" in names(tmp_path)
