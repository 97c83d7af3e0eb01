"""A gateway that has nothing to do: how much memory it holds and how much processor time it takes."""

import asyncio
import json
from typing import Any

from bench.exchange import Say, cpu_seconds, exchange, rss_mb

_GATEWAY = "springfield-pd"
# Start-up allocates and compiles; afterwards it is idle.
_SETTLE_SECONDS = 5.0


def run(*, seconds: float = 30, say: Say = lambda _: None) -> dict[str, Any]:
    """Measure one gateway, connected to its relay, for so many seconds."""
    return asyncio.run(_run(seconds, say))


async def _run(seconds: float, say: Say) -> dict[str, Any]:
    async with exchange([_GATEWAY], say) as running:
        pid = running.pids()[_GATEWAY]
        await asyncio.sleep(_SETTLE_SECONDS)
        say(f"watching an idle gateway for {seconds:g} s ...")
        before = cpu_seconds(pid)
        await asyncio.sleep(seconds)
        used = cpu_seconds(pid) - before
        return {"rss_mb": round(rss_mb(pid), 1), "cpu_percent": round(100 * used / seconds, 2), "seconds": seconds}


if __name__ == "__main__":
    print(json.dumps(run()))
