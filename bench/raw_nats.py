"""The raw baseline: nats-py JetStream publish to delivery, same bytes to N recipients, fsync before every ack.

    python bench/raw_nats.py --rate 20 --recipients 4 --size 2048 --seconds 10

Every recipient has its own subject and its own push consumer with a callback, in processes apart from the publisher,
as gateways are. The clock is CLOCK_MONOTONIC, which processes of one machine share; the publisher writes it into the
first eight bytes. Open loop: a message is published when it is due, whatever became of the one before.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import secrets
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import ConsumerConfig, RetentionPolicy, StorageType, StreamConfig

PROCESSES = 4
STAMP = 8
_ROOT = Path(__file__).resolve().parent.parent


def _public(seed: bytes) -> str:
    """Write a user nkey: prefix byte, key, CRC-16/XMODEM, base32 (NATS nkeys specification)."""
    raw = bytes([20 << 3]) + Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    crc = 0
    for octet in raw:
        crc ^= octet << 8
        for _ in range(8):
            crc = ((crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return base64.b32encode(raw + crc.to_bytes(2, "little")).decode()


async def _connect(url: str, seed: bytes) -> Client:
    client = Client()
    client._public_nkey = _public(seed)  # noqa: SLF001 - nats-py has no public way
    key = Ed25519PrivateKey.from_private_bytes(seed)
    await client.connect(url, signature_cb=lambda nonce: base64.b64encode(key.sign(nonce.encode())))
    return client


@contextlib.asynccontextmanager
async def _own_server() -> AsyncIterator[tuple[str, bytes]]:
    """Start the very server that Tearline runs on, in a folder of its own, with one account."""
    from broker.relay.config import Accounts, render_accounts  # noqa: PLC0415 - only without a given server
    from broker.relay.server import EmbeddedServer  # noqa: PLC0415

    seed = secrets.token_bytes(32)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TEARLINE_BENCH_FOLDER")) as folder:
        server = EmbeddedServer(Path(folder) / "relay")
        await server.start(
            render_accounts(Accounts(hub=_public(seed), system=_public(secrets.token_bytes(32)), gateways={}))
        )
        try:
            yield server.url, seed
        finally:
            await server.stop()


async def run(
    rate: float,
    recipients: int,
    size: int,
    seconds: float,
    *,
    url: str | None = None,
    seed: bytes | None = None,
) -> dict[str, float]:
    """Measure; return `p50` and `p99` in milliseconds over all deliveries, with what was counted.

    Args:
        rate: bulletins per second; each goes to every recipient.
        recipients: how many receive the same bytes.
        size: bytes of one message.
        seconds: how long to publish.
        url: a server to measure on, the one Tearline runs on; without it, a server is started.
        seed: nkey seed of a user there who may make streams (the hub's).
    """
    async with contextlib.AsyncExitStack() as stack:
        if url is None or seed is None:
            at, user = await stack.enter_async_context(_own_server())
        else:
            at, user = url, seed
        client = await _connect(at, user)
        stack.push_async_callback(client.close)
        name = f"RAW{secrets.token_hex(4)}"
        stream = client.jetstream(timeout=30)
        await stream.add_stream(
            StreamConfig(
                name=name, subjects=[f"{name}.*"], retention=RetentionPolicy.WORK_QUEUE, storage=StorageType.FILE
            )
        )
        stack.push_async_callback(stream.delete_stream, name)
        total = int(rate * seconds)
        shares = [list(range(part, recipients, PROCESSES)) for part in range(min(PROCESSES, recipients))]
        receivers = [await _receiver(at, user, name, share, total) for share in shares]
        failed = await _publish(stream, name, rate=rate, recipients=recipients, size=size, total=total)
        latencies: list[float] = []
        for process in receivers:
            output, _ = await process.communicate(b"")
            latencies += json.loads(output)
    latencies.sort()
    return {
        "p50": round(_quantile(latencies, 0.50), 3),
        "p99": round(_quantile(latencies, 0.99), 3),
        "deliveries": len(latencies),
        "expected": total * recipients,
        "failed": failed,
        "rate": rate,
        "recipients": recipients,
        "size": size,
    }


async def _publish(stream: object, name: str, *, rate: float, recipients: int, size: int, total: int) -> int:
    from nats.js import JetStreamContext  # noqa: PLC0415 - for the type only

    assert isinstance(stream, JetStreamContext)
    body = os.urandom(max(0, size - STAMP))
    failed = 0

    async def one(recipient: int, payload: bytes, message_id: str) -> None:
        nonlocal failed
        try:
            await stream.publish(f"{name}.{recipient}", payload, timeout=30, headers={"Nats-Msg-Id": message_id})
        except (NatsError, TimeoutError):
            failed += 1

    start = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for count in range(total):
            await asyncio.sleep(max(0.0, start + count / rate - time.monotonic()))
            payload = time.monotonic_ns().to_bytes(STAMP, "big") + body
            for recipient in range(recipients):
                group.create_task(one(recipient, payload, f"{count}.{recipient}"))
    return failed


async def _receiver(url: str, seed: bytes, name: str, share: list[int], total: int) -> Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(Path(__file__)), "--receive", stdin=PIPE, stdout=PIPE, cwd=_ROOT
    )
    assert process.stdin is not None
    assert process.stdout is not None
    order = {"url": url, "seed": seed.hex(), "name": name, "share": share, "total": total}
    process.stdin.write(json.dumps(order).encode() + b"\n")
    await process.stdin.drain()
    ready = await process.stdout.readline()
    if ready != b"ready\n":
        raise RuntimeError("a receiver did not start")
    return process


async def _receive() -> None:
    order = json.loads(sys.stdin.readline())
    client = await _connect(order["url"], bytes.fromhex(order["seed"]))
    latencies: list[float] = []
    expected = order["total"] * len(order["share"])
    done = asyncio.Event()

    async def deliver(message: Msg) -> None:
        latencies.append((time.monotonic_ns() - int.from_bytes(message.data[:STAMP], "big")) / 1e6)
        await message.ack()
        if len(latencies) >= expected:
            done.set()

    stream = client.jetstream(timeout=30)
    for recipient in order["share"]:
        await stream.subscribe(
            f"{order['name']}.{recipient}",
            durable=f"r{recipient}",
            cb=deliver,
            manual_ack=True,
            config=ConsumerConfig(ack_wait=60, max_ack_pending=10_000),
        )
    print("ready", flush=True)
    # The publisher closes our input when it waits for us; what has not come half a minute later never will.
    await asyncio.to_thread(sys.stdin.read)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(30):
            await done.wait()
    print(json.dumps(latencies))
    await client.flush()
    await client.close()


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def main() -> None:
    """Measure once and print the figures as JSON."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rate", type=float, default=20)
    arguments.add_argument("--recipients", type=int, default=4)
    arguments.add_argument("--size", type=int, default=2048)
    arguments.add_argument("--seconds", type=float, default=10)
    arguments.add_argument("--receive", action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.receive:
        asyncio.run(_receive())
    else:
        print(json.dumps(asyncio.run(run(given.rate, given.recipients, given.size, given.seconds))))


if __name__ == "__main__":
    sys.path.insert(0, str(_ROOT))
    main()
