"""Drawing deliveries from one lane: own pull requests on a private inbox, kept ahead of the reader by a bounded number.

`fetch()` of nats-py costs a task, a timer and an inbox per message (25 to 40 us against 9 us here) and is blind over a
restart. Here a request lives at most two seconds, so that one lost with a consumer's leader is missed for no longer.
"""

import asyncio
import contextlib
import json
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from broker.relay.config import inbox_prefix
from broker.relay.lanes import StreamName

log = structlog.get_logger()

_PULL_SECONDS: Final = 2.0
# After this the end of a request is assumed even if the server did not say so.
_PULL_GRACE: Final = 0.5
# Eight of the largest envelopes; without it a lane of 128 could hold 128 MiB.
_PULL_BYTES: Final = 8 * 1024 * 1024
# A missing consumer, a server without leader: ask again, but do not spin.
_REFUSED_WAIT: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One delivery as the server sent it. `ack_subject` is where its acknowledgement goes."""

    subject: str
    payload: bytes
    ack_subject: str
    delivered_count: int
    sequence: int


@dataclass(slots=True, kw_only=True)
class _Pull:
    left: int
    until: float


class Puller:
    """Keeps up to `prefetch` deliveries of one consumer waiting in `ready`, over whatever client is current.

    A delivery that comes again while the first copy still waits replaces it.
    """

    def __init__(
        self, *, gateway: str, stream: StreamName, consumer: str, name: str, prefetch: int, arrived: Callable[[], None]
    ) -> None:
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._inboxes = f"{inbox_prefix(gateway)}.pull.{name}"
        self._inbox = self._inboxes
        self._name = name
        self._prefetch = prefetch
        self._arrived = arrived
        self._ready: OrderedDict[int, Delivery] = OrderedDict()
        self._pulls: dict[str, _Pull] = {}
        self._count = 0
        self._not_before = 0.0
        self._refused = ""
        self._wake = asyncio.Event()

    @property
    def waiting(self) -> int:
        return len(self._ready)

    def take(self) -> Delivery | None:
        """Hand out the oldest waiting delivery."""
        if not self._ready:
            return None
        _, delivery = self._ready.popitem(last=False)
        self._wake.set()
        return delivery

    def drop_all(self) -> list[Delivery]:
        """Empty what waits and return it."""
        waiting = list(self._ready.values())
        self._ready.clear()
        return waiting

    async def run(self, client: Client) -> None:
        """Draw over this client until cancelled. What was asked of an earlier one is forgotten."""
        self._pulls.clear()
        self._not_before = 0.0
        # A name of its own: with the last one's, the server would still find interest in the answers to the requests of
        # a connection that has ended, and hand a message to nobody; it would come again only after `ack_wait`.
        self._inbox = f"{self._inboxes}.{secrets.token_hex(8)}"
        subscription = await client.subscribe(f"{self._inbox}.*", cb=self._received)
        # The bound is what was asked for; nats-py's own limit would drop silently.
        subscription._pending_bytes_limit = 0  # noqa: SLF001
        try:
            await self._draw(client)
        finally:
            # Requests still open at the server end with the interest in their answers.
            if not client.is_closed:
                with contextlib.suppress(NatsError):
                    await subscription.unsubscribe()

    async def _draw(self, client: Client) -> None:
        loop = asyncio.get_running_loop()
        while not client.is_closed:
            self._wake.clear()
            now = loop.time()
            self._pulls = {name: pull for name, pull in self._pulls.items() if pull.until > now and pull.left > 0}
            room = self._prefetch - len(self._ready) - sum(pull.left for pull in self._pulls.values())
            if now >= self._not_before and room * 2 >= self._prefetch:
                try:
                    await self._ask(client, room, now)
                except NatsError:
                    return  # the connection has ended; its successor runs this anew
            until = min([pull.until for pull in self._pulls.values()], default=now + _PULL_SECONDS)
            if self._not_before > now:
                until = min(until, self._not_before)
            timer = loop.call_at(until, self._wake.set)
            try:
                await self._wake.wait()
            finally:
                timer.cancel()

    async def _ask(self, client: Client, room: int, now: float) -> None:
        self._count += 1
        name = str(self._count)
        self._pulls[name] = _Pull(left=room, until=now + _PULL_SECONDS + _PULL_GRACE)
        request = {"batch": room, "max_bytes": _PULL_BYTES, "expires": int(_PULL_SECONDS * 1e9)}
        await client.publish(self._next, json.dumps(request).encode(), reply=f"{self._inbox}.{name}")

    async def _received(self, message: Msg) -> None:
        # A delivery keeps the subject under which it was published; only a status comes on the inbox itself.
        if message.subject.startswith(self._inbox):
            self._status(message)
            return
        delivery = parse_delivery(message)
        if delivery is None:
            log.warning("delivery without a readable acknowledgement subject", lane=self._name)
            return
        # The server does not say which request it answers; the oldest is filled first.
        for pull in self._pulls.values():
            if pull.left > 0:
                pull.left -= 1
                break
        self._ready[delivery.sequence] = delivery
        self._refused = ""
        self._arrived()
        self._wake.set()

    def _status(self, message: Msg) -> None:
        status = (message.headers or {}).get("Status", "")
        self._pulls.pop(message.subject.rpartition(".")[2], None)
        reason = (message.headers or {}).get("Description", "")
        # Two seconds passed, or the request was filled up to its byte limit: the daily course.
        if not (status == "408" or (status == "409" and ("Completed" in reason or "MaxBytes" in reason))):
            if status != self._refused:  # said once, not twice a second
                log.warning("pull refused", lane=self._name, status=status, reason=reason)
            self._refused = status
            self._not_before = asyncio.get_running_loop().time() + _REFUSED_WAIT
        self._wake.set()


def parse_delivery(message: Msg) -> Delivery | None:
    """Read count and sequence from the acknowledgement subject, in its v1 form (9 tokens) or v2 (11 and more)."""
    tokens = message.reply.split(".")
    if tokens[:2] != ["$JS", "ACK"]:
        return None
    numbers = tokens[4:] if len(tokens) == 9 else tokens[6:]  # noqa: PLR2004 - the two forms of NATS ADR-15
    try:
        count, sequence = int(numbers[0]), int(numbers[1])
    except (IndexError, ValueError):
        return None
    return Delivery(
        subject=message.subject,
        payload=message.data,
        ack_subject=message.reply,
        delivered_count=count,
        sequence=sequence,
    )
