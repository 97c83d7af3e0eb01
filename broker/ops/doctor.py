"""`tearline doctor`: is this machine, and this installation, fit to run a gateway?

Each check gives a finding of its own: `ok`, `warn` (it works, but know this) or `fail`. A check never raises and never
prints a secret; what it cannot find out is a warning, because not knowing is not being well.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import json
import os
import platform
import resource
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from aiohttp import http_parser

from broker.ops import doctor_keys
from broker.seal.library import sealing_library

Verdict = Literal["ok", "warn", "fail"]

_PACKAGES: Final = ("tearline", "aiohttp", "cbor2", "cryptography", "nats-py", "pydantic", "uvloop")
_OLDEST_PYTHON: Final = (3, 11)
# A submission waits for one fsync, and 60 bulletins a second share them: beyond this the promise of p99 60 ms is gone.
_SLOW_FSYNC_MS: Final = 20.0
_FSYNCS: Final = 20
# The store refuses nothing until the disk is full, so a person must hear of it before.
_LITTLE_DISK_BYTES: Final = 2 * 1024**3
# One connection per adapter and event stream, NATS, SQLite and its journals for each hosted agency.
_FEW_FILES: Final = 1024
# adjtimex(2): the kernel's clock is not disciplined by anything.
_TIME_ERROR: Final = 5
_NETWORK_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check's outcome."""

    check: str
    verdict: Verdict
    found: str

    def as_json(self) -> dict[str, str]:
        """For `--json`."""
        return asdict(self)


def examine(*, gateway_config: Path | None, data: Path, nats: str | None, environ: Mapping[str, str]) -> list[Finding]:
    """Every check that fits what was given."""
    findings = [
        _python(),
        _packages(),
        *_nats_binary(),
        _python_openssl(),
        _sealing_openssl(),
        _parser(),
        _clock(),
        *_disk(data),
        _files(),
    ]
    if nats is not None:
        findings.append(_nats_health(nats))
    if gateway_config is not None:
        findings += list(_gateway(gateway_config, environ))
    return findings


def _python() -> Finding:
    good = sys.version_info >= _OLDEST_PYTHON
    return Finding(
        check="python",
        verdict="ok" if good else "fail",
        found=f"{platform.python_version()} on {platform.system()} {platform.release()} {platform.machine()}",
    )


def _packages() -> Finding:
    found = []
    missing = False
    for name in _PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name} missing")
            missing = True
    return Finding(check="packages", verdict="warn" if missing else "ok", found=", ".join(found))


def _nats_binary() -> Iterator[Finding]:
    program = Path(sysconfig.get_path("scripts")) / "nats-server"
    if not program.exists():
        yield Finding(check="nats-server", verdict="warn", found="not in this environment; an outside relay is needed")
        return
    try:
        words = subprocess.run([str(program), "-v"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        yield Finding(check="nats-server", verdict="fail", found=f"does not run: {type(error).__name__}")
        return
    yield Finding(check="nats-server", verdict="ok", found=words.strip())


def _python_openssl() -> Finding:
    return Finding(check="OpenSSL of Python (TLS)", verdict="ok", found=ssl.OPENSSL_VERSION)


def _sealing_openssl() -> Finding:
    version, fips = sealing_library()
    note = "FIPS provider on" if fips else "FIPS flag off: the wheel's OpenSSL is not a validated module"
    return Finding(check="OpenSSL of the seal", verdict="ok" if fips else "warn", found=f"{version}; {note}")


def _parser() -> Finding:
    fast = http_parser.HttpRequestParser is not http_parser.HttpRequestParserPy
    return Finding(
        check="aiohttp parser",
        verdict="ok" if fast else "warn",
        found="C (llhttp)"
        if fast
        else "pure Python: slower, and it has had request-smuggling faults that llhttp had not",
    )


def _clock() -> Finding:
    try:
        libc = ctypes.CDLL(None)
        # struct timex is below 256 bytes everywhere; modes = 0 (all zero) only reads.
        state = libc.adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return Finding(check="clock", verdict="warn", found="cannot tell whether it is synchronised")
    if state in (-1, _TIME_ERROR):
        return Finding(check="clock", verdict="warn", found="not synchronised by NTP; 5 minutes of error stop delivery")
    return Finding(check="clock", verdict="ok", found="synchronised")


def _disk(folder: Path) -> Iterator[Finding]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        times = _fsync_times(folder)
    except OSError as error:
        yield Finding(check="disk", verdict="fail", found=f"cannot write: {error.strerror}")
        return
    middle, worst = statistics.median(times), max(times)
    yield Finding(
        check="disk fsync",
        verdict="ok" if worst <= _SLOW_FSYNC_MS else "warn",
        found=f"median {middle:.2f} ms, worst of {_FSYNCS} {worst:.2f} ms",
    )
    free = shutil.disk_usage(folder).free
    yield Finding(
        check="disk space",
        verdict="ok" if free >= _LITTLE_DISK_BYTES else "warn",
        found=f"{free / 1024**3:.1f} GiB free",
    )


def _fsync_times(folder: Path) -> list[float]:
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(_FSYNCS):
            began = time.perf_counter()
            file.write(os.urandom(4096))
            file.flush()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return times


def _files() -> Finding:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = soft != resource.RLIM_INFINITY and soft < _FEW_FILES
    return Finding(check="open files", verdict="warn" if few else "ok", found=f"limit {soft}")


def _nats_health(url: str) -> Finding:
    address = url.rstrip("/") + "/healthz"
    if urlsplit(address).scheme not in ("http", "https"):
        return Finding(check="NATS health", verdict="fail", found="the monitoring address is http(s)://host:port")
    try:
        with urllib.request.urlopen(address, timeout=_NETWORK_SECONDS) as answer:  # noqa: S310 - scheme checked above
            status = json.load(answer).get("status")
    except (OSError, ValueError, urllib.error.URLError) as error:
        return Finding(check="NATS health", verdict="fail", found=f"no answer: {type(error).__name__}")
    return Finding(check="NATS health", verdict="ok" if status == "ok" else "fail", found=f"says `{status}`")


def _gateway(config: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    for relay in doctor_keys.relays(config, environ):
        yield _relay(relay)
    for check, verdict, found in doctor_keys.key_findings(config, environ):
        yield Finding(check=check, verdict=verdict, found=found)


def _relay(address: str) -> Finding:
    """A nats-server greets with one INFO line before anyone logs in, also where the rest is TLS."""
    parts = urlsplit(address)
    check = f"relay {parts.hostname}:{parts.port}"
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 4222), timeout=_NETWORK_SECONDS) as link:
            link.settimeout(_NETWORK_SECONDS)
            line = _first_line(link.recv)
        greeting = json.loads(line.removeprefix(b"INFO "))
    except (OSError, ValueError) as error:
        return Finding(check=check, verdict="fail", found=f"no answer: {type(error).__name__}")
    jetstream = bool(greeting.get("jetstream"))
    words = f"nats-server {greeting.get('version')}, JetStream {'on' if jetstream else 'OFF'}"
    return Finding(check=check, verdict="ok" if jetstream else "fail", found=words)


def _first_line(receive: Callable[[int], bytes]) -> bytes:
    line = b""
    while not line.endswith(b"\r\n") and len(line) < 65536:  # noqa: PLR2004 - far above any greeting
        chunk = receive(4096)
        if not chunk:
            break
        line += chunk
    return line.split(b"\r\n")[0]
