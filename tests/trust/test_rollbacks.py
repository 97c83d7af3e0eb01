"""Going back: the next number with an earlier content, named as such; and what only looks like it."""

import functools
import pathlib
from datetime import timedelta
from typing import Any

import pytest

from broker.trust import Minted, TrustError, TrustStore
from tests.trust.emergencies import WIDE, confirmed, emergency, head, with_rule
from tests.trust.exchange import (
    AVERY,
    NOW,
    RULES,
    beat_of,
    directory,
    entries,
    entry,
    founded,
    put_in_force,
    root,
    rules,
)

CHANGED = with_rule(RULES, WIDE)


@functools.cache
def listed() -> Minted:
    return directory()


@functools.cache
def changed() -> Minted:
    return rules(head(rules()), text=CHANGED)


@pytest.fixture
def store(tmp_path: pathlib.Path) -> TrustStore:
    """Rules 1 were replaced by wider rules 2."""
    opened = TrustStore(tmp_path / "releases", root().fingerprint)
    for minted in (founded(), listed(), rules(), changed()):
        opened.offer(minted.sealed, now=NOW)
    put_in_force(opened)
    return opened


def code(store: TrustStore, minted: Minted) -> str:
    before = (store.staged_rules, store.staged_directory)
    with pytest.raises(TrustError) as refused:
        store.offer(minted.sealed, now=NOW)
    assert (store.staged_rules, store.staged_directory) == before
    return refused.value.code


def test_a_rollback_is_a_new_release_with_an_old_content(store: TrustStore) -> None:
    decided = store.deciders.get(store.rules_at(1), store.directory, NOW)  # type: ignore[arg-type]
    back = rules(head(changed()), text=RULES, basis=1)
    store.offer(back.sealed, now=NOW)
    put_in_force(store, at=NOW + timedelta(seconds=1))

    assert store.rules is not None
    assert (store.rules.number, store.rules.release.basis, store.rules.rules_text) == (3, 1, RULES)
    # Nothing is compiled for it: its texts were compiled under their old number.
    assert store.decider(NOW) is decided


def test_the_old_number_itself_never_comes_back(store: TrustStore) -> None:
    store.offer(rules(head(changed()), text=RULES, basis=1).sealed, now=NOW)
    put_in_force(store, at=NOW + timedelta(seconds=1))
    for old in (rules(), changed()):
        with pytest.raises(TrustError) as refused:
            store.activate(beat_of(old, listed(), at=NOW, sequence=store.force.sequence + 1), now=NOW)
        assert refused.value.code == "beat-rollback"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"text": CHANGED, "basis": 1}, "rollback-differs", id="other rules than it says"),
        pytest.param({"text": RULES + "# \n", "basis": 1}, "rollback-differs", id="a comment more"),
        pytest.param({"text": RULES, "basis": 2}, "rollback-differs", id="another number than it repeats"),
    ],
)
def test_what_it_says_of_itself_is_checked(changes: dict[str, Any], expected: str, store: TrustStore) -> None:
    assert code(store, rules(head(changed()), **changes)) == expected


@pytest.mark.parametrize("basis", [3, 4, -1])
def test_it_repeats_something_earlier(basis: int) -> None:
    with pytest.raises(TrustError) as refused:
        rules(head(changed()), text=RULES, basis=basis)
    assert refused.value.code == "not-a-release"


def test_one_officer_rolls_nothing_back() -> None:
    with pytest.raises(TrustError) as refused:
        rules(head(changed()), text=RULES, basis=1, officers=[AVERY])
    assert refused.value.code == "too-few-persons"


def test_back_to_before_a_confirmed_emergency_takes_two_officers_and_a_beat(store: TrustStore) -> None:
    added = emergency(changed())
    store.offer(added.sealed, now=NOW)
    put_in_force(store, at=NOW + timedelta(seconds=1))
    store.offer(confirmed(added), now=NOW)
    back = rules(head(added), text=CHANGED, basis=2)
    store.offer(back.sealed, now=NOW)
    assert [(one.number, quorum) for one, quorum in store.coming("rules", store.force.rules, NOW)] == [(4, 100)]
    put_in_force(store, at=NOW + timedelta(seconds=2))
    assert store.rules is not None
    assert store.rules.number == 4


def test_a_directory_goes_back_too_and_says_so_truly(store: TrustStore) -> None:
    revoking = directory(head(listed()), listed=entries(il_fusion=entry("il-fusion", revoked=True)))  # type: ignore[arg-type]
    store.offer(revoking.sealed, now=NOW)
    untrue = directory(head(revoking), listed=entries(il_fusion=entry("il-fusion", state="WI")), basis=1)  # type: ignore[arg-type]
    assert code(store, untrue) == "rollback-differs"
    back = directory(head(revoking), basis=1)  # type: ignore[arg-type]
    assert store.offer(back.sealed, now=NOW) is not None
    assert not store.signer("il-fusion").revoked


def test_a_rollback_that_raises_the_floor_shuts_out_what_was_decided_in_between(store: TrustStore) -> None:
    store.offer(rules(head(changed()), text=RULES, basis=1, floor=3).sealed, now=NOW)
    put_in_force(store, at=NOW + timedelta(seconds=1))
    assert store.rules is not None
    assert store.rules.floor == 3
