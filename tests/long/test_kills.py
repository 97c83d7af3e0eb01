"""kill -9 of any process at any moment, under load: every 202 is in every permitted inbox, exactly once."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random  # noqa: TID251 - seeded moments and victims
from typing import Any
from uuid import UUID

import pytest

from broker.store import audit
from broker.store.database import opened
from tests.gateway.documents import portion, threat
from tests.gateway.exchange import HOME, eventually
from tests.long.world import ADAPTER, GATEWAYS, World, world

SEED = 20261122
SUBMITTED, FILES = 1_800, 300
KILLS = 40
VICTIMS = ("chicago-pd", "springfield-pd", "nats-server", "adapter")
AT_ONCE = 6
# The load waits for the next kill rather than run out before it.
AHEAD = 60

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


def document(number: int) -> dict[str, Any]:
    """Threats and questions in turn: one travels as FLASH in the hot stream, the other in the cold one."""
    if number % 2:
        asked = threat(
            f"question {number}",
            kind="request",
            product="RFI",
            precedence="PRIORITY",
            category="violent crime",
            purpose="criminal investigation",
            portions=[portion(f"question {number}", caveats=["LES"])],
        )
        return {name: value for name, value in asked.items() if name != "protectee"}
    return threat(f"threat {number}")


def bolo(number: int) -> dict[str, Any]:
    found = threat(
        agency=ADAPTER,
        product="BOLO",
        precedence="PRIORITY",
        category="officer safety",
        purpose="officer safety",
        area={"counties": ["17143"]},
        portions=[portion(f"bolo {number}", caveats=["LES"])],
    )
    return {name: value for name, value in found.items() if name != "protectee"}


async def submit(
    running: World, accepted: dict[str, list[str]], numbers: asyncio.Queue[int], moments: list[int]
) -> None:
    """Submits until the queue is empty; asks again with the same key until there is an answer."""
    while not numbers.empty():
        await eventually(lambda: not moments or len(accepted) < moments[0] + AHEAD, within=120)
        number = numbers.get_nowait()
        said = document(number)

        async def answered(number: int = number, said: dict[str, Any] = said) -> Any:
            answer = await running.call("chicago-pd", "POST", "/v1/bulletins", said, key=f"key-{number}")
            return answer if answer is not None and answer[0] not in (409, 503) else None

        status, answer = await eventually(answered, within=120)
        assert status == 202, answer
        accepted[answer["id"]] = [item["agency"] for item in answer["audience"]]


async def drop_files(running: World, accepted: dict[str, list[str]]) -> None:
    """Hands files to the adapter's folder, evenly over the run, as an agency's own system would."""
    folder = running.ground.watched[ADAPTER] / "in"
    for number in range(FILES):
        await eventually(lambda number=number: len(accepted) >= number * SUBMITTED // FILES - AT_ONCE, within=300)
        partial = folder / f"bolo-{number}.json.part"
        partial.write_text(json.dumps(bolo(number)))
        partial.rename(partial.with_suffix(""))


async def kill_at_random(running: World, accepted: dict[str, list[str]], moments: list[int], random: Random) -> None:
    victims = [VICTIMS[number % len(VICTIMS)] for number in range(KILLS)]
    random.shuffle(victims)
    for victim in victims:
        await eventually(lambda: len(accepted) >= moments[0], within=300)
        await running.kill(victim)
        moments.pop(0)


def answers(running: World) -> dict[str, list[str]]:
    """What the adapter's gateway accepted: the answers lie beside the files."""
    done = running.ground.watched[ADAPTER] / "done"
    found = [json.loads(path.read_text()) for path in done.glob("*.answer.json")]
    return {answer["id"]: [item["agency"] for item in answer["audience"]] for answer in found}


def rows(running: World, gateway: str, sql: str) -> list[tuple[Any, ...]]:
    path = running.ground.folder / "data" / gateway / "gateway.sqlite"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30) as connection:
        return connection.execute(sql).fetchall()


async def inbox(running: World, agency: str) -> Counter[str]:
    """The whole inbox over HTTP, page by page."""
    found: Counter[str] = Counter()
    cursor = ""
    while True:
        status, page = await running.call(agency, "GET", f"/v1/inbox?limit=500{cursor}")
        assert status == 200, page
        found.update(item["id"] for item in page["items"])
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def check_audit(running: World, expected: dict[str, list[str]]) -> int:
    """Every chain is whole, and what one side calls accepted the other calls received, once each; the entries."""
    received: Counter[tuple[str, str]] = Counter()
    stored: Counter[tuple[str, str]] = Counter()
    sent: Counter[tuple[str, str]] = Counter()
    count = 0
    for gateway in GATEWAYS:
        with opened(running.ground.folder / "data" / gateway / "gateway.sqlite") as database:
            assert audit.first_break(database) is None, gateway
            for row in database.read("SELECT * FROM audit"):
                count += 1
                ident = str(UUID(bytes=row["id"])) if row["id"] else ""
                if row["event"] == "received":
                    received[ident, row["agency"]] += 1
                elif row["event"] == "receipt: stored":
                    stored[ident, row["peer"]] += 1
                elif row["event"] == "accepted":
                    sent.update((ident, to[0]) for to in json.loads(row["detail"])["to"])
    wanted = Counter((ident, agency) for ident, agencies in expected.items() for agency in agencies)
    assert sent == wanted
    assert received == wanted
    assert stored == wanted
    return count


async def test_whatever_is_killed_every_accepted_bulletin_is_in_every_permitted_inbox_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    accepted: dict[str, list[str]] = {}
    async with world(tmp_path) as running:
        numbers: asyncio.Queue[int] = asyncio.Queue()
        for number in range(SUBMITTED):
            numbers.put_nowait(number)
        random = Random(SEED)
        moments = sorted(random.sample(range(10, SUBMITTED - 20), KILLS))
        loading = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(submit(running, accepted, numbers, moments))
            group.create_task(drop_files(running, accepted))
            group.create_task(kill_at_random(running, accepted, moments, random))
        loaded = time.monotonic()

        await eventually(lambda: len(answers(running)) == FILES, within=120)
        for gateway in ("chicago-pd", ADAPTER):
            await eventually(
                lambda gateway=gateway: not rows(running, gateway, "SELECT 1 FROM deliveries WHERE stored IS NULL"),
                within=180,
            )
        settled = time.monotonic()
        expected = accepted | answers(running)
        assert len(expected) == SUBMITTED + FILES

        for agency in sorted({name for agencies in expected.values() for name in agencies}):
            wanted = Counter(ident for ident, agencies in expected.items() if agency in agencies)
            assert await inbox(running, agency) == wanted, agency
            told = rows(
                running,
                HOME[agency],
                f"SELECT id, count(*) FROM events WHERE event = 'bulletin' AND agency = '{agency}' GROUP BY id",
            )
            assert {str(UUID(bytes=ident)): count for ident, count in told} == wanted, agency
        states = "SELECT DISTINCT state FROM deliveries"
        # The adapter's own agency also fetches what it gets.
        assert {row[0] for name in ("chicago-pd", ADAPTER) for row in rows(running, name, states)} <= {
            "stored",
            "fetched",
        }

    assert sum(running.kills.values()) >= 30
    assert set(running.kills) == set(VICTIMS)
    entries = check_audit(running, expected)
    deliveries = sum(map(len, expected.values()))
    with capsys.disabled():
        sys.stdout.write(
            f"\nkills {dict(sorted(running.kills.items()))}; {len(expected)} bulletins, {deliveries} deliveries, "
            f"{entries} audit entries; load {loaded - loading:.0f} s, settled after {settled - loaded:.0f} s, "
            f"{time.monotonic() - began:.0f} s in all\n"
        )
