"""Attacks on part 0 and the manifest in it (steps 6 to 8)."""

from __future__ import annotations

from dataclasses import replace

import cbor2

from broker.seal import (
    Addressee,
    Unsealed,
    cbor,
    manifest,
    parts,
)
from tests.seal.attack import (
    anew,
    attack,
    chosen_iv,
    for_another_place,
    lenient,
    no_end_check,
    padded_otherwise,
    put,
)
from tests.seal.exchange import (
    FUSION,
    STATE,
    Forger,
    draft,
    forged_envelope,
    receive,
)

# 6. to 8. Part 0.


@attack("manifest-iv")
def an_iv_of_the_senders_choosing_in_part_0() -> Unsealed:
    return receive(forged_envelope(anew(0, chosen_iv)), FUSION)


@attack("manifest-open", off=put(parts, "_context", lambda *_: b""))
def part_0_encrypted_for_another_place() -> Unsealed:
    """Key and IV fit, but the ciphertext names another place."""
    return receive(forged_envelope(anew(0, for_another_place)), FUSION)


@attack("manifest-padding")
def part_0_padded_beyond_its_bucket() -> Unsealed:
    return receive(forged_envelope(anew(0, padded_otherwise)), FUSION)


@attack("manifest-shape", off=no_end_check)
def bytes_after_the_signed_manifest() -> Unsealed:
    return receive(forged_envelope(Forger(signed=lambda raw: raw + b"\x00").forge()), FUSION)


@attack("manifest-cbor", off=put(manifest.cbor, "decode", lenient))
def a_manifest_with_a_duplicate_key() -> Unsealed:
    def twice(payload: bytes) -> bytes:
        return bytes((payload[0] + 1,)) + payload[1:] + payload[-1 - len("criminal-intelligence") - 1 :]

    return receive(forged_envelope(Forger(payload=twice).forge()), FUSION)


@attack("manifest-content", off=put(manifest, "_KEYS", frozenset(range(1, 16))))
def a_surplus_field_in_the_manifest() -> Unsealed:
    forger = Forger(payload=lambda raw: cbor.encode({**cbor2.loads(raw), 15: "for your eyes"}))
    return receive(forged_envelope(forger.forge()), FUSION)


@attack("manifest-content", off=put(manifest, "FORMAT", "tearline/2"))
def a_manifest_of_another_format() -> Unsealed:
    forger = Forger(payload=lambda raw: cbor.encode({**cbor2.loads(raw), 1: "tearline/2"}))
    return receive(forged_envelope(forger.forge()), FUSION)


@attack("manifest-content", off=put(manifest, "MIN_DEPTH", 0), then="not-in-audience")
def an_audience_tree_that_shows_a_small_number() -> Unsealed:
    forger = Forger(manifest=lambda made: replace(made, depth=3))
    return receive(forged_envelope(forger.forge()), FUSION)


@attack("manifest-content", off=put(manifest, "PORTIONLESS", manifest.KINDS))
def a_bulletin_without_any_portion() -> Unsealed:
    empty = draft(parts=(), audience=(Addressee(agency=STATE, parts=()),))
    return receive(forged_envelope(Forger(draft=empty).forge(), STATE), STATE)


@attack("manifest-commitment")
def a_manifest_that_commits_to_another_k_0() -> Unsealed:
    """A sender who gives two recipients two manifests under one body must break this equality for one of them."""
    forger = Forger(manifest=lambda made: replace(made, commitment=bytes(32)))
    return receive(forged_envelope(forger.forge()), FUSION)
