"""The demo from an empty folder to the verdict: prepare, start, play, read everything, judge, stay."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.client import GatewayClient, GatewayError, read_token
from broker.demo import collect, ground, scenario
from broker.demo.ask import never_rules, protected_activity_alone, rule_names
from broker.demo.evidence import Escalation, Evidence
from broker.demo.expectation import load_expectation
from broker.demo.ground import Ground
from broker.demo.live import Live
from broker.demo.processes import child_named
from broker.demo.scan import scan
from broker.demo.scenario import Stage, StuckError
from broker.demo.show import Lines
from broker.demo.verdict import Verdict, judge
from broker.ops.clock import now
from broker.ops.exchange import plan
from broker.ops.up import Reporter, running, until_signalled

# The last receipts come in batches; after so much quiet nothing more is on its way.
_QUIET_SECONDS: Final = 1.0
# What is searched for the scenario's words. Not `feeds`: that is the agencies' own systems, where the words belong.
_SEARCHED: Final = ("hub", "data", "log", "releases")

Verdicts = Callable[[Verdict], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person may choose."""

    folder: Path
    rules: Path | None = None
    once: bool = False


async def run_demo(options: Options, lines: Lines, tell: Verdicts) -> Verdict | None:
    """Play the scenario, judge it and `tell`; without `once`, stay until a signal comes. None when one came first.

    Raises:
        GroundError, ExchangeError, SuperviseError, TrustError, PolicyError: it cannot be prepared or brought up.
    """
    verdicts: list[Verdict] = []

    def told(verdict: Verdict) -> None:
        verdicts.append(verdict)
        tell(verdict)

    async with until_signalled() as stop:
        await _unless(stop, _demo(options, lines, told, stop))
    return verdicts[0] if verdicts else None


async def _unless(stop: asyncio.Event, work: Awaitable[None]) -> None:
    """Do the work, or leave it at the signal; either way its own ending is waited for."""
    task = asyncio.ensure_future(work)
    waiter = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiter.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    if not task.cancelled():
        task.result()


async def _demo(options: Options, lines: Lines, tell: Verdicts, stop: asyncio.Event) -> None:
    keys, rules = ground.examples()
    rules = options.rules or rules
    lines.say(f"preparing {options.folder}: keys, signed releases, settings of 13 agencies")
    prepared = ground.prepare(options.folder, keys=keys, rules=rules, now=now())
    made = plan(prepared.exchange, environ=os.environ)
    lines.say(f"starting {len(made.children)} processes: hub with nats-server, gateways, adapters")
    async with running(made, Reporter(lambda _: None, lines.say)) as supervisor, clients_of(prepared) as clients:
        expectation = load_expectation()
        stage = Stage(
            clients=clients,
            watched=prepared.watched,
            relay_pid=lambda: child_named(supervisor.pid("hub"), "nats-server"),
            hub_pid=lambda: supervisor.pid("hub"),
            now=now,
            lines=lines,
            expectation=expectation,
        )
        await _played(stage, rules)
        evidence = await _evidence(prepared, stage, rules)
        verdict = judge(expectation, evidence)
        lines.verdict(verdict)
        tell(verdict)
        if not options.once:
            _invite(prepared, lines)
            await stop.wait()


async def _played(stage: Stage, rules: Path) -> None:
    clients, lines = stage.clients, stage.lines
    async with _following(Live(clients, lines, rule_names(rules)), lines):
        try:
            await scenario.play(stage)
            lines.act("Waiting for the last receipts")
            if not await scenario.settled(stage):
                lines.say("not everything has settled; the verdict says what is missing", "yellow")
        except (StuckError, GatewayError) as error:
            # The verdict is about what the agencies hold, so it is given all the same, and says what is missing.
            lines.say(f"the scenario is stuck: {error}", "bold red")
        await asyncio.sleep(_QUIET_SECONDS)


async def _evidence(prepared: Ground, stage: Stage, rules: Path) -> Evidence:
    clients = stage.clients
    members = tuple(clients)
    phrases = list(stage.expectation.phrases())
    return Evidence(
        inboxes={agency: await collect.read_inbox(agency, client) for agency, client in clients.items()},
        outboxes={agency: await collect.read_outbox(agency, client, members) for agency, client in clients.items()},
        refused=tuple(protected_activity_alone(one, rules, at=now()) for one in stage.refused),
        escalations=await _escalations(clients),
        relay=stage.relay,
        scan=await asyncio.to_thread(scan, [prepared.folder / name for name in _SEARCHED], phrases),
        never_rules=never_rules(rules),
    )


async def _escalations(clients: Mapping[str, GatewayClient]) -> tuple[Escalation, ...]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(collect.escalations(agency, client)) for agency, client in clients.items()]
    return tuple(one for task in tasks for one in task.result())


@contextlib.asynccontextmanager
async def clients_of(prepared: Ground) -> AsyncGenerator[Mapping[str, GatewayClient]]:
    """An open client for every agency, with the token of its person."""
    async with contextlib.AsyncExitStack() as stack:
        yield {
            agency: await stack.enter_async_context(GatewayClient(member.url, read_token(member.token_file)))
            for agency, member in prepared.members.items()
        }


@contextlib.asynccontextmanager
async def _following(live: Live, lines: Lines) -> AsyncGenerator[None]:
    task = asyncio.ensure_future(live.follow())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled() and (error := task.exception()) is not None:
            lines.say(f"the live view ended early ({type(error).__name__}); the verdict does not need it", "yellow")


def _invite(prepared: Ground, lines: Lines) -> None:
    # The default folder needs no option; another one is named.
    where = "" if prepared.folder == Path("run/demo") else f" --run {prepared.folder}"
    lines.act("Everything is still running. In a second terminal, in this folder:")
    lines.say(f"  .venv/bin/tearline inbox --as springfield-pd{where}")
    lines.say(f"  .venv/bin/tearline inbox --as chicago-pd --sent{where}")
    lines.say(f"  .venv/bin/tearline status --as jttf-springfield --watch{where}")
    lines.say(f"\nAPI of springfield-pd's gateway: {prepared.members['springfield-pd'].url}/openapi.json")
    lines.say("Ctrl-C ends everything.")
