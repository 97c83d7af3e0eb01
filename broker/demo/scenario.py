"""The scenario: documents dropped into the adapters' folders, and calls that persons make. It judges nothing.

What it waits for it reads through the API, like a person who looks at the screen before the next step.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from adapters.client import GatewayClient, GatewayRefusedError
from broker.demo import feeds, people
from broker.demo.collect import CONTROLS, delivery_of, pages
from broker.demo.evidence import Refused, RelayKill
from broker.demo.expectation import Expectation
from broker.demo.show import Lines

_STEP_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.1

JsonObject = dict[str, Any]


class StuckError(Exception):
    """The scenario cannot go on: something it waits for did not happen. The verdict will say what is missing."""


@dataclass(slots=True, kw_only=True)
class Stage:
    """What the scenario plays on: clients of every agency, the adapters' folders, the relay's process, the clock."""

    clients: Mapping[str, GatewayClient]
    watched: Mapping[str, Path]
    relay_pid: Callable[[], int | None]
    hub_pid: Callable[[], int | None]
    now: Callable[[], datetime]
    lines: Lines
    expectation: Expectation
    refused: list[Refused] = field(default_factory=list)
    relay: RelayKill | None = None
    ids: dict[str, str] = field(default_factory=dict)


async def play(stage: Stage) -> None:
    """Play every act.

    Raises:
        StuckError: an act waited in vain.
    """
    lines = stage.lines
    lines.act("A 911 call in Chicago names the residence of the mayor of Springfield")
    feeds.drop(stage.watched["chicago-pd"], feeds.threat(stage.now()))
    await _arrived(stage, "threat")

    lines.act(f"A warning to be acknowledged within {people.DUE_SECONDS} seconds: one person does, another does not")
    await _publish(stage, "overdue", people.overdue(stage.now()))
    await _arrived(stage, "overdue")
    await _person(stage, "lake-sheriff", "overdue", "acknowledged", person="Sgt. C. Example", note="on it")

    lines.act(
        "Feeds: a STIX report with one RED object, a BOLO, a task force assessment, a public alert and an exercise"
    )
    feeds.drop(stage.watched["il-fusion"], feeds.extremism(stage.now()))
    feeds.drop(stage.watched["il-state-police"], feeds.bolo(stage.now()))
    feeds.drop(stage.watched["jttf-chicago"], feeds.bulletin("assessment", people.assessment(stage.now())))
    feeds.drop(stage.watched["springfield-pd"], feeds.alert(stage.now()))
    exercise = feeds.exercise(stage.now())
    feeds.drop(stage.watched["springfield-pd"], exercise)
    await _publish(stage, "withdrawn", people.withdrawn(stage.now()))
    await _publish(stage, "question", people.question(stage.now()))
    for key in ("bolo", "assessment", "extremism", "alert", "withdrawn", "question"):
        await _arrived(stage, key)

    lines.act("Persons read and act")
    await _person(stage, "springfield-pd", "threat", "read", person="Lt. A. Example")
    await _person(stage, "springfield-pd", "threat", "acted", person="Lt. A. Example", note="detail doubled")
    await _person(stage, "springfield-mayor", "threat", "acknowledged", person="Chief of Staff I. Example")

    lines.act("The relay is killed with -9, and bulletins are submitted while it is down")
    await _kill_relay(stage)

    lines.act("Both ways: an answer, a sighting, a correction, a recall")
    await _publish(stage, "answer", people.answer(stage.now(), to=stage.ids["question"]))
    await _publish(stage, "sighting", people.sighting(stage.now(), of=stage.ids["bolo"]))
    await _correct(stage)
    await stage.clients["il-fusion"].recall(stage.ids["withdrawn"], reason="the source withdrew the statement")

    lines.act("Submissions that must be refused")
    await _refused(stage, "no-suspicion", people.no_suspicion(stage.now()))
    await _refused(stage, "immigration", people.immigration(stage.now()))
    await _refused(stage, "red-without-names", people.red_without_names(stage.now()))
    await _refused(stage, "protected-activity", people.protected_activity(stage.now()))
    await _refused_document(stage, "exercise", stage.watched["springfield-pd"], exercise.name)


async def settled(stage: Stage, seconds: float = 30.0) -> bool:
    """Wait until every delivery of every outbox has its receipt and nothing is under way; False when it has not."""
    return await _until(lambda: _quiet(stage), seconds)


async def _until(condition: Callable[[], Awaitable[bool]], seconds: float = _STEP_SECONDS) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            # What is waited for happens in other processes; there is no event of ours to wait on.
            while not await condition():  # noqa: ASYNC110
                await asyncio.sleep(_POLL_SECONDS)
            return True
    return False


async def _quiet(stage: Stage) -> bool:
    recalled = {stage.ids.get(one.key) for one in stage.expectation.bulletin if one.recalled}
    escalating = {stage.ids.get(one.key): set(one.escalates) for one in stage.expectation.bulletin if one.escalates}
    for client in stage.clients.values():
        for row in await pages(client, sent=True):
            if row["kind"] in CONTROLS:
                continue
            for one in map(delivery_of, (await client.get(row["id"]))["deliveries"]):
                wanted = "purged" if row["id"] in recalled else "stored"
                late = one.agency in escalating.get(row["id"], ()) and not one.escalated
                if wanted not in one.rungs or late:
                    return False
    return True


async def _publish(stage: Stage, key: str, document: JsonObject) -> str:
    expected = stage.expectation.by_key(key)
    answer = await stage.clients[expected.originator].publish(document, idempotency_key=f"demo-{key}")
    stage.ids[key] = str(answer["id"])
    return stage.ids[key]


async def _correct(stage: Stage) -> None:
    document = people.assessment_corrected(stage.now())
    answer = await stage.clients["jttf-chicago"].correct(
        stage.ids["assessment"], document, idempotency_key="demo-assessment-corrected"
    )
    stage.ids["assessment-corrected"] = str(answer["id"])


async def _person(stage: Stage, agency: str, key: str, rung: str, *, person: str, note: str = "") -> None:
    await stage.clients[agency].receipts(stage.ids[key], rung, person=person, note=note)


async def _arrived(stage: Stage, key: str) -> None:
    """Wait until the originator has the receipts of everyone the rules gave it to, and remember its id."""
    expected = stage.expectation.by_key(key)
    client = stage.clients[expected.originator]

    async def all_stored() -> bool:
        if not await _find(stage, key, client):
            return False
        deliveries = [delivery_of(one) for one in (await client.get(stage.ids[key]))["deliveries"]]
        return bool(deliveries) and all("stored" in one.rungs for one in deliveries)

    if not await _until(all_stored):
        raise StuckError(f"`{key}` from {expected.originator} did not arrive in {_STEP_SECONDS:.0f} s")


async def _find(stage: Stage, key: str, client: GatewayClient) -> bool:
    """Whether the originator has the bulletin; one that an adapter submitted is known by its words."""
    if key in stage.ids:
        return True
    says = stage.expectation.by_key(key).says.values()
    for row in await pages(client, sent=True):
        if row["kind"] in CONTROLS or row["id"] in stage.ids.values():
            continue
        opened = await client.get(row["id"])
        if any(phrase in one["content"] for phrase in says for one in opened["portions"]):
            stage.ids[key] = row["id"]
            return True
    return False


async def _kill_relay(stage: Stage) -> None:
    pid, hub = stage.relay_pid(), stage.hub_pid()
    if pid is None or hub is None:
        raise StuckError("no nats-server process was found")
    # The hub restarts it within a tenth of a second; held still for a moment, the outage is long enough to work in.
    os.kill(hub, signal.SIGSTOP)
    try:
        os.kill(pid, signal.SIGKILL)
        stage.lines.say(f"              nats-server {pid} killed with -9", "bold red")
        # 202 is a promise that does not need the relay.
        await _publish(stage, "intelligence", people.intelligence(stage.now()))
        await _publish(stage, "juvenile", people.juvenile(stage.now()))
        await _publish(stage, "controlled", people.controlled(stage.now()))
        accepted = [key for key in ("intelligence", "juvenile", "controlled") if await _waits(stage, key)]
        stage.lines.say(
            f"              {len(accepted)} bulletins accepted with 202 while it is down; they wait on disk"
        )
    finally:
        os.kill(hub, signal.SIGCONT)

    async def back() -> bool:
        return stage.relay_pid() not in (None, pid)

    if not await _until(back):
        raise StuckError("nats-server was not started again")
    now = stage.relay_pid()
    stage.relay = RelayKill(killed=pid, now=now, accepted_while_down=tuple(stage.ids[key] for key in accepted))
    stage.lines.say(f"              nats-server is back as {now}", "green")
    for key in accepted:
        await _arrived(stage, key)


async def _waits(stage: Stage, key: str) -> bool:
    """Whether the gateway itself says that the bulletin has gone to nobody yet."""
    opened = await stage.clients[stage.expectation.by_key(key).originator].get(stage.ids[key])
    return all(not delivery_of(one).rungs for one in opened["deliveries"])


async def _refused(stage: Stage, key: str, document: JsonObject) -> None:
    expected = next(one for one in stage.expectation.refused if one.key == key)
    try:
        await stage.clients[expected.originator].publish(document, idempotency_key=f"demo-{key}")
    except GatewayRefusedError as error:
        withheld = error.extra.get("withheld") or []
        rules = tuple(sorted({rule for row in withheld for rule in row["rules"]}))
        stage.refused.append(Refused(key=key, agency=expected.originator, code=error.code, rules=rules))
        stage.lines.refused(
            what=expected.what, sender=expected.originator, code=error.code, reason=error.detail, rules=rules
        )


async def _refused_document(stage: Stage, key: str, watched: Path, name: str) -> None:
    """A document that the adapter or the gateway refused lies in `refused/` with its reason beside it."""
    expected = next(one for one in stage.expectation.refused if one.key == key)

    async def judged() -> bool:
        return feeds.refusal_of(watched, name) is not None

    if not await _until(judged):
        raise StuckError(f"`{name}` was neither taken nor refused")
    code, reason = feeds.refusal_of(watched, name) or ("", "")
    stage.refused.append(Refused(key=key, agency=expected.originator, code=code))
    stage.lines.refused(what=expected.what, sender=expected.originator, code=code, reason=reason, rules=())
