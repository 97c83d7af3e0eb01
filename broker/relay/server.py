"""A nats-server of our own, as a child process: started, watched, restarted, stopped."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from broker.relay.addresses import bracketed, reached
from broker.relay.config import ACCOUNTS_FILE, Cluster, ServerSettings, ServerTls, render_server_config
from broker.relay.errors import RelayError
from broker.relay.files import try_lock, write_private
from broker.relay.process import check_config, dies_with, end, server_binary

log = structlog.get_logger()

# Recovery of a large store comes before /healthz is ok.
_HEALTHY_WITHIN: Final = 60.0
# Half a minute without health is no longer a busy moment.
_LOOK_EVERY: Final = 5.0
_UNHEALTHY_LOOKS: Final = 6
# The previous server may still be closing its store when its parent was killed and a new one starts.
_LOCK_WITHIN: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedSettings:
    """Where the child listens. Without ports, free ones are chosen at the first start and kept for ever.

    (`port: -1` would change after a crash, and every gateway would be looking at the old one.)
    """

    name: str = "tearline"
    host: str = "127.0.0.1"
    port: int | None = None
    monitor_port: int | None = None
    tls: ServerTls | None = None
    cluster: Cluster | None = None


@dataclass(slots=True)
class _Running:
    process: asyncio.subprocess.Process
    lock: int
    stopping: bool = False
    restarts: int = field(default=0)


class EmbeddedServer:
    """One nats-server on one store folder.

    Invariants: never two servers on one store (the lock is inherited by the child, so it is held as long as either
    lives); the same ports for ever; the child dies with its parent; after a crash it is started again.
    """

    def __init__(self, folder: Path, settings: EmbeddedSettings | None = None) -> None:
        self._folder = folder
        self._settings = settings or EmbeddedSettings()
        self._ports: tuple[int, int] | None = None
        self._running: _Running | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        scheme = "tls" if self._settings.tls else "nats"
        return f"{scheme}://{reached(self._settings.host)}:{self._chosen_ports()[0]}"

    @property
    def urls(self) -> tuple[str, ...]:
        return (self.url,)

    @property
    def monitor_url(self) -> str:
        return f"http://127.0.0.1:{self._chosen_ports()[1]}"

    @property
    def pid(self) -> int | None:
        return self._running.process.pid if self._running else None

    @property
    def restarts(self) -> int:
        return self._running.restarts if self._running else 0

    async def start(self, accounts: str) -> None:
        """Start the server with this accounts file and return when it is healthy.

        Raises:
            RelayError: `not-main-thread`, `store-in-use`, `bad-server-config`, `no-nats-server`, `server-failed`.
        """
        if threading.current_thread() is not threading.main_thread():
            # PDEATHSIG fires when the *thread* that forked ends, so a server started from an executor dies with it.
            raise RelayError("not-main-thread", "the embedded server is started from the main thread only")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = await self._lock_store()
        try:
            await self._write_checked(accounts)
            process = await self._spawn(lock)
            self._running = _Running(process=process, lock=lock)
            await self._wait_healthy(process)
        except BaseException:
            if self._running is not None:
                await end(self._running.process)
                self._running = None
            os.close(lock)
            raise
        self._watch = asyncio.create_task(self._restart_when_it_ends(self._running))

    async def apply(self, accounts: str) -> None:
        """Put another accounts file in force; a running server takes it over without dropping connections.

        Raises:
            RelayError: `bad-server-config` (the old file stays) or `reload-failed`.
        """
        digest = await self._write_checked(accounts)
        # nats-server makes the service imports of an account that is new to it only at the *next* reload; after one,
        # a gateway that just joined is answered "no responders" for ever (seen on 2.15.1).
        for _ in range(2):
            await self._reload(digest)

    async def stop(self) -> None:
        """End the server and give the store folder free. Harmless when it is not running."""
        running, self._running = self._running, None
        if running is None:
            return
        running.stopping = True
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
            self._watch = None
        await end(running.process)
        os.close(running.lock)

    async def healthy(self) -> bool:
        """Tell whether the server answers /healthz with ok."""
        try:
            return (await self._get("/healthz"))[0] == 200  # noqa: PLR2004 - HTTP's own number
        except (OSError, TimeoutError, ValueError):
            return False

    async def _lock_store(self) -> int:
        path = self._folder / "lock"
        try:
            async with asyncio.timeout(_LOCK_WITHIN):
                while (lock := try_lock(path)) is None:  # noqa: ASYNC110 - another process's lock
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise RelayError("store-in-use", f"another nats-server uses the store `{self._folder.name}`") from error
        return lock

    def _chosen_ports(self) -> tuple[int, int]:
        if self._ports is None:
            self._ports = self._choose_ports()
        return self._ports

    def _choose_ports(self) -> tuple[int, int]:
        given, monitor = self._settings.port, self._settings.monitor_port
        if given is not None and monitor is not None:
            return given, monitor
        path = self._folder / "ports.json"
        if path.exists():
            kept = json.loads(path.read_text(encoding="utf-8"))
            return given or int(kept["client"]), monitor or int(kept["monitor"])
        # Both sockets are open at once, so the two ports differ.
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
            ports = given or int(one.getsockname()[1]), monitor or int(two.getsockname()[1])
        write_private(path, json.dumps({"client": ports[0], "monitor": ports[1]}) + "\n")
        return ports

    async def _write_checked(self, accounts: str) -> str:
        """Check the configuration as nats-server itself does, put it in place, and return its digest."""
        port, monitor = self._chosen_ports()
        settings = ServerSettings(
            name=self._settings.name,
            listen=f"{bracketed(self._settings.host)}:{port}",
            monitor=f"127.0.0.1:{monitor}",
            store=(self._folder / "store").absolute(),
            log=(self._folder / "server.log").absolute(),
            tls=self._settings.tls,
            cluster=self._settings.cluster,
        )
        trial = f"{ACCOUNTS_FILE}.new"
        write_private(self._folder / trial, accounts)
        write_private(self._folder / "server.conf.new", render_server_config(settings, accounts_file=trial))
        digest = await check_config(self._folder / "server.conf.new")
        write_private(self._folder / "server.conf", render_server_config(settings))
        (self._folder / trial).replace(self._folder / ACCOUNTS_FILE)
        (self._folder / "server.conf.new").unlink()
        return digest

    async def _reload(self, digest: str) -> None:
        """Let the running server read its files again, and see that it has."""
        if self._running is None:
            return
        before = await self._loaded()
        with contextlib.suppress(ProcessLookupError):  # between crash and restart: the new process reads the new file
            self._running.process.send_signal(signal.SIGHUP)
        try:
            async with asyncio.timeout(10):
                while (loaded := await self._loaded()) == before or loaded[0] != digest:  # noqa: ASYNC110 - another process's state
                    await asyncio.sleep(0.01)
        except TimeoutError as error:
            raise RelayError("reload-failed", "nats-server did not take over the accounts file") from error

    async def _spawn(self, lock: int) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            server_binary(),
            "-c",
            str(self._folder / "server.conf"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=(lock,),
            # Ctrl-C reaches the whole group of the terminal; the parent stops this child in its own order.
            start_new_session=True,
            preexec_fn=dies_with(os.getpid()),
        )

    async def _wait_healthy(self, process: asyncio.subprocess.Process) -> None:
        try:
            async with asyncio.timeout(_HEALTHY_WITHIN):
                while not await self.healthy():
                    if process.returncode is not None:
                        raise RelayError("server-failed", f"nats-server ended at start: {self._last_words()}")
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            raise RelayError("server-failed", "nats-server did not become healthy") from error

    async def _restart_when_it_ends(self, running: _Running) -> None:
        delay = 0.0
        while True:
            code = await self._wait_until_useless(running.process)
            if running.stopping:
                return
            log.error("relay server ended", code=code, restarts=running.restarts)
            await asyncio.sleep(delay)
            running.restarts += 1
            try:
                running.process = await self._spawn(running.lock)
                await self._wait_healthy(running.process)
            except (OSError, RelayError) as error:
                log.warning("relay server does not start", reason=str(error))
                await end(running.process)
                # Something outside must change (a full disk, a taken port): keep trying, but do not spin.
                delay = min(5.0, delay * 2 + 0.2)
            else:
                log.info("relay server restarted", pid=running.process.pid)
                delay = 0.0

    async def _wait_until_useless(self, process: asyncio.subprocess.Process) -> int | None:
        """Return when the process has ended; end it when it lives and serves nobody.

        After a full disk JetStream stays frozen, with /healthz at 503, until nats-server is started again.
        """
        unhealthy = 0
        while process.returncode is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY):
                    return await process.wait()
            unhealthy = 0 if await self.healthy() else unhealthy + 1
            if unhealthy == _UNHEALTHY_LOOKS:
                log.error("relay server serves nobody", seconds=_LOOK_EVERY * unhealthy)
                await end(process)
        return process.returncode

    async def _loaded(self) -> tuple[str, str]:
        """Return the digest of the configuration in force, and when it was loaded."""
        try:
            facts = json.loads((await self._get("/varz"))[1])
            return str(facts["config_digest"]), str(facts["config_load_time"])
        except (OSError, TimeoutError, ValueError, KeyError):
            return "", ""

    async def _get(self, path: str) -> tuple[int, bytes]:
        """Ask the monitoring port: HTTP/1.0, loopback, no redirects; a client library would be more than this needs."""
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._chosen_ports()[1])
            try:
                writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
                head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
            return int(head.split(b" ", 2)[1]) if head else 0, body

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = (self._folder / "server.log").read_text(encoding="utf-8", errors="replace").splitlines()
            fatal = [line for line in lines[-50:] if "[FTL]" in line or "[ERR]" in line]
            return (fatal or lines or ["no log"])[-1]
        return "no log"
