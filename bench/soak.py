"""Steady load for minutes: is memory flat, is anything lost, late or there twice?"""

import asyncio
import json
from typing import Any

from bench.exchange import GATEWAYS, Exchange, Say, exchange, quantile, rss_mb
from bench.load import Load

_SAMPLE_SECONDS = 10.0
# The first minute fills caches and page tables; growth after it is what counts.
_WARM_SHARE = 0.2
# Allowed growth over the measured part: an allocator's breathing, not a leak (10 minutes at 60/s are 36,000 bulletins).
_FLAT = 1.15


def run(*, minutes: float = 10, rate: float = 60, say: Say = lambda _: None) -> dict[str, Any]:
    """Load the exchange and watch it."""
    return asyncio.run(_run(minutes, rate, say))


async def _run(minutes: float, rate: float, say: Say) -> dict[str, Any]:
    async with exchange(GATEWAYS, say) as running:
        load = Load(running, size=2048)
        samples: dict[str, list[float]] = {name: [] for name in running.pids()}
        async with load.watching():
            watcher = asyncio.ensure_future(_watch(running, samples, load, say))
            try:
                await load.steadily(rate=rate, count=int(minutes * 60 * rate))
                complete = await load.drained()
            finally:
                watcher.cancel()
                await asyncio.wait({watcher})
        latencies = load.latencies()
    memory = {name: _memory(values) for name, values in samples.items()}
    return {
        "minutes": minutes,
        "rate": rate,
        "submitted": len(load.submitted),
        "accepted": load.accepted,
        "lost": load.lost,
        "twice": load.twice,
        "complete": complete,
        "ms": {"p50": quantile(latencies, 0.5), "p99": quantile(latencies, 0.99), "max": quantile(latencies, 1.0)},
        "rss_mb": memory,
        "flat": all(one["last"] <= one["first"] * _FLAT for one in memory.values()),
    }


async def _watch(running: Exchange, samples: dict[str, list[float]], load: Load, say: Say) -> None:
    while True:
        await asyncio.sleep(_SAMPLE_SECONDS)
        for name, pid in running.pids().items():
            samples[name].append(rss_mb(pid))
        largest = max(values[-1] for values in samples.values())
        say(f"{load.accepted} accepted, {len(load.arrived)} readable, largest gateway {largest:.0f} MB")


def _memory(values: list[float]) -> dict[str, float]:
    kept = values[int(len(values) * _WARM_SHARE) :] or values or [0.0]
    return {"first": round(kept[0], 1), "last": round(kept[-1], 1), "max": round(max(kept), 1)}


if __name__ == "__main__":
    print(json.dumps(run()))
