"""Reading a stream without a consumer: one batched direct get after the other, from a sequence on."""

import asyncio
import json
from collections.abc import Iterable
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg

from broker.relay.errors import RelayError
from broker.relay.lanes import StreamName

_READ_WITHIN: Final = 10.0
_READ_MESSAGES: Final = 64


async def read_batch(
    client: Client, stream: StreamName, subjects: str, *, inbox: str, sequence: int
) -> tuple[list[Msg], int]:
    """Read the next messages at or after a stream sequence; return them and the next sequence.

    Raises:
        RelayError: `<stream>-unreadable` when the server refuses or does not answer.
        NatsError: when the connection has ended.
    """
    code = f"{stream.lower()}-unreadable"
    arrived: asyncio.Queue[Msg] = asyncio.Queue()
    subscription = await client.subscribe(inbox, cb=arrived.put)
    subscription._pending_bytes_limit = 0  # noqa: SLF001 - bounded by the request
    try:
        request = {"seq": sequence, "batch": _READ_MESSAGES, "next_by_subj": subjects}
        await client.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(request).encode(), reply=inbox)
        messages: list[Msg] = []
        async with asyncio.timeout(_READ_WITHIN):
            while _stored(message := await arrived.get()):
                messages.append(message)
                if len(messages) > _READ_MESSAGES:
                    raise RelayError(code, f"{stream} answers with more than was asked for")
    except TimeoutError as error:
        raise RelayError(code, f"{stream} does not answer") from error
    finally:
        if not client.is_closed:
            await subscription.unsubscribe()
    status = (message.headers or {}).get("Status", "")
    if status not in {"204", "404"}:  # end of batch; nothing at or after this sequence
        raise RelayError(code, f"{stream} answers {status}")
    return messages, _after(messages, sequence, code)


def _stored(message: Msg) -> bool:
    """Tell a stored message from the server's own word that ends the batch.

    Both come on one subject, and whoever published a message chose its headers, a `Status` among them; but the server
    adds to each that it takes from the stream where it lay.
    """
    return "Nats-Subject" in (message.headers or {})


def by_gateway(messages: Iterable[Msg]) -> dict[str, bytes]:
    """Return the newest message under each gateway's subject: an address only, the signature inside counts."""
    return {(message.headers or {}).get("Nats-Subject", "").rpartition(".")[2]: message.data for message in messages}


def _after(messages: list[Msg], sequence: int, code: str) -> int:
    if not messages:
        return sequence
    try:
        return int((messages[-1].headers or {})["Nats-Sequence"]) + 1
    except (KeyError, ValueError) as error:
        raise RelayError(code, "an answer without a sequence") from error
