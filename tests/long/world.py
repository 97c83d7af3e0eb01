"""The processes of a real exchange, each of which can be killed at any moment and is then started again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from broker.demo.ground import Ground, prepare
from broker.demo.processes import child_named
from tests.gateway.exchange import clock, eventually

ROOT = Path(__file__).parents[2]
GATEWAYS = ("chicago-pd", "springfield-pd", "il-state-police", "il-fusion", "jttf")
ADAPTER = "il-state-police"
LOOK = aiohttp.ClientTimeout(total=5)


@dataclass
class World:
    """Hub (with its nats-server), five gateways and one adapter, as processes of their own."""

    ground: Ground
    session: aiohttp.ClientSession
    processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    keepers: list[asyncio.Task[None]] = field(default_factory=list)
    ending: bool = False
    kills: dict[str, int] = field(default_factory=dict)

    async def start(self) -> None:
        self._keep("hub", "hub", "hub.toml")
        for gateway in GATEWAYS:
            self._keep(gateway, "gateway", f"gateways/{gateway}.toml")
        self._keep("adapter", "adapter", "state-police", f"adapters/{ADAPTER}.toml")
        for gateway in GATEWAYS:
            await eventually(lambda gateway=gateway: self.ready(gateway), within=60)

    async def ready(self, gateway: str) -> bool:
        url = next(member.url for member in self.ground.members.values() if member.gateway == gateway)
        try:
            async with self.session.get(f"{url}/readyz", timeout=LOOK) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def kill(self, target: str) -> None:
        """Kill -9, as soon as there is something alive to kill; whoever keeps it starts it again."""

        def alive() -> int | None:
            if target == "nats-server":
                return child_named(self.processes["hub"].pid, "nats-server")
            process = self.processes[target]
            return process.pid if process.returncode is None else None

        if target in GATEWAYS:
            await eventually(lambda: self.ready(target), within=60)
        pid = await eventually(alive, within=60)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.kills[target] = self.kills.get(target, 0) + 1

    async def stop(self) -> None:
        self.ending = True
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        _, left = await asyncio.wait(self.keepers, timeout=15)
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        for keeper in left:
            keeper.cancel()

    async def call(self, agency: str, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
        """One request as the agency's person; None when nobody answered, as while the gateway is being killed."""
        member = self.ground.members[agency]
        headers = {"Authorization": f"Bearer {member.token_file.read_text().strip()}"}
        headers |= {"Idempotency-Key": key} if key else {}
        try:
            async with self.session.request(
                method, member.url + path, json=body, headers=headers, timeout=LOOK
            ) as answer:
                return answer.status, await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError):
            return None

    def _keep(self, name: str, *command: str) -> None:
        self.keepers.append(asyncio.create_task(self._kept(name, command)))

    async def _kept(self, name: str, command: tuple[str, ...]) -> None:
        while not self.ending:
            with (self.ground.folder / f"{name}.log").open("ab") as log:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "broker.cli", *command, cwd=self.ground.folder, stdout=log, stderr=log,
                    env={**os.environ, "PYTHONPATH": str(ROOT)},
                )  # fmt: skip
            self.processes[name] = process
            await process.wait()


@contextlib.asynccontextmanager
async def world(folder: Path) -> Any:
    ground = prepare(
        folder / "run",
        keys=ROOT / "keys.example",
        rules=ROOT / "policy" / "rules.example",
        now=clock(),
        gateways=GATEWAYS,
        retry_seconds=[5.0, 10.0],
    )
    async with aiohttp.ClientSession() as session:
        running = World(ground=ground, session=session)
        try:
            await running.start()
            yield running
        finally:
            await running.stop()
