"""Every field of every payload has a type and a range; anything else is refused with that structure's code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cbor2
import pytest

from broker.seal import SealError, Secrets, Witness, cbor, parts, receipt, seal
from broker.seal.header import decode_header
from broker.seal.manifest import decode_manifest
from broker.seal.notice import parse_content
from tests.seal.exchange import (
    FUSION,
    NOW,
    STATE,
    agency,
    content_for,
    draft,
    envelope_for,
    receive,
    sealed,
)

HASH = bytes(32)
TERMS = [[[1, [["onward", "none"]]]], [], False, ""]

HEADER = {
    "a version that is not a number": {1: "1"},
    "a version that is true": {1: True},
    "a suite that is not a number": {2: b"1"},
    "an id of 15 bytes": {3: bytes(15)},
    "an id of text": {3: "x" * 16},
    "a negative expiry": {4: -1},
    "an expiry after the year 9999": {4: 2**40},
    "a precedence that does not exist": {5: 4},
}
MANIFEST = {
    "a sender that is no agency id": {2: "City PD"},
    "a sender that is bytes": {2: b"city-pd"},
    "a hash of 31 bytes": {3: bytes(31)},
    "a time that is text": {4: "2026"},
    "a time after the year 9999": {5: 2**50},
    "a kind that does not exist": {6: "gossip"},
    "a status that does not exist": {7: "Maybe"},
    "a commitment of 33 bytes": {8: bytes(33)},
    "17 portions": {9: [[HASH, HASH]] * 17},
    "a portion without its commitment": {9: [[HASH]]},
    "a portion that is a map": {9: [{1: HASH, 2: HASH}]},
    "no list of portions": {9: 0},
    "a root that is a number": {10: 1},
    "a tree too deep": {11: 18},
    "rules without a hash": {12: [1]},
    "rules numbered below zero": {12: [-1, HASH]},
    "a directory that is true": {13: True},
    "a directory number beyond 32 bits": {13: 2**32},
    "a retention too long": {14: "x" * 65},
    "a retention that is bytes": {14: b"x"},
}
NOTICE = {
    "no sender": {1: ""},
    "no K_0": {2: {1: HASH}},
    "keys that are no map": {2: [HASH]},
    "a key of 31 bytes": {2: {0: bytes(31)}},
    "a key for part 17": {2: {0: HASH, 17: HASH}},
    "a key for part -1": {2: {-1: HASH, 0: HASH}},
    "terms without a note": {3: TERMS[:3]},
    "obligations twice for one part": {3: [[[1, []], [1, []]], [], False, ""]},
    "parts out of order": {3: [[[2, []], [1, []]], [], False, ""]},
    "obligations for part 17": {3: [[[17, []]], [], False, ""]},
    "an obligation twice": {3: [[[1, [["a", 1], ["a", 2]]]], [], False, ""]},
    "obligations out of order": {3: [[[1, [["b", 1], ["a", 2]]]], [], False, ""]},
    "33 obligations": {3: [[[1, [[f"{n:02}", 1] for n in range(33)]]], [], False, ""]},
    "an obligation without a value": {3: [[[1, [["a"]]]], [], False, ""]},
    "an obligation's name too long": {3: [[[1, [["a" * 65, 1]]]], [], False, ""]},
    "an obligation that is true": {3: [[[1, [["a", True]]]], [], False, ""]},
    "an obligation that is a map": {3: [[[1, [["a", {}]]]], [], False, ""]},
    "an obligation too large": {3: [[[1, [["a", 2**60]]]], [], False, ""]},
    "an obligation of bytes": {3: [[[1, [["a", b""]]]], [], False, ""]},
    "an obligation of numbers": {3: [[[1, [["a", [1]]]]], [], False, ""]},
    "33 persons": {3: [[], ["p"] * 33, False, ""]},
    "a person who is a number": {3: [[], [1], False, ""]},
    "approved that is a number": {3: [[], [], 1, ""]},
    "a note too long": {3: [[], [], False, "x" * 1025]},
    "a seed of 16 bytes": {4: bytes(16)},
    "a place below zero": {5: -1},
    "a path that is text": {6: "x" * 32},
    "a path of 18 hashes": {6: bytes(18 * 32)},
    "9 references": {7: [["in_reply_to", bytes(16)]] * 9},
    "a reference of another kind's spelling": {7: [["In Reply", bytes(16)]]},
    "a reference without a kind": {7: [[1, bytes(16)]]},
    "a reference to a short id": {7: [["in_reply_to", bytes(15)]]},
}
RECEIPT = {
    "a recipient that is no agency id": {2: "A B"},
    "an originator that is bytes": {3: b"a"},
    "a short hh": {4: bytes(31)},
    "a short body digest": {5: b""},
    "a short manifest digest": {6: b""},
    "a short leaf": {7: b""},
    "a rung that does not exist": {8: "seen"},
    "a seq below zero": {9: -1},
    "a time that is text": {10: ""},
    "a code too long": {11: "x" * 65},
    "a person too long": {12: "x" * 257},
    "a note too long": {13: "x" * 1025},
    "a short proof": {14: bytes(16)},
}
SECRETS = {
    "no keys": {5: []},
    "18 keys": {5: [HASH] * 18},
    "a group that does not exist": {9: [["a", 99]]},
    "a group of two items": {8: [[[], TERMS]]},
    "a part above 16": {8: [[[17], TERMS, []]]},
    "a tree seed of 16 bytes": {6: bytes(16)},
    "notices of a gigabyte": {7: 2**30},
    "a member that is no agency": {9: [["A B", 0]]},
}
WITNESS = {
    "an id of 15 bytes": {1: bytes(15)},
    "a sender that is no agency": {2: "A B"},
    "a recipient that is no agency": {3: 1},
    "a short hh": {4: b""},
    "a short body digest": {5: b""},
    "a short manifest digest": {6: b""},
    "a short leaf": {7: b""},
    "a short seed": {8: b""},
    "no K_0": {9: {1: HASH}},
}


def good() -> dict[str, bytes]:
    one = sealed()
    got = receive(envelope_for(one, FUSION), FUSION)
    return {
        "header-field": one.header,
        "manifest-content": got.manifest.encode(),
        "notice-content": content_for(one.source, FUSION).encode(),
        "receipt-content": cbor.encode(
            receipt._receipt(got.witness, receipt.Claim(rung="stored", seq=1, time=NOW)),
        ),
        "secrets-shape": one.secrets.encode(),
        "witness-shape": got.witness.encode(),
    }


GOOD = good()
PARSERS: dict[str, Callable[[bytes], object]] = {
    "header-field": decode_header,
    "manifest-content": decode_manifest,
    "notice-content": parse_content,
    "receipt-content": lambda raw: receipt._parse_receipt(cbor2.loads(raw)),
    "secrets-shape": Secrets.decode,
    "witness-shape": Witness.decode,
}
CHANGES = [
    pytest.param(code, change, id=f"{code}: {name}")
    for code, table in (
        ("header-field", HEADER),
        ("manifest-content", MANIFEST),
        ("notice-content", NOTICE),
        ("receipt-content", RECEIPT),
        ("secrets-shape", SECRETS),
        ("witness-shape", WITNESS),
    )
    for name, change in table.items()
]


@pytest.mark.parametrize(("code", "change"), CHANGES)
def test_a_field_of_another_type_or_range_is_refused(code: str, change: dict[int, Any]) -> None:
    raw = cbor.encode({**cbor2.loads(GOOD[code]), **change})

    with pytest.raises(SealError) as refused:
        PARSERS[code](raw)

    assert refused.value.code == code


@pytest.mark.parametrize("code", GOOD)
def test_each_field_is_needed_and_no_other_is_taken(code: str) -> None:
    fields = cbor2.loads(GOOD[code])
    PARSERS[code](GOOD[code])

    for key in fields:
        with pytest.raises(SealError):
            PARSERS[code](cbor.encode({other: value for other, value in fields.items() if other != key}))
    for surplus in (-1, 0, 23):
        with pytest.raises(SealError):
            PARSERS[code](cbor.encode({**fields, surplus: 0}))
    for other in (0, [], "x", list(fields.values())):
        with pytest.raises(SealError):
            PARSERS[code](cbor.encode(other))


def test_an_oversized_draft_is_refused_before_anything_is_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "encrypt_part", lambda *_: pytest.fail("encrypted"))

    with pytest.raises(SealError) as refused:
        seal(draft(parts=(bytes(400_000), bytes(200_000))), agency(STATE).signing)

    assert refused.value.code == "too-large"
