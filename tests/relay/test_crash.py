"""What kills the relay kills no message, and no link."""

import asyncio
import os
import signal

import pytest

from broker.relay.subjects import envelope_subject
from tests.relay.conftest import Exchange, eventually, gateway_nkey, new_nkey, outgoing, take


async def test_kill_9_of_nats_server_loses_nothing_and_the_links_recover_by_themselves(exchange: Exchange) -> None:
    a, b = await exchange.link("a"), await exchange.link("b")
    subject = envelope_subject("a", "b", "PRIORITY")
    before = await a.publish([outgoing(subject, b"before %d" % n) for n in range(500)])
    url = exchange.server.url
    os.kill(exchange.server.pid, signal.SIGKILL)
    await eventually(lambda: a.rebuilt == 1 and a.connected and b.connected)
    after = await a.publish([outgoing(subject, b"after %d" % n) for n in range(500)])
    assert {outcome.state for outcome in (*before, *after)} == {"relayed"}
    assert exchange.server.url == url
    wanted = {b"%s %d" % (when, n) for when in (b"before", b"after") for n in range(500)}
    got = set()
    while got < wanted:
        got |= {incoming.payload for incoming in await take(b, 1)}
    assert got == wanted


async def test_every_relayed_outcome_survives_repeated_kills_of_nats_server(exchange: Exchange) -> None:
    a, b = await exchange.link("a"), await exchange.link("b")
    relayed: set[bytes] = set()
    for kill in range(5):
        waiting = [b"%d %d" % (kill, n) for n in range(60)]
        killed = False
        while waiting:
            outcomes = await a.publish(
                [outgoing(envelope_subject("a", "b", "FLASH"), payload) for payload in waiting[:10]]
            )
            # A repetition after `unknown` may be a duplicate: then it had been stored.
            done = {p for p, o in zip(waiting, outcomes, strict=False) if o.state in {"relayed", "duplicate"}}
            relayed |= done
            waiting = [payload for payload in waiting if payload not in done]
            if len(waiting) <= 30 and not killed:
                killed = True
                os.kill(exchange.server.pid, signal.SIGKILL)
            if not done:
                await a.wait_connected()
    got: set[bytes] = set()
    while got < relayed:
        got |= {incoming.payload for incoming in await take(b, 1)}
    assert len(relayed) == 300
    assert exchange.server.restarts == 5


async def test_an_error_of_the_server_in_mid_connection_makes_the_link_build_another(exchange: Exchange) -> None:
    """nats-py closes such a client for good, whatever `max_reconnect_attempts` says (nats.py#1019)."""
    b = await exchange.link("b")
    await exchange.hub.apply({**exchange.gateways, "b": new_nkey().public})
    await eventually(lambda: not b.connected and "uthorization" in b.last_error)
    await exchange.hub.apply({**exchange.gateways, "b": gateway_nkey("b").public})
    await eventually(lambda: b.connected)
    a = await exchange.link("a")
    await a.publish([outgoing(envelope_subject("a", "b", "FLASH"), b"x")])
    assert [incoming.payload for incoming in await take(b, 1)] == [b"x"]


async def test_a_gateway_that_joins_or_leaves_disturbs_nobody(exchange: Exchange) -> None:
    a = await exchange.link("a")
    joining = asyncio.create_task(
        exchange.hub.apply({name: gateway_nkey(name).public for name in ("a", "b", "newcomer")})
    )
    states = set()
    count = 0
    while not joining.done():
        count += 1
        outcomes = await a.publish([outgoing(envelope_subject("a", "b", "FLASH"), b"meanwhile %d" % count)])
        states |= {outcome.state for outcome in outcomes}
    await joining
    assert (states, count > 10) == ({"relayed"}, True)
    newcomer = await exchange.link("newcomer")
    await a.publish([outgoing(envelope_subject("a", "newcomer", "FLASH"), b"welcome")])
    assert [incoming.payload for incoming in await take(newcomer, 1)] == [b"welcome"]
    assert a.rebuilt == 0


async def test_a_full_prefetch_is_drawn_on_after_a_restart(exchange: Exchange) -> None:
    a, b = await exchange.link("a"), await exchange.link("b")
    subject = envelope_subject("a", "b", "FLASH")
    await a.publish([outgoing(subject, b"%d" % n) for n in range(1000)])
    await take(b, 10)
    os.kill(exchange.server.pid, signal.SIGKILL)
    await eventually(lambda: b.rebuilt == 1 and b.connected)
    got = set()
    while len(got) < 990:
        got |= {incoming.payload for incoming in await take(b, 1)}


@pytest.mark.long
async def test_fifty_kills_of_nats_server_under_load_lose_nothing(exchange: Exchange) -> None:
    a, b = await exchange.link("a"), await exchange.link("b")
    relayed: set[bytes] = set()
    got: set[bytes] = set()
    for kill in range(50):
        batch = [b"%d %d" % (kill, n) for n in range(40 if kill % 2 else 10)]
        os.kill(exchange.server.pid, signal.SIGKILL)
        while batch:
            await a.wait_connected()
            outcomes = await a.publish([outgoing(envelope_subject("a", "b", "ROUTINE"), payload) for payload in batch])
            done = {p for p, o in zip(batch, outcomes, strict=True) if o.state in {"relayed", "duplicate"}}
            relayed |= done
            batch = [payload for payload in batch if payload not in done]
        got |= {incoming.payload for incoming in await take(b, 1)}
    while got < relayed:
        got |= {incoming.payload for incoming in await take(b, 1, within=60)}
    assert got == relayed
