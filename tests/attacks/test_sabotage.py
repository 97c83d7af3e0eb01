"""Each check taken away, and the attack it stands against then succeeds: the check is what stops it, nothing else."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from broker.gateway import accept, receipts, recheck, vault
from broker.seal import Claim, Witness, make_receipts
from broker.store import audit, bulletins
from policy import Decider
from tests.attacks.ground import (
    CHICAGO,
    CITY,
    FUSION,
    Relay,
    Twist,
    bend,
    copy_of,
    only,
    refused_by_code,
    send_receipts,
    tap,
    times,
)
from tests.attacks.test_stored_bytes import canary, shapes
from tests.gateway.documents import threat
from tests.gateway.exchange import Exchange, clock, eventually, exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Exchange]:
    folder = tmp_path_factory.mktemp("sabotage")
    async with exchange(folder, CHICAGO, CITY, FUSION, retry_seconds=[1.0]) as started:
        yield started


def put(target: Any, name: str, value: Any) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda monkeypatch: monkeypatch.setattr(target, name, value)


# The function `unseal` hides the module of that name.
UNSEAL = sys.modules["broker.seal.unseal"]


def lenient(*codes: str) -> Callable[..., None]:
    """`require`, blind to these codes."""
    honest = UNSEAL.require

    def require(condition: bool, code: str, detail: str = "") -> None:
        honest(condition or code in codes, code, detail)

    return require


def admits_all(self: Decider, portion: Any, agency: str, **_: Any) -> tuple[bool, dict[str, Any]]:
    return True, {}


async def against_the_rules(running: Exchange, monkeypatch: pytest.MonkeyPatch) -> bool:
    bend(monkeypatch, Twist(audience=only(CITY), document=lambda said: said | {"category": "narcotics"}))
    sent = await running.desks[CHICAGO].accepted(threat("against the rules"))
    await eventually(lambda: _settled(running, sent["id"]))
    return await times(running, CITY, sent["id"]) == 1


async def an_exercise(running: Exchange, monkeypatch: pytest.MonkeyPatch) -> bool:
    from dataclasses import replace

    bend(
        monkeypatch,
        Twist(
            audience=only(CITY),
            document=lambda said: said | {"status": "Exercise"},
            draft=lambda draft: replace(draft, status="Exercise"),
        ),
    )
    sent = await running.desks[CHICAGO].accepted(threat("this is an exercise"))
    await eventually(lambda: _settled(running, sent["id"]))
    return await times(running, CITY, sent["id"]) == 1


async def a_replay(running: Exchange, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a copy got past the replay check; the primary key of the inbox still stands behind it."""
    bend(monkeypatch, Twist(audience=only(CITY)))
    seen, city = tap(monkeypatch, running.nodes[CHICAGO]), running.nodes[CITY]
    sent = await running.desks[CHICAGO].accepted(threat("once"))
    await running.desks[CHICAGO].delivered(sent["id"])
    before = refused_by_code(city).get("replay", 0)
    relay = Relay(running)
    await relay.publish(seen[-1].subject, seen[-1].payload)
    await relay.empty(CITY, "HOT")
    events = city.store.read("SELECT 1 FROM events WHERE event = 'bulletin' AND id = ?", (UUID(sent["id"]).bytes,))
    return refused_by_code(city).get("replay", 0) == before or len(events) > 1


async def a_bulletin_after_its_recall(running: Exchange, monkeypatch: pytest.MonkeyPatch) -> bool:
    bend(monkeypatch, Twist(audience=only(CITY)))
    relay = Relay(running)
    await running.stop_gateway(CITY)
    sent = await running.desks[CHICAGO].accepted(threat("recalled before it was seen"))
    bulletin = (await relay.waits("HOT", CITY))[-1]
    await relay.delete("HOT", bulletin)
    await running.desks[CHICAGO].call("POST", f"/v1/bulletins/{sent['id']}/recall", {"reason": "wrong"})
    city = await running.start_gateway(CITY)
    ident = UUID(sent["id"]).bytes
    await eventually(lambda: city.store.read_one("SELECT 1 FROM tombstones WHERE id = ?", (ident,)))
    await relay.publish(str(bulletin.subject), bytes(bulletin.data or b""))
    await eventually(lambda: city.store.read_one("SELECT 1 FROM bulletins WHERE id = ?", (ident,)))
    return bool((await running.desks[CITY].bulletin(sent["id"]))["portions"])


async def a_receipt_for_what_one_never_got(running: Exchange, monkeypatch: pytest.MonkeyPatch) -> bool:
    bend(monkeypatch, Twist(audience=only(CITY)))
    sent = await running.desks[CHICAGO].accepted(threat("for the city alone"))
    await running.desks[CHICAGO].delivered(sent["id"])
    copy = copy_of(running, CHICAGO, sent["id"])
    forged = Witness(
        id=copy["envelope"], sender=CHICAGO, recipient=CITY, hh=copy["header_hash"], body_digest=bytes(32),
        manifest_digest=bytes(32), leaf=bytes(32), seed=bytes(32), keys={0: bytes(32)},
    )  # fmt: skip
    claim = Claim(rung="acknowledged", seq=9, time=clock(), person="Nobody")
    kem = running.keys[CHICAGO].public().kem[0]
    batch = make_receipts(running.keys[CITY].signing, CITY, kem, CHICAGO, [(forged, claim)])
    await send_receipts(running, CITY, CHICAGO, batch)
    await Relay(running).empty(CHICAGO, "RECEIPTS")
    return CITY not in (await running.desks[CHICAGO].bulletin(sent["id"]))["who_has_not"]["acknowledged"]


async def a_delivery_without_its_record(running: Exchange, monkeypatch: pytest.MonkeyPatch) -> bool:
    """The disk fails when the audit entry is written: whether the delivery then stands without it."""
    bend(monkeypatch, Twist(audience=only(CITY)))
    city, record, failed = running.nodes[CITY], audit.record, []

    def failing(connection: sqlite3.Connection, **entry: Any) -> None:
        if entry["event"] == "received" and not failed:
            failed.append(entry["bulletin"])
            raise sqlite3.OperationalError("disk I/O error")
        record(connection, **entry)

    monkeypatch.setattr(accept.audit, "record", failing)
    sent = await running.desks[CHICAGO].accepted(threat("no delivery without its record"))
    await running.desks[CHICAGO].delivered(sent["id"])
    received = city.store.read(
        "SELECT 1 FROM audit WHERE event = 'received' AND id = ?", (UUID(sent["id"]).bytes,)
    )  # fmt: skip
    assert failed
    return not received


def _record_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the audit log were written beside the transaction, and its failure overlooked."""
    delivered = accept._delivered

    def overlooked(*positional: Any) -> None:
        record = accept.audit.record

        def beside(connection: sqlite3.Connection, **entry: Any) -> None:
            with contextlib.suppress(sqlite3.OperationalError):
                record(connection, **entry)

        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(accept.audit, "record", beside)
            delivered(*positional)

    monkeypatch.setattr(accept, "_delivered", overlooked)


async def words_on_disk(running: Exchange, monkeypatch: pytest.MonkeyPatch) -> bool:
    bend(monkeypatch, Twist(audience=only(CITY)))
    words = canary("a note in the clear")
    sent = await running.desks[CHICAGO].accepted(threat("read me"))
    await running.desks[CITY].received(sent["id"])
    receipt = {"rung": "read", "person": words}
    await running.desks[CITY].call("POST", f"/v1/bulletins/{sent['id']}/receipts", receipt)
    await running.desks[CHICAGO].delivered(sent["id"], "read")
    files = [path.read_bytes() for path in (running.folder / "data").rglob("*") if path.is_file()]
    return any(form in raw for raw in files for form in shapes(words))


async def _settled(running: Exchange, ident: str) -> bool:
    shown = await running.desks[CHICAGO].bulletin(ident)
    return all(line["state"] not in ("queued", "relayed") for line in shown["deliveries"])


CHECKS: dict[str, tuple[Callable[..., Any], Callable[[pytest.MonkeyPatch], None]]] = {
    "recheck of the rules": (against_the_rules, put(Decider, "admits", admits_all)),
    "only Actual and System": (an_exercise, put(recheck, "LIVE", frozenset({"Actual", "System", "Exercise"}))),
    "replay": (a_replay, put(UNSEAL, "require", lenient("replay"))),
    "tombstone": (a_bulletin_after_its_recall, put(bulletins, "buried", lambda *_: False)),
    "receipt check": (a_receipt_for_what_one_never_got, put(receipts, "check_receipt", lambda *_: None)),
    "audit in the same transaction": (a_delivery_without_its_record, _record_apart),
    "sealing at rest": (words_on_disk, put(vault, "wrap_at_rest", lambda key, plaintext, context: plaintext)),
}


@pytest.mark.parametrize("check", CHECKS)
async def test_the_attack_fails(running: Exchange, monkeypatch: pytest.MonkeyPatch, check: str) -> None:
    attack, _ = CHECKS[check]
    assert not await attack(running, monkeypatch)


@pytest.mark.parametrize("check", CHECKS)
async def test_and_without_its_check_it_succeeds(tmp_path: Path, check: str) -> None:
    attack, sabotage = CHECKS[check]
    async with exchange(tmp_path, CHICAGO, CITY, retry_seconds=[1.0]) as fresh:
        with pytest.MonkeyPatch.context() as monkeypatch:
            if check == "sealing at rest":
                monkeypatch.setattr(vault, "unwrap_at_rest", lambda key, blob, context: blob)
            sabotage(monkeypatch)
            assert await attack(fresh, monkeypatch)
