"""The verdict believes only what was read: everything that can go wrong in a run makes it fail."""

from dataclasses import replace

import pytest

from broker.demo.evidence import Evidence, Portion, Refused
from broker.demo.expectation import load_expectation, parse_expectation
from broker.demo.verdict import judge
from tests.demo.evidence_of import perfect

EXPECTATION = load_expectation()
PERFECT = perfect(EXPECTATION)


def with_inbox(evidence: Evidence, agency: str, rows) -> Evidence:
    return replace(evidence, inboxes={**evidence.inboxes, agency: tuple(rows)})


def with_sent(evidence: Evidence, agency: str, change) -> Evidence:
    return replace(evidence, outboxes={**evidence.outboxes, agency: tuple(map(change, evidence.outboxes[agency]))})


def failed(evidence: Evidence) -> set[str]:
    verdict = judge(EXPECTATION, evidence)
    assert not verdict.ok
    return {one.name for one in verdict.invariants if not one.ok}


def test_a_run_as_expected_is_good() -> None:
    verdict = judge(EXPECTATION, PERFECT)

    assert verdict.ok, verdict.as_json()
    assert verdict.sentence().startswith("GOOD")
    assert not verdict.unexpected
    assert len(verdict.expected) == sum(len(one.reaches) for one in EXPECTATION.bulletin)


def test_no_evidence_at_all_is_not_good() -> None:
    nothing = replace(
        PERFECT,
        inboxes=dict.fromkeys(PERFECT.inboxes, ()),
        outboxes=dict.fromkeys(PERFECT.outboxes, ()),
        refused=(),
        escalations=(),
        relay=None,
    )

    verdict = judge(EXPECTATION, nothing)

    assert not any(one.happened for one in verdict.expected)
    assert not verdict.ok


@pytest.mark.parametrize("agency", [agency for agency, rows in PERFECT.inboxes.items() if rows])
def test_a_bulletin_that_is_in_no_inbox_is_missed(agency: str) -> None:
    evidence = with_inbox(PERFECT, agency, PERFECT.inboxes[agency][1:])

    assert "nothing lost" in failed(evidence)
    assert [one.recipient for one in judge(EXPECTATION, evidence).expected if not one.happened] == [agency]


def test_a_bulletin_in_an_inbox_twice_is_noticed() -> None:
    rows = PERFECT.inboxes["springfield-pd"]

    evidence = with_inbox(PERFECT, "springfield-pd", (*rows, rows[0]))

    assert "exactly once" in failed(evidence)
    assert judge(EXPECTATION, evidence).unexpected[0]["why"] == "twice"


def test_a_delivery_to_an_agency_that_is_not_in_the_table_is_unexpected() -> None:
    bolo = next(one for one in PERFECT.inboxes["springfield-pd"] if one.id == "id-bolo")

    verdict = judge(EXPECTATION, with_inbox(PERFECT, "peoria-pd", [replace(bolo, agency="peoria-pd")]))

    assert {one["agency"] for one in verdict.unexpected} == {"peoria-pd"}
    assert not verdict.ok


def test_a_sentence_of_another_portion_copied_into_a_permitted_one_is_a_leak() -> None:
    mayor = PERFECT.inboxes["springfield-mayor"]
    threat = next(one for one in mayor if one.id == "id-threat")
    words = EXPECTATION.by_key("threat").says["full"]
    leaking = replace(threat, portions=(Portion(id="p2", content=threat.portions[0].content + words),))

    evidence = with_inbox(PERFECT, "springfield-mayor", [leaking, *(one for one in mayor if one is not threat)])

    assert "default deny" in failed(evidence)


def test_a_text_that_nobody_wrote_is_unexpected() -> None:
    rows = PERFECT.inboxes["cook-sheriff"]
    strange = replace(rows[0], portions=(*rows[0].portions, Portion(id="p9", content="something else")))

    verdict = judge(EXPECTATION, with_inbox(PERFECT, "cook-sheriff", (strange, *rows[1:])))

    assert [one["why"] for one in verdict.unexpected] == ["unknown text"]


def test_a_delivery_without_a_signed_receipt_did_not_happen() -> None:
    def unsigned(own):
        return replace(own, deliveries=tuple(replace(row, rungs={}) for row in own.deliveries))

    assert "nothing lost" in failed(with_sent(PERFECT, "chicago-pd", unsigned))


def test_words_found_in_stored_bytes_fail_the_verdict() -> None:
    leaked = replace(PERFECT.scan, found=("gateway.db: bolo/full",))

    assert failed(replace(PERFECT, scan=leaked)) == {"sealed in transit and at rest"}


def test_a_search_of_no_files_proves_nothing() -> None:
    assert failed(replace(PERFECT, scan=replace(PERFECT.scan, files=0))) == {"sealed in transit and at rest"}


def test_a_relay_that_was_never_killed_proves_nothing() -> None:
    assert "relay killed, nothing lost, nothing twice" in failed(replace(PERFECT, relay=None))
    assert PERFECT.relay is not None
    idle = replace(PERFECT.relay, accepted_while_down=())
    assert "relay killed, nothing lost, nothing twice" in failed(replace(PERFECT, relay=idle))


@pytest.mark.parametrize("number", range(len(EXPECTATION.refused)))
def test_an_illegal_submission_that_was_not_refused_fails_the_verdict(number: int) -> None:
    refused = tuple(one for place, one in enumerate(PERFECT.refused) if place != number)

    assert not judge(EXPECTATION, replace(PERFECT, refused=refused)).ok


def test_a_refusal_for_another_reason_is_not_the_expected_one() -> None:
    other = Refused(key=PERFECT.refused[1].key, agency=PERFECT.refused[1].agency, code="too-large")

    assert not judge(EXPECTATION, replace(PERFECT, refused=(PERFECT.refused[0], other, *PERFECT.refused[2:]))).ok


def test_the_full_text_of_the_assessment_in_the_city_fails_below_the_tear_line() -> None:
    rows = PERFECT.inboxes["springfield-pd"]
    words = EXPECTATION.by_key("assessment").says["full"]

    def give(held):
        more = Portion(id="p1", content=words)
        return replace(held, portions=(*held.portions, more)) if held.id == "id-assessment" else held

    assert {"below the tear line", "default deny"} <= failed(with_inbox(PERFECT, "springfield-pd", map(give, rows)))


def test_a_recall_that_one_recipient_has_not_confirmed_fails() -> None:
    def unconfirmed(own):
        rows = tuple(replace(row, rungs={"stored": row.rungs["stored"]}) for row in own.deliveries)
        return replace(own, deliveries=rows) if own.id == "id-withdrawn" else own

    assert failed(with_sent(PERFECT, "il-fusion", unconfirmed)) == {"recalled everywhere"}


def test_a_holder_of_the_old_text_who_does_not_know_the_correction_fails() -> None:
    rows = [replace(one, superseded_by=None) for one in PERFECT.inboxes["il-fusion"]]

    assert failed(with_inbox(PERFECT, "il-fusion", rows)) == {"corrected everywhere"}


def test_a_deadline_that_passes_in_silence_fails() -> None:
    assert failed(replace(PERFECT, escalations=())) == {"late means escalated"}


def test_an_escalation_nobody_expected_fails() -> None:
    more = replace(PERFECT.escalations[0], agency="lake-sheriff")

    assert failed(replace(PERFECT, escalations=(*PERFECT.escalations, more))) == {"late means escalated"}


def test_a_never_rule_that_was_not_shown_alone_fails() -> None:
    assert failed(replace(PERFECT, never_rules=(*PERFECT.never_rules, "R99"))) == {"each never rule blocks alone"}


def test_a_portion_withheld_by_another_rule_than_expected_fails() -> None:
    def other(own):
        return replace(own, withheld={"peoria-pd": {"p1": ("R10", "R14")}}) if own.id == "id-bolo" else own

    assert "withheld with its reason" in failed(with_sent(PERFECT, "il-state-police", other))


def test_phrases_that_do_not_tell_two_portions_apart_are_refused() -> None:
    text = """
    refused = []
    [[bulletin]]
    key = "a"
    what = "a"
    from = "x"
    precedence = "FLASH"
    says = {one = "abc", two = "abcd"}
    [bulletin.reaches]
    """

    with pytest.raises(ValueError, match="does not tell two portions apart"):
        parse_expectation(text)


def test_every_agency_of_the_table_is_a_member() -> None:
    members = set(PERFECT.inboxes)

    for one in EXPECTATION.bulletin:
        assert {one.originator, *one.reaches, *one.withheld} <= members
        assert not set(one.reaches) & {one.originator}
