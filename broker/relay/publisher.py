"""Publishing over one client: singles when few, atomic batches when many, never a wait without an end.

Every message carries `Nats-Msg-Id` = base64url(SHA-256(payload)). A guessable id let another gateway publish first and
silence ours (seen); a content hash can be taken only by somebody who already has the very bytes.
"""

import asyncio
import base64
import hashlib
import json
import math
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from broker.relay.lanes import LANES, StreamName, stream_of

log = structlog.get_logger()

# Measured, fsync always: from some 20 messages a batch (4 fsyncs) beats singles (one fsync each).
_BATCH_FROM: Final = 20
# The server admits 1000; 300 keeps a batch of large envelopes within a few tens of milliseconds.
_BATCH_MESSAGES: Final = 300
_BATCH_BYTES: Final = 8 * 1024 * 1024
_SINGLES_AT_ONCE: Final = 256
# A cluster whose leader was killed takes 5.5 to 7 s to elect another.
_ACK_WITHIN: Final = 10.0
# With the sending, which waits only for a socket that takes no more.
_CALL_WITHIN: Final = 30.0
# While nats-server loads new accounts their imports are away for a moment: nobody has the message then, for certain.
_NOBODY_RETRIES: Final = 4
_NOBODY_WAIT: Final = 0.25
# One stream's calls in flight; the streams do not wait for each other, so FLASH never waits for ROUTINE here.
_CALLS_PER_STREAM: Final = 8
# JetStream: one id of an atomic batch is already stored, so the whole batch is refused.
_BATCH_DUPLICATE: Final = 10201

State: TypeAlias = Literal["relayed", "duplicate", "failed", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """Bytes to relay: the server discards them at `expires_at`."""

    subject: str
    payload: bytes
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one message.

    Attributes:
        state: `relayed`: stored, on disk. `duplicate`: the server already held this id; after a first attempt this
            means that somebody else put it there, so it is *not* relayed: alarm and send again. `failed`: refused, not
            stored. `unknown`: no answer; it may be stored, and the same bytes may be sent again.
        code: why, for `failed` and `unknown`.
    """

    state: State
    code: str = ""


RELAYED: Final = Outcome(state="relayed")
DUPLICATE: Final = Outcome(state="duplicate")
NO_STREAM: Final = Outcome(state="failed", code="no-stream")


def message_id(payload: bytes) -> str:
    """Return the `Nats-Msg-Id` of a payload."""
    return base64.urlsafe_b64encode(hashlib.sha256(payload).digest()).rstrip(b"=").decode()


class Publisher:
    """Publishes over one client; a new client gets a new Publisher."""

    def __init__(self, client: Client, *, inbox: str, now: Callable[[], datetime]) -> None:
        self._client = client
        self._inbox = inbox
        self._now = now
        self._answers: dict[str, asyncio.Future[Msg]] = {}
        self._count = 0
        self._calls = {lane.stream: asyncio.Semaphore(_CALLS_PER_STREAM) for lane in LANES}
        self._calls["RELEASES"] = asyncio.Semaphore(_CALLS_PER_STREAM)

    async def start(self) -> None:
        await self._client.subscribe(f"{self._inbox}.*", cb=self._answered)

    def abandon(self) -> None:
        """The connection has ended: nobody will answer what is in flight."""
        for future in self._answers.values():
            if not future.done():
                future.cancel()

    async def publish(self, outgoing: Sequence[Outgoing]) -> list[Outcome]:
        """Publish all; return one outcome each, in the same order."""
        outcomes: list[Outcome] = [Outcome(state="failed", code="expired")] * len(outgoing)
        groups: dict[StreamName, list[int]] = {}
        for index in sorted(range(len(outgoing)), key=lambda index: _rank(outgoing[index].subject)):
            if outgoing[index].expires_at > self._now():
                groups.setdefault(stream_of(_kind(outgoing[index].subject)), []).append(index)

        async def send(stream: StreamName, indices: list[int]) -> None:
            for chunk in _chunks(indices, outgoing):
                messages = [outgoing[index] for index in chunk]
                async with self._calls[stream]:
                    results = await self._chunk(messages)
                for index, outcome in zip(chunk, results, strict=True):
                    outcomes[index] = outcome

        async with asyncio.TaskGroup() as group:
            for stream, indices in groups.items():
                group.create_task(send(stream, indices))
        return outcomes

    async def _chunk(self, messages: list[Outgoing]) -> list[Outcome]:
        if len(messages) < _BATCH_FROM:
            return await self._singles(messages)
        outcome = await self._batch(messages)
        if outcome.state != "failed":
            return [outcome] * len(messages)
        if outcome.code != f"js-{_BATCH_DUPLICATE}":
            log.warning("atomic batch refused", code=outcome.code, messages=len(messages))
        # Refused whole: an earlier attempt with one of these ids may have been committed. Singles tell which.
        return [
            outcome
            for start in range(0, len(messages), _SINGLES_AT_ONCE)
            for outcome in await self._singles(messages[start : start + _SINGLES_AT_ONCE])
        ]

    async def _singles(self, messages: Sequence[Outgoing]) -> list[Outcome]:
        outcomes = await self._singles_once(messages)
        for _ in range(_NOBODY_RETRIES):
            again = [index for index, outcome in enumerate(outcomes) if outcome == NO_STREAM]
            if not again:
                break
            await asyncio.sleep(_NOBODY_WAIT)
            for index, outcome in zip(again, await self._singles_once([messages[i] for i in again]), strict=True):
                outcomes[index] = outcome
        return outcomes

    async def _singles_once(self, messages: Sequence[Outgoing]) -> list[Outcome]:
        tokens: list[str] = []
        try:
            async with asyncio.timeout(_CALL_WITHIN):
                for message in messages:
                    tokens.append(token := self._expect())
                    await self._send(message, f"{self._inbox}.{token}", self._headers(message))
                return await self._outcomes(tokens)
        except (NatsError, TimeoutError) as error:
            # Those before the failing one may have left; the ids make a repetition harmless.
            return [Outcome(state="unknown", code=type(error).__name__)] * len(messages)
        finally:
            self._forget(tokens)

    async def _batch(self, messages: Sequence[Outgoing]) -> Outcome:
        """Publish as one atomic batch (NATS ADR-50): stored and synced together, or not at all."""
        batch = secrets.token_hex(16)
        first, commit = self._expect(), self._expect()
        try:
            async with asyncio.timeout(_CALL_WITHIN):
                for number, message in enumerate(messages, 1):
                    headers = self._headers(message)
                    headers |= {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)}
                    reply = f"{self._inbox}.{first}" if number == 1 else ""
                    if number == len(messages):
                        headers["Nats-Batch-Commit"] = "1"
                        reply = f"{self._inbox}.{commit}"
                    await self._send(message, reply, headers)
                return (await self._outcomes([commit]))[0]
        except (NatsError, TimeoutError) as error:
            return Outcome(state="unknown", code=type(error).__name__)
        finally:
            self._forget([first, commit])

    async def _send(self, message: Outgoing, reply: str, headers: dict[str, str]) -> None:
        await self._client.publish(message.subject, message.payload, reply=reply, headers=headers)

    def _headers(self, message: Outgoing) -> dict[str, str]:
        left = (message.expires_at - self._now()).total_seconds()
        # Whole seconds, at least one: the server refuses less.
        return {"Nats-Msg-Id": message_id(message.payload), "Nats-TTL": str(max(1, math.ceil(left)))}

    def _expect(self) -> str:
        self._count += 1
        token = str(self._count)
        self._answers[token] = asyncio.get_running_loop().create_future()
        return token

    def _forget(self, tokens: Iterable[str]) -> None:
        for token in tokens:
            self._answers.pop(token).cancel()

    async def _outcomes(self, tokens: Sequence[str]) -> list[Outcome]:
        futures = [self._answers[token] for token in tokens]
        await asyncio.wait(futures, timeout=_ACK_WITHIN)
        return [_outcome(future) for future in futures]

    async def _answered(self, message: Msg) -> None:
        future = self._answers.get(message.subject.rpartition(".")[2])
        if future is not None and not future.done():
            future.set_result(message)


def _outcome(future: asyncio.Future[Msg]) -> Outcome:
    if not future.done():
        return Outcome(state="unknown", code="timeout")
    if future.cancelled():
        return Outcome(state="unknown", code="disconnected")
    message = future.result()
    if (message.headers or {}).get("Status") == "503":
        return NO_STREAM
    try:
        answer = json.loads(message.data)
        if error := answer.get("error"):
            return Outcome(state="failed", code=f"js-{int(error.get('err_code', error.get('code', 0)))}")
        int(answer["seq"])
        return DUPLICATE if answer.get("duplicate") is True else RELAYED
    except (ValueError, KeyError, TypeError, AttributeError):
        return Outcome(state="unknown", code="unreadable-answer")


def _kind(subject: str) -> str:
    return subject.rpartition(".")[2]


def _rank(subject: str) -> int:
    kind = _kind(subject)
    return next((lane.rank for lane in LANES if kind in lane.kinds), len(LANES))


def _chunks(indices: list[int], outgoing: Sequence[Outgoing]) -> Iterable[list[int]]:
    chunk: list[int] = []
    size = 0
    for index in indices:
        length = len(outgoing[index].payload)
        if chunk and (len(chunk) == _BATCH_MESSAGES or size + length > _BATCH_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(index)
        size += length
    if chunk:
        yield chunk
