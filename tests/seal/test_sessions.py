"""Sessions: what a notice under one must still prove, and what a session does not give anybody."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.seal import (
    Addressee,
    AgencyKeys,
    Claim,
    SealError,
    Session,
    SessionNotice,
    check_receipt,
    decode_envelope,
    encode_envelope,
    make_notice,
    make_receipts,
    make_session_notice,
    open_receipts,
)
from tests.seal.exchange import (
    CITY,
    FULL,
    FUSION,
    JTTF,
    MALLORY,
    NOW,
    STATE,
    TEARLINE,
    agency,
    directory,
    draft,
    envelope_for,
    envelope_under,
    notice_for,
    receive,
    refused_code,
    sealed,
    session_with,
)


def test_a_notice_under_a_session_gives_what_the_kem_notice_gives() -> None:
    one = sealed()

    by_kem = receive(envelope_for(one, FUSION), FUSION)
    by_session = receive(envelope_under(session_with(FUSION), one), FUSION, session=session_with(FUSION))

    assert by_session == by_kem
    assert by_session.parts == {1: FULL, 2: TEARLINE}


def test_a_session_arrives_with_the_notice_that_sets_it_up_and_then_opens_notices() -> None:
    one, other = sealed(), sealed(precedence="ROUTINE")
    offered = Session(sender=CITY, recipient=STATE, secret=bytes(range(32)))
    raw = make_notice(one.source, STATE, agency(STATE).kem[0].public, session=offered)

    secret = receive(encode_envelope(one.header, one.body, [raw]), STATE).session

    assert secret == offered.secret
    held = Session(sender=CITY, recipient=STATE, secret=secret)
    assert receive(envelope_under(offered, other), STATE, session=held).parts == {2: TEARLINE}


def test_a_refused_envelope_sets_up_no_session() -> None:
    one = sealed()
    raw = make_notice(one.source, STATE, agency(STATE).kem[0].public, session=session_with(STATE))
    envelope = encode_envelope(one.header, one.body, [raw])

    def refuse(_: object) -> None:
        raise SealError("recheck-refused")

    assert refused_code(lambda: receive(envelope, STATE, recheck=refuse)) == "recheck-refused"


def test_a_notice_made_twice_under_a_session_is_the_same_bytes() -> None:
    # The key and the IV follow from the envelope: the same ones must never meet another plaintext.
    one = sealed()

    assert make_session_notice(one.source, session_with(FUSION)) == make_session_notice(
        one.source, session_with(FUSION)
    )


def test_no_two_envelopes_of_a_session_have_a_locator_in_common() -> None:
    session = session_with(FUSION)
    envelopes = [decode_envelope(envelope_under(session, sealed(precedence=p))) for p in ("FLASH", "ROUTINE")]

    kids = {notice.kid for envelope in envelopes for notice in envelope.notices}

    assert len(kids) == 2
    assert [session.locator(envelope.hh) in kids for envelope in envelopes] == [True, True]


def test_notices_that_set_a_session_up_are_as_long_as_those_that_do_not() -> None:
    one = sealed()

    plain = notice_for(one, STATE)
    setting_up = make_notice(one.source, STATE, agency(STATE).kem[0].public, session=session_with(STATE))

    assert len(plain) == len(setting_up)
    assert len(make_session_notice(one.source, session_with(STATE))) == len(
        make_session_notice(one.source, session_with(FUSION))
    )


@pytest.mark.parametrize("session", [session_with(STATE), session_with(FUSION, MALLORY)])
def test_a_session_of_other_agencies_makes_no_notice(session: Session) -> None:
    one = sealed(audience=(Addressee(agency=FUSION, parts=(1,)),))

    assert refused_code(lambda: make_session_notice(one.source, session)) == "not-addressed"
    assert (
        refused_code(lambda: make_notice(one.source, FUSION, agency(FUSION).kem[0].public, session=session))
        == "not-addressed"
    )


def test_two_directions_and_two_pairs_never_share_a_key() -> None:
    secret = bytes(32)
    pairs = [(CITY, STATE), (STATE, CITY), (CITY, FUSION), (MALLORY, STATE)]
    sessions = [Session(sender=sender, recipient=recipient, secret=secret) for sender, recipient in pairs]

    assert len({session.id for session in sessions}) == 4
    assert len({session.locator(bytes(32)) for session in sessions}) == 4


def test_nothing_of_a_session_is_in_its_repr() -> None:
    assert "0102030405" not in repr(Session(sender=CITY, recipient=STATE, secret=bytes(range(32))))


@settings(max_examples=150, deadline=None)
@given(position=st.integers(0, 2**20), change=st.integers(1, 255))
def test_no_changed_byte_of_a_notice_under_a_session_is_accepted(position: int, change: int) -> None:
    raw = envelope_under(session_with(FUSION))
    start = len(raw) - len(decode_envelope(raw).notices[0].raw)
    at = start + position % (len(raw) - start)
    changed = raw[:at] + bytes((raw[at] ^ change,)) + raw[at + 1 :]

    with pytest.raises(SealError):
        receive(changed, FUSION, session=session_with(FUSION))


@settings(max_examples=300, deadline=None)
@given(raw=st.binary(max_size=200))
def test_any_bytes_as_a_session_notice_give_a_value_or_a_seal_error(raw: bytes) -> None:
    for bytes_ in (raw, b"\x83\x55\xa2\x01\x03\x04\x50" + raw):
        try:
            SessionNotice.parse(bytes_, "notice-shape")
        except SealError:
            continue


def test_a_receipt_names_the_session_and_its_proof_covers_the_name() -> None:
    one, session = sealed(), session_with(FUSION)
    witness = receive(envelope_for(one, FUSION), FUSION).witness
    claim = Claim(rung="stored", seq=1, time=NOW)
    keys: AgencyKeys = agency(FUSION)

    def sent(name: bytes) -> bytes:
        return make_receipts(keys.signing, FUSION, agency(CITY).kem[0].public, CITY, [(witness, claim)], session=name)

    (named,) = open_receipts(sent(session.id), agency(CITY), directory())
    (unnamed,) = open_receipts(sent(b""), agency(CITY), directory())

    assert (named.session, unnamed.session) == (session.id, b"")
    check_receipt(named, one.source)
    assert named.proof != unnamed.proof
    assert refused_code(lambda: sent(b"short")) == "receipt-content"


def test_sessions_spare_nobody_his_place_in_the_audience() -> None:
    """The city's session with the JTTF does not make the JTTF a recipient of what it was not sent."""
    one = sealed(audience=tuple(one for one in draft().audience if one.agency != JTTF))

    assert refused_code(lambda: make_session_notice(one.source, session_with(JTTF))) == "not-addressed"
