"""What a bulletin says, and what of it travels."""

import copy
import json
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.model import (
    Bulletin,
    Kind,
    Precedence,
    Refusal,
    Rung,
    Tlp,
    canonical_json,
    control_number,
    document_of,
    highest,
    new_id,
    parse_bulletin,
    parse_json,
    parse_portion_document,
    parse_stored_bulletin,
    portion_attributes,
    portion_document,
)
from policy.vocabulary import Vocabulary
from tests.model.examples import DOCUMENT, FULL, NOW, Read

Accept = Callable[[Any], Bulletin]
ORIGIN = {"state": "IL", "region": "IL-C"}


def attributes(bulletin: Bulletin, vocabulary: Vocabulary, index: int = 0, **facts: Any) -> dict[str, Any]:
    document = parse_portion_document(portion_document(bulletin, bulletin.portions[index]))
    known = {"origin": ORIGIN, "named": frozenset(), "approved": frozenset(), "requester": None}
    return dict(portion_attributes(document, vocabulary=vocabulary, **(known | facts)))


@pytest.mark.parametrize("document", [DOCUMENT, FULL], ids=["the least", "every field"])
def test_what_is_written_is_read_again(document: dict[str, Any], read: Read, vocabulary: Vocabulary) -> None:
    submission = read(document)
    assert parse_json(canonical_json(submission.to_json())) == document
    assert read(submission.to_json()) == submission
    bulletin = submission.accept(
        new_id(NOW, os.urandom, submission.agency), control_number("springfield-pd", 2026, 1), NOW
    )
    assert parse_stored_bulletin(parse_json(canonical_json(bulletin.to_json())), vocabulary=vocabulary) == bulletin


def test_an_old_bulletin_is_read_back_after_it_expired(accepted: Accept, vocabulary: Vocabulary) -> None:
    bulletin = accepted(DOCUMENT)
    assert bulletin.expires < NOW + timedelta(days=1000)
    assert parse_stored_bulletin(bulletin.to_json(), vocabulary=vocabulary) == bulletin


def test_absent_stays_unknown_and_empty_stays_empty(
    document: dict[str, Any], accepted: Accept, vocabulary: Vocabulary
) -> None:
    for name in ("version", "content_basis"):
        del document["portions"][0][name]
    del document["portions"][0]["marking"]["caveats"]
    del document["area"]
    seen = attributes(accepted(document), vocabulary)
    assert {"version", "content basis", "caveats", "area", "protectee", "requester"}.isdisjoint(seen)
    assert seen["dissemination"] == frozenset()
    assert seen["named"] == frozenset()


def test_the_rules_see_every_attribute_by_the_names_of_the_vocabulary(
    full: dict[str, Any], accepted: Accept, vocabulary: Vocabulary
) -> None:
    seen = attributes(
        accepted(full), vocabulary, named=frozenset({"il-fusion"}), approved=frozenset({"x"}), requester="chicago-pd"
    )
    assert set(seen) == set(vocabulary.portion_attributes)
    assert seen["TLP"] == "AMBER"
    assert seen["area"] == frozenset({"IL-COOK", "IL-SANGAMON"})
    assert (seen["origin state"], seen["region"]) == ("IL", "IL-C")
    assert (seen["originator"], seen["requester"]) == ("springfield-pd", "chicago-pd")


@pytest.mark.parametrize("area", [{"circle": "32.9,-115.5 10"}, {"counties": ["48001"]}, {}])
def test_a_place_the_vocabulary_cannot_name_is_unknown(
    area: Any, document: dict[str, Any], accepted: Accept, vocabulary: Vocabulary
) -> None:
    assert "area" not in attributes(accepted(document | {"area": area}), vocabulary)


def test_a_state_missing_from_the_directory_is_unknown(accepted: Accept, vocabulary: Vocabulary) -> None:
    seen = attributes(accepted(DOCUMENT), vocabulary, origin={})
    assert {"origin state", "region"}.isdisjoint(seen)


def test_a_portion_document_holds_nothing_of_the_other_portions_nor_of_who_else_receives_it(
    full: dict[str, Any], accepted: Accept
) -> None:
    tearline = copy.deepcopy(full["portions"][0])
    tearline |= {"id": "p2", "version": "tearline", "content": "Stay away from the rear gate."}
    tearline["marking"] = {"classification": "U", "tlp": "GREEN", "cui": [], "dissemination": [], "caveats": []}
    full["portions"][0]["content"] = "CANARY-full-5d1f0b7c9e3a4826"
    full["portions"][0]["marking"] |= {"dissemination": ["FED ONLY"], "caveats": ["JUVENILE"], "cui": ["SP-CHRI"]}
    full["portions"].append(tearline)
    full["named"] = [{"agency": "canary-named-agency", "person": "CANARY-person-1"}]
    full["approved"] = ["canary-approved-agency"]
    full["reasonable_suspicion"] |= {"crime": "CANARY-crime", "basis": "CANARY-basis", "officer": "CANARY-officer"}
    full["sar"] |= {"articulable_facts": "CANARY-facts", "submitter": "CANARY-submitter", "reviewer": "CANARY-reviewer"}
    full["source_document"] |= {"format": "CANARY-format", "lost": ["/CANARY"]}
    full["references"] = {"in_reply_to": "01920000-0000-7000-8000-00000000cafe"}
    bulletin = accepted(full)
    raw = portion_document(bulletin, bulletin.portions[1]).decode()
    for secret in (
        "canary",
        "fed only",
        "juvenile",
        "sp-chri",
        '"p1"',
        "amber",
        '"full"',
        "cafe",
        "0" * 64,
        "photography",
    ):
        assert secret not in raw.lower(), secret
    assert "rear gate" in raw


def test_a_portion_travels_in_one_spelling(accepted: Accept) -> None:
    bulletin = accepted(FULL)
    raw = portion_document(bulletin, bulletin.portions[0])
    assert parse_portion_document(raw) == document_of(bulletin, bulletin.portions[0])
    for other in (raw + b" ", json.dumps(json.loads(raw)).encode(), raw.replace(b"Grey", b"\\u0047rey")):
        with pytest.raises(Refusal, match="not-canonical"):
            parse_portion_document(other)


def test_a_portion_from_another_gateway_is_refused_above_u(accepted: Accept) -> None:
    bulletin = accepted(DOCUMENT)
    raw = portion_document(bulletin, bulletin.portions[0])
    with pytest.raises(Refusal, match="classified"):
        parse_portion_document(raw.replace(b'"classification":"U"', b'"classification":"S"'))


def test_words_of_a_newer_vocabulary_reach_the_rules_as_they_are(accepted: Accept, vocabulary: Vocabulary) -> None:
    bulletin = accepted(DOCUMENT)
    raw = portion_document(bulletin, bulletin.portions[0]).replace(b'"LES"', b'"NEW-CAVEAT"')
    seen = portion_attributes(
        parse_portion_document(raw),
        origin=ORIGIN,
        named=frozenset(),
        approved=frozenset(),
        requester=None,
        vocabulary=vocabulary,
    )
    assert seen["caveats"] == frozenset({"NEW-CAVEAT"})


@settings(max_examples=150)
@given(st.data())
def test_any_bytes_give_a_portion_or_a_refusal(data: st.DataObject) -> None:
    raw = data.draw(st.binary(max_size=300) | st.builds(canonical_json, JUNK))
    try:
        parse_portion_document(raw)
    except Refusal:
        return


JUNK = st.recursive(
    st.sampled_from([None, True, 7, "U", "AMBER", "x", "2026-11-25T00:00:00Z", "text/plain"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*FULL, "marking", "id", "content", "tlp", "counties"]), inner, max_size=8)
    ),
    max_leaves=30,
)


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from([*FULL, "x"]), JUNK), st.sets(st.sampled_from(sorted(FULL))))
def test_any_document_gives_a_submission_or_a_refusal(
    vocabulary: Vocabulary, junk: dict[str, Any], removed: set[str]
) -> None:
    document = {name: value for name, value in (FULL | junk).items() if name not in removed}
    try:
        parse_bulletin(document, vocabulary=vocabulary, now=NOW)
    except Refusal:
        return


def test_ids_are_uuid_version_7_in_order_of_time() -> None:
    first = new_id(NOW, lambda size: b"\xff" * size, "a-pd")
    later = new_id(NOW + timedelta(milliseconds=1), bytes, "a-pd")
    assert (first.version, first.variant) == (7, "specified in RFC 4122")
    assert str(first) < str(later)
    assert first.int >> 80 == int(NOW.timestamp() * 1000)
    assert new_id(NOW, os.urandom, "a-pd") != new_id(NOW, os.urandom, "a-pd")


def test_a_control_number_is_what_people_say_on_the_telephone() -> None:
    assert control_number("springfield-pd", 2026, 123) == "SPRINGFIELD-PD-2026-000123"


def test_the_banner_is_the_strictest_of_all_portions(full: dict[str, Any], accepted: Accept) -> None:
    second = copy.deepcopy(full["portions"][0]) | {"id": "p2"}
    second["marking"] = {"classification": "U", "tlp": "GREEN", "cui": ["SP-CHRI"], "dissemination": ["FED ONLY"]}
    full["portions"].append(second)
    bulletin = accepted(full)
    assert bulletin.banner == "TLP:AMBER//CUI//SP-CHRI/LEI//FED ONLY//LES"
    recall = {**DOCUMENT, "kind": "recall", "portions": [], "references": {"recalls": str(bulletin.id)}}
    assert accepted(recall).banner == ""


def test_words_have_an_order_of_their_own() -> None:
    assert Rung.STORED < Rung.FETCHED < Rung.READ < Rung.ACKNOWLEDGED < Rung.ACTED < Rung.PURGED
    assert highest([Precedence.PRIORITY, Precedence.FLASH, Precedence.ROUTINE]) is Precedence.FLASH
    assert Tlp.AMBER < Tlp.AMBER_STRICT < Tlp.RED
    assert Kind("recall") == "recall"
    with pytest.raises(TypeError):
        _ = Rung.READ < "stored"
