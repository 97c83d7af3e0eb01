"""Attacks on signatures, times and the memory of what was seen (steps 9 to 12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import cbor2
import pytest

from broker.seal import (
    Unsealed,
    cbor,
)
from broker.seal.manifest import CONTENT_TYPE
from tests.seal import exchange
from tests.seal.attack import (
    attack,
    changed_header,
    put,
    unseal_room,
)
from tests.seal.exchange import (
    CITY,
    FUSION,
    MALLORY,
    NOW,
    SKEW,
    STATE,
    Forger,
    agency,
    directory,
    draft,
    envelope_for,
    forged_envelope,
    receive,
    sealed,
)

# 9. and 10. Signatures and signer.


@attack(
    "unknown-signer",
    off=put(unseal_room, "_known", lambda _, name: agency(name).public()),
)
def a_sender_the_directory_does_not_know() -> Unsealed:
    return receive(envelope_for(sealed(), FUSION), FUSION, sender_of=directory(without=(CITY,)))


def resigned(change: Callable[[list[Any]], list[Any]]) -> Callable[[bytes], bytes]:
    """Change the decoded COSE_Sign."""
    return lambda raw: cbor.encode(change(cbor2.loads(raw)))


def signatures(change: Callable[[list[Any]], list[Any]]) -> Unsealed:
    forger = Forger(signed=resigned(lambda sign: [*sign[:3], change(sign[3])]))
    return receive(forged_envelope(forger.forge()), FUSION)


@attack("signature-set")
def the_post_quantum_signature_stripped() -> Unsealed:
    return signatures(lambda both: both[:1])


@attack("signature-set")
def all_signatures_stripped() -> Unsealed:
    return signatures(lambda _: [])


@attack("signature-set", then="bad-signature")
def the_signatures_reordered() -> Unsealed:
    return signatures(lambda both: both[::-1])


@attack("signature-set")
def an_extra_signature() -> Unsealed:
    return signatures(lambda both: [*both, both[0]])


@attack("signature-set", then="bad-signature")
def a_signature_by_a_key_that_is_not_in_the_directory() -> Unsealed:
    one = Forger(signing=agency(MALLORY).signing).forge()
    return receive(forged_envelope(one), FUSION)


@attack("signature-set", then="bad-signature")
def the_algorithm_relabelled() -> Unsealed:
    """-8 is the old, polymorphic EdDSA: the same key, the same curve, another number."""
    kid = agency(CITY).signing.public[0].kid
    return signatures(lambda both: [[cbor.encode({1: -8, 4: kid}), *both[0][1:]], both[1]])


@attack("signature-set", then="bad-signature")
def the_body_header_names_a_smaller_set() -> Unsealed:
    first = agency(CITY).signing.public[0]
    protected = cbor.encode({2: [-65537], 3: CONTENT_TYPE, -65537: [[first.alg, first.kid]]})
    forger = Forger(signed=resigned(lambda sign: [protected, *sign[1:]]))
    return receive(forged_envelope(forger.forge()), FUSION)


@attack("signature-set")
def signed_by_half_the_set_on_purpose() -> Unsealed:
    """The sender's own stolen Ed25519 key, but not its ML-DSA key: what a quantum computer would have."""
    keys = agency(CITY).signing
    half = replace(keys, public=keys.public[:1])
    one = Forger(signing=half).forge()
    return receive(forged_envelope(one), FUSION)


def broken(position: int) -> Unsealed:
    def flip(both: list[Any]) -> list[Any]:
        entry = both[position]
        both[position] = [*entry[:2], entry[2][:-1] + bytes((entry[2][-1] ^ 1,))]
        return both

    return signatures(flip)


@attack("bad-signature")
def a_broken_classical_signature() -> Unsealed:
    return broken(0)


@attack("bad-signature")
def a_broken_post_quantum_signature() -> Unsealed:
    return broken(1)


@attack("bad-signature")
def a_high_s_ed25519_signature() -> Unsealed:
    order = 2**252 + 27742317777372353535851937790883648493

    def high(both: list[Any]) -> list[Any]:
        raw = both[0][2]
        s = int.from_bytes(raw[32:], "little") + order
        return [[*both[0][:2], raw[:32] + s.to_bytes(32, "little")], both[1]]

    return signatures(high)


def any_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unseal_room, "manifest_context", lambda _: b"")
    monkeypatch.setattr(exchange, "manifest_context", lambda _: b"")


@attack("bad-signature", off=any_header)
def a_manifest_signed_for_another_header() -> Unsealed:
    """The signature is the sender's own, over this very payload, but was made in the context of another header."""
    return receive(forged_envelope(Forger(manifest_hh=bytes(32)).forge()), FUSION)


@attack("signer-mismatch")
def a_manifest_that_names_another_sender_than_its_signer() -> Unsealed:
    forger = Forger(manifest=lambda made: replace(made, sender=STATE))
    return receive(forged_envelope(forger.forge()), FUSION)


@attack("revoked-signer")
def a_revoked_signer() -> Unsealed:
    """First seen after the revocation is refused whatever `created` says."""
    one = sealed(created=NOW - timedelta(days=20))
    return receive(envelope_for(one, FUSION), FUSION, sender_of=directory(revoked=(CITY,)))


# 11. Header and times.


@attack("header-mismatch")
def a_manifest_that_names_another_header() -> Unsealed:
    forger = Forger(manifest=lambda made: replace(made, hh=bytes(32)))
    return receive(forged_envelope(forger.forge()), FUSION)


@attack("expiry-mismatch")
def a_header_that_outlives_its_manifest() -> Unsealed:
    later = draft().expires + timedelta(days=25)
    hours = -(-int(later.timestamp()) // 3600)
    return receive(forged_envelope(Forger(raw_header=changed_header(_4=hours)).forge()), FUSION)


@attack("expired")
def expired_within_the_hour_the_header_shows() -> Unsealed:
    one = sealed(expires=NOW + timedelta(minutes=10))
    return receive(envelope_for(one, FUSION), FUSION, now=NOW + timedelta(minutes=10) + SKEW)


@attack("expired")
def expires_before_it_was_created() -> Unsealed:
    soon = draft(expires=NOW + timedelta(minutes=2))
    forger = Forger(manifest=lambda made: replace(made, created=made.expires), draft=soon)
    return receive(forged_envelope(forger.forge()), FUSION)


@attack("clock-ahead")
def created_beyond_the_permitted_skew() -> Unsealed:
    one = sealed(created=NOW + SKEW + timedelta(seconds=1))
    return receive(envelope_for(one, FUSION), FUSION)


# 12. Replay.


@attack("replay")
def the_same_envelope_again() -> Unsealed:
    one = sealed()
    return receive(envelope_for(one, FUSION), FUSION, seen=lambda *_: one.secrets.body_digest)


@attack("equivocation", then="replay")
def another_body_under_the_same_id() -> Unsealed:
    """Same sender and id, another body: kept apart from a replay, because it is evidence against the sender."""
    one = sealed()
    return receive(envelope_for(one, FUSION), FUSION, seen=lambda *_: bytes(32))
