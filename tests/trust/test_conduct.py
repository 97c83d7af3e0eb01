"""The hub's rule for what comes into force, over anything that gateways, officers and liars may say."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.trust import Release, Report
from broker.trust.beat import Named
from broker.trust.conduct import Pair, advance, agreed_in_force, counting, in_force_elsewhere
from broker.trust.directory import read_directory
from broker.trust.force import ForceType
from broker.trust.release import NO_HASH
from tests.trust.exchange import NOW, directory, entries, entry

GATEWAYS = ("a", "b", "c", "d")
HIGHEST = 6


def digest(number: int) -> bytes:
    return number.to_bytes(32, "big")


def named(number: int) -> Named:
    return number, digest(number)


def release(release_type: ForceType, number: int, **fields: Any) -> Release:
    given_fields: dict[str, Any] = {
        "previous": NO_HASH, "created": NOW, "expires": NOW + timedelta(days=90), "content": None,
        "hash": digest(number), "signers": ("avery", "blake"), "preview": NO_HASH, "quorum": 100, "basis": 0,
        "lapses": None, "failing": frozenset(), "confirmed": True,
    }  # fmt: skip
    return Release(type=release_type, number=number, **{**given_fields, **fields})


def probe(rules: Named, of_directory: Named) -> bytes:
    return bytes([rules[0]]) * 16 + bytes([of_directory[0]]) * 16


def expected(rules: Named, of_directory: Named) -> bytes | None:
    return probe(rules, of_directory)


def report(gateway: str, ready_rules: int, ready_directory: int, **fields: Any) -> Report:
    pair = named(ready_rules) if ready_rules else None, named(ready_directory) if ready_directory else None
    known = {
        "agency": gateway, "at": NOW, "rules": None, "directory": None, "since": None, "trouble": "",
        "ready_rules": pair[0], "ready_directory": pair[1],
        "probe": probe(pair[0], pair[1]) if pair[0] and pair[1] else b"",
    }  # fmt: skip
    return Report(gateway=gateway, **{**known, **fields})  # type: ignore[arg-type]


def reports(*said: Report) -> dict[str, Report]:
    return {one.gateway: one for one in said}


def go(
    present: Pair, coming: Mapping[ForceType, Any], said: Mapping[str, Report], gateways: Any = GATEWAYS
) -> dict[str, int]:
    pair = advance(present, coming, said, gateways=gateways, expected=expected)
    return {name: number for name, (number, _) in pair.items()}


AT_1: Pair = {"rules": named(1), "directory": named(1)}
NEXT: Mapping[ForceType, Any] = {"rules": [(release("rules", 2), 100)], "directory": []}


def test_when_all_are_ready_it_comes_into_force() -> None:
    assert go(AT_1, NEXT, reports(*(report(name, 2, 1) for name in GATEWAYS))) == {"rules": 2, "directory": 1}


@pytest.mark.parametrize(
    "last",
    [
        pytest.param(None, id="silent"),
        pytest.param(report("d", 1, 1), id="not ready"),
        pytest.param(report("d", 2, 1, probe=bytes(32)), id="decides otherwise"),
        pytest.param(replace(report("d", 2, 1), ready_rules=(2, bytes(32))), id="ready for another 2"),
        pytest.param(report("d", 2, 0), id="without a directory"),
        pytest.param(report("d", 3, 1), id="ready for what nobody released"),
        pytest.param(report("x", 2, 1), id="another one in its place"),
    ],
)
def test_one_gateway_of_four_that_is_not_ready_holds_it_back(last: Report | None) -> None:
    said = reports(*(report(name, 2, 1) for name in GATEWAYS[:3]), *([last] if last else []))
    assert go(AT_1, NEXT, said) == {"rules": 1, "directory": 1}


@pytest.mark.parametrize(("quorum", "ready", "comes"), [(75, 3, True), (76, 3, False), (1, 1, True), (1, 0, False)])
def test_a_stated_quorum_is_enough(quorum: int, ready: int, comes: bool) -> None:
    said = reports(*(report(name, 2, 1) for name in GATEWAYS[:ready]))
    coming: Mapping[ForceType, Any] = {"rules": [(release("rules", 2), quorum)], "directory": []}
    assert go(AT_1, coming, said)["rules"] == (2 if comes else 1)


def test_an_emergency_waits_for_nobody() -> None:
    coming: Mapping[ForceType, Any] = {"rules": [(release("rules", 2, confirmed=False), 0)], "directory": []}
    assert go(AT_1, coming, {}) == {"rules": 2, "directory": 1}


def test_an_emergency_overtakes_what_waits() -> None:
    coming: Mapping[ForceType, Any] = {"rules": [(release("rules", 3), 100), (release("rules", 2), 0)], "directory": []}
    assert go(AT_1, coming, {})["rules"] == 2
    assert go(AT_1, coming, reports(*(report(name, 3, 1) for name in GATEWAYS)))["rules"] == 3


def test_rules_that_nobody_can_be_ready_for_never_hold_back_a_suspension() -> None:
    coming: Mapping[ForceType, Any] = {
        "rules": [(release("rules", 2), 100)],
        "directory": [(release("directory", 2), 100)],
    }
    assert go(AT_1, coming, reports(*(report(name, 1, 2) for name in GATEWAYS))) == {"rules": 1, "directory": 2}
    assert go(AT_1, coming, reports(*(report(name, 2, 1) for name in GATEWAYS))) == {"rules": 2, "directory": 1}


def test_nothing_is_beaten_before_there_are_both() -> None:
    coming: Mapping[ForceType, Any] = {"rules": [(release("rules", 1), 100)], "directory": []}
    assert go({}, coming, reports(*(report(name, 1, 1) for name in GATEWAYS))) == {}


def test_of_no_gateways_none_is_enough() -> None:
    assert go(AT_1, NEXT, {}, gateways=()) == {"rules": 1, "directory": 1}


numbers = st.integers(0, HIGHEST)


@st.composite
def said_by(draw: st.DrawFn, gateway: str) -> Report:
    one = report(gateway, draw(numbers), draw(numbers))
    return report(gateway, 0, 0, probe=b"") if draw(st.booleans()) else one


@settings(max_examples=400)
@given(st.data())
def test_never_unready_never_backwards_never_half(data: st.DataObject) -> None:
    """Whatever is in force, staged and said."""
    present = {} if data.draw(st.booleans()) else {"rules": named(data.draw(numbers) + 1), "directory": named(1)}
    said = {name: data.draw(said_by(name)) for name in (*GATEWAYS, "stranger") if data.draw(st.booleans())}
    coming: dict[ForceType, list[tuple[Release, int]]] = {"rules": [], "directory": []}
    for name, releases in coming.items():
        for number in sorted(data.draw(st.sets(st.integers(1, HIGHEST))), reverse=True):
            releases.append((release(name, number), data.draw(st.sampled_from([0, 1, 50, 75, 100]))))
    pair = advance(present, coming, said, gateways=GATEWAYS, expected=expected)  # type: ignore[arg-type]

    assert set(pair) in (set(), {"rules", "directory"})
    for name, releases in coming.items():
        before, after = present.get(name), pair.get(name)
        if after == before:
            continue
        assert after is not None
        assert before is None or after[0] > before[0]
        quorum = next(needed for one, needed in releases if (one.number, one.hash) == after)
        ready = [
            gateway for gateway in GATEWAYS
            if gateway in said
            and (said[gateway].ready_rules if name == "rules" else said[gateway].ready_directory) == after
            and said[gateway].ready_rules is not None
            and said[gateway].ready_directory is not None
        ]  # fmt: skip
        assert quorum == 0 or (ready and 100 * len(ready) >= quorum * len(GATEWAYS))


@given(st.lists(st.integers(2, HIGHEST), min_size=1), numbers)
def test_an_emergency_is_never_kept_waiting(emergencies: list[int], ready: int) -> None:
    """Whatever else waits, and whoever is ready for what, the newest one is in force at once."""
    waiting = {number: 0 if number in emergencies else 100 for number in range(2, HIGHEST + 1)}
    coming: Mapping[ForceType, Any] = {
        "rules": [(release("rules", number), quorum) for number, quorum in sorted(waiting.items(), reverse=True)],
        "directory": [(release("directory", 2), 100)],
    }
    said = reports(*(report(name, ready, 1) for name in GATEWAYS))
    assert go(AT_1, coming, said) == {"rules": max(*emergencies, ready, 1), "directory": 1}


def test_a_gateway_is_not_asked_whether_it_is_ready_to_be_revoked() -> None:
    listed = read_directory(directory().release)
    revoking = read_directory(
        directory(listed, listed=entries(il_state_police=entry("il-state-police", revoked=True))).release
    )
    assert counting(listed, None) == {"state", "shared"}
    assert counting(revoking, listed) == {"shared"}
    # One of two agencies at a gateway: the other one still speaks for it.
    half = read_directory(directory(listed, listed=entries(il_fusion=entry("il-fusion", revoked=True))).release)
    assert counting(half, listed) == {"state", "shared"}


# --- what a gateway, or a hub, that lost its state may believe of others


def has(gateway: str, number: int, hashed: bytes | None = None) -> Report:
    return report(gateway, 0, 0, rules=(number, hashed or digest(number)) if number else None)


def elsewhere(*said: Report, own: str = "a", held: int = 5) -> int:
    return in_force_elsewhere(
        "rules", reports(*said), own=own, holds=lambda _, at: at[0] <= held and at[1] == digest(at[0])
    )


def test_what_two_others_have_in_force_is_the_least() -> None:
    assert elsewhere(has("b", 5), has("c", 5), has("d", 4)) == 5
    assert elsewhere(has("b", 5), has("c", 4), has("d", 4)) == 4
    assert elsewhere(has("b", 5)) == 5
    assert elsewhere() == 0
    assert elsewhere(has("b", 0), has("c", 0)) == 0


def test_ones_own_last_word_counts_alone() -> None:
    assert elsewhere(has("a", 5), has("b", 3), has("c", 3)) == 5
    assert elsewhere(has("a", 7), has("b", 3)) == 7


@pytest.mark.parametrize("lie", [6, 10**18])
def test_one_member_that_invents_a_number_keeps_nobody_from_starting(lie: int) -> None:
    assert elsewhere(has("b", lie), has("c", 5), has("d", 5)) == 5
    assert elsewhere(has("b", lie)) == 0
    assert elsewhere(has("b", 5, bytes(32)), has("c", 4), has("d", 4)) == 4


def test_two_members_that_invent_a_number_keep_nobody_from_starting_among_five() -> None:
    honest = [has(name, 5) for name in "cde"]
    assert elsewhere(has("b", 9), has("x", 9), *honest) == 5


def test_what_most_have_in_force_counts_before_it_has_arrived() -> None:
    assert elsewhere(has("b", 6), has("c", 6), has("d", 5)) == 6


@given(st.lists(st.integers(0, 10**6), max_size=9), st.integers(1, 5))
def test_more_than_half_that_tell_the_truth_are_never_outdone(lies: list[int], true: int) -> None:
    honest = [has(f"honest-{number}", true) for number in range(len(lies) + 2)]
    liars = [has(f"liar-{number}", lie) for number, lie in enumerate(lies)]
    found = agreed_in_force("rules", reports(*honest, *liars))
    assert found == true
    assert elsewhere(*honest, *liars, own="", held=true) == true
