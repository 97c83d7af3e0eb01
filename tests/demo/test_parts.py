"""The demo's small parts: the search of stored bytes, finding the relay's process, fresh documents."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from os import getpid

from broker.demo import feeds
from broker.demo.processes import child_named
from broker.demo.scan import scan

NOW = datetime(2027, 3, 4, 5, 6, 7, 890000, tzinfo=UTC)


def test_words_are_found_wherever_they_rest(tmp_path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "store.blk").write_bytes(b"\x00\xffbinary" + "gefährlich".encode() + b"\x00")
    (tmp_path / "clean").write_bytes(b"nothing")

    found = scan([tmp_path], ["gefährlich", "absent"])

    assert found.files == 2
    assert len(found.found) == 1
    assert "gefährlich" not in found.found[0]


def test_a_child_is_found_by_name_and_only_among_the_parents_own() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            assert child_named(getpid(), "sleep") == child.pid
            assert child_named(child.pid, "sleep") is None
            assert child_named(None, "sleep") is None
        finally:
            child.kill()
    assert child_named(getpid(), "sleep") is None
    assert sys.platform == "linux"


def test_the_feeds_carry_the_time_at_which_they_are_dropped() -> None:
    call = json.loads(feeds.threat(NOW).content)
    report = json.loads(feeds.extremism(NOW).content)
    alert = feeds.alert(NOW).content.decode()

    assert call["lastUpdateTimeStamp"].startswith("2027-03-04T05:06:07.890")
    assert {one["modified"] for one in report["objects"] if "modified" in one} == {"2027-03-04T05:06:07.890Z"}
    assert "<sent>2027-03-04T05:06:07-00:00</sent>" in alert
    assert re.search(r"<identifier>[^\s,<&]+</identifier>", alert)


def test_marking_definitions_keep_the_day_on_which_they_were_published() -> None:
    report = json.loads(feeds.extremism(NOW).content)

    assert {one["created"] for one in report["objects"] if one["type"] == "marking-definition"} == {
        "2022-10-01T00:00:00.000Z"
    }


def test_a_document_appears_in_the_folder_at_one_stroke(tmp_path) -> None:
    feeds.drop(tmp_path, feeds.alert(NOW))

    assert [path.name for path in (tmp_path / "in").iterdir()] == ["missing-person.cap.xml"]
