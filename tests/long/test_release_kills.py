"""kill -9 of any process while a release is staged, comes into force or is rolled back: one of the two, never a mix."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random  # noqa: TID251 - seeded moments and victims
from typing import Any

import pytest

from broker.demo.ground import OFFICERS
from broker.trust import Conditions, OfficerKeys, TrustStore, load_officer_keys, mint_rules
from tests.gateway.documents import threat
from tests.gateway.exchange import clock, eventually
from tests.long.world import GATEWAYS, World, world
from tests.trust.emergencies import NARCOTICS, with_rule

SEED = 20261127
ROUNDS = 24
VICTIMS = ("hub", "nats-server", *GATEWAYS)
#: All five that run must be ready, of the eight that are listed.
QUORUM = 62

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@dataclass
class Officers:
    """The officers' folder, which the hub follows; every other release goes back to the one before the last."""

    folder: Path
    store: TrustStore
    keys: list[OfficerKeys]
    texts: list[str] = field(default_factory=list)

    def release(self, kind: str) -> int:
        now, head = clock(), self.store.staged_rules
        assert head is not None
        assert self.store.root is not None
        preview = hashlib.sha256(b"a preview").digest()
        conditions, officers, text, expires = Conditions(preview=preview, quorum=QUORUM), self.keys[:2], "", None
        if kind == "rollback":
            earlier = self.store.rules_at(head.number - 1)
            assert earlier is not None
            text = earlier.rules_text
            conditions = Conditions(preview=preview, quorum=QUORUM, basis=earlier.number)
        else:
            text = with_rule(head.rules_text, NARCOTICS.format(id=f"K{head.number}", tlp="CLEAR"))
        if kind == "emergency":
            # Each officer alone has a day; a release of two follows every time.
            officers, expires = [self.keys[0]], head.expires
            conditions = Conditions(preview=preview, basis=head.number, lapses=now + timedelta(hours=20))
        minted = mint_rules(
            head.vocabulary_text,
            text,
            root=self.store.root,
            previous=head,
            officers=officers,
            created=now,
            expires=expires,
            conditions=conditions,
        )
        assert self.store.offer(minted.sealed, now=now) is not None
        return minted.release.number


def officers_of(running: World) -> Officers:
    folder = running.ground.folder
    paths = sorted((folder / "keys" / OFFICERS).glob("*.json"))
    return Officers(
        folder=folder / "releases",
        store=TrustStore(folder / "releases", running.ground.root),
        keys=[load_officer_keys(path, allow_example=True) for path in paths],
    )


def named(running: World, gateway: str) -> int:
    """What this gateway has in force, as its disk says at this very moment; what is there is always whole."""
    path = running.ground.folder / "data" / gateway / "releases" / "force.json"
    force = json.loads(path.read_bytes())
    assert force["directory"][0] == 1
    return int(force["rules"][0])


def reopened(running: World, gateway: str) -> tuple[int, int]:
    """What a process that starts now would decide by: read back from disk, with every signature."""
    store = TrustStore(running.ground.folder / "data" / gateway / "releases", running.ground.root)
    assert store.rules is not None
    assert store.directory is not None
    assert store.decider(clock()).ruleset == store.effective(store.rules, clock()).ruleset
    return store.rules.number, store.directory.number


async def watch(running: World, seen: dict[str, list[int]]) -> None:
    """Looks at every gateway's disk again and again: each number is the last one or a newer one."""
    while True:
        for gateway in GATEWAYS:
            seen[gateway].append(named(running, gateway))
            assert seen[gateway][-2:] == sorted(seen[gateway][-2:]), gateway
        await asyncio.sleep(0.005)


async def decided_by(running: World) -> int | None:
    """The rules that a bulletin is decided under now; None while that gateway is down or cannot decide."""
    answer: Any = await running.call("chicago-pd", "POST", "/v1/bulletins", threat("which rules?"), key=str(clock()))
    return answer[1]["rules"]["number"] if answer is not None and answer[0] == 202 else None


async def test_whatever_is_killed_every_gateway_is_on_one_of_the_two_releases(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = Random(SEED)
    victims = [VICTIMS[number % len(VICTIMS)] for number in range(ROUNDS)]
    random.shuffle(victims)
    seen: dict[str, list[int]] = {gateway: [] for gateway in GATEWAYS}
    kinds: Counter[str] = Counter()
    async with world(tmp_path) as running:
        for gateway in GATEWAYS:
            await eventually(lambda gateway=gateway: named(running, gateway) == 1, within=60)
        officers = officers_of(running)
        watching = asyncio.create_task(watch(running, seen))
        for victim in victims:
            before = named(running, GATEWAYS[0])
            kind = ("change", "rollback", "emergency")[before % 3] if before > 1 else "change"
            if kind == "emergency" and not officers.store.staged_rules.release.confirmed:  # type: ignore[union-attr]
                kind = "change"
            number = officers.release(kind)
            kinds[kind] += 1
            # Somewhere between a folder that changed and a pair in force: staging, compiling, reporting, beating.
            await asyncio.sleep(random.random() * 1.2)
            await running.kill(victim)
            found = {gateway: named(running, gateway) for gateway in GATEWAYS}
            assert set(found.values()) <= {before, number}, found
            assert {reopened(running, gateway) for gateway in GATEWAYS} <= {(before, 1), (number, 1)}
            ruling = await decided_by(running)
            assert ruling in {None, before, number}
            for gateway in GATEWAYS:
                await eventually(lambda gateway=gateway, number=number: named(running, gateway) == number, within=60)
            assert not watching.done()
        await eventually(lambda: running.ready(GATEWAYS[0]), within=60)
        assert await decided_by(running) == ROUNDS + 1
        watching.cancel()
        await asyncio.wait([watching])

    assert sum(running.kills.values()) == ROUNDS
    assert set(running.kills) == set(VICTIMS)
    looks = sum(map(len, seen.values()))
    with capsys.disabled():
        sys.stdout.write(f"\n{dict(kinds)}; kills {dict(sorted(running.kills.items()))}; {looks} looks at force.json\n")
