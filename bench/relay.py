"""From submission over HTTP to readable in the recipient's inbox, against raw NATS on the same server in the same run.

Both measure four recipients, fsync before every acknowledgement, an open loop at the same rate. Then the sustained
rate: submitters that never pause, counted from the first submission to the last signed receipt.
"""

import asyncio
import base64
import json
import os
from typing import Any

from bench import raw_nats
from bench.exchange import GATEWAYS, RECIPIENTS, Exchange, Say, exchange, monotonic_ms, quantile
from bench.load import Load

_WARM_UP = 20
_AT_ONCE = 24
_SUSTAINED_SECONDS = 15.0


def run(*, size: int = 2048, rate: float = 20, count: int = 300, say: Say = lambda _: None) -> dict[str, Any]:
    """Measure raw and Tearline."""
    return asyncio.run(_run(size, rate, count, say))


async def _run(size: int, rate: float, count: int, say: Say) -> dict[str, Any]:
    async with exchange(GATEWAYS, say) as running:
        load = Load(running, size=size)
        async with load.watching():
            await load.steadily(rate=rate, count=_WARM_UP)
            await load.drained()
            say(f"raw NATS: {count} messages to {len(RECIPIENTS)} recipients, {rate:g}/s ...")
            raw = await _raw(running, size=size, rate=rate, seconds=count / rate)
            say(f"tearline: {count} bulletins to {len(RECIPIENTS)} recipients, {rate:g}/s ...")
            first = load.accepted
            await load.steadily(rate=rate, count=count)
            complete = await load.drained()
            latencies = load.latencies(first)
            say(f"sustained: {_AT_ONCE} submitters for {_SUSTAINED_SECONDS:g} s ...")
            sustained = await _sustained(load)
    tearline = {"p50": quantile(latencies, 0.5), "p99": quantile(latencies, 0.99)}
    return {
        "raw_ms": {"p50": raw["p50"], "p99": raw["p99"]},
        "tearline_ms": tearline,
        "ratio_p50": round(tearline["p50"] / raw["p50"], 2),
        **sustained,
        "recipients": len(RECIPIENTS),
        "size": size,
        "rate": rate,
        "deliveries": len(latencies),
        "complete": complete and not load.lost,
        "twice": load.twice,
    }


async def _raw(running: Exchange, *, size: int, rate: float, seconds: float) -> dict[str, float]:
    """The baseline beside the gateways, as the hub's user: it alone may make streams."""
    hub = running.ground.folder / "hub"
    port = running.ground.relay.rpartition(":")[2]
    seed = base64.b64decode(json.loads((hub / "hub.json").read_text(encoding="utf-8"))["hub"])
    return await raw_nats.run(rate, len(RECIPIENTS), size, seconds, url=f"nats://127.0.0.1:{port}", seed=seed)


async def _sustained(load: Load) -> dict[str, Any]:
    before, had, began = load.accepted, len(load.receipts), monotonic_ms()
    await load.flat_out(seconds=_SUSTAINED_SECONDS, at_once=_AT_ONCE)
    accepted_in = monotonic_ms() - began
    await load.drained()
    number = load.accepted - before
    # What was received and receipted counts, also when more was accepted than the wait for the rest allowed for.
    done = (len(load.receipts) - had) / len(RECIPIENTS)
    return {
        "sustained_per_s": round(done / (load.last_receipt - began) * 1000, 1),
        "accepted_per_s": round(number / accepted_in * 1000, 1),
        "sustained_bulletins": number,
    }


if __name__ == "__main__":
    print(json.dumps(run(say=print if os.isatty(1) else lambda _: None)))
