"""What the hub makes: streams that keep what they acknowledge, consumers, releases; and its keys."""

import asyncio
import os
import stat

import pytest

from broker.relay.errors import RelayError
from broker.relay.hub import Hub
from broker.relay.hubkeys import load_or_make_hub_keys
from broker.relay.subjects import envelope_subject
from tests.relay.conftest import Exchange, eventually, gateway_nkey, nkey_of, outgoing, take


async def releases(link, count: int) -> list[bytes]:
    found = []
    async with asyncio.timeout(15):
        async for raw in link.releases():
            found.append(raw)
            if len(found) == count:
                break
    return found


async def test_streams_are_as_the_design_says(exchange: Exchange) -> None:
    administrator = await exchange.administrator()
    infos = {info.config.name: info.config for info in await administrator.jsm().streams_info()}
    assert infos.keys() == {"HOT", "COLD", "RECEIPTS", "RELEASES", "BEATS", "REPORTS"}
    for name, config in infos.items():
        newest = name in {"BEATS", "REPORTS"}
        work = name != "RELEASES" and not newest
        assert config.retention == ("workqueue" if work else "limits")
        assert (config.storage, config.allow_msg_ttl, bool(config.allow_atomic)) == ("file", work, not newest)
        assert config.allow_direct is not work
        assert config.deny_delete is not work
        assert config.max_consumers == 5000
        assert (config.max_msgs_per_subject, config.discard_new_per_subject) == (
            (10_000, True) if work else (1 if newest else -1, False)
        )
        assert not config.allow_rollup_hdrs
    assert "sync_interval: always" in (exchange.folder / "server.conf").read_text()


@pytest.fixture
def few_waiting(monkeypatch) -> None:
    monkeypatch.setattr("broker.relay.hub._MAX_WAITING", 50)


async def test_who_floods_fills_only_its_own_subject(few_waiting, exchange: Exchange) -> None:
    await exchange.hub.apply(exchange.gateways)
    a, c = await exchange.link("a"), await exchange.link("c")
    for precedence in ("FLASH", "IMMEDIATE", "ROUTINE"):
        subject = envelope_subject("a", "b", precedence)
        # Two atomic batches: the first fits, the second does not and is stored as far as there is room.
        first = await a.publish([outgoing(subject, b"%s %d" % (precedence.encode(), n)) for n in range(40)])
        second = await a.publish([outgoing(subject, b"%s %d" % (precedence.encode(), n)) for n in range(40, 80)])
        assert {outcome.state for outcome in first} == {"relayed"}
        assert [outcome.state for outcome in second] == ["relayed"] * 10 + ["failed"] * 30
        assert {outcome.code for outcome in second[10:]} == {"js-10077"}
    others = [
        outgoing(envelope_subject("c", "b", "FLASH"), b"another sender"),
        outgoing(envelope_subject("a", "c", "FLASH"), b"another recipient"),
        outgoing(envelope_subject("a", "b", "PRIORITY"), b"another precedence"),
        outgoing(envelope_subject("c", "b", "ROUTINE"), b"another sender's"),
    ]
    outcomes = [(await (c if item.subject.startswith("env.c.") else a).publish([item]))[0].state for item in others]
    assert outcomes == ["relayed"] * 4
    b = await exchange.link("b")
    await take(b, 153)

    async def room_again() -> bool:
        (outcome,) = await a.publish([outgoing(envelope_subject("a", "b", "FLASH"), b"later")])
        return outcome.state in {"relayed", "duplicate"}

    await eventually(room_again)


async def test_what_is_addressed_to_nobody_is_not_stored(exchange: Exchange) -> None:
    a = await exchange.link("a")
    nowhere = [outgoing(envelope_subject("a", f"nobody-{n}", "ROUTINE"), b"%d" % n) for n in range(30)]
    assert {outcome.state for outcome in await a.publish(nowhere)} <= {"failed", "unknown"}
    assert sum((await exchange.hub.waiting()).values()) == 0
    await exchange.hub.apply({**exchange.gateways, "nobody-7": gateway_nkey("nobody-7").public})
    (outcome,) = await a.publish([nowhere[7]])
    assert outcome.state == "relayed"
    assert [incoming.payload for incoming in await take(await exchange.link("nobody-7"), 1)] == [b"7"]


async def test_a_hub_starts_over_what_it_made_before(exchange: Exchange) -> None:
    a = await exchange.link("a")
    await a.publish([outgoing(envelope_subject("a", "b", "ROUTINE"), b"kept")])
    await exchange.hub.stop()
    again = Hub(keys=exchange.keys, servers=exchange.server)
    exchange.stack.push_async_callback(again.stop)
    await again.start(exchange.gateways)
    b = await exchange.link("b")
    assert [incoming.payload for incoming in await take(b, 1)] == [b"kept"]


async def test_consumers_of_a_gateway_that_left_are_deleted_and_a_newcomer_has_its_own(exchange: Exchange) -> None:
    await exchange.hub.apply({"a": gateway_nkey("a").public, "d": gateway_nkey("d").public})
    administrator = await exchange.administrator()
    names = {info.name for info in await administrator.jsm().consumers_info("HOT")}
    assert names == {"a", "a_FLASH", "d", "d_FLASH"}


async def test_no_consumer_gives_up_on_a_message(exchange: Exchange) -> None:
    administrator = await exchange.administrator()
    for stream in ("HOT", "COLD", "RECEIPTS"):
        for info in await administrator.jsm().consumers_info(stream):
            assert info.config.max_deliver == -1
            assert info.config.ack_policy == "explicit"


async def test_a_consumer_made_by_an_earlier_version_takes_over_its_limit_and_keeps_its_place(
    monkeypatch, exchange: Exchange
) -> None:
    a, b = await exchange.link("a"), await exchange.link("b")
    await a.publish([outgoing(envelope_subject("a", "b", "ROUTINE"), b"taken")])
    await take(b, 1)
    monkeypatch.setattr("broker.relay.hub._MAX_ACK_PENDING", 30_000)
    await exchange.hub.apply(exchange.gateways)
    administrator = await exchange.administrator()
    for stream in ("HOT", "COLD", "RECEIPTS"):
        infos = await administrator.jsm().consumers_info(stream)
        assert {info.config.max_ack_pending for info in infos} == {30_000}
    assert (await administrator.jsm().consumer_info("COLD", "b")).delivered.consumer_seq == 1


async def test_thousands_of_held_deliveries_do_not_shut_a_lane(exchange: Exchange) -> None:
    """A gateway holds what it cannot judge yet; what comes after and can be judged must still arrive."""
    a = await exchange.link("a")
    subject = envelope_subject("a", "b", "IMMEDIATE")
    await a.publish([outgoing(subject, b"held %d" % number) for number in range(1500)])
    await a.publish([outgoing(subject, b"can be judged")])
    b = await exchange.link("b")
    assert (await take(b, 1501, ack=False))[-1].payload == b"can be judged"


async def test_releases_are_read_from_the_beginning_and_then_live(exchange: Exchange) -> None:
    await exchange.hub.publish_release("directory", 1, b"first")
    await exchange.hub.publish_release("rules", 1, b"second")
    a = await exchange.link("a")
    reading = asyncio.create_task(releases(a, 3))
    await asyncio.sleep(0.3)
    started = asyncio.get_running_loop().time()
    await exchange.hub.publish_release("rules", 2, b"third")
    assert await reading == [b"first", b"second", b"third"]
    # The doorbell rang: the next look by itself would have been after 30 s.
    assert asyncio.get_running_loop().time() - started < 5
    assert await releases(a, 3) == [b"first", b"second", b"third"]


async def test_the_same_release_is_stored_once(exchange: Exchange) -> None:
    assert await exchange.hub.publish_release("rules", 1, b"x" * 10)
    assert not await exchange.hub.publish_release("rules", 1, b"x" * 10)
    assert (await exchange.hub.waiting())["RELEASES"] == 1


async def test_a_release_larger_than_a_message_arrives_whole(exchange: Exchange) -> None:
    large = os.urandom(3 * 1024 * 1024 + 17)
    await exchange.hub.publish_release("directory", 1, large)
    assert not await exchange.hub.publish_release("directory", 1, large)
    await exchange.hub.publish_release("directory", 2, b"after")
    a = await exchange.link("a")
    assert await releases(a, 2) == [large, b"after"]


async def test_releases_go_on_after_a_crash_without_repeating(exchange: Exchange) -> None:
    await exchange.hub.publish_release("rules", 1, b"one")
    a = await exchange.link("a")
    reading = asyncio.create_task(releases(a, 2))
    await asyncio.sleep(0.2)
    os.kill(exchange.server.pid, 9)
    await eventually(lambda: a.rebuilt == 1 and a.connected)
    await exchange.hub.publish_release("rules", 2, b"two")
    assert await reading == [b"one", b"two"]


async def test_an_unreachable_relay_is_said_so(tmp_path) -> None:
    class Nowhere:
        urls = ("nats://127.0.0.1:1",)

        async def start(self, accounts: str) -> None: ...
        async def apply(self, accounts: str) -> None: ...
        async def stop(self) -> None: ...

    keys = load_or_make_hub_keys(tmp_path / "hub.json", nkey_of=nkey_of)
    async with Hub(keys=keys, servers=Nowhere()) as hub:
        with pytest.raises(RelayError) as caught:
            await hub.start({}, within=0.3)
    assert caught.value.code == "relay-unreachable"


def test_hub_keys_are_made_once_and_kept_private(tmp_path) -> None:
    path = tmp_path / "keys" / "hub.json"
    made = load_or_make_hub_keys(path, nkey_of=nkey_of)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = load_or_make_hub_keys(path, nkey_of=nkey_of)
    assert (made.hub.public, made.system.public) == (kept.hub.public, kept.system.public)
    assert made.hub.public != made.system.public


def test_hub_keys_that_others_can_read_are_refused(tmp_path) -> None:
    path = tmp_path / "hub.json"
    load_or_make_hub_keys(path, nkey_of=nkey_of)
    path.chmod(0o640)
    with pytest.raises(RelayError) as caught:
        load_or_make_hub_keys(path, nkey_of=nkey_of)
    assert caught.value.code == "keys-too-open"


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"hub": "AA==", "system": "AA=="}', '{"hub": 1, "system": 2}', "\xff"]
)
def test_damaged_hub_keys_are_refused(tmp_path, text) -> None:
    path = tmp_path / "hub.json"
    path.write_bytes(text.encode("latin-1"))
    path.chmod(0o600)
    with pytest.raises(RelayError) as caught:
        load_or_make_hub_keys(path, nkey_of=nkey_of)
    assert caught.value.code == "bad-hub-keys"
