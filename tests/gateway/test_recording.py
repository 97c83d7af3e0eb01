"""What a gateway keeps for the replay of a change: what its rules saw of its own submissions, and nothing else."""

from __future__ import annotations

import json
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from broker.gateway import housekeeping
from broker.gateway.clock import to_ms
from broker.gateway.tokens import create
from broker.store import recordings
from policy.history import WINDOW, parse_recorded
from tests.gateway.documents import portion, threat
from tests.gateway.exchange import Desk, Exchange, exchange

MARKER = "Q7ZK2M9XCANARYTEXT"


async def history(desk: Desk, query: str = "") -> dict[str, Any]:
    status, answer = await desk.call("GET", f"/v1/rules/history{query}")
    assert status == 200, answer
    return dict(answer)


@pytest.fixture
async def running(tmp_path: Path):
    async with exchange(tmp_path, "chicago-pd", "il-state-police") as started:
        yield started


async def test_what_the_rules_saw_of_each_portion_is_recorded_and_never_its_text(running: Exchange) -> None:
    desk, node = running.desks["chicago-pd"], running.nodes["chicago-pd"]
    document = threat(MARKER, named=[{"agency": "il-fusion", "person": f"Capt. {MARKER}"}])
    document["portions"].append(portion(MARKER, ident="line", version="tearline", tlp="GREEN"))

    sent = await desk.accepted(document)

    items = (await history(desk))["items"]
    assert [(item["bulletin"], item["portion"]) for item in items] == [
        (sent["control_number"], "p1"),
        (sent["control_number"], "line"),
    ]
    full, line = (parse_recorded(item) for item in items)
    assert (full.originator, full.precedence) == ("chicago-pd", "FLASH")
    assert full.attributes["TLP"] == "AMBER"
    assert full.attributes["caveats"] == frozenset({"LES"})
    assert full.attributes["protectee"] == "mayor-springfield"
    assert full.attributes["named"] == frozenset({"il-fusion"})
    assert (line.attributes["TLP"], line.attributes["version"]) == ("GREEN", "tearline")
    assert MARKER not in json.dumps(items)
    _, directory, decider = node.in_force()
    reached = set(decider.decide(full.attributes).audience)
    assert reached == {row["agency"] for row in sent["audience"] if "p1" in row["portions"]} | {"chicago-pd"} & reached
    assert full.attributes["origin state"] == directory.agencies["chicago-pd"]["state"]


async def test_no_attribute_stands_in_a_column(running: Exchange) -> None:
    node = running.nodes["chicago-pd"]
    await running.desks["chicago-pd"].accepted(threat(protectee="mayor-springfield"))

    (row,) = node.store.read("SELECT * FROM recordings")

    assert b"mayor-springfield" not in b"".join(bytes(str(value), "utf-8") for value in row if value is not None)
    assert b"mayor-springfield" not in bytes(row["portions_sealed"])


async def test_what_is_permitted_to_nobody_is_recorded_and_what_is_illegal_is_not(running: Exchange) -> None:
    desk = running.desks["chicago-pd"]

    status, problem = await desk.publish(threat(purpose="civil immigration enforcement"))
    illegal, _ = await desk.publish(threat(status="Exercise"))
    await desk.call("POST", "/v1/bulletins?dry_run=true", threat())

    assert (status, problem["code"], illegal) == (422, "nobody-permitted", 422)
    (item,) = (await history(desk))["items"]
    assert item["attributes"]["purpose"] == "civil immigration enforcement"


async def test_the_same_submission_again_is_recorded_once(running: Exchange) -> None:
    desk = running.desks["chicago-pd"]
    document = threat()
    await desk.publish(document, "k")
    await desk.publish(document, "k")

    assert len((await history(desk))["items"]) == 1


async def test_an_agency_reads_its_own_recordings_alone(running: Exchange) -> None:
    await running.desks["chicago-pd"].accepted(threat())

    assert (await history(running.desks["il-state-police"]))["items"] == []


async def test_recordings_are_read_with_the_scope_that_reads_bulletins(running: Exchange) -> None:
    desk = running.desks["chicago-pd"]
    settings = running.nodes["chicago-pd"].settings
    token, _ = create(settings.tokens, agency="chicago-pd", scopes=("publish", "observe"), name="narrow")

    status, problem = await desk.call("GET", "/v1/rules/history", Authorization=f"Bearer {token}")

    assert (status, problem["code"]) == (403, "forbidden")


async def test_pages_follow_each_other_in_order_of_time_and_none_is_missed(running: Exchange) -> None:
    desk, node = running.desks["chicago-pd"], running.nodes["chicago-pd"]
    for _ in range(5):
        await desk.accepted(threat())

    def same_moment(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE recordings SET at = (SELECT max(at) FROM recordings) WHERE number >= 3")

    await node.store.write(same_moment)
    first = await history(desk, "?limit=2")
    second = await history(desk, f"?limit=2&cursor={first['next_cursor']}")
    third = await history(desk, f"?limit=2&cursor={second['next_cursor']}")

    numbers = [item["bulletin"][-6:] for page in (first, second, third) for item in page["items"]]
    assert numbers == [f"{number:06d}" for number in range(1, 6)]
    assert third["next_cursor"] is None
    since = third["items"][0]["at"]
    assert len((await history(desk, f"?since={since}"))["items"]) == 3


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?since=yesterday", "bad-request"),
        ("?since=2026-11-20T12:00:00", "bad-request"),
        ("?cursor=x", "cursor-unknown"),
        ("?cursor=eyJhIjoxfQ==", "cursor-unknown"),
        ("?limit=many", "bad-request"),
    ],
)
async def test_a_question_that_means_nothing_is_refused(running: Exchange, query: str, code: str) -> None:
    status, problem = await running.desks["chicago-pd"].call("GET", f"/v1/rules/history{query}")

    assert (status, problem["code"]) == (400, code)


async def test_what_was_recorded_under_a_destroyed_key_is_counted_and_not_shown(running: Exchange) -> None:
    desk, node = running.desks["chicago-pd"], running.nodes["chicago-pd"]
    await desk.accepted(threat())
    (row,) = node.store.read("SELECT storage_key FROM recordings")
    node.vault._keys["chicago-pd"].destroy(row["storage_key"])

    page = await history(desk)

    assert (page["items"], page["unreadable"]) == ([], 1)


async def test_recordings_are_forgotten_after_thirty_days(running: Exchange) -> None:
    node = running.nodes["chicago-pd"]
    now = node.now()

    def fill(connection: sqlite3.Connection) -> None:
        for age in (WINDOW + timedelta(hours=1), WINDOW - timedelta(hours=1)):
            recordings.add(
                connection,
                recordings.Recording(
                    agency="chicago-pd",
                    id=bytes(16),
                    control_number="CHICAGO-PD-2026-000001",
                    at=to_ms(now - age),
                    precedence="ROUTINE",
                    portions_sealed=b"",
                    storage_key="",
                ),
            )

    await node.store.write(fill)

    await housekeeping.tidy(node)

    rows = node.store.read("SELECT at FROM recordings")
    assert [row["at"] for row in rows] == [to_ms(now - WINDOW + timedelta(hours=1))]
