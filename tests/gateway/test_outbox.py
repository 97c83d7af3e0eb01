"""Sending: FLASH waits for nothing slower, one bad row keeps back no other, what cannot be delivered is said aloud."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from broker.gateway import outbox, sessions
from broker.gateway.core import Node
from broker.gateway.status import report
from broker.relay.publisher import Outcome, Outgoing
from broker.seal import SealError
from broker.trust import Entry
from tests.gateway.documents import portion, threat
from tests.gateway.exchange import Exchange, eventually, exchange


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Exchange]:
    """Only the originator runs: its recipients are away, so nothing is ever receipted."""
    async with exchange(tmp_path, "chicago-pd") as started:
        yield started


def states(node: Node) -> dict[str, str]:
    rows = node.store.read("SELECT recipient, state FROM deliveries ORDER BY recipient")
    return {row["recipient"]: row["state"] for row in rows}


def every_state(node: Node) -> set[str]:
    return {row["state"] for row in node.store.read("SELECT state FROM deliveries")}


def alarms(node: Node) -> list[dict[str, Any]]:
    return [json.loads(row["detail"]) for row in node.store.read("SELECT detail FROM events WHERE event = 'alarm'")]


def counted(node: Node, code: str) -> float:
    return node.metrics.registry.get_sample_value("tearline_alarms_total", {"code": code}) or 0.0


class Slow:
    """The relay answers nothing that is published under these precedences until it is released."""

    def __init__(self, node: Node, *kinds: str) -> None:
        self.answered = asyncio.Event()
        self.waiting = asyncio.Event()
        self.calls: list[list[str]] = []
        self._kinds = kinds
        self._publish = node.link.publish
        node.link.publish = self.publish  # type: ignore[method-assign]

    async def publish(self, outgoing: Sequence[Outgoing]) -> list[Outcome]:
        self.calls.append([one.subject for one in outgoing])
        if any(one.subject.endswith(self._kinds) for one in outgoing):
            self.waiting.set()
            await self.answered.wait()
        return await self._publish(outgoing)


async def test_flash_leaves_while_the_relay_is_silent_about_what_is_slower(running: Exchange) -> None:
    node = await running.start_gateway("springfield-pd")
    await running.ready("springfield-pd")
    desk = running.desks["springfield-pd"]
    slow = Slow(node, "PRIORITY", "ROUTINE")
    slower = await desk.accepted(question())
    await eventually(slow.waiting.is_set)

    flash = await desk.accepted(threat(agency="springfield-pd"))

    await eventually(lambda: "queued" not in of_bulletin(node, flash["id"]))
    assert of_bulletin(node, slower["id"]) == {"queued"}
    slow.answered.set()


def question() -> dict[str, Any]:
    document = threat(
        kind="request",
        agency="springfield-pd",
        product="RFI",
        precedence="PRIORITY",
        category="violent crime",
        purpose="criminal investigation",
        portions=[portion("who owns the blue van", caveats=["LES"])],
    )
    return {name: value for name, value in document.items() if name != "protectee"}


def of_bulletin(node: Node, ident: str) -> set[str]:
    return {row["state"] for row in node.store.read("SELECT state FROM deliveries WHERE id = ?", (UUID(ident).bytes,))}


async def test_a_few_envelopes_do_not_wait_for_each_others_answers(running: Exchange) -> None:
    node = running.nodes["chicago-pd"]
    slow = Slow(node, "il-fusion.FLASH")
    await running.desks["chicago-pd"].accepted(threat())

    await eventually(lambda: sorted(states(node).values()) == ["queued", "relayed", "relayed", "relayed"])

    assert states(node)["il-fusion"] == "queued"
    assert {len(call) for call in slow.calls} == {1}
    slow.answered.set()


async def test_a_flash_waits_for_no_answer_about_the_one_before(running: Exchange) -> None:
    """A relay whose leader has died answers nothing for ten seconds."""
    node = running.nodes["chicago-pd"]
    slow = Slow(node, "FLASH")
    first = await running.desks["chicago-pd"].accepted(threat("one"))
    await slow.waiting.wait()

    second = await running.desks["chicago-pd"].accepted(threat("two"))

    wanted = len(first["audience"]) + len(second["audience"])
    await eventually(lambda: len(slow.calls) == wanted, within=5)
    assert every_state(node) == {"queued"}
    slow.answered.set()
    await eventually(lambda: every_state(node) == {"relayed"})
    assert len(slow.calls) == wanted, "nothing was taken up twice while it was under way"


async def test_only_so_much_is_under_way_without_an_answer(running: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MOST_UNDER_WAY", 4)
    node = running.nodes["chicago-pd"]
    slow = Slow(node, "FLASH")
    for text in ("one", "two", "three"):
        await running.desks["chicago-pd"].accepted(threat(text))
    await slow.waiting.wait()

    await eventually(lambda: len(slow.calls) >= 4)
    assert len(slow.calls) < 12
    slow.answered.set()

    await eventually(lambda: every_state(node) == {"relayed"})


async def test_one_notice_that_cannot_be_made_puts_off_its_recipient_alone(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, make = running.nodes["chicago-pd"], sessions.make_notice

    def broken(source: Any, recipient: str, kem: Any, **more: Any) -> bytes:
        if recipient == "il-fusion":
            raise SealError("classical-kem")
        return make(source, recipient, kem, **more)

    monkeypatch.setattr(sessions, "make_notice", broken)
    await running.desks["chicago-pd"].accepted(threat())

    await eventually(lambda: list(states(node).values()).count("relayed") == 3)
    assert states(node)["il-fusion"] == "queued"
    assert counted(node, "outbox-fault") > 0


async def test_a_bulletin_that_expired_undelivered_is_an_alarm_and_stays_in_view(running: Exchange) -> None:
    node = running.nodes["chicago-pd"]
    sent = await running.desks["chicago-pd"].accepted(threat())
    await eventually(lambda: set(states(node).values()) == {"relayed"})

    await node.store.write(lambda c: c.execute("UPDATE bulletins SET expires = 1"))
    await eventually(lambda: set(states(node).values()) == {"refused"})

    told = {alarm["recipient"]: alarm for alarm in alarms(node)}
    assert sorted(told) == sorted(item["agency"] for item in sent["audience"])
    assert told["il-fusion"]["code"] == "expired"
    assert told["il-fusion"]["contact"]["phone"] == "217-555-0199"
    assert counted(node, "delivery-given-up") == len(told)
    late = report(node, "chicago-pd")["late"]
    assert {(item["recipient"], item["state"], item["code"]) for item in late} == {
        (agency, "refused", "expired") for agency in told
    }


async def test_a_bulletin_decided_below_the_floor_is_to_be_decided_again(running: Exchange) -> None:
    node = running.nodes["chicago-pd"]
    sent = await running.desks["chicago-pd"].accepted(threat())
    await eventually(lambda: set(states(node).values()) == {"relayed"})

    await running.release_rules(running.rules_text, floor=2)

    await eventually(lambda: set(states(node).values()) == {"refused"})
    assert {alarm["alarm"] for alarm in alarms(node)} == {"decide-again"}
    assert {row["id"].hex() for row in node.store.read("SELECT id FROM events WHERE event = 'alarm'")} == {
        sent["id"].replace("-", "")
    }


async def test_no_floor_keeps_a_recall_back(running: Exchange) -> None:
    node, desk = running.nodes["chicago-pd"], running.desks["chicago-pd"]
    sent = await desk.accepted(threat())
    await eventually(lambda: set(states(node).values()) == {"relayed"})
    await desk.call("POST", f"/v1/bulletins/{sent['id']}/recall", {"reason": "wrong house"})
    await running.release_rules(running.rules_text, floor=2)
    await eventually(lambda: node.trust.rules is not None and node.trust.rules.floor == 2)

    await running.start_gateway("il-fusion")

    await eventually(
        lambda: node.store.read_one(
            "SELECT 1 FROM deliveries JOIN bulletins USING (agency, id) "
            "WHERE kind = 'recall' AND recipient = 'il-fusion' AND state = 'stored'"
        )
    )
    assert alarms(node) == []


async def test_a_recipient_revoked_meanwhile_is_an_alarm(running: Exchange) -> None:
    def revoked(entry: Entry) -> Entry:
        return replace(entry, public=replace(entry.public, kem=(), revoked=True))

    node = running.nodes["chicago-pd"]
    await running.desks["chicago-pd"].accepted(threat())
    await eventually(lambda: set(states(node).values()) == {"relayed"})

    await running.release_directory(il_fusion=revoked)

    await eventually(lambda: states(node)["il-fusion"] == "refused")
    (alarm,) = alarms(node)
    assert (alarm["alarm"], alarm["recipient"], alarm["code"]) == (
        "delivery-given-up",
        "il-fusion",
        "recipient-revoked",
    )


async def test_the_sources_kept_are_counted_once_however_often_they_are_kept(running: Exchange) -> None:
    sources = running.nodes["chicago-pd"].sources
    sent = await running.desks["chicago-pd"].accepted(threat())
    (key,) = list(sources._kept)
    source = sources._kept[key]

    for _ in range(3):
        sources.keep(*key, source)

    assert sources._recipients == len(sent["audience"])
