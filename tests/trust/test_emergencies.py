"""What one officer may do alone: narrow what is in force, at once. Every way to do more, by name."""

import pathlib
from datetime import timedelta
from typing import Any

import pytest

from broker.trust import TrustStore
from broker.trust.release import EMERGENCY_VALID
from tests.trust.emergencies import (
    HOUR,
    WIDE,
    beat,
    confirmed,
    emergency,
    head,
    in_force,
    listed,
    narrow,
    never,
    offered,
    opened,
    quorum,
    refused,
    wide,
    with_rule,
)
from tests.trust.exchange import AVERY, AVERY_AGAIN, BLAKE, CASEY, NOW, RULES, founded, root, rules


@pytest.fixture
def store(tmp_path: pathlib.Path) -> TrustStore:
    return opened(tmp_path / "releases")


# --- what an emergency is for


def test_one_officer_narrows_at_once_and_it_lapses_after_a_day(store: TrustStore) -> None:
    added = emergency(narrow())
    store.offer(added.sealed, now=NOW)
    assert quorum(store) == [(3, 0)]
    beat(store, added)

    assert "E2" in {rule.id for rule in in_force(store, NOW + 23 * HOUR).ruleset.rules}
    assert in_force(store, NOW + 24 * HOUR).number == 2


def test_a_second_officer_of_another_agency_makes_it_last(store: TrustStore) -> None:
    added = emergency(narrow())
    store.offer(added.sealed, now=NOW)
    beat(store, added)
    accepted = store.offer(confirmed(added), now=NOW + HOUR)

    assert accepted is not None
    assert accepted.confirmed
    assert in_force(store, NOW + timedelta(days=30)).number == 3
    again = TrustStore(store._chains._folder, root().fingerprint)
    assert again.rules is not None
    assert again.rules.release.confirmed
    # The copy without the second signature comes again, as it lies in the stream.
    assert store.offer(added.sealed, now=NOW + HOUR) is None
    assert in_force(store, NOW + timedelta(days=30)).number == 3


@pytest.mark.parametrize(
    ("author", "by"),
    [
        pytest.param(AVERY, AVERY_AGAIN, id="the same person with another key"),
        pytest.param(BLAKE, CASEY, id="a colleague of the same agency"),
    ],
)
def test_confirmed_by_nobody_else(author: Any, by: Any, store: TrustStore) -> None:
    added = emergency(narrow(), officers=[author])
    store.offer(added.sealed, now=NOW)
    beat(store, added)
    assert store.offer(confirmed(added, by), now=NOW) is None
    assert in_force(store, NOW + 24 * HOUR).number == 2


# --- more than a narrowing


def test_old_wide_rules_do_not_come_back_as_the_basis_of_an_emergency(store: TrustStore) -> None:
    """They are rules that two officers signed, and one never rule more: narrower than *them*, wider than what is."""
    trick = emergency(narrow(), basis=wide())
    store.offer(trick.sealed, now=NOW)
    assert quorum(store) == []
    assert refused(lambda: beat(store, trick)) == "emergency-not-narrow"
    assert in_force(store).number == 2


def test_old_wide_rules_do_not_come_back_when_the_emergency_over_them_lapses(store: TrustStore) -> None:
    trick = emergency(narrow(), basis=wide(), hours=1)
    store.offer(trick.sealed, now=NOW)
    assert refused(lambda: beat(store, trick, at=NOW + HOUR)) == "emergency-not-narrow"
    assert quorum(store, at=NOW + 2 * HOUR) == []


def test_old_wide_rules_do_not_come_back_in_two_steps(store: TrustStore) -> None:
    """The second emergency adds to the first one, which is the newest release but was never in force."""
    trick = emergency(narrow(), basis=wide())
    second = emergency(trick, officers=[CASEY])
    for minted in (trick, second):
        store.offer(minted.sealed, now=NOW)
    assert quorum(store) == []
    assert refused(lambda: beat(store, second)) == "emergency-not-narrow"


def test_two_officers_may_go_back_and_add_a_never_rule(store: TrustStore) -> None:
    back = emergency(narrow(), basis=wide(), officers=[AVERY, BLAKE])
    store.offer(back.sealed, now=NOW)
    # But they wait for gateways like everybody who replaces what is in force by something else.
    assert quorum(store) == [(3, 100)]
    beat(store, back)
    assert in_force(store).number == 3


def test_a_second_emergency_does_not_drop_what_the_first_one_holds_back(store: TrustStore) -> None:
    suspending = emergency(narrow(), officers=[BLAKE])
    store.offer(suspending.sealed, now=NOW)
    beat(store, suspending)
    # Another officer, or the same one in the same minute, adds to the rules of before.
    racing = emergency(suspending, basis=narrow(), text=never("E9", RULES, "RED"), officers=[AVERY])
    store.offer(racing.sealed, now=NOW)
    assert quorum(store) == []
    assert refused(lambda: beat(store, racing)) == "emergency-not-narrow"
    # When the first one has lapsed unconfirmed, its never rules count no more, and the second one narrows.
    beat(store, suspending, at=NOW + 23 * HOUR)
    late = NOW + 24 * HOUR
    assert in_force(store, late).number == 2


def test_an_emergency_over_another_one_keeps_both(store: TrustStore) -> None:
    first = emergency(narrow())
    second = emergency(first, officers=[BLAKE])
    for minted in (first, second):
        store.offer(minted.sealed, now=NOW)
        beat(store, minted)
    assert {"E2", "E3"} <= {rule.id for rule in in_force(store).ruleset.rules}


def test_an_emergency_over_a_release_that_waits_comes_after_it_and_not_with_it(store: TrustStore) -> None:
    """One officer alone must not put in force what gateways are not ready for."""
    waiting = rules(head(narrow()), text=with_rule(RULES, WIDE))
    added = emergency(waiting)
    for minted in (waiting, added):
        store.offer(minted.sealed, now=NOW)
    assert quorum(store) == [(3, 100)]
    beat(store, waiting)
    assert quorum(store) == [(4, 0)]


def test_an_emergency_that_was_overtaken_while_the_hub_was_away_comes_into_force_all_the_same(
    store: TrustStore,
) -> None:
    added = emergency(narrow())
    waiting = rules(head(added), text=added.release.content[2])  # type: ignore[index]
    for minted in (added, waiting):
        store.offer(minted.sealed, now=NOW)
    assert quorum(store) == [(4, 100), (3, 0)]


def test_rules_that_one_officer_sent_after_them_do_not_hold_back_what_waits(store: TrustStore) -> None:
    waiting = rules(head(narrow()))
    trick = emergency(waiting, basis=wide())
    for minted in (waiting, trick):
        store.offer(minted.sealed, now=NOW)
    assert quorum(store) == [(3, 100)]


def test_a_gateway_without_any_state_takes_no_old_rules_from_one_officer(tmp_path: pathlib.Path) -> None:
    wiped = TrustStore(tmp_path, root().fingerprint)
    trick = emergency(narrow(), basis=wide())
    for minted in (founded(), listed(), wide(), narrow(), trick):
        wiped.offer(minted.sealed, now=NOW)
    wiped.activation.seen_elsewhere("rules", 2)
    assert refused(lambda: beat(wiped, trick)) == "emergency-not-narrow"


def test_a_gateway_that_was_away_takes_an_emergency_over_rules_that_came_meanwhile(store: TrustStore) -> None:
    third = rules(head(narrow()))
    added = emergency(third)
    for minted in (third, added):
        store.offer(minted.sealed, now=NOW)
    beat(store, added)
    assert in_force(store).number == 4


# --- what is refused on arrival


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"text": with_rule(RULES, WIDE)}, "emergency-not-narrow", id="a share rule"),
        pytest.param({"text": RULES}, "emergency-not-narrow", id="nothing"),
        pytest.param({"text": never("E2", RULES.replace("TLP: at most AMBER}", "TLP: at most RED}", 1))},
                     "emergency-not-narrow", id="a line changed"),
        pytest.param({"floor": 1}, "emergency-not-narrow", id="a floor"),
        pytest.param({"expires": NOW + HOUR}, "emergency-not-narrow", id="an end for all sharing in an hour"),
        pytest.param({"expires": NOW + timedelta(days=3650)}, "emergency-not-narrow", id="ten years more"),
        pytest.param({"of": 0}, "not-a-release", id="no basis"),
        pytest.param({"of": 3}, "not-a-release", id="itself"),
        pytest.param({"lapses": NOW + EMERGENCY_VALID + timedelta(seconds=1)}, "not-a-release", id="a second too long"),
        pytest.param({"lapses": NOW}, "not-a-release", id="lapsing when it was made"),
        pytest.param({"lapses": None}, "too-few-persons", id="never lapsing"),
        pytest.param({"preview": bytes(32)}, "no-preview", id="unseen"),
    ],
)  # fmt: skip
def test_refused(changes: dict[str, Any], code: str, store: TrustStore) -> None:
    if code in {"too-few-persons", "not-a-release", "no-preview"}:
        assert refused(lambda: emergency(narrow(), **changes)) == code
        return
    assert offered(store, emergency(narrow(), **changes)) == code


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("when: anything\n  to: everyone", id="from everybody"),
        pytest.param("when: {category: threat to a public official}\n  to: everyone", id="threats"),
        pytest.param("when: {caveats: LES}\n  to: everyone", id="a set that anything may hold"),
    ],
)
def test_what_an_always_rule_delivers_is_held_back_by_no_single_officer(rule: str, store: TrustStore) -> None:
    text = with_rule(RULES, f"\n- rule: E2 a never rule\n  effect: never\n  {rule}\n  because: x\n")
    assert offered(store, emergency(narrow(), text=text)) == "emergency-blocks-always"


def test_a_refused_emergency_leaves_its_number_to_the_next(store: TrustStore) -> None:
    offered(store, emergency(narrow(), text=with_rule(RULES, WIDE)))
    assert store.offer(emergency(narrow()).sealed, now=NOW) is not None


def test_whether_it_is_kept_depends_on_nothing_a_relay_can_keep_back(tmp_path: pathlib.Path) -> None:
    """One gateway has the confirmation of the first, one has not, one is late by a day: they keep the same chain."""
    first = emergency(narrow())
    second = emergency(first, officers=[BLAKE], created=NOW + HOUR)
    heads = set()
    for name, late, with_confirmation in (("a", 2, True), ("b", 2, False), ("c", 48, False), ("d", 48, True)):
        one = TrustStore(tmp_path / name, root().fingerprint)
        for minted in (founded(), listed(), wide(), narrow(), first):
            one.offer(minted.sealed, now=NOW + late * HOUR)
        if with_confirmation:
            one.offer(confirmed(first), now=NOW + late * HOUR)
        one.offer(second.sealed, now=NOW + late * HOUR)
        assert one.staged_rules is not None
        heads.add(one.staged_rules.hash)
    assert len(heads) == 1
