"""Load on a running exchange: bulletins submitted over HTTP, watched until each is readable and its receipt is in."""

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

from adapters.client import GatewayClient
from bench.exchange import RECIPIENTS, SENDER, Exchange, monotonic_ms
from broker.ops.clock import now

_PATIENCE_SECONDS = 60.0


class Load:
    """Submits numbered bulletins and notes when each arrived where. Everything is counted, nothing is assumed."""

    def __init__(self, exchange: Exchange, *, size: int) -> None:
        self._clients = exchange.clients
        self._text = os.urandom(size).hex()[: max(1, size - 10)]
        self.submitted: dict[int, float] = {}
        self.accepted = 0
        self.arrived: dict[tuple[int, str], float] = {}
        self.copies: Counter[tuple[int, str]] = Counter()
        self.receipts: set[tuple[str, str]] = set()
        self.last_receipt = 0.0
        self._changed = asyncio.Event()
        self._number = 0

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Follow the event streams of sender and recipients, as their adapters would."""
        tasks = [asyncio.ensure_future(self._recipient(agency, self._clients[agency])) for agency in RECIPIENTS]
        tasks.append(asyncio.ensure_future(self._sender(self._clients[SENDER])))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def submit(self) -> None:
        """Submit one bulletin; 202 or an exception."""
        number = self._number
        self._number += 1
        document = self._document(number)
        self.submitted[number] = monotonic_ms()
        await self._clients[SENDER].publish(document, idempotency_key=f"load-{os.getpid()}-{number}")
        self.accepted += 1

    async def steadily(self, *, rate: float, count: int) -> None:
        """Open loop: a bulletin is submitted when it is due, whatever became of the one before."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                await asyncio.sleep(max(0.0, start + number / rate - loop.time()))
                group.create_task(self.submit())

    async def flat_out(self, *, seconds: float, at_once: int) -> None:
        """Closed loop: so many submitters, each sending the next as soon as the last was accepted."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds

        async def submitter() -> None:
            while loop.time() < end:
                await self.submit()

        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(submitter())

    async def drained(self) -> bool:
        """Wait until every accepted bulletin is readable everywhere and every receipt is in; False when time is up."""
        wanted = self.accepted * len(RECIPIENTS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while len(self.arrived) < wanted or len(self.receipts) < wanted:
                    self._changed.clear()
                    await self._changed.wait()
                return True
        return False

    def latencies(self, since: int = 0) -> list[float]:
        """Milliseconds from submission to readable, of every delivery from bulletin `since` on."""
        return [at - self.submitted[number] for (number, _), at in self.arrived.items() if number >= since]

    @property
    def lost(self) -> int:
        """Deliveries that never became readable."""
        return self.accepted * len(RECIPIENTS) - len(self.arrived)

    @property
    def twice(self) -> int:
        """Wait until every accepted bulletin is readable and acknowledged everywhere; False when time is up."""
        return sum(count > 1 for count in self.copies.values())

    async def _recipient(self, agency: str, client: GatewayClient) -> None:
        async for event in client.events():
            at = monotonic_ms()
            if event.event != "bulletin":
                continue
            number = int(event.data["bulletin"]["portions"][0]["content"][:10])
            self.copies[number, agency] += 1
            self.arrived.setdefault((number, agency), at)
            self._changed.set()

    async def _sender(self, client: GatewayClient) -> None:
        async for event in client.events():
            if event.event == "receipt" and event.data["rung"] == "stored":
                self.receipts.add((str(event.data["id"]), str(event.data["recipient"])))
                self.last_receipt = monotonic_ms()
                self._changed.set()

    def _document(self, number: int) -> dict[str, object]:
        expires = (now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "kind": "bulletin",
            "product": "THREAT",
            "precedence": "FLASH",
            "status": "Actual",
            "expires": expires,
            "agency": SENDER,
            "control_official": "Sgt. G. Example",
            "purpose": "protection of life",
            "info_class": "investigative",
            "category": "threat to a public official",
            "area": {"counties": ["IL-SANGAMON"]},
            "protectee": "mayor-springfield",
            "portions": [
                {
                    "id": "p1",
                    "version": "full",
                    "marking": {"classification": "U", "tlp": "AMBER", "caveats": ["LES"], "dissemination": []},
                    "content_basis": "criminal predicate",
                    "media_type": "text/plain",
                    "content": f"{number:010d}{self._text}",
                }
            ],
        }
