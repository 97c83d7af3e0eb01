"""Child processes kept alive together and ended together.

Owns: starting, restarting with backoff, readiness and the end of every process of an exchange. It knows nothing about
what the processes do. A child never outlives its supervisor: it stands in its own process group, the kernel kills it
when the supervisor dies (PR_SET_PDEATHSIG), and `stop()` ends the whole group.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import aiohttp

# A crash loop must not eat the machine, and a child that comes back late is an outage: half a second to half a minute.
FIRST_BACKOFF: Final = 0.5
LONGEST_BACKOFF: Final = 30.0
# A child that lived this long was healthy, so its next crash starts the backoff afresh.
HEALTHY_SECONDS: Final = 30.0
# The promise is an end within 3 s; what ignores SIGTERM for 2.2 s is killed with its whole group.
GRACE_SECONDS: Final = 2.2
# A killed process is gone at once, unless the kernel itself is waiting for a disk.
KILL_SECONDS: Final = 0.5
READY_POLL_SECONDS: Final = 0.1
# The exit status of a command that refused its own settings (the command line's "usage"): restarting cannot help.
REFUSED_SETTINGS: Final = 2

_PR_SET_PDEATHSIG: Final = 1


class SuperviseError(Exception):
    """A child could not be brought up; `code` says how, `child` which."""

    def __init__(self, code: str, child: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.child = child


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One process: what to run, where its words go, and the URL that answers 200 once it is ready."""

    name: str
    command: tuple[str, ...]
    folder: Path
    log: Path
    ready: str | None = None
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """What happened to a child: `started`, `crashed` (restart follows), `refused` (no restart), `stopped`."""

    child: str
    event: str
    pid: int
    status: int | None = None
    restart_in: float | None = None


@dataclass(slots=True)
class _Running:
    child: Child
    process: asyncio.subprocess.Process | None = None
    refused: int | None = None
    starts: int = 0


class Supervisor:
    """Keeps its children running until `stop()`; leaving the `async with` block stops them."""

    def __init__(self, *, report: Callable[[Happening], None] = lambda _: None) -> None:
        self._report = report
        self._children: dict[str, _Running] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()
        self._parent = os.getpid()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # An impatient second signal must not leave half of the children behind.
        ending = asyncio.ensure_future(self.stop())
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            await ending
            raise

    def start(self, child: Child) -> None:
        """Start a child and keep it running. A second child of the same name is a programmer's mistake."""
        if child.name in self._children:
            raise RuntimeError(f"a child named `{child.name}` exists already")
        running = _Running(child=child)
        self._children[child.name] = running
        self._tasks[child.name] = asyncio.get_running_loop().create_task(self._keep(running), name=child.name)

    def pid(self, name: str) -> int | None:
        """The process id of a running child, or None while it is down."""
        process = self._children[name].process
        return process.pid if process is not None and process.returncode is None else None

    def starts(self, name: str) -> int:
        """How often the child has been started."""
        return self._children[name].starts

    async def ready(self, *names: str, within: float) -> None:
        """Return when every named child (all, when none is named) answers 200 on its ready URL.

        Raises:
            SuperviseError: `refused-settings` when a child refused its settings, `not-ready` when time is up.
        """
        chosen = [self._children[name] for name in (names or tuple(self._children))]
        waiting = [running for running in chosen if running.child.ready is not None]
        try:
            async with asyncio.timeout(within), aiohttp.ClientSession(timeout=_POLL_TIMEOUT) as session:
                for running in waiting:
                    while not await _answers(session, running.child.ready or ""):
                        _refuse_if_refused(running)
                        await asyncio.sleep(READY_POLL_SECONDS)
        except TimeoutError as error:
            late = next(running.child for running in waiting)
            for running in waiting:
                if running.process is None or running.process.returncode is not None:
                    late = running.child
            raise SuperviseError(
                "not-ready", late.name, f"`{late.name}` was not ready after {within:.0f} s; see {late.log}"
            ) from error

    async def stop(self) -> None:
        """End every child within three seconds: SIGTERM to each group, SIGKILL to what remains."""
        self._stopping.set()
        for running in self._children.values():
            _signal_group(running.process, signal.SIGTERM)
        if self._tasks:
            _, remaining = await asyncio.wait(self._tasks.values(), timeout=GRACE_SECONDS)
            if remaining:
                for running in self._children.values():
                    _signal_group(running.process, signal.SIGKILL)
                _, stuck = await asyncio.wait(remaining, timeout=KILL_SECONDS)
                for task in stuck:
                    task.cancel()
        for running in self._children.values():
            _signal_group(running.process, signal.SIGKILL, even_if_ended=True)
        self._tasks.clear()

    async def _keep(self, running: _Running) -> None:
        backoff = FIRST_BACKOFF
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            process = await self._spawn(running)
            status = await process.wait()
            # What the child left behind in its group must not meet its successor.
            _signal_group(process, signal.SIGKILL, even_if_ended=True)
            if self._stopping.is_set():
                self._report(Happening(child=running.child.name, event="stopped", pid=process.pid, status=status))
                return
            if status == REFUSED_SETTINGS:
                running.refused = status
                self._report(Happening(child=running.child.name, event="refused", pid=process.pid, status=status))
                return
            backoff = FIRST_BACKOFF if loop.time() - began >= HEALTHY_SECONDS else backoff
            self._report(
                Happening(child=running.child.name, event="crashed", pid=process.pid, status=status, restart_in=backoff)
            )
            await self._pause(backoff)
            backoff = min(backoff * 2, LONGEST_BACKOFF)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _spawn(self, running: _Running) -> asyncio.subprocess.Process:
        child = running.child
        child.log.parent.mkdir(parents=True, exist_ok=True)
        with child.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *child.command,
                cwd=child.folder,
                env=dict(child.environ),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with(self._parent),
            )
        running.process = process
        running.starts += 1
        self._report(Happening(child=child.name, event="started", pid=process.pid))
        return process


_POLL_TIMEOUT: Final = aiohttp.ClientTimeout(total=1.0)


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        # Readiness is asked of our own child on loopback; its certificate names the agency, not the loopback.
        async with session.get(url, ssl=False) as response:
            return response.status == HTTPStatus.OK
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False


def _refuse_if_refused(running: _Running) -> None:
    if running.refused is not None:
        raise SuperviseError(
            "refused-settings",
            running.child.name,
            f"`{running.child.name}` refused its settings; see {running.child.log}",
        )


def _signal_group(
    process: asyncio.subprocess.Process | None, number: signal.Signals, *, even_if_ended: bool = False
) -> None:
    if process is None or (process.returncode is not None and not even_if_ended):
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _die_with(parent: int) -> Callable[[], None] | None:
    """A hook for the new process: be killed when `parent` dies, also when it died before the hook ran."""
    if sys.platform != "linux":
        return None
    # Looked up before the fork: between fork and exec nothing may be loaded.
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def hook() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return hook
