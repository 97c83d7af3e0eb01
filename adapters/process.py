"""The process of an adapter: settings, folder, client and the two loops; graceful on SIGTERM, safe on SIGKILL."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import structlog

from adapters.access import read_token
from adapters.bulletin import Intent
from adapters.client import GatewayClient
from adapters.errors import SettingsError
from adapters.formats import bulletin_json
from adapters.outbound import OutFolder, Writer
from adapters.settings import Settings, load
from adapters.watch import FolderLock
from adapters.worker import Worker

_USAGE = 2


class Translate(Protocol):
    """From a whole file to what to do about it; pure, raises `DocumentRefusedError`."""

    def __call__(self, raw: bytes, now: datetime, /) -> Intent: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What makes one agency's adapter different from another's."""

    name: str
    reads: frozenset[str]
    writers: Mapping[str, Writer]
    translator: Callable[[Settings], Translate]


def json_translator(settings: Settings) -> Translate:
    """Translate bulletins that are JSON already."""

    def translate(raw: bytes, now: datetime) -> Intent:
        return bulletin_json.parse(raw, agency=settings.agency, words=settings.defaults, now=now)

    return translate


def settings_argument(program: str) -> Path:
    """Return the one argument of `python -m adapters.KIND CONFIG.toml`."""
    if len(sys.argv) != 2:  # noqa: PLR2004 - the program and its one argument
        sys.stderr.write(f"usage: python -m {program} CONFIG.toml\n")
        raise SystemExit(_USAGE)
    return Path(sys.argv[1])


def run(kind: Kind, path: Path) -> None:
    """Run an adapter until SIGTERM or SIGINT; settings it cannot accept end it with status 2."""
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.add_log_level,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        settings = load(path, reads=kind.reads, writes=frozenset(kind.writers))
        token = read_token(settings.token_file)
        lock = FolderLock(settings.folder)
    except SettingsError as error:
        sys.stderr.write(f"{path.name}: {error.code}: {error.detail}\n")
        raise SystemExit(_USAGE) from None
    try:
        asyncio.run(_serve(kind, settings, token))
    finally:
        lock.release()


async def _serve(kind: Kind, settings: Settings, token: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    chosen = settings.write or kind.writers
    out = OutFolder(settings.folder, {name: kind.writers[name] for name in chosen})
    log = structlog.get_logger().bind(adapter=kind.name, agency=settings.agency)
    async with GatewayClient(settings.gateway, token, ca_file=settings.ca_file) as client:
        worker = Worker(client, settings, kind.translator(settings), out, log)
        log.info("adapter ready")
        await worker.run(stop)
        log.info("adapter stopped")
