"""Runs `tearline` as a person would: a process, its two streams and its exit status."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("TEARLINE_")}


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    words: str

    def json(self):
        return json.loads(self.out)


def tearline(
    *arguments: str | Path,
    cwd: Path | None = None,
    env: dict | None = None,
    stdin: str | None = None,
    session: bool = False,
) -> Done:
    """Run it; in a session of its own it has no terminal, whoever runs the tests."""
    done = subprocess.run(
        [sys.executable, "-m", "broker.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env={**CLEAN, "PYTHONPATH": str(Path(__file__).parents[2]), **(env or {})},
        input=stdin,
        start_new_session=session,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def alive(pid: int) -> bool:
    """Whether the process still runs; one that only waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
