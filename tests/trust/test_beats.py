"""Attacks on the beat, by name: it can name what officers signed, and only forwards."""

import contextlib
import dataclasses
import functools
import pathlib
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.model.times import to_ms
from broker.seal import SigningKeys, cbor, encrypt_release, sign_document
from broker.trust import Minted, TrustError, TrustStore, mint_root
from broker.trust.beat import BEAT_CONTEXT, BEAT_VALID, MAX_BEAT, SKEW
from broker.trust.rules import read_rules
from tests.trust.exchange import (
    AVERY,
    BEATING,
    BLAKE,
    NOW,
    STRANGE_BEATING,
    agency_keys,
    beat_of,
    directory,
    founded,
    root,
    rules,
)

SOON = NOW + timedelta(seconds=30)


@pytest.fixture
def store(tmp_path: pathlib.Path) -> TrustStore:
    """Rules 1 and 2 and directory 1 staged, rules 1 in force."""
    return staged(tmp_path / "releases")


def staged(folder: pathlib.Path) -> TrustStore:
    opened = TrustStore(folder, root().fingerprint)
    for minted in (founded(), directory(), first(), second()):
        opened.offer(minted.sealed, now=NOW)
    assert opened.activate(beat_of(first(), listed()), now=NOW) is not None
    return opened


@functools.cache
def listed() -> Minted:
    return directory()


@functools.cache
def first() -> Minted:
    return rules()


@functools.cache
def second() -> Minted:
    return rules(read_rules(first().release))


def refusal(store: TrustStore, raw: bytes, *, now: datetime = SOON) -> str:
    before = (store.rules, store.directory, store.force)
    with pytest.raises(TrustError) as refused:
        store.activate(raw, now=now)
    assert (store.rules, store.directory, store.force) == before
    return refused.value.code


def altered(keys: SigningKeys = BEATING, context: str = BEAT_CONTEXT, **fields: Any) -> bytes:
    """A beat with other fields than a hub would write, signed by these keys."""
    written = {
        1: "tearline beat/1",
        2: root().fingerprint,
        3: to_ms(SOON),
        4: to_ms(SOON),
        5: [second().release.number, second().release.hash],
        6: [listed().release.number, listed().release.hash],
        7: True,
    } | {int(name.removeprefix("field_")): value for name, value in fields.items()}
    kept = {name: value for name, value in written.items() if value is not None}
    return encrypt_release(root().fingerprint, sign_document(cbor.encode(kept), [keys], context))


def test_a_beat_puts_in_force_what_is_staged_and_says_since_when(store: TrustStore) -> None:
    assert store.activate(beat_of(second(), listed(), at=SOON), now=SOON) is not None
    assert store.rules is not None
    assert store.rules.number == 2
    assert store.force.since["rules"] == {1: NOW, 2: SOON}
    assert store.force.replaced("rules", 1) == SOON
    assert store.force.replaced("rules", 2) is None
    assert store.force.heard == SOON


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        pytest.param(lambda: altered(STRANGE_BEATING), "bad-signature", id="forged by a stranger"),
        pytest.param(lambda: altered(AVERY.signing), "wrong-role", id="signed by an officer"),
        pytest.param(lambda: altered(agency_keys("il-fusion").signing), "bad-signature", id="signed by a member"),
        pytest.param(lambda: altered(context="rules"), "bad-signature", id="made for another purpose"),
        pytest.param(lambda: altered(field_2="sha256:" + "0" * 64), "other-exchange", id="of another exchange"),
        pytest.param(lambda: altered(field_1="tearline beat/2"), "not-a-beat", id="of another version"),
        pytest.param(lambda: altered(field_3=0), "not-a-beat", id="without a number"),
        pytest.param(lambda: altered(field_3=2**62), "beat-from-the-future", id="fast-forward"),
        pytest.param(lambda: altered(field_4=to_ms(SOON + SKEW) + 1000), "beat-from-the-future", id="from tomorrow"),
        pytest.param(lambda: altered(field_4=to_ms(SOON - SKEW - BEAT_VALID)), "beat-expired", id="expired"),
        pytest.param(lambda: altered(field_4=2**63), "not-a-beat", id="a time that is none"),
        pytest.param(lambda: altered(field_5=None), "not-a-beat", id="a field missing"),
        pytest.param(lambda: altered(field_8=1), "not-a-beat", id="a field more"),
        pytest.param(lambda: altered(field_7=1), "not-a-beat", id="a number for yes"),
        pytest.param(lambda: altered(field_5=[2, b"short"]), "not-a-beat", id="half a hash"),
        pytest.param(lambda: altered(field_5=[3, bytes(32)]), "beat-unstaged", id="naming what is not staged"),
        pytest.param(lambda: altered(field_5=[2, bytes(32)]), "beat-equivocation", id="another release of that number"),
        pytest.param(lambda: altered(field_3=to_ms(NOW)), "beat-replayed", id="the number of the last one"),
        pytest.param(lambda: altered(field_3=1), "beat-replayed", id="an old number"),
        pytest.param(lambda: b"", "other-exchange", id="nothing"),
        pytest.param(lambda: bytes(2 * MAX_BEAT), "other-exchange", id="noise"),
        pytest.param(lambda: second().sealed, "not-a-beat", id="a release in its place"),
    ],
)
def test_refused(raw: Any, code: str, store: TrustStore) -> None:
    assert refusal(store, raw()) == code


def test_an_older_release_is_never_in_force_again(store: TrustStore) -> None:
    store.activate(beat_of(second(), listed(), at=SOON), now=SOON)
    later = SOON + timedelta(seconds=30)
    assert refusal(store, beat_of(first(), listed(), at=later), now=later) == "beat-rollback"


def test_a_replayed_beat_is_refused_and_the_last_one_twice_is_not(store: TrustStore) -> None:
    old = beat_of(first(), listed(), at=NOW + timedelta(seconds=10))
    new = beat_of(second(), listed(), at=SOON)
    assert store.activate(new, now=SOON) is not None
    assert store.activate(new, now=SOON) is None
    assert refusal(store, old) == "beat-replayed"


def test_a_beat_for_what_has_not_arrived_counts_when_it_has(tmp_path: pathlib.Path) -> None:
    store = TrustStore(tmp_path, root().fingerprint)
    store.offer(founded().sealed, now=NOW)
    store.offer(listed().sealed, now=NOW)
    raw = beat_of(first(), listed())
    assert refusal(store, raw, now=NOW) == "beat-unstaged"
    assert store.activation.pending == raw
    store.offer(first().sealed, now=NOW)
    assert store.activate(raw, now=NOW) is not None
    assert store.activation.pending is None


def test_an_expired_release_is_not_put_in_force(store: TrustStore) -> None:
    assert store.staged_rules is not None
    brief = rules(store.staged_rules, expires=NOW + timedelta(minutes=1))
    store.offer(brief.sealed, now=NOW)
    late = NOW + timedelta(minutes=2)
    assert refusal(store, beat_of(brief, listed(), at=late), now=late) == "release-expired"


def test_a_gateway_that_lost_its_state_takes_nothing_older_than_others_have(tmp_path: pathlib.Path) -> None:
    wiped = TrustStore(tmp_path, root().fingerprint)
    for minted in (founded(), directory(), first(), second()):
        wiped.offer(minted.sealed, now=NOW)
    wiped.activation.seen_elsewhere("rules", 2)
    # The beat key is stolen, and the relay brings an hour-old choice.
    assert refusal(wiped, beat_of(first(), listed()), now=NOW) == "beat-rollback"
    assert wiped.activate(beat_of(second(), listed(), at=SOON), now=SOON) is not None


def test_a_stolen_beat_key_can_put_in_force_only_what_officers_signed(store: TrustStore) -> None:
    """Whatever numbers and hashes the thief writes, what is in force is one of the releases that were staged."""
    known = {store.rules_at(number).hash for number in (1, 2)}  # type: ignore[union-attr]

    @settings(max_examples=40, deadline=None)
    @given(number=st.integers(-1, 2**64), digest=st.sampled_from([*known, bytes(32)]) | st.binary(max_size=40))
    def thief(number: int, digest: bytes) -> None:
        with contextlib.suppress(TrustError):
            store.activate(altered(field_3=store.force.sequence + 1, field_5=[number, digest]), now=SOON)
        assert store.rules is not None
        assert store.rules.hash in known

    thief()


def test_what_is_in_force_survives_a_restart(store: TrustStore, tmp_path: pathlib.Path) -> None:
    store.activate(beat_of(second(), listed(), at=SOON), now=SOON)
    again = TrustStore(tmp_path / "releases", root().fingerprint)
    assert again.force == store.force
    assert (again.rules, again.directory) == (store.rules, store.directory)
    assert refusal(again, beat_of(first(), listed(), at=NOW)) == "beat-replayed"


def test_a_crash_at_every_rename_leaves_one_of_the_two_pairs(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = pathlib.Path.replace

    class DeathError(Exception):
        pass

    def dies(_self: pathlib.Path, _target: pathlib.Path) -> pathlib.Path:
        raise DeathError

    before = staged(tmp_path)
    monkeypatch.setattr(pathlib.Path, "replace", dies)
    with pytest.raises(DeathError):
        before.activate(beat_of(second(), listed(), at=SOON), now=SOON)
    # The process is gone; even if it were not, it would still decide by what is on disk.
    assert before.rules is not None
    assert before.rules.number == 1
    monkeypatch.setattr(pathlib.Path, "replace", rename)
    after = TrustStore(tmp_path, root().fingerprint)
    assert after.rules is not None
    assert after.rules.number == 1
    after.activate(beat_of(second(), listed(), at=SOON), now=SOON)
    assert after.rules.number == 2


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'{"rules":[0,"00"]}', b"\xff"])
def test_a_file_nobody_can_read_stops_the_gateway(raw: bytes, store: TrustStore, tmp_path: pathlib.Path) -> None:
    assert store.force.sequence
    (tmp_path / "releases" / "force.json").write_bytes(raw)
    with pytest.raises(TrustError) as refused:
        TrustStore(tmp_path / "releases", root().fingerprint)
    assert refused.value.code == "store-damaged"


def test_a_release_that_was_in_force_and_is_gone_stops_the_gateway(store: TrustStore, tmp_path: pathlib.Path) -> None:
    store.activate(beat_of(second(), listed(), at=SOON), now=SOON)
    (tmp_path / "releases" / "rules-000002.cose").unlink()
    (tmp_path / "releases" / "marks.json").unlink()
    with pytest.raises(TrustError) as refused:
        TrustStore(tmp_path / "releases", root().fingerprint)
    assert refused.value.code == "store-damaged"


def test_the_root_needs_a_beat_key_of_its_own() -> None:
    for beats in ((), (BEATING.public,) * 3, (AVERY.signing.public,)):
        with pytest.raises(TrustError) as refused:
            mint_root("no beat", [AVERY, BLAKE], beats=beats, created=NOW)
        assert refused.value.code == "root-invalid"


def test_a_beat_is_a_frozen_value(store: TrustStore) -> None:
    beat = store.activate(beat_of(second(), listed(), at=SOON), now=SOON)
    assert beat is not None
    with pytest.raises(dataclasses.FrozenInstanceError):
        beat.sequence = 1  # type: ignore[misc]
