"""A release on its way through real gateways under the real conductor; and gateways that lost their state."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from broker.gateway import standing
from broker.gateway.core import Node
from broker.trust import make_beat, next_sequence
from tests.attacks.ground import CHICAGO, CITY, alarms, recorded, refusals
from tests.gateway.documents import threat
from tests.gateway.exchange import Exchange, clock, eventually, exchange
from tests.trust.emergencies import NARCOTICS, with_rule

FUSION = "north-il-fusion"
STATE = "il-state-police"
#: What these three of the eight gateways that are listed make together, in a hundred.
THREE, MORE = 37, 38
WRONG_CASE = """
- test: a case that cannot hold
  bulletin: {product: BOLO}
  reaches exactly: [chicago-pd]
"""


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with exchange(tmp_path, CHICAGO, CITY, FUSION) as started:
        yield started


def in_force(node: Node) -> int:
    return node.trust.rules.number if node.trust.rules else 0


async def everywhere(running: Exchange, number: int, *gateways: str) -> None:
    for gateway in gateways or (CHICAGO, CITY, FUSION):
        await eventually(lambda gateway=gateway: in_force(running.nodes[gateway]) == number)


async def hubs_view(running: Exchange, number: int) -> None:
    """Returns when the reports of all three, at the relay, say that they are ready for these rules."""

    async def ready() -> bool:
        known = await standing.reports(running.nodes[CITY])
        return [(known[name].ready_rules or (0,))[0] for name in (CHICAGO, CITY, FUSION) if name in known] == [
            number
        ] * 3

    await eventually(ready)


# --- staged, ready, in force


async def test_a_release_is_staged_then_ready_then_in_force_everywhere(running: Exchange) -> None:
    async with running.conducted() as conductor:
        await running.release_rules(running.rules_text, quorum=THREE)
        await everywhere(running, 2)

        sent = await running.desks[CHICAGO].accepted(threat())
        assert sent["rules"]["number"] == 2
        assert (await running.desks[CITY].received(sent["id"]))["from"] == CHICAGO
        assert conductor.present["rules"][0] == 2
        known = await standing.reports(running.nodes[CITY])
        assert {known[name].trouble for name in (CHICAGO, CITY, FUSION)} == {""}


async def test_a_release_that_is_not_ready_at_enough_gateways_waits_for_them(running: Exchange) -> None:
    async with running.conducted() as conductor:
        await running.release_rules(running.rules_text, quorum=MORE)
        await hubs_view(running, 2)
        await eventually(lambda: len(conductor.reports) == 3)
        assert await conductor.turn(running.authority)  # it says itself that something waits
        assert [in_force(running.nodes[name]) for name in (CHICAGO, CITY, FUSION)] == [1, 1, 1]
        assert (await running.desks[CHICAGO].accepted(threat()))["rules"]["number"] == 1

        await running.start_gateway(STATE)
        await everywhere(running, 2, CHICAGO, CITY, FUSION, STATE)


async def test_gateways_whose_cases_fail_are_not_ready_and_an_emergency_passes_what_waits(running: Exchange) -> None:
    async with running.conducted():
        await running.release_rules(running.rules_text + WRONG_CASE, quorum=1)
        node = running.nodes[CITY]
        await eventually(lambda: node.standing.readiness.trouble == "cases-failed")
        assert node.standing.readiness.failing == ("a case that cannot hold",)
        assert node.standing.readiness.rules == node.trust.force.rules

        now = clock()
        before = running.authority.rules_at(1)
        assert before is not None
        text = with_rule(running.rules_text, NARCOTICS.format(id="E9", tlp="AMBER"))
        await running.release_rules(text, alone=0, basis=1, lapses=now + timedelta(hours=20), expires=before.expires)
        await everywhere(running, 3)


async def test_a_gateway_that_was_away_takes_everything_in_order(running: Exchange) -> None:
    async with running.conducted():
        await running.stop_gateway(CITY)
        for number in (2, 3, 4):
            await running.release_rules(running.rules_text, quorum=25)
            await everywhere(running, number, CHICAGO, FUSION)
        node = await running.start_gateway(CITY)
        await everywhere(running, 4, CITY)
        assert [node.trust.release("rules", number) for number in (1, 2, 3, 4)] == [
            running.authority.release("rules", number) for number in (1, 2, 3, 4)
        ]
        assert recorded(node, "beat refused", code="beat-rollback") == []


# --- a gateway that lost its state


async def stolen(running: Exchange, rules: int, *, sequence: int = 0) -> bytes:
    """What a thief of the beat key sends: an old release, and a number as new as can be."""
    known, directory = running.authority.rules_at(rules), running.authority.directory_at(1)
    assert known is not None
    assert directory is not None
    running.sequence = sequence or next_sequence(running.sequence, clock())
    raw = make_beat(
        running.beating,
        root=running.root.root.fingerprint,
        sequence=running.sequence,
        issued=clock(),
        rules=(known.number, known.hash),
        directory=(directory.number, directory.hash),
    )
    await running.hub.beat(raw)
    return raw


@pytest.mark.parametrize("lost", ["everything", "what is in force"])
async def test_a_gateway_that_lost_its_state_takes_nothing_older_than_others_have(running: Exchange, lost: str) -> None:
    await running.release_rules(running.rules_text)
    await everywhere(running, 2)

    async def said() -> bool:
        known = await standing.reports(running.nodes[FUSION])
        return all(known[name].rules == running.nodes[FUSION].trust.force.rules for name in (CHICAGO, CITY, FUSION))

    await eventually(said)
    await running.stop_gateway(CITY)
    folder = running.folder / "data" / CITY / "releases"
    if lost == "everything":
        shutil.rmtree(folder)
    else:
        (folder / "force.json").unlink()
    await stolen(running, 1)
    node = await running.start_gateway(CITY)

    await eventually(lambda: recorded(node, "beat refused", code="beat-rollback"))
    assert in_force(node) == 0
    assert alarms(node, "beat-rollback")
    assert (await running.desks[CITY].publish(threat(agency=CITY)))[0] == 503
    await running.put_in_force()
    await everywhere(running, 2, CITY)


async def test_a_disk_from_yesterday_takes_nothing_older_than_the_gateway_itself_said(running: Exchange) -> None:
    await running.stop_gateway(FUSION)
    await running.stop_gateway(CHICAGO)
    folder = running.folder / "data" / CITY / "releases"
    shutil.copytree(folder, running.folder / "yesterday")
    await running.release_rules(running.rules_text)
    await everywhere(running, 2, CITY)

    async def said() -> bool:
        own = (await standing.reports(running.nodes[CITY]))[CITY]
        return own.rules is not None and own.rules[0] == 2

    await eventually(said)
    await running.stop_gateway(CITY)
    shutil.rmtree(folder)
    shutil.copytree(running.folder / "yesterday", folder)
    await stolen(running, 1)
    node = await running.start_gateway(CITY)
    await eventually(lambda: recorded(node, "beat refused", code="beat-rollback"))
    await running.put_in_force()
    await everywhere(running, 2, CITY)


# --- what is refused is recorded


async def test_each_refusal_of_a_beat_is_recorded_under_its_code_once_a_minute(running: Exchange) -> None:
    await running.release_rules(running.rules_text)
    await everywhere(running, 2)
    node = running.nodes[CITY]
    forces = (node.trust.force, node.trust.rules, node.trust.directory)
    old, replayed = await stolen(running, 1), await stolen(running, 2, sequence=5)
    attacks = {"beat-rollback": old, "beat-replayed": replayed, "other-exchange": b"noise"}
    for code, raw in attacks.items():
        before = refusals(node, "beat", code)
        for _ in range(3):
            await standing.beat(node, raw)
        assert refusals(node, "beat", code) >= before + 3
        assert len(recorded(node, "beat refused", code=code)) == 1
    assert (node.trust.force, node.trust.rules, node.trust.directory) == forces
    assert alarms(node, "beat-rollback") >= 3
    # Later, the whole number of them.
    node.now = lambda: clock() + timedelta(minutes=2)
    await standing.beat(node, b"noise")
    assert sum(entry["count"] for entry in recorded(node, "beat refused", code="other-exchange")) == 4


async def test_a_beat_for_what_was_never_released_and_a_release_that_is_none_are_recorded(running: Exchange) -> None:
    node, directory = running.nodes[CITY], running.authority.staged_directory
    assert directory is not None
    raw = make_beat(
        running.beating,
        root=running.root.root.fingerprint,
        sequence=next_sequence(running.sequence, clock()) + 1000,
        issued=clock(),
        rules=(7, bytes(32)),
        directory=(1, directory.hash),
    )
    await standing.beat(node, raw)
    assert recorded(node, "beat refused", code="beat-unstaged")
    await running.hub.publish_release("rules", 2, b"not a release")
    await eventually(lambda: recorded(node, "release refused", code="other-exchange"))
    assert in_force(node) == 1
