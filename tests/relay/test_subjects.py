"""The grammar of addresses: what is made is read back, and nothing else is admitted."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.relay.errors import RelayError
from broker.relay.subjects import (
    PRECEDENCES,
    RELEASE_TYPES,
    EnvelopeSubject,
    ReleaseSubject,
    envelope_subject,
    gateway_name,
    parse_subject,
    receipt_subject,
    release_subject,
)

names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True).filter(lambda name: not name.isdigit())


@given(sender=names, recipient=names, precedence=st.sampled_from(PRECEDENCES))
def test_an_envelope_subject_is_read_back_as_it_was_made(sender, recipient, precedence) -> None:
    made = parse_subject(envelope_subject(sender, recipient, precedence))
    assert made == EnvelopeSubject(sender=sender, recipient=recipient, precedence=precedence)
    assert made.kind == "envelope"


@given(sender=names, recipient=names)
def test_a_receipt_subject_is_read_back_as_it_was_made(sender, recipient) -> None:
    made = parse_subject(receipt_subject(sender, recipient))
    assert made == EnvelopeSubject(sender=sender, recipient=recipient, precedence=None)
    assert made.kind == "receipts"


@given(kind=st.sampled_from(RELEASE_TYPES), number=st.integers(min_value=1, max_value=10**18 - 1))
def test_a_release_subject_is_read_back_as_it_was_made(kind, number) -> None:
    assert parse_subject(release_subject(kind, number)) == ReleaseSubject(type=kind, number=number)


@given(st.text())
def test_any_text_is_a_gateway_name_or_refused_with_its_code(text) -> None:
    try:
        name = gateway_name(text)
    except RelayError as error:
        outcome = error.code
    else:
        outcome = name
    assert outcome == "bad-gateway-name" or (outcome == text and re.fullmatch(r"[a-z0-9-]{1,63}", text))


@given(
    st.one_of(
        st.text(),
        st.lists(
            st.one_of(
                names, st.sampled_from(["env", "*", ">", "FLASH", "RECEIPT", "release", "rules", "1", "0", "01", ""])
            )
        ).map(".".join),
    )
)
def test_any_text_is_a_subject_that_would_be_made_or_refused(text) -> None:
    try:
        subject = parse_subject(text)
    except RelayError:
        return
    match subject:
        case EnvelopeSubject(precedence=None):
            assert receipt_subject(subject.sender, subject.recipient) == text
        case EnvelopeSubject():
            assert envelope_subject(subject.sender, subject.recipient, subject.precedence) == text
        case ReleaseSubject():
            assert release_subject(subject.type, subject.number) == text


@pytest.mark.parametrize(
    "name",
    ["", "*", ">", "a.b", "a.*", "A", "a b", "-a", "a-", "a\n", "ä", "a" * 64, "$sys", "_inbox", "7", "0042", "9" * 63],
)
def test_a_name_that_could_widen_an_address_is_refused(name) -> None:
    for make in (lambda: envelope_subject(name, "b", "FLASH"), lambda: receipt_subject("a", name)):
        with pytest.raises(RelayError) as caught:
            make()
        assert caught.value.code == "bad-gateway-name"


@pytest.mark.parametrize("number", [0, -1, 10**18, True])
def test_a_release_number_is_positive_and_bounded(number) -> None:
    with pytest.raises(RelayError):
        release_subject("rules", number)
