"""Supervision: restarts, readiness, and an end that leaves nothing behind. Real processes, real signals."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from broker.ops.supervise import Child, Happening, SuperviseError, Supervisor
from tests.cli.command import alive

IGNORES_SIGTERM = (
    "import signal,time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(600)"
)
LEAVES_A_GRANDCHILD = (
    "import subprocess,sys,time\n"
    "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(p.pid, flush=True)\ntime.sleep(600)"
)
SERVES_200 = """
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *a): pass
s = http.server.HTTPServer(('127.0.0.1', 0), H)
print(s.server_port, flush=True)
s.serve_forever()
"""


def child(folder: Path, name: str, code: str, ready: str | None = None) -> Child:
    return Child(
        name=name,
        command=(sys.executable, "-c", code),
        folder=folder,
        log=folder / f"{name}.log",
        ready=ready,
        environ={"PATH": os.environ["PATH"]},
    )


async def eventually(condition, seconds: float = 10.0):
    async with asyncio.timeout(seconds):
        while not (value := condition()):  # noqa: ASYNC110 - what is waited for is another process
            await asyncio.sleep(0.02)
    return value


def written(path: Path) -> str:
    return path.read_text() if path.exists() else ""


async def test_a_crashed_child_is_started_again(tmp_path: Path) -> None:
    seen: list[Happening] = []
    async with Supervisor(report=seen.append) as supervisor:
        supervisor.start(child(tmp_path, "one", "import time; time.sleep(600)"))
        first = await eventually(lambda: supervisor.pid("one"))
        os.kill(first, signal.SIGKILL)
        second = await eventually(lambda: (pid := supervisor.pid("one")) != first and pid)

        assert alive(second)
    assert [one.event for one in seen] == ["started", "crashed", "started", "stopped"]
    assert seen[1].restart_in == 0.5


async def test_a_crash_loop_backs_off(tmp_path: Path) -> None:
    seen: list[Happening] = []
    async with Supervisor(report=seen.append) as supervisor:
        supervisor.start(child(tmp_path, "loop", "raise SystemExit(1)"))
        await eventually(lambda: len([one for one in seen if one.event == "crashed"]) == 3)

    assert [one.restart_in for one in seen if one.event == "crashed"] == [0.5, 1.0, 2.0]


async def test_a_child_that_refuses_its_settings_is_not_started_again(tmp_path: Path) -> None:
    async with Supervisor() as supervisor:
        supervisor.start(child(tmp_path, "wrong", "raise SystemExit(2)", ready="http://127.0.0.1:9/readyz"))

        with pytest.raises(SuperviseError) as caught:
            await supervisor.ready("wrong", within=20)

        assert caught.value.code == "refused-settings"
        assert caught.value.child == "wrong"
        assert supervisor.starts("wrong") == 1


async def test_a_child_is_ready_when_it_answers_200(tmp_path: Path) -> None:
    async with Supervisor() as supervisor:
        supervisor.start(child(tmp_path, "server", SERVES_200))
        port = await eventually(lambda: written(tmp_path / "server.log").strip())
        supervisor.start(
            child(tmp_path, "asked", "import time; time.sleep(600)", ready=f"http://127.0.0.1:{port}/readyz")
        )

        await supervisor.ready(within=10)


async def test_a_child_that_never_answers_is_named_after_the_time_is_up(tmp_path: Path) -> None:
    async with Supervisor() as supervisor:
        supervisor.start(child(tmp_path, "mute", "import time; time.sleep(600)", ready="http://127.0.0.1:9/readyz"))

        with pytest.raises(SuperviseError) as caught:
            await supervisor.ready("mute", within=0.5)

        assert caught.value.code == "not-ready"


async def test_stopping_leaves_no_process_within_three_seconds(tmp_path: Path) -> None:
    supervisor = Supervisor()
    supervisor.start(child(tmp_path, "deaf", IGNORES_SIGTERM))
    supervisor.start(child(tmp_path, "family", LEAVES_A_GRANDCHILD))
    await eventually(lambda: written(tmp_path / "deaf.log"))
    grandchild = int(await eventually(lambda: written(tmp_path / "family.log").strip()))
    pids = [supervisor.pid("deaf"), supervisor.pid("family"), grandchild]

    began = time.monotonic()
    await supervisor.stop()
    took = time.monotonic() - began

    assert took < 3.0
    await eventually(lambda: not any(alive(pid) for pid in pids), 1.0)


async def test_a_killed_supervisor_takes_its_children_with_it(tmp_path: Path) -> None:
    code = f"""
import asyncio, os, sys
from pathlib import Path
from broker.ops.supervise import Child, Supervisor
async def main():
    supervisor = Supervisor()
    folder = Path({str(tmp_path)!r})
    supervisor.start(Child(name='c', command=(sys.executable, '-c', {IGNORES_SIGTERM!r}), folder=folder,
                           log=folder / 'c.log', environ=dict(os.environ)))
    while not supervisor.pid('c'):
        await asyncio.sleep(0.02)
    print(supervisor.pid('c'), flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    try:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        await eventually(lambda: written(tmp_path / "c.log"))

        process.kill()

        await eventually(lambda: not alive(pid), 3.0)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def test_a_second_signal_during_the_end_leaves_nobody_behind(tmp_path: Path) -> None:
    seen: list[Happening] = []
    entered = asyncio.Event()

    async def serve() -> None:
        async with Supervisor(report=seen.append) as supervisor:
            supervisor.start(child(tmp_path, "deaf", IGNORES_SIGTERM))
            await eventually(lambda: written(tmp_path / "deaf.log"))
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(serve())
    await entered.wait()
    task.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
    await eventually(lambda: not alive(seen[0].pid), 1.0)
