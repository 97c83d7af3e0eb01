"""A release refused for a reason that passes comes into force when the reason has passed, without a restart."""

import itertools
import pathlib
from datetime import timedelta

import pytest

from broker.seal import encrypt_release
from broker.trust import TrustError, TrustStore
from broker.trust import waiting as waiting_module
from tests.trust.exchange import AVERY, BLAKE, LATER, NOW, directory, forged, founded, root, rules


@pytest.fixture
def chain(tmp_path: pathlib.Path) -> list[bytes]:
    """The root, a directory, and rules 1 to 3, as they travel."""
    maker = TrustStore(tmp_path / "maker", root().fingerprint)
    sealed = [founded().sealed, directory().sealed]
    for raw in sealed:
        maker.offer(raw, now=NOW)
    for _ in range(3):
        minted = rules(maker.staged_rules)
        maker.offer(minted.sealed, now=NOW)
        sealed.append(minted.sealed)
    return sealed


@pytest.fixture
def empty(tmp_path: pathlib.Path) -> TrustStore:
    return TrustStore(tmp_path / "releases", root().fingerprint)


def code(store: TrustStore, raw: bytes, **clock: timedelta) -> str:
    with pytest.raises(TrustError) as refused:
        store.offer(raw, now=NOW - clock.get("behind", timedelta()))
    return refused.value.code


def in_force(store: TrustStore) -> tuple[int, int]:
    return (
        store.staged_directory.number if store.staged_directory else 0,
        store.staged_rules.number if store.staged_rules else 0,
    )


def test_a_relay_that_delivers_three_two_one(empty: TrustStore, chain: list[bytes]) -> None:
    founding, one_directory, first, second, third = chain
    empty.offer(founding, now=NOW)
    empty.offer(one_directory, now=NOW)
    assert [code(empty, third), code(empty, second)] == ["skipped-number"] * 2
    assert empty.offer(first, now=NOW) is not None
    again = empty.retry(NOW)
    assert [(item.type, item.number) for item in again.accepted] == [("rules", 2), ("rules", 3)]
    assert (in_force(empty), empty.waiting) == ((1, 3), 0)


def test_every_order_ends_with_everything_in_force(chain: list[bytes], tmp_path: pathlib.Path) -> None:
    for number, order in enumerate(itertools.islice(itertools.permutations(chain), 0, None, 17)):
        store = TrustStore(tmp_path / str(number), root().fingerprint)
        for raw in order:
            try:
                store.offer(raw, now=NOW)
            except TrustError as error:
                assert error.code in waiting_module.PASSING  # noqa: PT017 - an order that refuses nothing is one, too
        assert store.retry(NOW).refused == ()
        assert (in_force(store), store.waiting) == ((1, 3), 0)


def test_a_clock_that_is_six_minutes_slow_and_then_right(empty: TrustStore, chain: list[bytes]) -> None:
    slow = timedelta(minutes=6)
    empty.offer(chain[0], now=NOW - slow)
    refused = [code(empty, raw, behind=slow) for raw in chain[1:]]
    assert refused == ["release-from-the-future", "release-from-the-future", "skipped-number", "skipped-number"]
    assert empty.retry(NOW - slow).accepted == ()
    assert in_force(empty) == (0, 0)
    assert len(empty.retry(NOW).accepted) == 4
    assert (in_force(empty), empty.waiting) == ((1, 3), 0)


def test_what_arrives_before_the_root(empty: TrustStore, chain: list[bytes]) -> None:
    assert {code(empty, raw) for raw in chain[1:]} == {"no-root"}
    assert empty.offer(chain[0], now=NOW) is not None
    assert len(empty.retry(NOW).accepted) == 4


def test_the_successor_of_an_expired_release(empty: TrustStore) -> None:
    for raw in (founded().sealed, directory().sealed):
        empty.offer(raw, now=NOW)
    expired = rules(expires=LATER)
    second = rules(type("Head", (), {"release": expired.release})())  # type: ignore[arg-type]
    with pytest.raises(TrustError):
        empty.offer(second.sealed, now=LATER)
    with pytest.raises(TrustError, match="rules 1 has expired"):
        empty.offer(expired.sealed, now=LATER)
    assert [item.number for item in empty.retry(LATER).accepted] == [2]


def test_what_is_refused_for_good_is_not_kept(empty: TrustStore, chain: list[bytes]) -> None:
    empty.offer(chain[0], now=NOW)
    for raw in (b"noise", encrypt_release(root().fingerprint, b"noise"), rules(officers=[AVERY, BLAKE]).sealed[:-1]):
        code(empty, raw)
    assert empty.waiting == 0


def test_what_turns_out_to_be_forged_is_refused_once_and_forgotten(empty: TrustStore, chain: list[bytes]) -> None:
    raw = forged(b"\xa0", [AVERY, BLAKE], "rules")
    assert code(empty, raw) == "no-root"
    empty.offer(chain[0], now=NOW)
    again = empty.retry(NOW)
    assert [error.code for error in again.refused] == ["not-a-release"]
    assert (again.accepted, empty.waiting) == ((), 0)


def test_what_a_hostile_relay_can_have_kept_is_bounded(empty: TrustStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(waiting_module.MAX_WAITING + 10):
        assert code(empty, forged(b"%d" % number, [AVERY], "rules")) == "no-root"
    assert empty.waiting == waiting_module.MAX_WAITING
    large = forged(bytes(100_000), [AVERY], "rules")
    monkeypatch.setattr(waiting_module, "MAX_WAITING_BYTES", len(large) + 1)
    assert code(empty, large) == "no-root"
    assert empty.waiting == 1
    assert code(empty, forged(bytes(200_000), [AVERY], "rules")) == "no-root"
    assert empty.waiting == 1


def test_the_same_release_waits_once(empty: TrustStore, chain: list[bytes]) -> None:
    for _ in range(3):
        code(empty, chain[1])
    assert empty.waiting == 1
