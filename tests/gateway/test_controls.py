"""Recalls get through, whatever stands in their way; what overtakes what it is about still counts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from broker.gateway import acts, control, submit
from broker.gateway.core import Node
from broker.gateway.problems import ProblemError
from broker.gateway.recheck import GRACE, Judge
from broker.model import MAX_TRANSIT, new_id
from broker.seal import Draft, Manifest, Sealed, SealError, SigningKeys, seal
from broker.trust import TrustError
from tests.attacks.ground import CHICAGO, CITY, FUSION, Relay, Twist, bend, copy_of, only, recorded
from tests.gateway.documents import portion, threat
from tests.gateway.exchange import Exchange, clock, eventually, exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def running(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with exchange(tmp_path, CHICAGO, CITY, FUSION, retry_seconds=[1.0]) as started:
        yield started


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _to_both(monkeypatch: pytest.MonkeyPatch) -> None:
    bend(monkeypatch, Twist(audience=only(CITY, FUSION)))


async def delivered(running: Exchange, text: str, **changes: Any) -> str:
    sent = await running.desks[CHICAGO].accepted(threat(text, **changes))
    await running.desks[CHICAGO].delivered(sent["id"])
    return str(sent["id"])


async def recall(running: Exchange, ident: str) -> tuple[int, Any]:
    return await running.desks[CHICAGO].call("POST", f"/v1/bulletins/{ident}/recall", {"reason": "wrong house"})


async def send_control(running: Exchange, kind: str, ident: str, *recipients: str) -> control.Control:
    node, about = running.nodes[CHICAGO], copy_of(running, CHICAGO, ident)
    message = control.prepare(node, kind=kind, about=about, recipients=recipients, note="")
    await node.store.write(lambda connection: control.record(node, connection, message, status="Actual"))
    node.outbox.ring()
    return message


def _manifest(node: Node, **changes: Any) -> Manifest:
    rules, directory = node.trust.rules_at(1), node.trust.directory_at(1)
    assert rules is not None
    assert directory is not None
    honest = Manifest(
        sender=CHICAGO, hh=bytes(32), created=clock(), expires=clock() + timedelta(days=1), kind="bulletin",
        status="Actual", commitment=bytes(32), portions=(), root=bytes(32), depth=4, rules=(1, rules.hash),
        directory=1, retention="investigative",
    )  # fmt: skip
    return replace(honest, **changes)


async def test_releases_are_those_of_the_time_the_bulletin_was_made(running: Exchange) -> None:
    node = running.nodes[CITY]
    number = (await running.release_rules(running.rules_text)).number
    await eventually(lambda: node.trust.rules and node.trust.rules.number == number)
    replaced = node.trust.force.replaced("rules", 1)
    assert replaced is not None
    judge = Judge(node, CITY)

    judge.releases(_manifest(node, created=replaced + GRACE / 2))
    assert not judge.late
    # Whoever still decides by them then hears nothing, and is held to what goes out even so.
    judge.releases(_manifest(node, created=replaced + GRACE * 2))
    assert judge.late


async def test_a_floor_is_for_bulletins_and_not_for_recalls(running: Exchange) -> None:
    node = running.nodes[CITY]
    number = (await running.release_rules(running.rules_text, floor=2)).number
    await eventually(lambda: node.trust.rules and node.trust.rules.number == number)
    judge = Judge(node, CITY)

    with pytest.raises(SealError) as caught:
        judge.releases(_manifest(node))
    assert caught.value.code == "rules-floor"
    for kind in ("recall", "purge", "escalation"):
        judge.releases(_manifest(node, kind=kind))


async def test_nobody_makes_a_bulletin_unreceivable_by_taking_its_id_first(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = new_id(clock(), os.urandom, FUSION)
    bait = await delivered(running, "bait")

    def squat(draft: Draft, signing: SigningKeys) -> Sealed:
        return seal(draft, signing, random=lambda size: taken.bytes if size == 16 else os.urandom(size))

    with monkeypatch.context() as patch:
        patch.setattr(control, "seal", squat)
        await send_control(running, "recall", bait, CITY)
    await eventually(lambda: running.nodes[CITY].store.read_one("SELECT 1 FROM bulletins WHERE kind = 'recall'"))

    bend(monkeypatch, Twist(audience=only(CITY)))
    monkeypatch.setattr(submit, "new_id", lambda *_: taken)
    sent = await running.desks[FUSION].accepted(threat("the victim's", agency=FUSION))
    assert sent["id"] == str(taken)
    assert (await running.desks[CITY].received(sent["id"]))["from"] == FUSION


async def test_no_release_keeps_a_recall_from_those_who_have_the_bulletin(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    ident = await delivered(running, "recalled under releases nobody has")

    def ahead(draft: Draft, signing: SigningKeys) -> Sealed:
        assert draft.expires - draft.created == MAX_TRANSIT
        return seal(replace(draft, rules=(900, bytes(32)), directory=900), signing)

    monkeypatch.setattr(control, "seal", ahead)
    assert (await recall(running, ident))[0] == 202

    assert (await running.desks[CHICAGO].delivered(ident, "purged"))["recalled"] is True


async def test_releases_that_have_expired_stop_bulletins_and_no_recall(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    ident = await delivered(running, "recalled with old releases")

    def expired(_: Any) -> None:
        raise TrustError("release-expired", "rules 1 has expired")

    monkeypatch.setattr(running.nodes[CHICAGO].trust, "decider", expired)

    assert (await running.desks[CHICAGO].publish(threat()))[0] == 503
    assert (await recall(running, ident))[0] == 202
    await running.desks[CHICAGO].delivered(ident, "purged")


async def test_a_recipient_that_left_the_exchange_stops_no_recall(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    ident = await delivered(running, "recalled after one has left")
    node = running.nodes[CHICAGO]
    directory = node.trust.directory
    assert directory is not None
    left = MappingProxyType({name: entry for name, entry in directory.entries.items() if name != FUSION})
    monkeypatch.setattr(node.trust, "directory", replace(directory, entries=left))

    status, answer = await recall(running, ident)

    assert status == 202, answer
    await eventually(lambda: copy_of(running, CITY, ident)["recalled"])
    row = node.store.read_one(
        "SELECT * FROM deliveries WHERE id = ? AND recipient = ?", (UUID(answer["id"]).bytes, FUSION)
    )
    assert row is not None
    assert (row["code"], row["next_attempt"], row["gateway"]) == ("recipient-left", None, FUSION)
    assert recorded(node, "delivery given up", code="recipient-left")[-1]["peer"] == FUSION


async def test_a_recall_goes_again_to_those_only_who_have_not_confirmed_that_it_is_gone(running: Exchange) -> None:
    ident = await delivered(running, "recalled twice")
    await running.stop_gateway(CITY)
    try:
        assert (await recall(running, ident))[0] == 202
        origin = running.nodes[CHICAGO].store
        purged = "SELECT 1 FROM deliveries WHERE id = ? AND recipient = ? AND purged IS NOT NULL"
        await eventually(lambda: origin.read_one(purged, (UUID(ident).bytes, FUSION)))

        status, again = await recall(running, ident)

        assert (status, again["audience"]) == (202, [CITY])
    finally:
        await running.start_gateway(CITY)
    await running.desks[CHICAGO].delivered(ident, "purged")
    status, problem = await recall(running, ident)
    assert (status, problem["code"]) == (409, "already-recalled")


async def test_the_word_that_it_is_gone_goes_again_with_another_recall(running: Exchange) -> None:
    ident = await delivered(running, "confirm once more")
    await recall(running, ident)
    await running.desks[CHICAGO].delivered(ident, "purged")
    origin, city = running.nodes[CHICAGO].store, running.nodes[CITY].store
    await origin.write(lambda c: c.execute("UPDATE deliveries SET purged = NULL WHERE id = ?", (UUID(ident).bytes,)))
    word = "SELECT max(sent) AS at FROM claims WHERE id = ? AND rung = 'purged'"
    before = city.read(word, (UUID(ident).bytes,))[0]["at"]

    assert (await recall(running, ident))[0] == 202

    await eventually(lambda: (city.read(word, (UUID(ident).bytes,))[0]["at"] or 0) > before)


async def test_two_recalls_at_once_are_one(running: Exchange) -> None:
    ident = await delivered(running, "recalled by two persons at once")
    node, grant = running.nodes[CHICAGO], SimpleNamespace(agency=CHICAGO)

    async def attempt() -> str:
        try:
            await acts.recall(node, grant, UUID(ident), reason="twice")  # type: ignore[arg-type]
        except ProblemError as problem:
            return problem.code
        return "recalled"

    async with asyncio.TaskGroup() as group:
        attempts = [group.create_task(attempt()) for _ in range(2)]

    assert sorted(one.result() for one in attempts) == ["already-recalled", "recalled"]


async def test_an_escalation_that_overtakes_its_bulletin_calls_the_alternate_contact(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    bend(monkeypatch, Twist(audience=only(FUSION)))
    ident = await delivered(running, "still on its way to the city")

    await send_control(running, "escalation", ident, CITY)

    store = running.nodes[CITY].store
    query = "SELECT detail FROM events WHERE event = 'escalation' AND id = ?"
    row = await eventually(lambda: store.read_one(query, (UUID(ident).bytes,)))
    assert "springfield-pd watch commander" in row["detail"]
    assert f'"from": "{CHICAGO}"' in row["detail"]


async def test_a_correction_that_overtakes_its_original_supersedes_it(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = Relay(running)
    bend(monkeypatch, Twist(audience=only(CITY)))
    await running.stop_gateway(CITY)
    sent = await running.desks[CHICAGO].accepted(threat("as it was first"))
    message = (await relay.waits("HOT", CITY))[-1]
    await relay.delete("HOT", message)
    status, corrected = await running.desks[CHICAGO].call(
        "POST", f"/v1/bulletins/{sent['id']}/correct", threat("as it is"), Idempotency_Key="overtaking"
    )
    assert status == 202, corrected
    await running.start_gateway(CITY)
    await running.desks[CITY].received(corrected["id"])

    await relay.publish(str(message.subject), bytes(message.data or b""))

    assert (await running.desks[CITY].received(sent["id"]))["superseded_by"] == corrected["id"]


async def test_only_the_persons_named_acknowledge_what_is_for_them_alone(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    bend(monkeypatch, Twist())
    document = threat(
        "for one person", named=[{"agency": CITY, "person": "Sgt. B. Example"}], portions=[portion("x", tlp="RED")]
    )
    sent = await running.desks[CHICAGO].accepted(document)
    city = running.desks[CITY]
    await city.received(sent["id"])
    path = f"/v1/bulletins/{sent['id']}/receipts"

    for rung in ("acknowledged", "acted"):
        status, problem = await city.call("POST", path, {"rung": rung, "person": "Somebody Else"})
        assert (status, problem["code"]) == (403, "not-named")
    assert (await city.call("POST", path, {"rung": "acknowledged", "person": "Sgt. B. Example"}))[0] == 202
