"""The cluster of docker-compose.yml as three processes on loopback: the same command, the same files, R3 streams."""

import asyncio
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from broker.relay.cluster import ExternalCluster
from broker.relay.config import Accounts, render_accounts
from broker.relay.errors import RelayError
from broker.relay.hub import Hub
from broker.relay.hubkeys import HubKeys
from broker.relay.link import Link
from broker.relay.process import server_binary
from broker.relay.subjects import envelope_subject
from tests.relay.conftest import clock, eventually, gateway_nkey, new_nkey, outgoing, take
from tests.relay.test_deploy import NODES, ROOT, SERVICES, mounted


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [taken.getsockname()[1] for taken in sockets]
    for taken in sockets:
        taken.close()
    return ports


@dataclass
class Cluster:
    folder: Path
    stack: AsyncExitStack
    keys: HubKeys = field(default_factory=lambda: HubKeys(hub=new_nkey(), system=new_nkey()))
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: dict[str, list[int]] = field(default_factory=dict)
    gateways: dict[str, str] = field(default_factory=dict)
    hub: Hub = field(init=False)

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(f"nats://127.0.0.1:{self.ports[name][0]}" for name in NODES)

    async def start(self, *gateways: str) -> None:
        self.ports = {name: free_ports(3) for name in NODES}
        self.gateways = {name: gateway_nkey(name).public for name in gateways}
        shutil.copytree(ROOT / "deploy/nats", self.folder / "nats")
        servers = ExternalCluster(
            urls=self.urls, accounts_file=self.folder / "nats/accounts/accounts.conf", system=self.keys.system
        )
        self.hub = Hub(keys=self.keys, servers=servers, replicas=3)
        self.stack.push_async_callback(self.hub.stop)
        # As in compose: the hub first, since the nodes wait for its accounts file.
        starting = asyncio.create_task(self.hub.start(self.gateways))
        await eventually((self.folder / "nats/accounts/accounts.conf").exists)
        for name in NODES:
            self.run(name)
        await starting

    def run(self, name: str) -> None:
        """Run a node's own command, its paths and addresses taken from the containers to this machine."""
        service = SERVICES[name]
        binary, *arguments = service["command"]
        assert binary == "nats-server"
        config = mounted(name, arguments[-1])
        assert config == ROOT / "deploy/nats/node.conf"
        clients, monitor, routes = self.ports[name]
        environment = {
            key: value.replace("${TEARLINE_ROUTE_PASSWORD:?}", "0123456789abcdef")
            for key, value in service["environment"].items()
        } | {
            "TEARLINE_CLIENTS": f"127.0.0.1:{clients}",
            "TEARLINE_MONITOR": f"127.0.0.1:{monitor}",
            "TEARLINE_ROUTES": f"127.0.0.1:{routes}",
            "TEARLINE_STORE": str(self.folder / name),
        }
        for number, peer in enumerate(NODES, 1):
            key = f"TEARLINE_PEER_{number}"
            environment[key] = environment[key].replace(f"{peer}:6222", f"127.0.0.1:{self.ports[peer][2]}")
        log = (self.folder / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(
            [server_binary(), *arguments[:-1], str(self.folder / "nats/node.conf")],
            env=environment,
            stdout=log,
            stderr=log,
        )
        log.close()

    def kill(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait()

    async def leader(self, stream: str) -> str:
        client = await self.hub._client()
        info = await client.jsm().stream_info(stream)
        return info.cluster.leader

    async def link(self, name: str) -> Link:
        return await self.stack.enter_async_context(
            Link(gateway=name, nkey=gateway_nkey(name), servers=self.urls, now=clock)
        )


@pytest.fixture
async def cluster(tmp_path) -> AsyncIterator[Cluster]:
    cluster = Cluster(folder=tmp_path, stack=AsyncExitStack())
    try:
        async with cluster.stack:
            await cluster.start("a", "b")
            yield cluster
    finally:
        for process in cluster.processes.values():
            process.kill()
            process.wait()


async def publish_for_sure(link: Link, payloads: list[bytes]) -> None:
    """Do as the outbox does: the same bytes again until the relay has each."""
    waiting = payloads
    while waiting:
        await link.wait_connected()
        outcomes = await link.publish([outgoing(envelope_subject("a", "b", "FLASH"), payload) for payload in waiting])
        done = {p for p, o in zip(waiting, outcomes, strict=True) if o.state in {"relayed", "duplicate"}}
        waiting = [payload for payload in waiting if payload not in done]
        if waiting:
            await asyncio.sleep(0.1)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_the_leader_killed_while_messages_flow_loses_nothing(cluster: Cluster) -> None:
    a, b = await cluster.link("a"), await cluster.link("b")
    await publish_for_sure(a, [b"warm"])
    victim = await cluster.leader("HOT")

    async def flow() -> None:
        for number in range(120):
            await publish_for_sure(a, [b"%d.%d" % (number, n) for n in range(1 + 30 * (number % 2))])
            if number == 40:
                cluster.kill(victim)

    wanted = {b"warm"} | {b"%d.%d" % (number, n) for number in range(120) for n in range(1 + 30 * (number % 2))}
    flowing = asyncio.create_task(flow())
    got: set[bytes] = set()
    while got < wanted:
        got |= {incoming.payload for incoming in await take(b, 1, within=60)}
    await flowing
    assert got == wanted
    # The node comes back, and is needed: another one goes.
    cluster.run(victim)
    client = await cluster.hub._client()

    async def whole() -> bool:
        info = await client.jsm().stream_info("HOT")
        return len(info.cluster.replicas) == 2 and all(
            peer.current and not peer.offline for peer in info.cluster.replicas
        )

    await eventually(whole, within=60)
    cluster.kill(next(name for name in NODES if name != victim))
    after = [b"after %d" % n for n in range(50)]
    await publish_for_sure(a, after)
    got.clear()
    while got < set(after):
        got |= {incoming.payload for incoming in await take(b, 1, within=60)}


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_gateway_that_joins_a_running_cluster_works_on_every_node(cluster: Cluster) -> None:
    await cluster.hub.apply({**cluster.gateways, "newcomer": gateway_nkey("newcomer").public})
    a = await cluster.link("a")
    await a.wait_connected()
    for number, url in enumerate(cluster.urls):
        async with Link(gateway="newcomer", nkey=gateway_nkey("newcomer"), servers=[url], now=clock) as newcomer:
            await a.publish([outgoing(envelope_subject("a", "newcomer", "FLASH"), b"welcome %d" % number)])
            assert [incoming.payload for incoming in await take(newcomer, 1)] == [b"welcome %d" % number]
            outcomes = await newcomer.publish([outgoing(envelope_subject("newcomer", "a", "FLASH"), b"%d" % number)])
            assert [outcome.state for outcome in outcomes] == ["relayed"]
    await cluster.hub.publish_release("rules", 1, b"r" * 1_500_000)
    b = await cluster.link("b")
    async with asyncio.timeout(20):
        async for raw in b.releases():
            assert raw == b"r" * 1_500_000
            break


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_stranger_that_does_not_know_the_password_does_not_become_a_node(cluster: Cluster) -> None:
    clients, monitor, routes = free_ports(3)
    peer = f"nats://node:guessed@127.0.0.1:{cluster.ports['nats-1'][2]}"
    config = cluster.folder / "stranger.conf"
    config.write_text(
        f'server_name: stranger\nlisten: "127.0.0.1:{clients}"\nhttp: "127.0.0.1:{monitor}"\n'
        f'jetstream {{ store_dir: "{cluster.folder / "stranger"}" }}\n'
        f'cluster {{ name: tearline, listen: "127.0.0.1:{routes}", routes: ["{peer}"] }}\n'
        + render_accounts(Accounts(hub=new_nkey().public, system=new_nkey().public, gateways={}))
    )
    with (cluster.folder / "stranger.log").open("wb") as log:
        cluster.processes["stranger"] = subprocess.Popen(  # noqa: ASYNC220 - starts at once
            [server_binary(), "-c", str(config)], stdout=log, stderr=log
        )
    words = cluster.folder / "nats-1.log"
    await eventually(lambda: "uthentication error" in words.read_text() or "uthorization" in words.read_text())
    client = await cluster.hub._client()
    info = await client.jsm().stream_info("HOT")
    assert {peer.name for peer in info.cluster.replicas} < set(NODES)


async def test_accounts_that_no_server_would_take_are_not_written(tmp_path) -> None:
    cluster = ExternalCluster(urls=["nats://127.0.0.1:1"], accounts_file=tmp_path / "accounts.conf", system=new_nkey())
    with pytest.raises(RelayError) as caught:
        await cluster.apply("accounts {")
    assert caught.value.code == "bad-server-config"
    assert not (tmp_path / "accounts.conf").exists()
