"""The hub: administers NATS and publishes releases. As untrusted as the relay itself.

It knows gateway names and public nkeys. It holds no agency key, reads no envelope, and a release it publishes counts
only for its officers' signatures.
"""

import asyncio
import ssl
from collections.abc import Coroutine, Iterable, Mapping
from types import TracebackType
from typing import Final, Protocol, Self

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError

from broker.relay.batch import by_gateway, read_batch
from broker.relay.config import MAX_PAYLOAD, Accounts, render_accounts
from broker.relay.connection import Connection
from broker.relay.errors import RelayError
from broker.relay.hubkeys import HubKeys
from broker.relay.lanes import BEATS, LANES, NEWEST_ONLY, RELEASES, REPORTS, STREAMS, StreamName, subjects_of
from broker.relay.releases import CHUNK_HEADER, cut
from broker.relay.subjects import BEAT_SUBJECT, release_subject

log = structlog.get_logger()

# nats-server 2.15 silently limits a stream to 1000 consumers unless told otherwise; HOT has two per gateway.
_MAX_CONSUMERS: Final = 5000
# Transit is at most 30 days (DESIGN 5); a message that a gateway published without a TTL goes a day later.
_MAX_AGE: Final = 31 * 24 * 3600.0
# Ids are remembered in memory. Longer is not needed: receivers know what they have seen (DESIGN 7, replay).
_DUPLICATE_WINDOW: Final = 120.0
# Messages of one sender to one recipient in one precedence. Beyond, the sender's outbox keeps and tries again; the
# others are stored as before. (Bytes have no such limit in nats-server, only its whole store.)
_MAX_WAITING: Final = 10_000
# Deliveries in flight per consumer. A gateway holds what it cannot judge yet (rules that have not arrived) on its own
# disk and leaves it unacknowledged. At this number the lane shuts, also for what could be judged: so it is far more
# than a gateway has to hold. In memory it has no more of them than its lane's prefetch.
_MAX_ACK_PENDING: Final = 20_000
_CONSUMERS_AT_ONCE: Final = 32
# A beat or a report is some 5 KB, most of it a post-quantum signature.
_MAX_WORD: Final = 64 * 1024
_START_WITHIN: Final = 60.0


class Servers(Protocol):
    """The nats-servers that the hub administers: `EmbeddedServer` or `ExternalCluster`."""

    @property
    def urls(self) -> tuple[str, ...]: ...
    async def start(self, accounts: str) -> None: ...
    async def apply(self, accounts: str) -> None: ...
    async def stop(self) -> None: ...


class Hub:
    """Keeps accounts, streams and consumers as the directory says.

    Everything it does can be done again: it starts over existing streams, and a change that failed half-way is
    completed by the next `apply`.
    """

    def __init__(
        self, *, keys: HubKeys, servers: Servers, replicas: int = 1, tls: ssl.SSLContext | None = None
    ) -> None:
        self._keys = keys
        self._servers = servers
        self._replicas = replicas
        self._tls = tls
        self._connection: Connection | None = None
        self._changing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def connected(self) -> bool:
        return self._connection is not None and self._connection.connected

    async def start(self, gateways: Mapping[str, str], *, within: float = _START_WITHIN) -> None:
        """Render the accounts, start the servers, and make streams and consumers.

        Args:
            gateways: gateway name to public nkey, from the directory.
            within: seconds until a relay that cannot be administered is an error.

        Raises:
            RelayError: as `EmbeddedServer.start` and `apply`, or `relay-unreachable`.
        """
        await self._servers.start(self._accounts(gateways))
        self._connection = Connection(
            servers=self._servers.urls, nkey=self._keys.hub, inbox_prefix="_INBOX_hub", name="hub", tls=self._tls
        )
        self._connection.open()
        try:
            async with asyncio.timeout(within):
                await self._ensure_patiently(gateways)
        except TimeoutError as error:
            reason = self._connection.last_error
            raise RelayError("relay-unreachable", f"the relay cannot be administered: {reason}") from error

    async def apply(self, gateways: Mapping[str, str]) -> None:
        """Follow a new directory: accounts first, then consumers; those of gateways that left are deleted."""
        async with self._changing:
            await self._servers.apply(self._accounts(gateways))
            await self._ensure(await self._client(), gateways)

    async def publish_release(self, kind: str, number: int, raw: bytes) -> bool:
        """Put a release into RELEASES; False if these very bytes are there already.

        Raises:
            RelayError: `release-not-stored`; it is then not there, not even in part.
        """
        subject = release_subject(kind, number)
        chunks = cut(raw)
        async with self._changing:
            stream = (await self._client()).jetstream(timeout=10)
            try:
                last = await stream.get_last_msg(RELEASES, subject)
            except NotFoundError:
                pass
            else:
                if (last.headers or {}).get(CHUNK_HEADER) == chunks[-1].header:
                    return False
            try:
                await _publish_batch(stream, subject, [(chunk.data, chunk.header) for chunk in chunks])
            except (NatsError, TimeoutError) as error:
                raise RelayError("release-not-stored", f"`{subject}` was not stored") from error
        log.info("release published", subject=subject, chunks=len(chunks))
        return True

    async def beat(self, raw: bytes) -> None:
        """Put a beat in place of the last one.

        Raises:
            RelayError: `beat-not-stored`.
        """
        try:
            await (await self._client()).jetstream(timeout=5).publish(BEAT_SUBJECT, raw)
        except (NatsError, TimeoutError) as error:
            raise RelayError("beat-not-stored", "the beat was not stored") from error

    async def reports(self, sequence: int) -> tuple[dict[str, bytes], int]:
        """Return the reports that came at or after a sequence, by gateway, and the next sequence to ask for.

        Raises:
            RelayError: `reports-unreadable`.
        """
        client = await self._client()
        try:
            messages, following = await read_batch(
                client, REPORTS, "report.>", inbox=client.new_inbox(), sequence=sequence
            )
        except NatsError as error:
            raise RelayError("reports-unreadable", "the connection has ended") from error
        return by_gateway(messages), following

    async def waiting(self) -> dict[str, int]:
        """Count the messages stored per stream; empty while the relay is not reachable."""
        if self._connection is None or (client := self._connection.client) is None:
            return {}
        try:
            return {info.config.name or "": info.state.messages for info in await client.jsm().streams_info()}
        except (NatsError, TimeoutError):
            return {}

    async def stop(self) -> None:
        """End the connection and the servers that are ours."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
        await self._servers.stop()

    def _accounts(self, gateways: Mapping[str, str]) -> str:
        return render_accounts(Accounts(hub=self._keys.hub.public, system=self._keys.system.public, gateways=gateways))

    async def _client(self) -> Client:
        if self._connection is None:
            raise RelayError("not-started", "the hub is not started")
        return await self._connection.wait_connected()

    async def _ensure_patiently(self, gateways: Mapping[str, str]) -> None:
        """Ensure, again and again: a cluster refuses streams until it has elected a leader."""
        while True:
            try:
                async with self._changing:
                    await self._ensure(await self._client(), gateways)
            except RelayError as error:
                log.info("relay not ready", reason=error.message)
                await asyncio.sleep(0.25)
            else:
                return

    async def _ensure(self, client: Client, gateways: Mapping[str, str]) -> None:
        stream = client.jetstream(timeout=10)
        try:
            for name in STREAMS:
                await self._ensure_stream(stream, name, gateways)
                wanted = {c.durable_name or "": c for gateway in gateways for c in _consumers(name, gateway)}
                await _ensure_consumers(stream, name, wanted)
        except (NatsError, TimeoutError) as error:
            raise RelayError(
                "relay-not-ready", f"streams are not in place: {str(error) or type(error).__name__}"
            ) from error

    async def _ensure_stream(self, stream: JetStreamContext, name: StreamName, gateways: Iterable[str]) -> None:
        releases, newest = name == RELEASES, name in NEWEST_ONLY
        config = StreamConfig(
            name=name,
            subjects=subjects_of(name, gateways),
            retention=RetentionPolicy.LIMITS if releases or newest else RetentionPolicy.WORK_QUEUE,
            storage=StorageType.FILE,
            num_replicas=self._replicas,
            # A full store refuses, and the sender's outbox keeps; it never pushes out what waits.
            discard=DiscardPolicy.OLD if newest else DiscardPolicy.NEW,
            # A subject is one sender, one recipient, one precedence: who floods fills only its own.
            max_msgs_per_subject=1 if newest else -1 if releases else _MAX_WAITING,
            discard_new_per_subject=not (releases or newest),
            max_consumers=_MAX_CONSUMERS,
            max_age=0 if releases or newest else _MAX_AGE,
            max_msg_size=_MAX_WORD if newest else MAX_PAYLOAD,
            duplicate_window=_DUPLICATE_WINDOW,
            allow_msg_ttl=not (releases or newest),
            allow_atomic=not newest,
            # Direct get takes wildcards: on the other streams it would be a way to read what is not one's own.
            allow_direct=releases or newest,
            deny_delete=releases or newest,
            deny_purge=releases or newest,
        )
        try:
            await stream.stream_info(name)
        except NotFoundError:
            await stream.add_stream(config)
            log.info("stream made", stream=name, replicas=self._replicas)
        else:
            await stream.update_stream(config)


async def _ensure_consumers(stream: JetStreamContext, name: StreamName, wanted: Mapping[str, ConsumerConfig]) -> None:
    present: dict[str, ConsumerConfig] = {}
    while page := await stream.consumers_info(name, offset=len(present)):
        present |= {info.name: info.config for info in page}
    for consumer in present.keys() - wanted.keys():
        await stream.delete_consumer(name, consumer)
        log.info("consumer deleted", stream=name, consumer=consumer)
    # Made once more, a consumer keeps its place in the stream and takes over limits that this version changed.
    missing = sorted(
        consumer
        for consumer, config in wanted.items()
        if consumer not in present or config.max_ack_pending not in (None, present[consumer].max_ack_pending)
    )
    for start in range(0, len(missing), _CONSUMERS_AT_ONCE):
        # One after the other they take some 40 ms each in a cluster: a minute for 300 gateways.
        made = [stream.add_consumer(name, wanted[consumer]) for consumer in missing[start : start + _CONSUMERS_AT_ONCE]]
        await _all(made)


async def _all(calls: Iterable[Coroutine[object, object, object]]) -> None:
    """Await all; raise what one of them raised, as if they had been awaited in turn."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    await asyncio.wait(tasks)
    for task in tasks:
        task.result()


def _consumers(name: StreamName, gateway: str) -> list[ConsumerConfig]:
    if name == RELEASES:
        return [ConsumerConfig(durable_name=gateway, deliver_policy=DeliverPolicy.NEW, ack_policy=AckPolicy.NONE)]
    if name == BEATS:
        return [ConsumerConfig(durable_name=gateway, deliver_policy=DeliverPolicy.ALL, ack_policy=AckPolicy.NONE)]
    if name == REPORTS:
        return []
    return [
        ConsumerConfig(
            durable_name=lane.consumer(gateway),
            filter_subjects=lane.filters(gateway),
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=lane.ack_wait,
            # `max_deliver` stays unset: beyond it a message would be parked without a word.
            max_ack_pending=_MAX_ACK_PENDING,
        )
        for lane in LANES
        if lane.stream == name
    ]


async def _publish_batch(stream: JetStreamContext, subject: str, messages: list[tuple[bytes, str]]) -> None:
    """Store all messages or none: a NATS atomic batch, or a plain publish when there is only one."""
    if len(messages) == 1:
        await stream.publish(subject, messages[0][0], headers={CHUNK_HEADER: messages[0][1]})
        return
    client: Client = stream._nc  # noqa: SLF001 - the context has no plain publish of its own
    batch = client.new_inbox().rpartition(".")[2]
    for number, (data, chunk) in enumerate(messages, 1):
        headers = {CHUNK_HEADER: chunk, "Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)}
        if number < len(messages):
            await client.publish(subject, data, headers=headers)
            continue
        await stream.publish(subject, data, headers={**headers, "Nats-Batch-Commit": "1"})
