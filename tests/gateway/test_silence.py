"""A gateway that hears nothing: what it still sends, what ends its silence, and what others take of a late one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from broker.gateway import standing
from broker.gateway.core import Node
from broker.trust import Pulse
from broker.trust.beat import BEAT_VALID
from broker.trust.pulse import CUT_OFF_AFTER
from tests.attacks.ground import CHICAGO, CITY, alarms, refused
from tests.gateway.documents import alert, portion, threat
from tests.gateway.exchange import Exchange, clock, eventually, exchange

FUSION = "north-il-fusion"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with exchange(tmp_path, CHICAGO, CITY, FUSION) as started:
        yield started


def question(text: str = "who knows this car") -> dict[str, Any]:
    """A request that a share rule, and no `always` rule, lets go out."""
    asked = threat(
        text,
        kind="request",
        product="RFI",
        precedence="PRIORITY",
        category="violent crime",
        purpose="criminal investigation",
        area={"counties": ["17031"]},
        portions=[portion(text, caveats=["LES"])],
    )
    return {name: value for name, value in asked.items() if name != "protectee"}


def in_force(node: Node) -> int:
    return node.trust.rules.number if node.trust.rules else 0


async def everywhere(running: Exchange, number: int, *gateways: str) -> None:
    for gateway in gateways or (CHICAGO, CITY, FUSION):
        await eventually(lambda gateway=gateway: in_force(running.nodes[gateway]) == number)


class Steady:
    """The clock that only goes forward, moved by hand."""

    def __init__(self, node: Node) -> None:
        self.seconds = 0.0
        self._node = node
        node.standing.pulse = Pulse(lambda: self.seconds, age=timedelta(0))

    def go(self, by: timedelta) -> None:
        self.seconds += by.total_seconds()
        standing.watch(self._node)


async def test_silence_alarms_at_two_minutes_and_at_fifteen_and_ends_with_a_beat(running: Exchange) -> None:
    node = running.nodes[CHICAGO]
    steady = Steady(node)
    steady.go(BEAT_VALID - timedelta(seconds=1))
    assert alarms(node, "no-beat") == 0
    steady.go(timedelta(seconds=1))
    steady.go(timedelta(seconds=1))
    assert (alarms(node, "no-beat"), alarms(node, "cut-off")) == (1, 0)
    assert (await running.desks[CHICAGO].publish(question()))[0] == 202
    steady.go(CUT_OFF_AFTER)
    steady.go(timedelta(seconds=1))
    assert (alarms(node, "no-beat"), alarms(node, "cut-off")) == (1, 1)

    status, problem = await running.desks[CHICAGO].publish(question())
    assert (status, problem["code"]) == (503, "cut-off")
    # What an always rule grants goes out, AMBER or not; and what is open goes by any rule.
    assert CITY in {item["agency"] for item in (await running.desks[CHICAGO].accepted(threat()))["audience"]}
    green = alert(agency=CHICAGO, area={"counties": ["17031"]})
    assert (await running.desks[CHICAGO].publish(green))[0] == 202

    await running.put_in_force()
    await eventually(lambda: node.standing.pulse.hearing == "fresh")
    assert (await running.desks[CHICAGO].publish(question()))[0] == 202
    standing.watch(node)
    assert node.standing.alarmed == "fresh"


async def test_a_wall_clock_that_jumps_makes_no_silent_gateway_fresh(running: Exchange) -> None:
    node = running.nodes[CHICAGO]
    Steady(node).go(CUT_OFF_AFTER)
    for minutes in (-600, -14, 0, 14, 600):
        node.now = lambda minutes=minutes: clock() + timedelta(minutes=minutes)
        standing.watch(node)
        assert node.standing.cut_off
    node.now = clock


async def test_a_restart_with_the_clock_put_back_ends_no_silence(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    Steady(running.nodes[CHICAGO]).go(CUT_OFF_AFTER)
    await running.stop_gateway(CHICAGO)
    node = await running.start_gateway(CHICAGO, relay=["nats://127.0.0.1:1"])
    assert node.trust.force.heard is not None
    assert clock() - node.trust.force.heard < BEAT_VALID  # by its wall clock it has just heard something
    assert node.standing.cut_off
    assert (await running.desks[CHICAGO].publish(question()))[0] == 503


async def test_receivers_take_from_a_late_sender_what_goes_out_even_then_and_refuse_the_rest(running: Exchange) -> None:
    """The sender goes on by rules 1; the others have had rules 2 for half an hour."""
    chicago = running.nodes[CHICAGO]
    hold = chicago.trust.offer
    chicago.trust.offer = lambda *_, **__: None  # type: ignore[method-assign]
    await running.release_rules(running.rules_text)
    await everywhere(running, 2, CITY, FUSION)
    for name in (CITY, FUSION):
        activation = running.nodes[name].trust.activation
        earlier = clock() - timedelta(minutes=30)
        since = {**activation.force.since, "rules": {1: earlier - timedelta(hours=1), 2: earlier}}
        activation.force = replace(activation.force, since=MappingProxyType(since))

    always = await running.desks[CHICAGO].accepted(threat("the mayor's house"))
    await running.desks[CITY].received(always["id"])
    green = await running.desks[CHICAGO].accepted(alert(agency=CHICAGO, area={"counties": ["17031"]}))
    await running.desks[FUSION].received(green["id"])
    asked = await running.desks[CHICAGO].accepted(question())
    assert asked["rules"]["number"] == 1
    assert FUSION in {item["agency"] for item in asked["audience"]}
    assert await refused(running, CHICAGO, FUSION, asked["id"]) == "recheck-refused"
    chicago.trust.offer = hold  # type: ignore[method-assign]


async def test_what_was_decided_shortly_before_a_release_arrives_all_the_same(running: Exchange) -> None:
    """A sender that has not heard of it yet is not a late one for twenty minutes."""
    chicago = running.nodes[CHICAGO]
    chicago.trust.offer = lambda *_, **__: None  # type: ignore[method-assign]
    await running.release_rules(running.rules_text)
    await everywhere(running, 2, CITY, FUSION)
    asked = await running.desks[CHICAGO].accepted(question())
    assert asked["rules"]["number"] == 1
    await running.desks[FUSION].received(asked["id"])
