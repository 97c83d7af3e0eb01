"""What a gateway says of itself: forged, replayed, of a revoked or moved agency, of another exchange."""

import functools
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.model.times import to_ms
from broker.seal import cbor, encrypt_release, sign_document
from broker.trust import Directory, Report, TrustError, make_report, new_agency_keys, read_report
from broker.trust.beat import SKEW
from broker.trust.directory import read_directory
from broker.trust.report import MAX_REPORT, REPORT_CONTEXT, places_in
from broker.trust.root import Root
from tests.trust.exchange import (
    AVERY,
    BEATING,
    NOW,
    agency_keys,
    directory,
    entries,
    entry,
    other_exchange,
    root,
    seeded,
)

NAMED = (3, bytes(range(32)))
REPORT = Report(
    gateway="shared",
    agency="il-fusion",
    at=NOW,
    rules=NAMED,
    directory=(1, bytes(32)),
    since=NOW - timedelta(hours=1),
    ready_rules=NAMED,
    ready_directory=(1, bytes(32)),
    probe=bytes(32),
    trouble="",
)


@functools.cache
def listed() -> Directory:
    return read_directory(directory().release)


def changed(**entries_by_name: Any) -> Directory:
    return read_directory(directory(listed(), listed=entries(**entries_by_name)).release)


def keys(agency: str) -> Any:
    return agency_keys(agency).signing


def raw(report: Report = REPORT, signer: Any = None, of: Root | None = None) -> bytes:
    return make_report(report, signer or keys(report.agency), root=(of or root()).fingerprint)


def read(
    document: bytes, newest: Directory | None = None, in_force: Directory | None = None, *, now: datetime = NOW
) -> Report:
    return read_report(document, places_in(newest or listed(), in_force), root=root().fingerprint, now=now)


def refusal(document: bytes, *directories: Directory | None, now: datetime = NOW) -> str:
    with pytest.raises(TrustError) as refused:
        read(document, *directories, now=now)
    return refused.value.code


def altered(**fields: Any) -> bytes:
    """A report with other fields than a gateway would write, rightly signed."""
    written: dict[int, Any] = {
        1: "tearline report/1",
        2: root().fingerprint,
        3: "shared",
        4: "il-fusion",
        5: to_ms(NOW),
        6: [[3, bytes(32)], []],
        7: 0,
        8: [[], []],
        9: b"",
        10: "",
    } | {int(name.removeprefix("field_")): value for name, value in fields.items()}
    kept = {name: value for name, value in written.items() if value is not None}
    return encrypt_release(root().fingerprint, sign_document(cbor.encode(kept), [keys("il-fusion")], REPORT_CONTEXT))


def test_it_says_what_was_written() -> None:
    assert read(raw()) == REPORT
    nothing = replace(
        REPORT, rules=None, directory=None, since=None, ready_rules=None, probe=b"", trouble="cases-failed"
    )
    assert read(raw(nothing)) == nothing


@pytest.mark.parametrize(
    ("document", "code"),
    [
        pytest.param(lambda: raw(signer=keys("springfield-pd")), "bad-signature", id="a neighbour at the same gateway"),
        pytest.param(lambda: raw(signer=keys("il-state-police")), "bad-signature", id="another member"),
        pytest.param(lambda: raw(signer=BEATING), "bad-signature", id="the hub"),
        pytest.param(lambda: raw(signer=AVERY.signing), "bad-signature", id="an officer"),
        pytest.param(lambda: raw(replace(REPORT, gateway="state")), "wrong-gateway", id="as another"),
        pytest.param(lambda: raw(replace(REPORT, agency="nobody"), keys("il-fusion")), "unknown-agency", id="unknown"),
        pytest.param(lambda: raw(of=other_exchange().root), "other-exchange", id="of another exchange"),
        pytest.param(lambda: altered(field_2=other_exchange().root.fingerprint), "other-exchange", id="covered anew"),
        pytest.param(lambda: raw(replace(REPORT, at=NOW + SKEW + timedelta(seconds=1))), "report-from-the-future",
                     id="made tomorrow"),
        pytest.param(lambda: altered(field_1="tearline report/2"), "not-a-report", id="of another version"),
        pytest.param(lambda: altered(field_5=None), "not-a-report", id="a field missing"),
        pytest.param(lambda: altered(field_11=1), "not-a-report", id="a field more"),
        pytest.param(lambda: altered(field_5=2**63), "not-a-report", id="a time that is none"),
        pytest.param(lambda: altered(field_6=[[0, bytes(32)], []]), "not-a-report", id="number zero"),
        pytest.param(lambda: altered(field_6=[[1, b"short"], []]), "not-a-report", id="half a hash"),
        pytest.param(lambda: altered(field_9=b"short"), "not-a-report", id="half a probe"),
        pytest.param(lambda: altered(field_10="Il Fusion!"), "not-a-report", id="words for a code"),
        pytest.param(lambda: altered(field_10="x" * 41), "not-a-report", id="a long code"),
        pytest.param(lambda: bytes(MAX_REPORT + 1), "not-a-report", id="larger than one can be"),
        pytest.param(lambda: b"", "other-exchange", id="nothing"),
        pytest.param(lambda: encrypt_release(root().fingerprint, b"noise"), "not-a-report", id="noise"),
    ],
)  # fmt: skip
def test_refused(document: Callable[[], bytes], code: str) -> None:
    assert refusal(document()) == code


def test_a_report_is_no_statement_for_another_purpose() -> None:
    document = sign_document(b"x", [keys("il-fusion")], "beat")
    assert refusal(encrypt_release(root().fingerprint, document)) == "not-a-report"


def test_what_a_revoked_agency_says_is_refused_as_soon_as_it_is_staged() -> None:
    revoking = changed(il_fusion=entry("il-fusion", revoked=True))
    assert refusal(raw(), revoking, listed()) == "revoked-signer"
    removed = read_directory(directory(listed(), listed=[entry("il-state-police"), entry("springfield-pd")]).release)
    assert refusal(raw(), removed, listed()) == "unknown-agency"


def test_a_gateway_can_say_that_it_is_ready_to_lose_an_agency_to_another() -> None:
    """The newest directory has it elsewhere already; while that is not in force, it speaks from where it is."""
    moving = changed(il_fusion=replace(entry("il-fusion"), gateway="state"))
    assert read(raw(), moving, listed()) == REPORT
    there = replace(REPORT, gateway="state")
    assert read(raw(there), moving, listed()) == there
    assert refusal(raw(), moving, moving) == "wrong-gateway"


def test_a_gateway_can_say_that_it_is_ready_for_new_keys_with_either_of_them() -> None:
    fresh = new_agency_keys("il-fusion", random=seeded("fresh"))
    rotating = changed(il_fusion=replace(entry("il-fusion"), public=fresh.public()))
    assert read(raw(), rotating, listed()) == REPORT
    assert read(raw(signer=fresh.signing), rotating, listed()) == REPORT
    assert refusal(raw(), rotating, rotating) == "bad-signature"


def test_nobody_speaks_before_there_is_a_directory() -> None:
    with pytest.raises(TrustError, match="no agency"):
        read_report(raw(), places_in(None, None), root=root().fingerprint, now=NOW)


@settings(max_examples=60, deadline=None)
@given(st.integers(0), st.integers(1, 255))
def test_no_flipped_byte_is_believed(place: int, flip: int) -> None:
    document = bytearray(raw())
    document[place % len(document)] ^= flip
    with pytest.raises(TrustError):
        read(bytes(document))
