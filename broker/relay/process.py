"""nats-server as a process: where its binary is, whether it likes a configuration, how it ends."""

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Final

from broker.relay.errors import RelayError

# A consumer takes some 10 ms to close; beyond this SIGKILL, which is safe with `sync_interval: always`.
_STOP_WITHIN: Final = 5.0
_PR_SET_PDEATHSIG: Final = 1


def server_binary() -> str:
    """Find nats-server: the wheel's script folder, then PATH.

    Raises:
        RelayError: `no-nats-server`.
    """
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise RelayError("no-nats-server", "nats-server is neither in this environment nor on PATH")
    return found


async def check_config(path: Path) -> str:
    """Let nats-server itself check a configuration file; return its digest.

    Raises:
        RelayError: `bad-server-config` with nats-server's own words (a configuration holds public keys only).
    """
    process = await asyncio.create_subprocess_exec(
        server_binary(), "-t", "-c", str(path), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    words = output.decode(errors="replace").strip()
    if process.returncode != 0:
        raise RelayError("bad-server-config", words.splitlines()[-1] if words else "nats-server -t failed")
    return words.rpartition("(")[2].rstrip(")")


def dies_with(parent: int) -> Callable[[], None] | None:
    """Return what a forked child must call to be ended when its parent dies; None where there is no such call."""
    if sys.platform != "linux":
        return None
    # Loaded before the fork: between fork and exec only the call itself may happen.
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def arm() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent died before the call
            os._exit(1)

    return arm


async def end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, and SIGKILL for one that takes too long. Harmless when it has ended."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_WITHIN):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
