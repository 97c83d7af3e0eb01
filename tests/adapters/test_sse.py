from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sse import MAX_EVENT, EventDecoder, EventStreamError

STREAM = (
    b'\xef\xbb\xbf: ping\n\nid: 1\nevent: bulletin\ndata: {"a":\ndata: 1}\n\n'
    b'id:2\r\ndata:{}\r\n\r\n:ping\r\rdata: {"b": "\xc3\xa9"}\rid: 3\r\revent: cut\ndata: {}\n'
)
EXPECTED = [("bulletin", "1", {"a": 1}), ("message", "2", {}), ("message", "3", {"b": "é"})]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_chunks_cut_anywhere_give_the_same_events(cuts):
    decoder, seen = EventDecoder(), []
    edges = [0, *sorted(cuts), len(STREAM)]
    for start, end in itertools.pairwise(edges):
        seen += decoder.feed(STREAM[start:end])
    assert [(event.event, event.id, event.data) for event in seen] == EXPECTED
    assert decoder.last_event_id == "3"


@given(st.binary(max_size=400))
def test_any_bytes_give_events_or_a_coded_error(raw):
    with contextlib.suppress(EventStreamError):
        EventDecoder().feed(raw)


def test_the_id_of_a_cut_event_does_not_count():
    decoder = EventDecoder()
    decoder.feed(b"id: 1\ndata: {}\n\nid: 2\ndata: {")
    assert decoder.last_event_id == "1"


def test_an_event_that_never_ends_is_refused():
    decoder = EventDecoder()
    decoder.feed(b"data: " + b"x" * (MAX_EVENT - 6))
    with pytest.raises(EventStreamError):
        decoder.feed(b"x")


def test_retry_is_remembered_and_capped():
    decoder = EventDecoder()
    decoder.feed(b"retry: 250\n\n")
    assert decoder.retry_seconds == 0.25
    decoder.feed(b"retry: 99999999\n\n")
    assert decoder.retry_seconds == 60.0
