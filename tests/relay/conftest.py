"""A real nats-server on loopback, a hub, and gateways with nkeys made on the spot."""

import asyncio
import base64
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nats.aio.client import Client

from broker.relay.config import inbox_prefix
from broker.relay.hub import Hub
from broker.relay.hubkeys import HubKeys
from broker.relay.link import Incoming, Link
from broker.relay.nkeys import Nkey
from broker.relay.publisher import Outgoing
from broker.relay.server import EmbeddedServer


def clock() -> datetime:
    return datetime.now(UTC)  # noqa: TID251


def _crc16(octets: bytes) -> int:
    """CRC-16/XMODEM by table, written apart from the product's."""
    table = []
    for index in range(256):
        value = index << 8
        for _ in range(8):
            value = (value << 1) ^ (0x1021 if value & 0x8000 else 0)
        table.append(value & 0xFFFF)
    crc = 0
    for octet in octets:
        crc = ((crc << 8) & 0xFFFF) ^ table[(crc >> 8) ^ octet]
    return crc


def nkey_of(seed: bytes) -> Nkey:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    raw = bytes([20 << 3]) + key.public_key().public_bytes_raw()
    public = base64.b32encode(raw + _crc16(raw).to_bytes(2, "little")).decode()
    return Nkey(public=public, sign=key.sign)


def new_nkey() -> Nkey:
    return nkey_of(os.urandom(32))


def gateway_nkey(name: str) -> Nkey:
    return nkey_of(hashlib.sha256(name.encode()).digest())


def outgoing(subject: str, payload: bytes, *, seconds: float = 3600) -> Outgoing:
    return Outgoing(subject=subject, payload=payload, expires_at=clock() + timedelta(seconds=seconds))


async def take(link: Link, count: int, *, ack: bool = True, within: float = 30) -> list[Incoming]:
    """Draw `count` deliveries, acknowledging each."""
    taken: list[Incoming] = []
    async with asyncio.timeout(within):
        async for incoming in link.incoming():
            taken.append(incoming)
            if ack:
                await incoming.ack()
            if len(taken) == count:
                break
    return taken


async def eventually(check: Callable[[], Awaitable[bool]] | Callable[[], bool], *, within: float = 15) -> None:
    async with asyncio.timeout(within):
        while True:
            result = check()
            if result if isinstance(result, bool) else await result:
                return
            await asyncio.sleep(0.02)


@dataclass
class Exchange:
    """A hub with its server, and raw clients that log in as a gateway would, for the attacks."""

    folder: Path
    stack: AsyncExitStack
    gateways: dict[str, str] = field(default_factory=dict)
    keys: HubKeys = field(default_factory=lambda: HubKeys(hub=new_nkey(), system=new_nkey()))
    errors: list[str] = field(default_factory=list)
    server: EmbeddedServer = field(init=False)
    hub: Hub = field(init=False)

    async def start(self, *names: str) -> None:
        self.gateways = {name: gateway_nkey(name).public for name in names}
        self.server = EmbeddedServer(self.folder)
        self.hub = Hub(keys=self.keys, servers=self.server)
        self.stack.push_async_callback(self.hub.stop)
        await self.hub.start(self.gateways)

    def new_link(self, name: str) -> Link:
        return Link(gateway=name, nkey=gateway_nkey(name), servers=self.server.urls, now=clock)

    async def link(self, name: str, *, wait: bool = True) -> Link:
        link = self.new_link(name)
        await self.stack.enter_async_context(link)
        if wait:
            async with asyncio.timeout(10):
                await link.wait_connected()
        return link

    async def raw(self, nkey: Nkey, *, prefix: str) -> Client:
        client = Client()
        client._public_nkey = nkey.public

        async def failed(error: Exception) -> None:
            self.errors.append(str(error))

        await client.connect(
            self.server.url, signature_cb=nkey.answer, inbox_prefix=prefix, error_cb=failed, allow_reconnect=False
        )
        self.stack.push_async_callback(client.close)
        return client

    async def attacker(self, name: str) -> Client:
        """Log in with a gateway's credentials, but with a client that keeps no rules."""
        return await self.raw(gateway_nkey(name), prefix=inbox_prefix(name))

    async def administrator(self) -> Client:
        return await self.raw(self.keys.hub, prefix="_INBOX_test")


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with AsyncExitStack() as stack:
        exchange = Exchange(folder=tmp_path / "relay", stack=stack)
        await exchange.start("a", "b", "c")
        yield exchange
