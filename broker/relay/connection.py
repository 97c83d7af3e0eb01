"""One lasting connection to the relay, made of nats-py clients that each live for one TCP connection.

nats-py's own reconnection is off. With it on, a mid-connection `-ERR` closes the client for good (nats.py#1019),
publishes made while disconnected are sent later, `flush()` succeeds while disconnected, and requests in flight over a
restart stay blind until they time out. A client that never reconnects has none of these: when its connection ends, for
whatever reason, it is closed, and a new one is built here, for ever, with jitter.
"""

import asyncio
import contextlib
import secrets
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from broker.relay.errors import RelayError
from broker.relay.nkeys import Nkey

log = structlog.get_logger()

_CONNECT_WITHIN: Final = 5.0
# A peer that went silent is noticed after some 15 s; one that closed, at once.
_PING_EVERY: Final = 5
# First retry within 50 ms, since a restarted server is ready in 40 ms; later ones spread 300 gateways over seconds.
_FIRST_WAIT: Final = 0.05
_LONGEST_WAIT: Final = 3.0


class Connection:
    """A supervised connection: `client` is None while there is none.

    `on_up` is awaited with each new client before anybody else sees it; `on_down` is called when it has ended, and also
    when there was none after all.
    """

    def __init__(
        self,
        *,
        servers: Sequence[str],
        nkey: Nkey,
        inbox_prefix: str,
        name: str,
        on_up: Callable[[Client], Awaitable[None]] | None = None,
        on_down: Callable[[], None] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if not servers:
            raise RelayError("no-relay", "no relay address is configured")
        self._servers = tuple(servers)
        self._nkey = nkey
        self._inbox_prefix = inbox_prefix
        self._name = name
        self._on_up = on_up
        self._on_down = on_down
        self._tls = tls
        self._up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self.client: Client | None = None
        self.rebuilt = 0
        self.last_error = ""

    @property
    def connected(self) -> bool:
        return self.client is not None and self.client.is_connected

    def open(self) -> None:
        """Begin connecting in the background; `connect()` itself would not return while the relay is down."""
        self._task = asyncio.create_task(self._keep())

    async def wait_connected(self) -> Client:
        """Return the client of the connection that stands now, or of the next one."""
        while (client := self.client) is None:
            await self._up.wait()
        return client

    async def close(self) -> None:
        """End the connection and stop rebuilding it."""
        self._closing = True
        if self._task is not None:
            # nats-py swallows a cancellation that meets it while it tears down a failed connect, so one is not enough.
            while not self._task.done():
                self._task.cancel()
                await asyncio.wait([self._task], timeout=1)
            self._task = None

    async def _keep(self) -> None:
        failures = 0
        # Gateways begin at different servers, so that a cluster's load is spread.
        turn = secrets.randbelow(len(self._servers))
        while not self._closing:
            server = self._servers[turn % len(self._servers)]
            ended = asyncio.Event()
            client = Client()
            try:
                try:
                    await self._connect(client, server, ended)
                except Exception as error:  # noqa: BLE001 - whatever it was, the next client is tried
                    self._note("relay not reachable", server, error)
                    failures += 1
                    turn += 1
                else:
                    failures = 0
                    await self._watch(client, ended)
                    self.rebuilt += 1
            finally:
                self._gone()
                await _close_quietly(client)
            await asyncio.sleep(_wait_before(failures))

    async def _connect(self, client: Client, server: str, ended: asyncio.Event) -> None:
        async def closed() -> None:
            ended.set()

        async def failed(error: Exception) -> None:
            # Callbacks of nats-py only log: one that raises stops more than itself (nats.py#204).
            self._note("relay connection error", server, error)

        # nats-py offers no public way to give a public nkey with a signature callback.
        client._public_nkey = self._nkey.public  # noqa: SLF001
        async with asyncio.timeout(_CONNECT_WITHIN):
            await client.connect(
                server,
                name=self._name,
                signature_cb=self._nkey.answer,
                inbox_prefix=self._inbox_prefix,
                error_cb=failed,
                closed_cb=closed,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=int(_CONNECT_WITHIN),
                ping_interval=_PING_EVERY,
                max_outstanding_pings=2,
                # Far above what the windows of this room leave in flight; reaching it would make publish wait.
                pending_size=16 * 1024 * 1024,
                tls=self._tls,
            )
            if self._on_up is not None:
                await self._on_up(client)

    async def _watch(self, client: Client, ended: asyncio.Event) -> None:
        self.client = client
        self.last_error = ""
        self._up.set()
        log.info("relay connected", name=self._name)
        while not ended.is_set() and not client.is_closed:
            # The event is the rule; the look at `is_closed` is for a client that died without its callback.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await ended.wait()
        log.warning("relay connection lost", name=self._name)

    def _gone(self) -> None:
        self.client = None
        self._up.clear()
        if self._on_down is not None:
            self._on_down()

    def _note(self, event: str, server: str, error: BaseException) -> None:
        reason = str(error) or type(error).__name__
        if reason != self.last_error:  # said once, not at every attempt
            log.warning(event, name=self._name, server=server, reason=reason)
        self.last_error = reason


def _wait_before(failures: int) -> float:
    """Full jitter: nats-py's own wait has none, and 300 gateways would come back in one instant."""
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * float(1 << min(failures, 10)))
    return longest * (secrets.randbelow(1000) + 1) / 1000


async def _close_quietly(client: Client) -> None:
    with contextlib.suppress(OSError, NatsError, TimeoutError):
        async with asyncio.timeout(2):
            await client.close()
