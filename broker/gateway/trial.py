"""Rules on trial: every submission is decided by them, too, once it has been answered. Nothing goes out by it.

The desk is a short queue. A submission only leaves itself there; a gateway that has no time for the trial skips it and
says how often it did.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from broker.gateway.bells import wait
from broker.gateway.clock import from_ms, to_ms
from broker.gateway.core import Node
from broker.gateway.trial_desk import Job
from broker.store import trials
from broker.trust import Directory, Release, Rules
from policy import Decider, Vocabulary, compile_rules
from policy.difference import Difference, DutyBook
from policy.own import AnyDecider
from policy.preview_document import replay_document
from policy.trial import Differing, judge, summed

#: How long a bulletin waits, so that its own answer is out and others can be decided with it.
PAUSE_SECONDS = 0.2
#: A portion waits for submissions under way, but not for ever: some are always under way at a busy gateway.
YIELD_SECONDS = 0.1
_STEP_SECONDS = 0.005
#: One write's worth of bulletins.
BATCH = 50
#: How often it is looked whether a trial has begun or ended.
LOOK_SECONDS = 5.0


@dataclass(slots=True)
class _Batch:
    """What a few bulletins came to, to be written at one stroke."""

    decided: list[trials.Decided] = field(default_factory=list)
    differing: list[trials.DifferingPortion] = field(default_factory=list)


async def run(node: Node) -> None:
    """Decides by the trial whatever is left for it, for ever."""
    while True:
        bell = node.trial.bell.listen()
        rules = node.trial.look(node.now())
        if rules is None or not (node.trial.jobs or node.trial.skipped):
            await wait(bell, LOOK_SECONDS)
            continue
        await asyncio.sleep(PAUSE_SECONDS)
        await turn(node, rules)


async def turn(node: Node, rules: Rules) -> None:
    """Decides some of the waiting bulletins and writes what would have been otherwise."""
    batch, desk = _Batch(), node.trial
    now = to_ms(node.now())
    for agency, number in desk.skipped.items():
        batch.decided.append(_decided(agency, rules.number, now, bulletins=0, portions=0, skipped=number))
        node.metrics.trial_skipped.inc(number)
    desk.skipped.clear()
    for _ in range(min(BATCH, len(desk.jobs))):
        job = desk.jobs.popleft()
        # The very directory that it was decided over: the sets of both decisions are then over the same agencies.
        exchange = await _decider(node, rules, job.directory)
        await _decide(node, rules, exchange, job, batch)
        if desk.look(node.now()) is not rules:
            break

    def record(connection: sqlite3.Connection) -> None:
        for decided in batch.decided:
            trials.count(connection, decided)
        for portion in batch.differing:
            trials.add(connection, portion)

    await node.store.write(record)


async def _decider(node: Node, rules: Rules, directory: Directory) -> Decider:
    deciders, now = node.trust.deciders, node.now()
    if not deciders.compiled(rules, directory):
        made = await asyncio.to_thread(compile_rules, rules.ruleset, rules.vocabulary, directory.agencies, at=now)
        deciders.keep(rules, directory, made)
    return deciders.get(rules, directory, now)


async def _decide(node: Node, rules: Rules, exchange: Decider, job: Job, batch: _Batch) -> None:
    first = job.portions[0]
    agency, at = first.originator, first.at
    trial = _narrowed(node, rules, exchange, job)
    book = DutyBook(job.decider.vocabulary, trial.vocabulary)
    for portion in job.portions:
        await _yield(node)
        before = job.decider.decide(portion.attributes, cut_off=job.cut_off)
        after = trial.decide(portion.attributes, cut_off=job.cut_off)
        found = judge(portion, before, after, book=book, index=job.decider.index)
        node.metrics.trial.labels(outcome="same" if found is None else "differs").inc()
        if found is not None:
            batch.differing.append(_written(found, rules.number, job.directory.number))
    batch.decided.append(_decided(agency, rules.number, to_ms(at), bulletins=1, portions=len(job.portions), skipped=0))


def _narrowed(node: Node, rules: Rules, exchange: Decider, job: Job) -> AnyDecider:
    """The rules on trial under the own rules that the bulletin was decided under: only the exchange's are on trial."""
    agency, kept = job.portions[0].originator, node.trial.narrowed
    known = kept.get(agency)
    if known is None or known[0] is not exchange or known[1] != job.own:
        known = kept[agency] = (exchange, job.own, node.own.at(agency, job.own, rules, exchange, node.now()))
    return known[2]


async def _yield(node: Node) -> None:
    """Lets submissions go first, for a while."""
    waited = 0.0
    await asyncio.sleep(0)
    while node.submitting and waited < YIELD_SECONDS:
        await asyncio.sleep(_STEP_SECONDS)
        waited += _STEP_SECONDS


def _decided(agency: str, trial: int, at: int, *, bulletins: int, portions: int, skipped: int) -> trials.Decided:
    return trials.Decided(
        agency=agency, trial=trial, first=at, last=at, bulletins=bulletins, portions=portions, skipped=skipped
    )


def _written(found: Differing, trial: int, directory: int) -> trials.DifferingPortion:
    return trials.DifferingPortion(
        agency=found.originator,
        trial=trial,
        at=to_ms(found.at),
        control_number=found.bulletin,
        portion=found.portion,
        precedence=found.precedence,
        marking=found.marking,
        directory=directory,
        gained=trials.packed(found.difference.gained),
        lost=trials.packed(found.difference.lost),
        loosened=trials.packed(found.difference.loosened),
        tightened=trials.packed(found.difference.tightened),
        rules=json.dumps(found.rules),
    )


async def report(node: Node, agency: str) -> dict[str, Any]:
    """What the newest trial would have done with what this agency sent; it may be over. ``number`` 0: there is none."""
    head = node.trust.staged("trial")
    if head is None:
        return {"agency": agency, "number": 0, "running": False}
    counted = trials.counted(node.store, agency, head.number)
    rows = trials.differences(node.store, agency, head.number)
    directories = {number: node.trust.directory_at(number) for number in {row["directory"] for row in rows}}
    rules, _, _ = node.in_force()
    found = await asyncio.to_thread(_summed, rows, directories, counted, rules.vocabulary)
    return {**_about(agency, head, node.now()), "skipped": counted.skipped if counted else 0, **found}


def _about(agency: str, head: Release, now: datetime) -> dict[str, Any]:
    return {
        "agency": agency,
        "number": head.number,
        "hash": head.hash.hex(),
        "started": head.created.isoformat(),
        "ends": head.expires.isoformat(),
        "running": head.expires > now,
    }


def _summed(
    rows: Sequence[sqlite3.Row],
    directories: dict[int, Directory | None],
    counted: trials.Decided | None,
    vocabulary: Vocabulary,
) -> dict[str, Any]:
    ids = {number: tuple(sorted(one.agencies)) for number, one in directories.items() if one is not None}
    differing = [_read(row, ids[row["directory"]]) for row in rows if row["directory"] in ids]
    replayed = summed(
        differing,
        bulletins=counted.bulletins if counted else 0,
        portions=counted.portions if counted else 0,
        since=from_ms(counted.first) if counted else None,
        until=from_ms(counted.last) if counted else None,
        vocabulary=vocabulary,
    )
    return dict(replay_document(replayed))


def _read(row: sqlite3.Row, ids: Sequence[str]) -> Differing:
    return Differing(
        bulletin=row["control_number"],
        portion=row["portion"],
        originator=row["agency"],
        at=from_ms(row["at"]),
        precedence=row["precedence"],
        marking=row["marking"],
        difference=Difference(
            gained=trials.unpacked(row["gained"]),
            lost=trials.unpacked(row["lost"]),
            loosened=trials.unpacked(row["loosened"]),
            tightened=trials.unpacked(row["tightened"]),
        ),
        ids=ids,
        rules=tuple(json.loads(row["rules"])),
    )
