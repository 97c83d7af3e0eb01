"""Each guarantee's check taken away: the leak or the double submission it prevents then happens."""

from __future__ import annotations

import pytest

from adapters.formats import stix_split, xml
from adapters.watch import WatchedFolder
from tests.adapters import test_stix_leaks as leaks
from tests.adapters import test_watch


def test_without_the_search_for_derived_text_a_name_leaks(monkeypatch):
    monkeypatch.setattr(stix_split, "_given_away", lambda value, level, texts: [])
    found = leaks.reading(leaks.PERSON, leaks.ACTOR, leaks.report(leaks.ACTOR, description=f"Seen by {leaks.SECRET}"))
    assert leaks.SECRET in leaks.portion(found, "AMBER")


def related():
    members = {"relationship_type": "related-to", "source_ref": leaks.PERSON["id"], "target_ref": leaks.ACTOR["id"]}
    return leaks.PERSON, leaks.ACTOR, leaks.made("relationship", "r", "AMBER", **members)


def test_without_raising_what_refers_to_it_the_sweep_refuses_the_bundle(monkeypatch):
    monkeypatch.setattr(stix_split, "_raised", lambda item, texts, levels: item.level)
    with pytest.raises(leaks.DocumentRefusedError) as refused:
        leaks.reading(*related())
    assert refused.value.code == "marking-leak"


def test_without_raising_and_sweep_an_identifier_leaks(monkeypatch):
    monkeypatch.setattr(stix_split, "_raised", lambda item, texts, levels: item.level)
    monkeypatch.setattr(stix_split, "_sweep", lambda portions, texts, levels: None)
    assert leaks.PERSON["id"] in leaks.portion(leaks.reading(*related()), "AMBER")


def test_without_scan_and_docinfo_a_doctype_is_taken(monkeypatch):
    monkeypatch.setattr(xml, "_scan_prolog", lambda raw: None)
    monkeypatch.setattr(xml.etree, "fromstring", _undressed)
    assert xml.parse(b"<!DOCTYPE a><a/>").tag == "a"


_real_fromstring = xml.etree.fromstring


def _undressed(raw, parser):
    return _real_fromstring(b"<a/>" if raw.startswith(b"<!DOCTYPE") else raw, parser)


def test_without_keeping_the_submission_a_repetition_is_another_request(monkeypatch, tmp_path):
    monkeypatch.setattr(WatchedFolder, "keep_submission", lambda self, taken, submission: None)
    with pytest.raises(AssertionError):
        test_watch.test_kill_9_before_any_file_operation_loses_nothing_and_takes_nothing_twice(
            tmp_path, test_watch.WHOLE
        )
