"""What one officer did alone ends after a day, and nobody makes it last alone: by name, and over random chains."""

import contextlib
import pathlib
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.trust import Minted, TrustError, TrustStore, endorse
from broker.trust.emergency import REST, check_alone, coming, quorum_of
from broker.trust.release import read_release
from tests.trust.emergencies import (
    HOUR,
    beat,
    confirmed,
    emergency,
    head,
    in_force,
    narrow,
    never,
    opened,
    quorum,
    refused,
)
from tests.trust.exchange import AVERY, AVERY_AGAIN, BLAKE, NOW, PREVIEW, root, rules


@pytest.fixture
def store(tmp_path: pathlib.Path) -> TrustStore:
    return opened(tmp_path / "releases")


# --- for longer than a day


def lapsed(store: TrustStore, first: Minted) -> datetime:
    store.offer(first.sealed, now=NOW)
    beat(store, first)
    return NOW + 25 * HOUR


@pytest.mark.parametrize("over", ["what lapsed", "what was before"])
@pytest.mark.parametrize("key", [AVERY, AVERY_AGAIN], ids=["the same key", "another key"])
@pytest.mark.parametrize("tlp", ["AMBER", "[AMBER, GREEN]"], ids=["the same rule", "the same, written otherwise"])
def test_nobody_renews_an_emergency_alone(over: str, key: Any, tlp: str, store: TrustStore) -> None:
    first = emergency(narrow())
    later = lapsed(store, first)
    basis = first if over == "what lapsed" else narrow()
    text = never("E9", basis.release.content[2], tlp)  # type: ignore[index]
    second = emergency(first, basis=basis, text=text, officers=[key], created=later)
    store.offer(second.sealed, now=later)
    assert quorum(store, at=later) == []
    assert refused(lambda: beat(store, second, at=later)) == "emergency-prolonged"


def test_nobody_prolongs_an_emergency_by_one_that_ends_later(store: TrustStore) -> None:
    first = emergency(narrow(), hours=2)
    lapsed(store, first)
    longer = emergency(first, created=NOW + HOUR, hours=24)
    store.offer(longer.sealed, now=NOW + HOUR)
    assert refused(lambda: beat(store, longer, at=NOW + HOUR)) == "emergency-prolonged"


def test_one_person_may_add_more_within_the_same_day(store: TrustStore) -> None:
    first = emergency(narrow())
    lapsed(store, first)
    more = emergency(first, created=NOW + HOUR, hours=23)
    store.offer(more.sealed, now=NOW + HOUR)
    assert quorum(store, at=NOW + HOUR) == [(4, 0)]
    beat(store, more, at=NOW + HOUR)


@pytest.mark.parametrize("way", ["another officer", "a week later", "after two officers signed something"])
def test_a_new_emergency_is_possible_again(way: str, store: TrustStore) -> None:
    first = emergency(narrow())
    later, previous, officers = lapsed(store, first), first, [AVERY]
    if way == "another officer":
        officers = [BLAKE]
    elif way == "a week later":
        later += REST
    else:
        previous = rules(head(first), created=later)
        store.offer(previous.sealed, now=later)
        beat(store, previous, at=later)
    second = emergency(previous, basis=narrow() if previous is first else previous, officers=officers, created=later)
    store.offer(second.sealed, now=later)
    beat(store, second, at=later)
    assert "E" + str(second.release.number - 1) in {rule.id for rule in in_force(store, later).ruleset.rules}


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_one_officer_never_holds_anything_back_for_more_than_a_day_in_eight(data: st.DataObject) -> None:
    """Whatever emergencies one person signs, over whatever, at whatever times: added up over any eight days."""
    numbers = iter(range(2, 100))
    chain = {1: released(1)}
    present, held, now, end = chain[1], [], NOW, NOW
    for _ in range(data.draw(st.integers(1, 6))):
        number = next(numbers)
        created = max(now, end) + data.draw(st.sampled_from([-24, -1, 0, 24, 144, 167, 168])) * HOUR
        one = released(
            number,
            basis=data.draw(st.sampled_from(sorted(chain))),
            created=created,
            lapses=created + data.draw(st.sampled_from([1, 12, 24])) * HOUR,
        )
        chain[number] = one
        now = max(now, created) + data.draw(st.sampled_from([0, 0, 1, 30])) * HOUR
        if quorum_of(one, present, chain.get, now=now) == 0:
            present, end = one, one.lapses
            held.append((now, one.lapses))
    hours = {
        (begin - NOW) // HOUR + hour for begin, end in held if end is not None for hour in range((end - begin) // HOUR)
    }
    for start in hours:
        assert sum(start <= hour < start + 8 * 24 for hour in hours) <= 24


def released(number: int, **fields: Any) -> Any:
    """A release as a chain has it; one person signed it unless nothing says that it lapses."""
    given_fields = {"basis": 0, "created": NOW, "lapses": None, "expires": NOW + timedelta(days=90)} | fields
    return Minimal(number=number, confirmed=given_fields["lapses"] is None, **given_fields)


class Minimal:
    """Number, basis and times of a release, which is all that the rules about emergencies look at."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)
        self.signers = ("avery",) if self.__dict__["lapses"] else ("avery", "blake")
        self.quorum = 100

    def lapsed(self, at: datetime) -> bool:
        return not self.confirmed and self.lapses is not None and self.lapses <= at  # type: ignore[attr-defined]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_whatever_comes_into_force_contains_what_was_or_is_newer_and_signed_by_two(data: st.DataObject) -> None:
    """Over random chains: an unconfirmed emergency that may come holds back all that is held back now."""
    chain: dict[int, Any] = {}
    for number in range(1, data.draw(st.integers(2, 8))):
        alone = number > 1 and data.draw(st.booleans())
        made = NOW + data.draw(st.integers(0, 40)) * HOUR
        more = {"basis": data.draw(st.integers(1, number - 1)), "lapses": made + 24 * HOUR} if alone else {}
        chain[number] = released(number, created=made, **more)
    now = NOW + data.draw(st.integers(0, 80)) * HOUR
    number = data.draw(st.sampled_from(sorted(chain)))
    before = chain[number]
    standing = effective(before, chain, now)
    for one in chain.values():
        if one.number <= number or one.confirmed:
            continue
        with contextlib.suppress(TrustError):
            check_alone(one, before, chain.get, now=now)
            # All that it holds back: by itself, and by each emergency that it adds to, down to what two signed.
            added = lineage(effective(one, chain, now), chain)
            assert standing.number in added or max(n for n in added if chain[n].confirmed) > standing.number
    for one, needed in coming(chain[max(chain)], (number, b""), chain.get, now=now):
        assert needed == 0 or one.confirmed
        check_alone(one, before, chain.get, now=now)


def effective(release: Any, chain: dict[int, Any], now: datetime) -> Any:
    while release.lapsed(now):
        release = chain[release.basis]
    return release


def lineage(release: Any, chain: dict[int, Any]) -> set[int]:
    found = {release.number}
    while not release.confirmed:
        release = chain[release.basis]
        found.add(release.number)
    return found


# --- a confirmation that somebody keeps back


def test_a_gateway_from_which_a_confirmation_is_kept_does_not_count_as_fresh(store: TrustStore) -> None:
    added = emergency(narrow())
    store.offer(added.sealed, now=NOW)
    beat(store, added, confirmed=False)
    heard = store.force.heard
    later = NOW + HOUR
    assert refused(lambda: beat(store, added, at=later, confirmed=True)) == "beat-unstaged"
    assert store.force.heard == heard
    raw = store.activation.pending
    assert raw is not None
    store.offer(confirmed(added), now=later)
    assert store.activate(raw, now=later) is not None
    assert store.force.heard == later


def test_a_copy_without_the_second_signature_replaces_no_confirmed_one(store: TrustStore) -> None:
    """Two processes have one folder; the slower one writes what it has."""
    added = emergency(narrow())
    slow = TrustStore(store._chains._folder, root().fingerprint)
    store.offer(added.sealed, now=NOW)
    store.offer(confirmed(added), now=NOW)
    slow.offer(added.sealed, now=NOW)
    after = TrustStore(store._chains._folder, root().fingerprint)
    assert after.staged_rules is not None
    assert after.staged_rules.release.confirmed


def test_an_emergency_is_told_from_its_confirmed_copy_by_nobody_but_officers() -> None:
    added = emergency(narrow())
    both = read_release(endorse(added.document, "rules", BLAKE.signing), root())
    assert (both.hash, both.number, both.lapses) == (added.release.hash, added.release.number, added.release.lapses)
    assert (added.release.confirmed, both.confirmed) == (False, True)
    assert both.preview == PREVIEW
