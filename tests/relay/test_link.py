"""What a gateway relies on: its bytes arrive, FLASH first, over crashes, and nothing is buffered in the dark."""

import asyncio

from broker.relay.subjects import envelope_subject, receipt_subject
from tests.relay.conftest import Exchange, clock, eventually, outgoing, take


async def test_an_envelope_and_its_receipts_make_the_round_trip(exchange: Exchange) -> None:
    a, b = await exchange.link("a"), await exchange.link("b")
    outcomes = await a.publish([outgoing(envelope_subject("a", "b", "IMMEDIATE"), b"\x00\xffsealed")])
    assert [outcome.state for outcome in outcomes] == ["relayed"]
    (envelope,) = await take(b, 1)
    assert (envelope.payload, envelope.sender_gateway, envelope.kind) == (b"\x00\xffsealed", "a", "envelope")
    assert (envelope.precedence, envelope.delivered_count) == ("IMMEDIATE", 1)
    await b.publish([outgoing(receipt_subject("b", "a"), b"signed")])
    (receipts,) = await take(a, 1)
    assert (receipts.payload, receipts.sender_gateway, receipts.kind) == (b"signed", "b", "receipts")
    assert receipts.precedence is None


async def test_flash_behind_5000_queued_routine_arrives_before_them(exchange: Exchange) -> None:
    a = await exchange.link("a")
    routine = envelope_subject("a", "b", "ROUTINE")
    outcomes = await a.publish([outgoing(routine, b"routine %d" % n) for n in range(5000)])
    assert {outcome.state for outcome in outcomes} == {"relayed"}
    b = await exchange.link("b")
    first = await take(b, 200)
    assert {incoming.precedence for incoming in first} == {"ROUTINE"}
    await a.publish([outgoing(envelope_subject("a", "b", "FLASH"), b"flash")])
    await eventually(lambda: b._pullers[0].waiting == 1)
    # Thousands are still queued, dozens of them already here; the very next one is the FLASH.
    assert b._pullers[3].waiting > 0
    assert [incoming.payload for incoming in await take(b, 1)] == [b"flash"]
    assert (await exchange.hub.waiting())["COLD"] > 4000


async def test_everything_queued_comes_in_the_order_of_precedence(exchange: Exchange) -> None:
    a = await exchange.link("a")
    for precedence in ("ROUTINE", "PRIORITY", "IMMEDIATE", "FLASH"):
        subject = envelope_subject("a", "b", precedence)
        await a.publish([outgoing(subject, f"{precedence} {n}".encode()) for n in range(30)])
    b = await exchange.link("b")
    await eventually(lambda: sum(puller.waiting for puller in b._pullers) >= 30 + 30 + 60)
    order = [incoming.precedence for incoming in await take(b, 120)]
    assert order[:60] == ["FLASH"] * 30 + ["IMMEDIATE"] * 30
    assert set(order[60:]) == {"PRIORITY", "ROUTINE"}


async def test_a_link_without_relay_says_so_at_once(exchange: Exchange) -> None:
    await exchange.hub.stop()
    a = await exchange.link("a", wait=False)
    outcomes = await a.publish([outgoing(envelope_subject("a", "b", "FLASH"), b"x")])
    assert [(outcome.state, outcome.code) for outcome in outcomes] == [("failed", "disconnected")]
    assert not a.connected


async def test_what_is_not_acknowledged_comes_again(exchange: Exchange) -> None:
    a, b = await exchange.link("a"), await exchange.link("b")
    await a.publish([outgoing(envelope_subject("a", "b", "FLASH"), b"again")])
    (first,) = await take(b, 1, ack=False)
    await first.nak(0.1)
    (second,) = await take(b, 1)
    assert (first.delivered_count, second.delivered_count, second.payload) == (1, 2, b"again")


async def test_what_a_stopped_gateway_had_drawn_comes_to_its_successor_at_once(exchange: Exchange) -> None:
    a = await exchange.link("a")
    await a.publish([outgoing(envelope_subject("a", "b", "ROUTINE"), b"%d" % n) for n in range(40)])
    async with exchange.new_link("b") as b:
        await eventually(lambda: sum(puller.waiting for puller in b._pullers) == 40)
    started = clock()
    successor = await exchange.link("b")
    assert len(await take(successor, 40)) == 40
    assert (clock() - started).total_seconds() < 10  # ack_wait of this lane is 30 s


async def test_what_is_published_just_after_a_gateway_came_back_is_not_handed_to_its_last_connection(
    exchange: Exchange,
) -> None:
    """The requests of the connection that ended are open at the server for two seconds more."""
    sender = await exchange.link("a")
    for kind in ("FLASH", "ROUTINE"):
        async with exchange.new_link("b") as earlier:
            await earlier.wait_connected()
            await sender.publish([outgoing(f"env.a.b.{kind}", f"before {kind}".encode())])
            await take(earlier, 1)

        async with exchange.new_link("b") as later:
            await later.wait_connected()
            await sender.publish([outgoing(f"env.a.b.{kind}", f"after {kind}".encode())])
            # Handed to nobody, it would come again after the lane's ack_wait: 5 s for a FLASH, 30 s for a ROUTINE.
            (incoming,) = await take(later, 1, within=4)

        assert (incoming.payload, incoming.delivered_count) == (f"after {kind}".encode(), 1)


async def test_expired_messages_vanish_from_the_relay(exchange: Exchange) -> None:
    a = await exchange.link("a")
    await a.publish([outgoing(envelope_subject("a", "b", "ROUTINE"), b"short", seconds=1)])
    assert (await exchange.hub.waiting())["COLD"] == 1

    async def gone() -> bool:
        return (await exchange.hub.waiting())["COLD"] == 0

    await eventually(gone)


async def test_what_has_expired_already_is_not_relayed(exchange: Exchange) -> None:
    a = await exchange.link("a")
    outcomes = await a.publish([outgoing(envelope_subject("a", "b", "FLASH"), b"x", seconds=-1)])
    assert [(outcome.state, outcome.code) for outcome in outcomes] == [("failed", "expired")]
    assert (await exchange.hub.waiting())["HOT"] == 0


async def test_many_are_stored_as_a_batch_and_each_has_its_outcome(exchange: Exchange) -> None:
    a = await exchange.link("a")
    mixed = [
        outgoing(
            envelope_subject("a", "b", ("FLASH", "ROUTINE")[n % 2]), b"mixed %d" % n, seconds=(3600, -1)[n % 10 == 9]
        )
        for n in range(700)
    ]
    outcomes = await a.publish(mixed)
    assert [outcome.state for outcome in outcomes] == ["failed" if n % 10 == 9 else "relayed" for n in range(700)]
    waiting = await exchange.hub.waiting()
    assert {name: count for name, count in waiting.items() if count} == {"HOT": 350, "COLD": 280}


async def test_a_batch_with_one_stored_id_falls_back_to_singles(exchange: Exchange) -> None:
    a = await exchange.link("a")
    subject = envelope_subject("a", "b", "ROUTINE")
    await a.publish([outgoing(subject, b"batch 7")])
    outcomes = await a.publish([outgoing(subject, b"batch %d" % n) for n in range(50)])
    assert [n for n, outcome in enumerate(outcomes) if outcome.state == "duplicate"] == [7]
    assert {outcome.state for n, outcome in enumerate(outcomes) if n != 7} == {"relayed"}
    assert (await exchange.hub.waiting())["COLD"] == 50


async def test_an_answer_that_never_comes_leaves_the_outcome_unknown(exchange: Exchange, monkeypatch) -> None:
    monkeypatch.setattr("broker.relay.publisher._ACK_WITHIN", 0.3)
    a = await exchange.link("a")
    # Not its own subject: the server drops it without a word to the publisher.
    outcomes = await a.publish([outgoing("env.b.c.FLASH", b"x")])
    assert [(outcome.state, outcome.code) for outcome in outcomes] == [("unknown", "timeout")]


async def test_publishing_ends_when_the_connection_does(exchange: Exchange) -> None:
    a = await exchange.link("a")
    publishing = asyncio.create_task(a.publish([outgoing("env.b.c.FLASH", b"x")]))
    await asyncio.sleep(0.1)
    await exchange.hub.stop()
    async with asyncio.timeout(3):
        assert [outcome.state for outcome in await publishing] == ["unknown"]


async def test_sabotage_one_lane_for_everything_makes_flash_wait(exchange: Exchange) -> None:
    """Why there are lanes: handed out in order of arrival, a FLASH comes after what is queued before it."""
    a, b = await exchange.link("a"), await exchange.link("b")
    b._pullers.reverse()
    await a.publish([outgoing(envelope_subject("a", "b", "ROUTINE"), b"%d" % n) for n in range(200)])
    await a.publish([outgoing(envelope_subject("a", "b", "FLASH"), b"flash")])
    await eventually(lambda: all(puller.waiting for puller in (b._pullers[0], b._pullers[-1])))
    assert (await take(b, 1))[0].payload != b"flash"
