"""A whole exchange for tests: real nats-server and hub, releases signed on the spot, gateways over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from broker.gateway import service
from broker.gateway.core import Node
from broker.gateway.settings import Settings, build
from broker.gateway.tokens import SCOPES, create
from broker.ops.conductor import Conductor
from broker.relay import EmbeddedServer, Hub, Nkey, load_or_make_hub_keys
from broker.seal import AgencyKeys, nkey_public, nkey_sign
from broker.trust import (
    Conditions,
    Directory,
    Entry,
    GatewayKeys,
    MintedRoot,
    Rules,
    TrustStore,
    make_beat,
    mint_directory,
    mint_root,
    mint_rules,
    new_agency_keys,
    new_beat_keys,
    new_gateway_keys,
    new_officer_keys,
    next_sequence,
    write_agency_keys,
    write_gateway_keys,
)
from policy import parse_agencies, parse_vocabulary

EXAMPLES = Path(__file__).parents[2] / "policy" / "rules.example"
GATEWAYS = {
    "springfield-pd": ["springfield-pd"],
    "chicago-pd": ["chicago-pd"],
    "il-state-police": ["il-state-police"],
    "jttf": ["jttf-springfield", "jttf-chicago"],
    "il-fusion": ["il-fusion"],
    "north-il-fusion": ["north-il-fusion"],
    "springfield-mayor": ["springfield-mayor"],
    "small-agencies": ["cook-sheriff", "lake-sheriff", "peoria-pd", "ero-chicago", "newtown-pd"],
}
HOME = {agency: gateway for gateway, agencies in GATEWAYS.items() for agency in agencies}


def nkey_of(seed: bytes) -> Nkey:
    return Nkey(public=nkey_public(seed), sign=lambda nonce: nkey_sign(seed, nonce))


def clock() -> datetime:
    return datetime.now(UTC)  # noqa: TID251


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def eventually(check: Callable[[], Any], *, within: float = 20) -> Any:
    """The first true value of ``check`` (awaited where needed); fails after ``within`` seconds."""
    async with asyncio.timeout(within):
        while True:
            value = check()
            if asyncio.iscoroutine(value):
                value = await value
            if value:
                return value
            await asyncio.sleep(0.02)


class Desk:
    """One agency at its gateway's HTTP API, with a token that may do everything for that agency."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str, agency: str) -> None:
        self.agency = agency
        self.token = token
        self.url = url
        self._session = session

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named.setdefault("Authorization", f"Bearer {self.token}")
        kind = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self._session.request(method, self.url + path, headers=named, **kind) as answer:
            text = await answer.text()
            return answer.status, (await answer.json(content_type=None) if text.startswith(("{", "[")) else text)

    async def publish(self, document: dict[str, Any], key: str | None = None) -> tuple[int, Any]:
        return await self.call(
            "POST", "/v1/bulletins", document, Idempotency_Key=key or f"key-{id(document)}-{clock()}"
        )

    async def accepted(self, document: dict[str, Any]) -> dict[str, Any]:
        status, answer = await self.publish(document)
        assert status == 202, answer
        return dict(answer)

    async def bulletin(self, ident: str) -> dict[str, Any]:
        status, answer = await self.call("GET", f"/v1/bulletins/{ident}")
        assert status == 200, answer
        return dict(answer)

    async def inbox(self) -> list[dict[str, Any]]:
        status, answer = await self.call("GET", "/v1/inbox?limit=500")
        assert status == 200, answer
        return list(answer["items"])

    async def received(self, ident: str) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            status, answer = await self.call("GET", f"/v1/bulletins/{ident}")
            return answer if status == 200 else None

        return dict(await eventually(look))

    async def delivered(self, ident: str, rung: str = "stored") -> dict[str, Any]:
        """The bulletin as its originator sees it once every recipient has reached the rung."""

        async def look() -> dict[str, Any] | None:
            shown = await self.bulletin(ident)
            return shown if all(rung in item["rungs"] for item in shown["deliveries"]) else None

        return dict(await eventually(look))


@dataclass
class Exchange:
    folder: Path
    stack: AsyncExitStack
    rules_text: str = field(default_factory=(EXAMPLES / "rules.yaml").read_text)
    vocabulary_text: str = field(default_factory=(EXAMPLES / "vocabulary.yaml").read_text)
    agencies_text: str = field(default_factory=(EXAMPLES / "agencies.yaml").read_text)
    keys: dict[str, AgencyKeys] = field(default_factory=dict)
    gateway_keys: dict[str, GatewayKeys] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    desks: dict[str, Desk] = field(default_factory=dict)
    stops: dict[str, AsyncExitStack] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    sequence: int = 0
    conducting: bool = False
    retry_seconds: list[float] = field(default_factory=lambda: [1.0])

    async def start(self, *gateways: str) -> None:
        """Mints the releases, starts hub and server, then these gateways (all when none is named)."""
        now = clock()
        self.officers = [
            new_officer_keys("captain-a", "springfield-pd"),
            new_officer_keys("director-b", "il-fusion"),
            new_officer_keys("agent-c", "jttf-chicago"),
        ]
        self.beating = new_beat_keys()
        self.root: MintedRoot = mint_root(
            "test exchange", self.officers, beats=[self.beating.public], created=now - timedelta(minutes=1)
        )
        for gateway, agencies in GATEWAYS.items():
            self.gateway_keys[gateway] = new_gateway_keys(gateway)
            write_gateway_keys(self.gateway_keys[gateway], self._keys(gateway) / f"{gateway}.nkey.json", created=now)
            for agency in agencies:
                self.keys[agency] = new_agency_keys(agency)
                write_agency_keys(self.keys[agency], self._keys(gateway) / f"{agency}.json", created=now)
        self.authority = TrustStore(self.folder / "authority", self.root.root.fingerprint)
        self.authority.offer(self.root.sealed, now=now)
        self.server = EmbeddedServer(self.folder / "nats")
        self.hub = Hub(keys=load_or_make_hub_keys(self.folder / "hub.json", nkey_of=nkey_of), servers=self.server)
        self.stack.push_async_callback(self.hub.stop)
        await self.hub.start({name: keys.public for name, keys in self.gateway_keys.items()})
        await self.hub.publish_release("root", 1, self.root.sealed)
        await self.release_directory()
        await self.release_rules(self.rules_text)
        self.session = await self.stack.enter_async_context(aiohttp.ClientSession())
        for gateway in gateways or GATEWAYS:
            await self.start_gateway(gateway)
        for gateway in gateways or GATEWAYS:
            await self.ready(gateway)

    async def release_directory(self, **changes: Callable[[Entry], Entry]) -> Directory:
        vocabulary = parse_vocabulary(self.vocabulary_text, source="vocabulary.yaml")
        attributes = parse_agencies(self.agencies_text, vocabulary, source="agencies.yaml")
        entries = [
            Entry(
                agency=agency,
                gateway=HOME[agency],
                attributes=values,
                public=self.keys[agency].public(),
                contacts={
                    "duty": {"name": f"{agency} desk", "phone": "217-555-0100"},
                    "alternate": {"name": f"{agency} watch commander", "phone": "217-555-0199"},
                },
            )
            for agency, values in attributes.items()
        ]
        entries = [changes.get(entry.agency.replace("-", "_"), lambda same: same)(entry) for entry in entries]
        minted = mint_directory(
            entries,
            {name: keys.public for name, keys in self.gateway_keys.items()},
            root=self.root.root,
            previous=self.authority.staged_directory,
            officers=self.officers[:2],
            created=clock(),
            conditions=self._conditions(self.authority.staged_directory),
        )
        self.authority.offer(minted.sealed, now=clock())
        await self.hub.publish_release("directory", minted.release.number, minted.sealed)
        await self.put_in_force()
        assert self.authority.staged_directory is not None
        return self.authority.staged_directory

    async def release_rules(
        self, text: str, *, floor: int = 0, alone: int | None = None, expires: datetime | None = None, **conditions: Any
    ) -> Rules:
        """The next rules, by the first two officers; or by one of them `alone`."""
        minted = mint_rules(
            self.vocabulary_text,
            text,
            root=self.root.root,
            previous=self.authority.staged_rules,
            officers=self.officers[:2] if alone is None else [self.officers[alone]],
            created=clock(),
            expires=expires,
            floor=floor,
            conditions=self._conditions(self.authority.staged_rules, **conditions),
        )
        self.authority.offer(minted.sealed, now=clock())
        await self.hub.publish_release("rules", minted.release.number, minted.sealed)
        await self.put_in_force()
        assert self.authority.staged_rules is not None
        return self.authority.staged_rules

    @staticmethod
    def _conditions(previous: Rules | Directory | None, **given: Any) -> Conditions:
        return Conditions(preview=hashlib.sha256(b"a preview").digest() if previous else bytes(32), **given)

    @contextlib.asynccontextmanager
    async def conducted(self) -> AsyncIterator[Conductor]:
        """The hub's real conductor at work: from now on it beats, and nothing comes into force before it is ready."""
        changed = asyncio.Event()
        rules, directory = self.authority.staged_rules, self.authority.staged_directory
        assert rules is not None
        assert directory is not None
        present = {"rules": [rules.number, rules.hash.hex()], "directory": [directory.number, directory.hash.hex()]}
        (self.folder / "in-force.json").write_text(json.dumps({**present, "sequence": self.sequence}))
        conductor = Conductor(self.folder, self.hub, self.beating, now=clock)
        self.conducting = True
        task = asyncio.create_task(conductor.run(lambda: self.authority, lambda: changed))
        try:
            yield conductor
        finally:
            task.cancel()
            await asyncio.wait([task])
            self.conducting = False

    async def put_in_force(self) -> None:
        """Beats the newest of both at once, as a hub does whose gateways are all ready."""
        rules, directory = self.authority.staged_rules, self.authority.staged_directory
        if rules is None or directory is None or self.conducting:
            return
        self.sequence = next_sequence(self.sequence, clock())
        await self.hub.beat(
            make_beat(
                self.beating,
                root=self.root.root.fingerprint,
                sequence=self.sequence,
                issued=clock(),
                rules=(rules.number, rules.hash),
                directory=(directory.number, directory.hash),
            )
        )

    def settings(self, gateway: str, **changes: Any) -> Settings:
        port = self.ports.setdefault(gateway, free_port())
        table = {
            "name": gateway,
            "agencies": GATEWAYS[gateway],
            "listen": f"127.0.0.1:{port}",
            "data": f"data/{gateway}",
            "keys": f"keys/{gateway}",
            "tokens": f"data/{gateway}.tokens.json",
            "root": self.root.root.fingerprint,
            "relay": list(self.server.urls),
            "retry_seconds": self.retry_seconds,
            **changes,
        }
        return build(table, self.folder)

    async def start_gateway(self, gateway: str, **changes: Any) -> Node:
        settings = self.settings(gateway, **changes)
        stack = AsyncExitStack()
        node = await stack.enter_async_context(service.gateway(settings))
        await stack.enter_async_context(service.serving(node))
        self.stack.push_async_callback(stack.aclose)
        self.nodes[gateway], self.stops[gateway] = node, stack
        for agency in settings.agencies:
            if agency not in self.desks:
                token, _ = create(settings.tokens, agency=agency, scopes=SCOPES, name="test")
                self.desks[agency] = Desk(self.session, f"http://{settings.listen}", token, agency)
        return node

    async def ready(self, gateway: str) -> None:
        node = self.nodes[gateway]
        await eventually(lambda: node.link.connected and node.trust.rules and node.trust.directory)

    async def stop_gateway(self, gateway: str) -> None:
        await self.stops.pop(gateway).aclose()

    def _keys(self, gateway: str) -> Path:
        folder = self.folder / "keys" / gateway
        folder.mkdir(parents=True, exist_ok=True)
        return folder


@contextlib.asynccontextmanager
async def exchange(folder: Path, *gateways: str, **options: Any) -> AsyncIterator[Exchange]:
    async with AsyncExitStack() as stack:
        running = Exchange(folder, stack, **options)
        await running.start(*gateways)
        yield running
