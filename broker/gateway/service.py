"""The composition root: one gateway from its settings, its tasks, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path

import structlog
from aiohttp import web
from aiohttp.http_parser import HttpRequestParser, HttpRequestParserPy

from broker.gateway import deliver, escalate, housekeeping, outbox, own_rules, releases, repay, standing, trial
from broker.gateway.api import application
from broker.gateway.core import Node
from broker.gateway.metrics import Metrics
from broker.gateway.own_book import OwnBook
from broker.gateway.readiness import Standing
from broker.gateway.sessions import Sessions
from broker.gateway.settings import Settings
from broker.gateway.sources import Sources
from broker.gateway.steady import SteadyClock
from broker.gateway.tokens import Tokens
from broker.gateway.trial_desk import TrialDesk
from broker.gateway.vault import Vault
from broker.ops import clock
from broker.relay.link import Link
from broker.relay.nkeys import Nkey
from broker.seal import AgencyKeys
from broker.store import bulletins, sessions
from broker.store.database import Database
from broker.trust import (
    GatewayKeys,
    OwnFiles,
    Pulse,
    StorageKeys,
    TrustError,
    TrustStore,
    load_agency_keys,
    load_gateway_keys,
)

log = structlog.get_logger()

RESTART_SECONDS = 1.0
# The thread that commits has to win the interpreter twice for each commit, from an event loop that does not give it up
# before so long. With Python's 5 ms each bulletin would be that much later at every disk.
SWITCH_SECONDS = 0.0005
# Allocations until a collection, by generation: the values of one bulletin are some thousand objects without cycles.
COLLECT_AFTER = (20_000, 20, 20)


# What a gateway does for ever beside answering its adapters.
LOOPS: Mapping[str, Callable[[Node], Awaitable[None]]] = {
    "releases": releases.run,
    "standing": standing.run,
    "outbox, urgent": outbox.urgent,
    "outbox, others": outbox.others,
    "deliver": deliver.run,
    "receipts owed, urgent": repay.urgent,
    "receipts owed, others": repay.others,
    "deadlines": escalate.run,
    "own rules": own_rules.run,
    "trial": trial.run,
    "housekeeping": housekeeping.run,
}


class StartError(Exception):
    """The gateway cannot start; the message says what to mend."""


@contextlib.asynccontextmanager
async def gateway(settings: Settings) -> AsyncIterator[Node]:
    """A running gateway without its HTTP side: releases followed, outbox, inbox, receipts and deadlines at work.

    Raises:
        StartError: missing or unusable keys, or an HTTP parser that is not the hardened one.
        TrustError, StoreError: cached releases or the store are unusable.
    """
    _require_c_parser()
    _tls(settings)
    keys, gateway_keys = _load_keys(settings)
    trust = TrustStore(settings.data / "releases", settings.root)
    store = Database.open(settings.data / "gateway.sqlite")
    try:
        node = _node(settings, keys, gateway_keys, trust, store)
        await _check_clock(node)
        node.sessions.load(sessions.all_of(store))
        async with node.link, asyncio.TaskGroup() as group:
            tasks = [group.create_task(_lasting(name, work, node), name=name) for name, work in LOOPS.items()]
            try:
                yield node
            finally:
                node.stopping = True
                node.events.ring()
                for task in tasks:
                    task.cancel()
    finally:
        store.close()


def _node(
    settings: Settings,
    keys: Mapping[str, AgencyKeys],
    gateway_keys: GatewayKeys,
    trust: TrustStore,
    store: Database,
) -> Node:
    vault = Vault({agency: StorageKeys(settings.keys / "storage" / agency) for agency in settings.agencies})
    steady = SteadyClock(
        clock.now,
        clock.steady,
        skew=timedelta(seconds=settings.skew_seconds),
        highest=bulletins.meta(store, "clock"),
    )
    return Node(
        settings=settings,
        keys=keys,
        trust=trust,
        vault=vault,
        sources=Sources(vault),
        sessions=Sessions(vault),
        store=store,
        link=Link(
            gateway=settings.name,
            nkey=Nkey(public=gateway_keys.public, sign=gateway_keys.sign),
            servers=settings.relay,
            now=clock.now,
            tls=ssl.create_default_context(cafile=settings.relay_ca) if settings.relay_ca else None,
        ),
        metrics=Metrics(),
        now=clock.now,
        steady=steady,
        standing=Standing(pulse=_pulse(trust, steady)),
        own=OwnBook(
            OwnFiles(settings.data / "own"),
            trust,
            {agency: bulletins.meta(store, own_rules.MARK + agency) for agency in settings.agencies},
        ),
        trial=TrialDesk(trust),
    )


def _pulse(trust: TrustStore, steady: SteadyClock) -> Pulse:
    """How long ago the last beat was, by a clock that never goes behind what this gateway has seen."""
    heard = trust.force.heard
    age = None if heard is None else steady.now() - heard
    return Pulse(clock.steady, age=age, silence=trust.force.silence)


@contextlib.asynccontextmanager
async def serving(node: Node) -> AsyncIterator[None]:
    """The HTTP side of a running gateway; at its end streams are closed and requests under way are answered.

    Raises:
        StartError: a TLS key that others can read.
        OSError: the address is taken.
    """
    settings = node.settings
    runner = web.AppRunner(application(node, Tokens(settings.tokens)), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port, ssl_context=_tls(settings)).start()
        yield
    finally:
        node.stopping = True
        node.events.ring()
        await runner.cleanup()


async def run(settings: Settings) -> None:
    """Runs a gateway until SIGTERM or SIGINT; answers what is under way, then ends.

    Raises:
        StartError: what ``gateway`` raises, or an address that cannot be listened on.
    """
    _tune()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        async with gateway(settings) as node, serving(node):
            log.info("gateway ready", gateway=settings.name, agencies=list(settings.agencies), listen=settings.listen)
            await stop.wait()
            log.info("gateway ending", gateway=settings.name)
    except* OSError as errors:
        raise StartError(f"cannot listen on {settings.listen}: {errors.exceptions[0]}") from errors
    log.info("gateway ended", gateway=settings.name)


async def _lasting(name: str, work: Callable[[Node], Awaitable[None]], node: Node) -> None:
    """Runs one of the gateway's loops for ever: a fault in one must stop neither the others nor itself for good."""
    while True:
        try:
            await work(node)
        except Exception:
            log.exception("loop failed, begun again", loop=name)
            node.metrics.alarms.labels(code="loop-fault").inc()
            await asyncio.sleep(RESTART_SECONDS)


async def _check_clock(node: Node) -> None:
    # A clock that went back would accept what expired and reopen replay windows: say so at once.
    highest = bulletins.meta(node.store, "clock")
    if node.now_ms() + node.settings.skew_seconds * 1000 < highest:
        node.metrics.alarms.labels(code="clock-went-back").inc()
        log.error("the clock is behind the highest time seen", seconds=(highest - node.now_ms()) // 1000)


def _tune() -> None:
    """Makes the interpreter fit a process that answers within milliseconds for months."""
    sys.setswitchinterval(SWITCH_SECONDS)
    # What was imported lives as long as the process: looking at it again in each full collection is a vain pause.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def _load_keys(settings: Settings) -> tuple[Mapping[str, AgencyKeys], GatewayKeys]:
    allow = settings.unsafe_example_keys
    try:
        keys = {
            agency: load_agency_keys(settings.keys / f"{agency}.json", allow_example=allow)
            for agency in settings.agencies
        }
        gateway_keys = load_gateway_keys(settings.keys / f"{settings.name}.nkey.json", allow_example=allow)
    except TrustError as error:
        raise StartError(f"{error.code}: {error}") from error
    wrong = [agency for agency, held in keys.items() if held.agency != agency]
    if wrong:
        raise StartError(f"the key file of {wrong[0]} holds another agency's keys")
    return keys, gateway_keys


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    _require_private(settings.tls_key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    return context


def _require_private(path: Path) -> None:
    if path.stat().st_mode & 0o077:
        raise StartError(f"{path.name} can be read by others; chmod 600")


def _require_c_parser() -> None:
    # The pure-Python parser had the request-smuggling holes (CVE-2025-69224 and others).
    if HttpRequestParser is HttpRequestParserPy:
        raise StartError("aiohttp runs without its C parser; install its wheel and unset AIOHTTP_NO_EXTENSIONS")
