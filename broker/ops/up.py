"""An exchange brought up, watched and brought down: what `tearline up` and `tearline demo` have in common."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from broker.ops.exchange import Plan
from broker.ops.supervise import Happening, SuperviseError, Supervisor


class Reporter:
    """Turns what happens to processes into a sentence for people and a record for machines."""

    def __init__(self, record: Callable[[dict[str, Any]], None], say: Callable[[str], None]) -> None:
        self._record = record
        self.say = say

    def __call__(self, happening: Happening) -> None:
        """Report one happening; starts and stops are for machines only, a person wants to hear of trouble."""
        self._record({name: value for name, value in asdict(happening).items() if value is not None})
        match happening.event:
            case "crashed":
                self.say(
                    f"{happening.child} ended with status {happening.status}; "
                    f"it starts again in {happening.restart_in:.1f} s"
                )
            case "refused":
                self.say(f"{happening.child} refused its settings and is not started again")
            case _:
                pass


@asynccontextmanager
async def running(plan: Plan, reporter: Reporter) -> AsyncGenerator[Supervisor]:
    """The exchange, every gateway ready; leaving the block ends every process within three seconds.

    Raises:
        SuperviseError: something did not come up; everything has been stopped again.
    """
    async with Supervisor(report=reporter) as supervisor:
        # The hub first, because gateways without a cached release are ready only once it has published one;
        # adapters last, because they would only meet closed doors.
        for child in (*((plan.hub,) if plan.hub else ()), *plan.gateways):
            supervisor.start(child)
        if plan.gateways:
            await supervisor.ready(*(child.name for child in plan.gateways), within=plan.ready_seconds)
        for child in plan.adapters:
            supervisor.start(child)
        yield supervisor


@asynccontextmanager
async def until_signalled() -> AsyncGenerator[asyncio.Event]:
    """An event that Ctrl-C or SIGTERM sets, instead of ending the process in the middle of something."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)


async def run_until_stopped(plan: Plan, reporter: Reporter) -> SuperviseError | None:
    """Run the exchange until a signal comes; the error when it could not be brought up."""
    async with until_signalled() as stop, asyncio.TaskGroup() as group:
        task = group.create_task(_serve(plan, reporter, stop))
        waiter = group.create_task(stop.wait())
        await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
        waiter.cancel()
        if not task.done():
            # The signal may come while the exchange is still starting; either way it ends now.
            task.cancel()
            await asyncio.wait({task})
    return None if task.cancelled() else task.result()


async def _serve(plan: Plan, reporter: Reporter, stop: asyncio.Event) -> SuperviseError | None:
    try:
        async with running(plan, reporter):
            reporter.say(f"exchange `{plan.name}` is up: {len(plan.children)} processes; Ctrl-C ends them")
            await stop.wait()
    except SuperviseError as error:
        return error
    return None
