"""A hostile relay: it drops, replays, reorders, re-addresses, changes and withholds. Nothing is lost or doubled."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from nats.js.api import RawStreamMsg
from prometheus_client.samples import Sample

from broker.gateway.core import Node
from broker.relay.publisher import Outcome, Outgoing
from broker.relay.subjects import envelope_subject, receipt_subject
from broker.seal.errors import CODES
from tests.attacks.ground import (
    CHICAGO,
    CITY,
    FUSION,
    Relay,
    Twist,
    alarms,
    bend,
    only,
    recorded,
    refusals,
    refused_by_code,
    send_envelope,
    tap,
    times,
)
from tests.gateway.documents import later, threat
from tests.gateway.exchange import Exchange, eventually, exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Exchange]:
    folder = tmp_path_factory.mktemp("relay")
    async with exchange(folder, CHICAGO, CITY, FUSION, retry_seconds=[1.0]) as started:
        yield started


@pytest.fixture
def relay(running: Exchange) -> Relay:
    return Relay(running)


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _to_the_city_alone(running: Exchange, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    bend(monkeypatch, Twist(audience=only(CITY)))
    yield
    for gateway in (CHICAGO, CITY):
        if gateway not in running.stops:
            await running.start_gateway(gateway)


def for_nobody(node: Node) -> list[dict[str, Any]]:
    """Refused because nobody here can open it: made to a key, or under a session, that this gateway does not hold."""
    codes = ("notice-not-mine", "session-unknown")
    return [entry for code in codes for entry in recorded(node, "envelope refused", code=code)]


async def _stored(running: Exchange, relay: Relay, text: str, **changes: Any) -> tuple[str, RawStreamMsg]:
    """A bulletin that the relay holds and the city, whose gateway is down, has not drawn."""
    await running.stop_gateway(CITY)
    known = len(await relay.stored("HOT", CITY))
    sent = await running.desks[CHICAGO].accepted(threat(text, **changes))
    return str(sent["id"]), (await relay.waits("HOT", CITY, known + 1))[-1]


async def test_what_the_relay_drops_is_missed_shown_and_sent_again(running: Exchange, relay: Relay) -> None:
    ident, message = await _stored(running, relay, "to be dropped")

    await relay.delete("HOT", message)

    status, shown = await running.desks[CHICAGO].call("GET", "/v1/status")
    assert (status, shown["queue"]["waiting"]) == (200, 1)
    assert (await running.desks[CHICAGO].bulletin(ident))["who_has_not"]["stored"] == [CITY]
    await running.start_gateway(CITY)
    assert (await running.desks[CITY].received(ident))["portions"][0]["content"] == "to be dropped"
    await running.desks[CHICAGO].delivered(ident)
    assert (await running.desks[CHICAGO].call("GET", "/v1/status"))[1]["queue"]["waiting"] == 0


async def test_a_replayed_envelope_is_delivered_once_also_after_a_restart(running: Exchange, relay: Relay) -> None:
    ident, message = await _stored(running, relay, "once only")
    await running.start_gateway(CITY)
    await running.desks[CHICAGO].delivered(ident)
    node = running.nodes[CITY]
    before = refusals(node, "deliver", "replay")

    for _ in range(3):
        await relay.publish(str(message.subject), bytes(message.data or b""))
    await eventually(lambda: refusals(node, "deliver", "replay") >= before + 3)
    await running.stop_gateway(CITY)
    await relay.publish(str(message.subject), bytes(message.data or b""))
    node = await running.start_gateway(CITY)
    await eventually(lambda: refusals(node, "deliver", "replay") >= 1)

    assert await times(running, CITY, ident) == 1
    events = node.store.read("SELECT 1 FROM events WHERE event = 'bulletin' AND id = ?", (UUID(ident).bytes,))
    assert len(events) == 1


async def test_replayed_receipts_climb_nothing_twice(
    running: Exchange, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipts = tap(monkeypatch, running.nodes[CITY])
    sent = await running.desks[CHICAGO].accepted(threat("acknowledge me"))
    await running.desks[CHICAGO].delivered(sent["id"])
    receipt = {"rung": "acknowledged", "person": "Sgt. B. Example"}
    answer = await running.desks[CITY].call("POST", f"/v1/bulletins/{sent['id']}/receipts", receipt)
    assert answer[0] == 202, answer
    await running.desks[CHICAGO].delivered(sent["id"], "acknowledged")

    for _ in range(2):
        await relay.publish(receipts[-1].subject, receipts[-1].payload)
    await relay.empty(CHICAGO, "RECEIPTS")

    shown = await running.desks[CHICAGO].bulletin(sent["id"])
    assert [entry["event"] for entry in shown["timeline"]].count("receipt: acknowledged") == 1


async def test_a_recall_handed_over_before_its_bulletin_stops_it(running: Exchange, relay: Relay) -> None:
    ident, bulletin = await _stored(running, relay, "never to be shown")
    status, _ = await running.desks[CHICAGO].call("POST", f"/v1/bulletins/{ident}/recall", {"reason": "wrong house"})
    assert status == 202
    recall = next(one for one in await relay.waits("HOT", CITY, 2) if one.data != bulletin.data)
    for message in await relay.stored("HOT", CITY):
        await relay.delete("HOT", message)

    await relay.publish(str(recall.subject), bytes(recall.data or b""))
    node = await running.start_gateway(CITY)
    await eventually(lambda: node.store.read_one("SELECT 1 FROM tombstones WHERE id = ?", (UUID(ident).bytes,)))
    await relay.publish(str(bulletin.subject), bytes(bulletin.data or b""))

    shown = await running.desks[CHICAGO].delivered(ident, "purged")
    assert shown["recalled"] is True
    held = await running.desks[CITY].bulletin(ident)
    assert (held["recalled"], held["portions"]) == (True, [])
    assert node.store.read("SELECT event FROM events WHERE id = ?", (UUID(ident).bytes,)) == []


async def test_an_envelope_put_on_another_gateways_subject_opens_for_nobody_there(
    running: Exchange, relay: Relay
) -> None:
    ident, message = await _stored(running, relay, "for the city")
    fusion = running.nodes[FUSION]

    await relay.publish(envelope_subject(CHICAGO, FUSION, "FLASH"), bytes(message.data or b""))

    def refused() -> list[dict[str, Any]]:
        return [entry for entry in for_nobody(fusion) if entry["peer"] == CHICAGO]

    assert (await eventually(refused))[-1]["verified"] is False
    assert await times(running, FUSION, ident) == 0
    await running.start_gateway(CITY)
    await running.desks[CHICAGO].delivered(ident)


async def test_an_envelope_among_receipts_and_receipts_among_envelopes_are_refused(
    running: Exchange, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    city, chicago = running.nodes[CITY], running.nodes[CHICAGO]
    envelopes, receipts = tap(monkeypatch, chicago), tap(monkeypatch, city)
    sent = await running.desks[CHICAGO].accepted(threat("in the wrong lane"))
    await running.desks[CHICAGO].delivered(sent["id"])

    await relay.publish(receipt_subject(CHICAGO, CITY), envelopes[-1].payload)
    await relay.publish(envelope_subject(CITY, CHICAGO, "FLASH"), receipts[-1].payload)

    await eventually(lambda: recorded(city, "envelope refused", code="receipt-shape"), within=40)
    await eventually(lambda: recorded(chicago, "envelope refused", code="envelope-shape"), within=40)


def _refused_on_delivery(node: Node) -> list[Sample]:
    samples = (sample for metric in node.metrics.refused.collect() for sample in metric.samples)
    return [one for one in samples if one.name.endswith("_total") and one.labels["where"] == "deliver"]


async def test_an_envelope_changed_on_the_relay_is_refused_wherever_the_bit_stands_and_the_true_one_comes(
    running: Exchange, relay: Relay
) -> None:
    ident, message = await _stored(running, relay, "each of these bits counts")
    true = bytes(message.data or b"")
    await relay.delete("HOT", message)
    flips = 60
    for number in range(flips):
        place = int.from_bytes(hashlib.sha256(f"flip {number}".encode()).digest()[:8], "big") % (8 * len(true))
        changed = bytearray(true)
        changed[place // 8] ^= 1 << place % 8
        await relay.publish(str(message.subject), bytes(changed))

    node = await running.start_gateway(CITY)
    await eventually(lambda: sum(refused_by_code(node).values()) >= flips)

    await running.desks[CHICAGO].delivered(ident)
    assert await times(running, CITY, ident) == 1
    assert (await running.desks[CITY].bulletin(ident))["portions"][0]["content"] == "each of these bits counts"
    codes = {code for code in refused_by_code(node) if code != "replay"}
    assert max(CODES[code][0] for code in codes) < CODES["bad-signature"][0], "nothing of it was believed"
    assert recorded(node, "envelope refused", verified=False)


async def test_withheld_receipts_show_and_the_envelope_goes_again_until_they_come(
    running: Exchange, relay: Relay
) -> None:
    ident, _ = await _stored(running, relay, "a silent recipient")
    await running.stop_gateway(CHICAGO)
    await running.start_gateway(CITY)
    await running.desks[CITY].received(ident)

    for message in await relay.waits("RECEIPTS", CHICAGO):
        await relay.delete("RECEIPTS", message)
    # No retry while it is looked at: a gateway that sends again at once would have healed before anybody looked.
    await running.start_gateway(CHICAGO, retry_seconds=[600.0])
    shown = await running.desks[CHICAGO].bulletin(ident)
    assert shown["who_has_not"]["stored"] == [CITY]
    assert (await running.desks[CHICAGO].call("GET", "/v1/status"))[1]["queue"]["waiting"] == 1

    await running.stop_gateway(CHICAGO)
    await running.start_gateway(CHICAGO)
    assert (await running.desks[CHICAGO].delivered(ident))["who_has_not"]["stored"] == []
    assert await times(running, CITY, ident) == 1


async def test_a_withheld_acknowledgement_is_late_escalates_and_so_comes_after_all(
    running: Exchange, relay: Relay
) -> None:
    sent = await running.desks[CHICAGO].accepted(threat("did you read this", due=later(seconds=3)))
    await running.desks[CHICAGO].delivered(sent["id"])
    await running.stop_gateway(CHICAGO)
    receipt = {"rung": "acknowledged", "person": "Sgt. B. Example"}
    answer = await running.desks[CITY].call("POST", f"/v1/bulletins/{sent['id']}/receipts", receipt)
    assert answer[0] == 202, answer

    city = running.nodes[CITY].store
    await eventually(lambda: not city.read("SELECT 1 FROM claims WHERE sent IS NULL"))
    for message in await relay.waits("RECEIPTS", CHICAGO):
        await relay.delete("RECEIPTS", message)
    await running.start_gateway(CHICAGO)

    shown = await running.desks[CHICAGO].delivered(sent["id"], "acknowledged")
    assert shown["deliveries"][0]["escalated"] is True


async def test_who_squats_the_message_id_with_our_very_bytes_does_not_silence_us(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = running.nodes[CHICAGO].link
    honest, squatted = link.publish, []

    async def squatted_first(outgoing: list[Outgoing]) -> list[Outcome]:
        for one in outgoing:
            if not squatted:
                squatted.append(one.payload)
                # To itself: the city never gets this copy, and the server knows the id.
                state = await send_envelope(
                    running, envelope_subject(FUSION, FUSION, "FLASH"), one.payload, through=FUSION
                )
                assert state == "relayed"
        return list(await honest(outgoing))

    monkeypatch.setattr(link, "publish", squatted_first)
    sent = await running.desks[CHICAGO].accepted(threat("not to be silenced"))

    shown = await running.desks[CHICAGO].delivered(sent["id"])
    assert shown["deliveries"][0]["attempts"] >= 1
    assert await times(running, CITY, sent["id"]) == 1
    assert alarms(running.nodes[CHICAGO], "duplicate-on-first-attempt") == 1
    await eventually(lambda: for_nobody(running.nodes[FUSION]))
