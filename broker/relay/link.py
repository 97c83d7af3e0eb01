"""A gateway's link to the relay: publish, draw deliveries FLASH first, read releases. Bytes in, bytes out.

The relay is untrusted: what comes out of here is an envelope somebody put there, nothing more.
"""

import asyncio
import contextlib
import json
import secrets
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Final, Self

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from broker.relay.batch import by_gateway, read_batch
from broker.relay.config import inbox_prefix
from broker.relay.connection import Connection
from broker.relay.errors import RelayError
from broker.relay.lanes import LANES, REPORTS
from broker.relay.nkeys import Nkey
from broker.relay.publisher import Outcome, Outgoing, Publisher
from broker.relay.puller import Delivery, Puller
from broker.relay.releases import Assembly, read_from
from broker.relay.subjects import (
    EnvelopeSubject,
    GatewayName,
    Kind,
    Precedence,
    ReleaseSubject,
    gateway_name,
    parse_subject,
    report_subject,
)

log = structlog.get_logger()

# The doorbell wakes the reader of releases; this is for a ring that got lost, as one does that was drawn by a process
# that then ended. A release may be a suspension: seconds matter more than one small request.
_LOOK_AGAIN: Final = 3.0
_RETRY_READ: Final = 1.0
# A few batches of one message for each gateway; a relay that always has one more is not believed for ever.
_REPORTS_WITHIN: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One delivery to this gateway. Until it is acknowledged it comes again.

    Attributes:
        sender_gateway: from the subject: who may have put it there, not who signed it.
        precedence: None for receipts.
        delivered_count: 1 the first time; more after a crash, a `nak` or a lost acknowledgement.
    """

    payload: bytes
    sender_gateway: GatewayName
    kind: Kind
    precedence: Precedence | None
    delivered_count: int
    _link: "Link"
    _ack_subject: str

    async def ack(self) -> bool:
        """It is stored here: remove it from the relay. False if there is no connection; then it comes again."""
        return await self._link.answer(self._ack_subject, b"+ACK")

    async def nak(self, delay: float = 0.0) -> bool:
        """Let it come again, after `delay` seconds."""
        return await self._link.answer(self._ack_subject, b"-NAK " + json.dumps({"delay": int(delay * 1e9)}).encode())

    async def term(self) -> bool:
        """Never deliver it again. The caller has recorded why."""
        return await self._link.answer(self._ack_subject, b"+TERM")


class Link:
    """The lasting link of one gateway, as an async context manager; it connects in the background and for ever.

    Invariants: nothing is buffered for a relay that is not there; every call ends; a FLASH is handed out before
    anything else that waits; at most a bounded number of deliveries waits here unacknowledged.
    """

    def __init__(
        self,
        *,
        gateway: str,
        nkey: Nkey,
        servers: Sequence[str],
        now: Callable[[], datetime],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._gateway = gateway_name(gateway)
        self._now = now
        self._arrived = asyncio.Event()
        self._bell = asyncio.Event()
        self._publisher: Publisher | None = None
        self._running: asyncio.Task[None] | None = None
        self._pullers = [
            Puller(
                gateway=gateway,
                stream=lane.stream,
                consumer=lane.consumer(gateway),
                name=str(lane.rank),
                prefetch=lane.prefetch,
                arrived=self._arrived.set,
            )
            for lane in LANES
        ]
        # This consumer's messages are only a doorbell; releases are read from the stream itself, from the beginning.
        self._doorbell = Puller(
            gateway=gateway, stream="RELEASES", consumer=gateway, name="bell", prefetch=4, arrived=self._bell.set
        )
        self._beats = Puller(
            gateway=gateway, stream="BEATS", consumer=gateway, name="beat", prefetch=4, arrived=self._beaten
        )
        self._beat = asyncio.Event()
        self._connection = Connection(
            servers=servers,
            nkey=nkey,
            inbox_prefix=inbox_prefix(gateway),
            name=gateway,
            on_up=self._up,
            on_down=self._down,
            tls=tls,
        )

    async def __aenter__(self) -> Self:
        self._connection.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What waits here unread goes back at once, instead of after ack_wait; and not to us, so drawing ends first.
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
        for puller in self._pullers:
            for delivery in puller.drop_all():
                await self.answer(delivery.ack_subject, b"-NAK")
        await self._connection.close()

    @property
    def connected(self) -> bool:
        return self._connection.connected

    @property
    def rebuilt(self) -> int:
        """How often the connection was lost and built anew."""
        return self._connection.rebuilt

    @property
    def last_error(self) -> str:
        return self._connection.last_error

    async def wait_connected(self) -> None:
        """Return when there is a connection: at once, or with the next one."""
        await self._connection.wait_connected()

    async def publish(self, outgoing: Sequence[Outgoing]) -> list[Outcome]:
        """Publish all, one outcome each in the same order. Without a connection all have failed, at once."""
        publisher = self._publisher
        if publisher is None or not self.connected:
            return [Outcome(state="failed", code="disconnected")] * len(outgoing)
        return await publisher.publish(outgoing)

    async def incoming(self) -> AsyncIterator[Incoming]:
        """Yield deliveries for ever: FLASH, IMMEDIATE, receipts, then the rest; within each in order of arrival."""
        while True:
            self._arrived.clear()
            delivery = next((found for puller in self._pullers if (found := puller.take())), None)
            if delivery is None:
                await self._arrived.wait()
            elif (incoming := await self._read(delivery)) is not None:
                yield incoming

    async def releases(self) -> AsyncIterator[bytes]:
        """Yield every release in the stream from the beginning, then new ones as they come; each once."""
        assembly = Assembly()
        while True:
            client = await self._connection.wait_connected()
            # A stream made anew after a loss counts from one again, so each connection begins at the beginning.
            try:
                async for raw in self._releases_over(client, assembly):
                    yield raw
            except NatsError:
                # A closed client refuses at once, without ever giving way: a loop around that would be all this process
                # still does, and the connection's own end would never be noticed.
                await asyncio.sleep(_RETRY_READ)

    async def _releases_over(self, client: Client, assembly: Assembly) -> AsyncIterator[bytes]:
        sequence = 1
        while client is self._connection.client:
            self._bell.clear()
            while self._doorbell.take():
                pass
            wait = _LOOK_AGAIN
            try:
                chunks, following = await read_from(
                    client, inbox=self._inbox(f"get.{secrets.token_hex(8)}"), sequence=sequence
                )
            except RelayError as error:
                log.warning("releases not readable", reason=error.message)
                chunks, following, wait = [], sequence, _RETRY_READ
            for chunk in chunks:
                if (raw := assembly.add(chunk)) is not None:
                    yield raw
            if following == sequence:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._bell.wait()
            sequence = following

    async def beats(self) -> AsyncIterator[bytes]:
        """Yield the hub's beats for ever, as they come; the last one of before the start among them, or not."""
        while True:
            self._beat.clear()
            while (delivery := self._beats.take()) is not None:
                yield delivery.payload
            await self._beat.wait()

    def _beaten(self) -> None:
        self._beat.set()

    async def report(self, raw: bytes) -> bool:
        """Say what this gateway has in force, in place of what it said last; False if there is no connection.

        Nobody waits for the relay to have stored it: it is said again soon.
        """
        client = self._connection.client
        if client is None:
            return False
        try:
            await client.publish(report_subject(self._gateway), raw)
        except NatsError:
            return False
        return True

    async def reports(self) -> dict[str, bytes]:
        """Return the last report of every gateway, by the name it was left under.

        Raises:
            RelayError: `reports-unreadable`; `disconnected`.
        """
        client = self._connection.client
        if client is None:
            raise RelayError("disconnected", "there is no connection to the relay")
        found: dict[str, bytes] = {}
        sequence = 1
        try:
            async with asyncio.timeout(_REPORTS_WITHIN):
                while True:
                    inbox = self._inbox(f"get.{secrets.token_hex(8)}")
                    messages, following = await read_batch(client, REPORTS, "report.>", inbox=inbox, sequence=sequence)
                    found |= by_gateway(messages)
                    if following == sequence:
                        return found
                    sequence = following
        except TimeoutError as error:
            raise RelayError("reports-unreadable", "there is no end of reports") from error
        except NatsError as error:
            raise RelayError("reports-unreadable", "the connection has ended") from error

    async def answer(self, ack_subject: str, words: bytes) -> bool:
        """Send an acknowledgement; False if there is no connection to send it over."""
        client = self._connection.client
        if client is None:
            return False
        try:
            await client.publish(ack_subject, words)
        except NatsError:
            return False
        return True

    async def _read(self, delivery: Delivery) -> Incoming | None:
        subject: EnvelopeSubject | ReleaseSubject | None
        try:
            subject = parse_subject(delivery.subject)
        except RelayError:
            subject = None
        if not isinstance(subject, EnvelopeSubject) or subject.recipient != self._gateway:
            log.error("delivery under a foreign subject refused", subject=delivery.subject)
            await self.answer(delivery.ack_subject, b"+TERM")
            return None
        return Incoming(
            payload=delivery.payload,
            sender_gateway=subject.sender,
            kind=subject.kind,
            precedence=subject.precedence,
            delivered_count=delivery.delivered_count,
            _link=self,
            _ack_subject=delivery.ack_subject,
        )

    async def _up(self, client: Client) -> None:
        # Not the last connection's name: its acknowledgements are for what that one published.
        publisher = Publisher(client, inbox=self._inbox(f"ack.{secrets.token_hex(8)}"), now=self._now)
        await publisher.start()
        self._publisher = publisher
        self._bell.set()
        self._running = asyncio.create_task(self._draw(client))

    def _down(self) -> None:
        if self._publisher is not None:
            self._publisher.abandon()
            self._publisher = None
        if self._running is not None:
            self._running.cancel()
            self._running = None
        self._bell.set()

    async def _draw(self, client: Client) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for puller in (*self._pullers, self._doorbell, self._beats):
                    group.create_task(puller.run(client))
        except* NatsError:
            pass  # the connection has ended
        except* Exception as errors:  # noqa: BLE001 - a lane must not stay dead while the connection lives
            log.error("drawing stopped", reasons=[type(error).__name__ for error in errors.exceptions])  # noqa: TRY400
        if not client.is_closed:
            await client.close()

    def _inbox(self, purpose: str) -> str:
        return f"{inbox_prefix(self._gateway)}.{purpose}"
