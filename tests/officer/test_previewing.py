"""Previews made for real: from files, with proofs, cases and recordings; equal files give equal bytes."""

import json
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.model import (
    ORIGIN,
    canonical_json,
    new_id,
    parse_bulletin,
    parse_json,
    parse_portion_document,
    portion_attributes,
    portion_document,
)
from broker.officer import preview_text, previewing
from broker.officer.preview_html import page
from broker.ops.clock import now
from policy import PolicyError
from policy.history import Recorded, recorded_document
from tests.gateway.documents import portion, threat
from tests.officer.previews import full
from tests.policy import recordings
from tests.policy.worlds import EXAMPLE

MARKER = "Q7ZK2M9XCANARYTEXT"
DROPPED = ("  - agreement: HIDTA-2024\n    28 CFR 23 agreement: yes\n", "  - agreement: HIDTA-2024\n")


@pytest.fixture
def folders(tmp_path):
    """A function that makes a folder of the example with one replacement in one file."""

    def make(name, *change, file="rules.yaml"):
        folder = tmp_path / name
        shutil.copytree(EXAMPLE, folder)
        path = folder / file
        text = path.read_text(encoding="utf-8")
        for old, new in [change] if change else []:
            assert old in text
            text = text.replace(old, new, 1)
        path.write_text(text, encoding="utf-8")
        return folder

    return make


def written(path: Path, recorded):
    path.write_bytes(b"".join(canonical_json(recorded_document(one)) + b"\n" for one in recorded))
    return path


def narcotics(count):
    return [
        recordings.recorded(recordings.narcotics(), originator="chicago-pd", number=number)
        for number in range(1, count + 1)
    ]


def made(before, after, *histories, until=None):
    return previewing.make(
        previewing.of_folder(before),
        previewing.of_folder(after),
        recordings=[previewing.read_history(path) for path in histories],
        until=until,
    )


def test_the_dropped_line_of_the_narcotics_rule_widens_and_last_month_says_for_whom(folders, tmp_path):
    history = written(tmp_path / "portions.jsonl", narcotics(3))

    shown = made(folders("before"), folders("after", *DROPPED), history)

    told = list(preview_text.lines(shown.document, shown.sha256))
    assert told[0].startswith("WIDENS")
    assert told[0].endswith("(proved)")
    assert any("newly disclosed 3 bulletins" in line for line in told)
    assert any("ero-chicago: AMBER +3" in line for line in told)
    assert [rule["rule"] for rule in shown.document["rules"]] == ["R11"]
    assert shown.preview.passed


def test_words_in_another_order_are_the_same_rules(folders):
    change = (
        "[narcotics, firearms trafficking, human trafficking]",
        "[human trafficking, narcotics, firearms trafficking]",
    )

    shown = made(folders("before"), folders("after", *change))

    assert shown.document["verdict"] == "SAME (proved)"
    assert shown.document["rules"] == []


def test_a_never_rule_that_can_stop_a_warning_does_not_pass(folders):
    rule = "- rule: R20 strict\n  effect: never\n  when: {TLP: AMBER+STRICT}\n  to:\n  - law enforcement: no\n"
    shown = made(folders("before"), folders("after", "# Locked", rule + "  because: x\n\n# Locked"))

    assert shown.document["audience"] == "NARROWS"
    assert not shown.preview.passed
    assert [finding["code"] for finding in shown.document["findings"]] == ["blocks-always"]


def test_suspending_an_agency_is_previewed_like_a_change_of_rules(folders, tmp_path):
    history = [
        recordings.recorded(recordings.threat(), originator="chicago-pd", number=number) for number in range(1, 13)
    ]
    change = (
        "springfield-pd:\n  kind: city police\n  state: IL\n  status: active",
        "springfield-pd:\n  kind: city police\n  state: IL\n  status: suspended",
    )

    shown = made(
        folders("before"), folders("after", *change, file="agencies.yaml"), written(tmp_path / "history", history)
    )

    (agency,) = shown.document["agencies"]
    assert (agency["agency"], agency["audience"]) == ("springfield-pd", "NARROWS")
    assert agency["replayed"]["stopped"] == [["FLASH", 12]]
    told = list(preview_text.lines(shown.document, shown.sha256))
    assert "  would have stopped 12 FLASH bulletins to it" in [line[2:] for line in told]
    assert "  Warnings stopped: 12 FLASH bulletins would not have reached everybody they reached." in told


def test_the_same_files_give_the_same_bytes_in_another_process_and_folder(folders, tmp_path):
    before, after = folders("before"), folders("after", *DROPPED)
    history = written(tmp_path / "portions.jsonl", narcotics(3))
    elsewhere = tmp_path / "elsewhere"
    for path in (before, after):
        shutil.copytree(path, elsewhere / path.name)
    shutil.copy(history, elsewhere / "renamed")

    here = made(before, after, history)
    command = ["rules", "preview", "before", "after", "--history", "renamed", "--json"]
    there = subprocess.run(
        [sys.executable, "-m", "broker.cli", *command],
        cwd=elsewhere,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONHASHSEED": "7"},
        capture_output=True,
        check=True,
        timeout=60,
    )

    assert there.stdout == here.raw
    assert canonical_json(json.loads(here.raw)) == here.raw


def test_files_are_named_by_their_hash_and_a_changed_comment_is_another_file(folders):
    commented = folders("after", "# Who may", "# who may")

    shown = made(folders("before"), commented).document

    assert shown["before"]["files"]["vocabulary.yaml"] == shown["after"]["files"]["vocabulary.yaml"]
    assert shown["before"]["files"]["rules.yaml"] != shown["after"]["files"]["rules.yaml"]


def test_several_agencies_recordings_are_replayed_together_up_to_a_moment(folders, tmp_path):
    mine = written(tmp_path / "mine", narcotics(2))
    late = recordings.NOON + timedelta(days=2)
    other = [recordings.recorded(recordings.threat(originator="il-fusion"), originator="il-fusion", at=late)]
    theirs = written(tmp_path / "theirs", other)

    both = made(folders("a"), folders("b", *DROPPED), mine, theirs).document
    earlier = made(folders("c"), folders("d", *DROPPED), mine, theirs, until=recordings.NOON).document

    assert (both["replay"]["portions"], earlier["replay"]["portions"]) == (3, 2)
    assert sorted(one["portions"] for one in both["history"]) == [1, 2]


@pytest.mark.parametrize(
    "line",
    [b"{", b"[]", b'{"a": 1, "a": 2}', b"\xff", b"", b'{"bulletin": "%s"}' % MARKER.encode(), b"[" * 100_000],
)
def test_a_line_that_is_no_recording_is_refused_by_its_number_and_not_repeated(tmp_path, line):
    path = written(tmp_path / "portions.jsonl", narcotics(1))
    path.write_bytes(path.read_bytes() + line + b"\n")

    with pytest.raises(PolicyError) as refused:
        previewing.read_history(path)

    assert (refused.value.code, refused.value.line) == ("not-a-recording", 2)
    assert MARKER not in str(refused.value)


# --- nothing of a text


def recorded_from(document):
    """What a gateway records of a submission: read from the very bytes that would travel."""
    edition = recordings.example()
    submission = parse_bulletin(parse_json(json.dumps(document).encode()), vocabulary=edition.vocabulary, now=now())
    bulletin = submission.accept(new_id(now(), bytes, submission.agency), "CHICAGO-PD-2026-000001", now())
    return [
        Recorded(
            bulletin=bulletin.control_number,
            portion=one.id,
            originator=bulletin.agency,
            at=bulletin.created,
            precedence=str(bulletin.precedence),
            attributes=portion_attributes(
                parse_portion_document(portion_document(bulletin, one)),
                origin=edition.agencies["chicago-pd"],
                named=frozenset(named.agency for named in bulletin.named),
                approved=frozenset(bulletin.approved),
                requester=None,
                vocabulary=edition.vocabulary,
            ),
        )
        for one in bulletin.portions
    ]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40), st.booleans())
def test_the_text_of_a_bulletin_is_in_no_recording_no_preview_and_no_report(text, tearline):
    portions = [portion(MARKER + text)]
    if tearline:
        portions.append(portion(text + MARKER, ident="line", version="tearline", tlp="GREEN"))
    person = f"Sgt. {MARKER}"
    document = threat(
        category="narcotics",
        purpose="criminal investigation",
        area={"counties": ["17031"]},
        portions=portions,
        control_official=person,
        named=[{"agency": "il-fusion", "person": person}],
        source_document={"format": MARKER, "sha256": "00" * 32},
    )

    history = recorded_from(document)

    assert len(history) == 1 + tearline
    assert all(MARKER not in canonical_json(recorded_document(one)).decode() for one in history)
    shown = full(history)
    assert shown.document["replay"]["disclosed"]["deliveries"] >= 1
    assert MARKER not in shown.raw.decode()
    assert MARKER not in page(shown.document, shown.sha256)
    assert MARKER not in "\n".join(preview_text.lines(shown.document, shown.sha256))


def test_what_comes_from_the_directory_is_read_from_there_in_a_replay():
    vocabulary = recordings.example().vocabulary

    assert set(ORIGIN) <= vocabulary.portion_attributes
    assert set(ORIGIN.values()) <= vocabulary.agency_attributes
