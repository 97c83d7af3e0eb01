"""Where this gateway stands: what it has in force, what it is ready for, and how long it has heard nothing.

Releases are staged by `releases`; here they are made ready, put in force when the hub beats, and told to the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from broker.gateway import refuse
from broker.gateway.bells import wait
from broker.gateway.core import Node
from broker.gateway.readiness import assess
from broker.relay.errors import RelayError
from broker.trust import Directory, Report, TrustError, make_report, read_report
from broker.trust.conduct import in_force_elsewhere
from broker.trust.force import FORCE_TYPES
from broker.trust.report import places_in

log = structlog.get_logger()

#: A report is said again with every beat's period, so that what got lost is missed no longer.
REPORT_SECONDS = 30.0
#: Until the relay is asked again what this gateway said last.
RETRY_SECONDS = 1.0
#: How often the silence is measured; the alarm comes at two minutes.
WATCH_SECONDS = 5.0


async def run(node: Node) -> None:
    """Takes beats, makes ready what is staged, says so, and watches the silence; for ever."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_beats(node))
        group.create_task(_make_ready(node))
        group.create_task(_report(node))
        group.create_task(_watch(node))


async def _beats(node: Node) -> None:
    async for raw in node.link.beats():
        await beat(node, raw)


async def beat(node: Node, raw: bytes) -> None:
    """Believes a beat or records why not. What it names is compiled first: nothing waits for that afterwards."""
    async with node.standing.changing:
        before = node.trust.force
        try:
            node.trust.verified(raw, now=node.now())
            if before.sequence == 0 or not node.standing.asked:
                node.standing.asked = await _ask_others(node)
            if before.sequence == 0 and not node.standing.asked:
                return  # a gateway without any state believes nothing before it has heard the others; beats come again
            believed = node.trust.activate(raw, now=node.now())
        except TrustError as error:
            await refuse.release(node, "beat", error)
            return
        if believed is None:
            return
        node.standing.pulse.beat()
    if (before.rules, before.directory) != (believed.rules, believed.directory):
        log.info("in force", rules=believed.rules[0], directory=believed.directory[0])
        wake_all(node)
        node.standing.staged.ring()


def wake_all(node: Node) -> None:
    """Whatever waits for a release looks again."""
    node.outbox.ring()
    node.releases.ring()
    node.held.ring()


async def _make_ready(node: Node) -> None:
    while True:
        bell = node.standing.staged.listen()
        async with node.standing.changing:
            node.standing.readiness = await assess(node.trust, node.now())
        if node.standing.readiness.failing:
            log.warning("cases fail here", cases=len(node.standing.readiness.failing))
        node.standing.report.ring()
        # A beat may have named it before it came.
        if (pending := node.trust.activation.pending) is not None:
            await beat(node, pending)
        await bell.wait()


async def _report(node: Node) -> None:
    await _keep_last_word(node)
    while True:
        bell = node.standing.report.listen()
        await node.link.wait_connected()
        await node.link.report(_own_report(node))
        await wait(bell, REPORT_SECONDS)


async def _keep_last_word(node: Node) -> None:
    """A gateway that lost its state still finds what it said of itself, as long as it has not said anything else."""
    while True:
        await node.link.wait_connected()
        try:
            node.standing.last_word = (await node.link.reports()).get(node.settings.name)
        except RelayError as error:
            log.warning("reports not readable", code=error.code)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return


def _own_report(node: Node) -> bytes:
    newest = node.trust.staged_directory
    speaking = [agency for agency in node.keys if newest is None or _may_speak(newest, agency)]
    agency = min(speaking or node.keys)
    force, ready = node.trust.force, node.standing.readiness
    since = [max(moments.values()) for name in FORCE_TYPES if (moments := force.since[name])]
    report = Report(
        gateway=node.settings.name,
        agency=agency,
        at=node.now(),
        rules=force.rules,
        directory=force.directory,
        since=max(since, default=None),
        ready_rules=ready.rules,
        ready_directory=ready.directory,
        probe=ready.probe,
        trouble=ready.trouble,
    )
    return make_report(report, node.keys[agency].signing, root=node.settings.root)


def _may_speak(newest: Directory, agency: str) -> bool:
    return agency in newest.entries and not newest.entries[agency].public.revoked


async def reports(node: Node) -> dict[str, Report]:
    """The verified last word of every gateway, this one's own among them.

    Raises:
        RelayError: the relay cannot be asked.
    """
    return await _verified(node, await node.link.reports())


async def _verified(node: Node, raws: Mapping[str, bytes]) -> dict[str, Report]:
    places = places_in(node.trust.staged_directory, node.trust.directory)
    found: dict[str, Report] = {}
    for gateway, raw in raws.items():
        try:
            report = read_report(raw, places, root=node.settings.root, now=node.now())
        except TrustError as error:
            await refuse.release(node, "report", error)
            continue
        if report.gateway == gateway:
            found[gateway] = report
    return found


async def _ask_others(node: Node) -> bool:
    """Hears what others have in force: a gateway that lost its state, or has an old one, starts with nothing older."""
    name, last_word = node.settings.name, node.standing.last_word
    try:
        raws = await node.link.reports()
    except RelayError as error:
        log.warning("others cannot be asked what is in force", code=error.code)
        return False
    known = await _verified(node, raws if last_word is None else {**raws, name: last_word})
    for of in FORCE_TYPES:
        node.trust.activation.seen_elsewhere(of, in_force_elsewhere(of, known, own=name, holds=node.trust.holds))
    return True


async def _watch(node: Node) -> None:
    while True:
        watch(node)
        await asyncio.sleep(WATCH_SECONDS)


def watch(node: Node) -> None:
    """Alarms, once each, for a silence of two minutes and for being cut off; notes for how long it has been silent."""
    standing, hearing = node.standing, node.standing.pulse.hearing
    if hearing == "fresh":
        standing.alarmed = "fresh"
        return
    node.trust.activation.silent_for(standing.pulse.age)
    if standing.alarmed == "fresh":
        standing.alarmed = "silent"
        node.metrics.alarms.labels(code="no-beat").inc()
        log.error("nothing heard of what is in force", seconds=int(standing.pulse.age.total_seconds()))
    if hearing == "cut off" and standing.alarmed != "cut off":
        standing.alarmed = "cut off"
        node.metrics.alarms.labels(code="cut-off").inc()
        log.error("cut off: only always rules, CLEAR and GREEN go out")
