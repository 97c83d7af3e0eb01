"""Receipts owed and receipts taken: one that cannot be made or does not hold keeps back none of the others."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from broker.gateway import owed, receipts, repay
from broker.gateway.core import Node
from broker.seal import SealError
from broker.store import bulletins, claims
from broker.trust import Entry
from tests.gateway.documents import threat
from tests.gateway.exchange import Exchange, eventually, exchange

ORIGIN, CITY = "chicago-pd", "springfield-pd"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with exchange(tmp_path, ORIGIN, CITY, "il-fusion") as started:
        yield started


async def sent(running: Exchange, text: str = "one", origin: str = ORIGIN) -> str:
    """A bulletin that springfield-pd holds and whose originator knows so."""
    answer = await running.desks[origin].accepted(threat(text, agency=origin))
    ident = str(answer["id"])
    await eventually(lambda: rung_of(running, ident, origin=origin) == "stored")
    return ident


def rung_of(running: Exchange, ident: str, *, origin: str = ORIGIN) -> str | None:
    row = running.nodes[origin].store.read_one(
        "SELECT state FROM deliveries WHERE id = ? AND recipient = ?", (UUID(ident).bytes, CITY)
    )
    return str(row["state"]) if row else None


def held(node: Node, ident: str, agency: str = CITY) -> sqlite3.Row:
    row = bulletins.find(node.store, agency, UUID(ident))
    assert row is not None
    return row


async def acknowledge(running: Exchange, *idents: str) -> None:
    """In one transaction, so that the receipts are due together."""
    node = running.nodes[CITY]
    copies = [held(node, ident) for ident in idents]
    words = {"person": "Sgt. B. Example"}
    await node.store.write(lambda c: [owed.owe(node, c, copy, "acknowledged", words=words) for copy in copies])
    node.claims.ring()


async def revoke(running: Exchange, agency: str) -> None:
    def revoked(entry: Entry) -> Entry:
        return replace(entry, public=replace(entry.public, kem=(), revoked=True))

    directory = await running.release_directory(**{agency.replace("-", "_"): revoked})
    node = running.nodes[CITY]
    await eventually(lambda: node.trust.directory is not None and node.trust.directory.number == directory.number)


def dropped(node: Node) -> list[dict[str, Any]]:
    return [json.loads(row["detail"]) for row in node.store.read("SELECT * FROM audit WHERE event = 'receipt dropped'")]


async def test_receipts_to_a_revoked_originator_are_dropped_on_the_record_and_block_nobody_elses(
    running: Exchange,
) -> None:
    node = running.nodes[CITY]
    ident = await sent(running)
    await revoke(running, ORIGIN)

    await acknowledge(running, ident)

    assert await eventually(lambda: dropped(node)) == [{"rung": "acknowledged", "code": "no-kem-key"}]
    assert node.store.read("SELECT 1 FROM claims WHERE sent IS NULL") == []
    await sent(running, "another agency's", origin="il-fusion")


async def test_a_purge_and_a_refusal_owed_to_a_revoked_originator_leave_a_record(running: Exchange) -> None:
    node = running.nodes[CITY]
    copy = held(node, await sent(running))
    witness = owed.witness_of(node, copy)
    await revoke(running, ORIGIN)

    await node.store.write(lambda c: owed.owe_refusal(node, c, CITY, witness, "recheck-refused"))
    await node.store.write(lambda c: owed.purge_with_receipt(node, c, copy))

    assert [entry["rung"] for entry in dropped(node)] == ["refused", "purged"]
    row = held(node, str(UUID(bytes=copy["id"])))
    assert (bulletins.body(node.store, CITY, row["id"]), row["keyring_sealed"]) == (None, None)


async def test_a_receipt_that_cannot_be_made_puts_off_itself_alone(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, make = running.nodes[CITY], repay.claim_of
    broken, whole = await sent(running, "one"), await sent(running, "two")

    def fails(node: Node, row: sqlite3.Row) -> Any:
        if row["id"] == UUID(broken).bytes:
            raise SealError("rest-open")
        return make(node, row)

    monkeypatch.setattr(repay, "claim_of", fails)
    await acknowledge(running, broken, whole)

    await eventually(lambda: rung_of(running, whole) == "acknowledged")
    (row,) = node.store.read("SELECT * FROM claims WHERE sent IS NULL")
    assert row["id"] == UUID(broken).bytes
    assert row["not_before"] > node.now_ms()
    assert rung_of(running, broken) == "stored"


async def test_a_receipt_about_an_unreadable_bulletin_keeps_no_other_of_its_batch_out(running: Exchange) -> None:
    origin = running.nodes[ORIGIN]
    unreadable, whole = await sent(running, "one"), await sent(running, "two")
    await origin.store.write(
        lambda c: c.execute("UPDATE bulletins SET keyring_sealed = x'00' WHERE id = ?", (UUID(unreadable).bytes,))
    )
    origin.sources._kept.clear()

    await acknowledge(running, unreadable, whole)

    await eventually(lambda: rung_of(running, whole) == "acknowledged")
    assert rung_of(running, unreadable) == "stored"


def batch(running: Exchange, *idents: str) -> bytes:
    """springfield-pd's receipts for these bulletins once more, as other bytes."""
    node = running.nodes[CITY]
    rows = [(row, held(node, ident)) for ident in idents for row in _claims(node, ident)]
    return repay._batch(node, CITY, ORIGIN, owed.kem_of(node, ORIGIN), rows)


def _claims(node: Node, ident: str) -> list[sqlite3.Row]:
    return node.store.read("SELECT * FROM claims WHERE id = ?", (UUID(ident).bytes,))


async def test_evidence_is_kept_for_what_is_new_and_not_for_each_repetition(running: Exchange) -> None:
    origin, ident = running.nodes[ORIGIN], await sent(running)
    before = len(origin.store.read("SELECT 1 FROM evidence"))

    await receipts.take(origin, batch(running, ident))

    assert before > 0
    assert len(origin.store.read("SELECT 1 FROM evidence")) == before


async def test_a_signer_that_only_a_newer_directory_may_know_is_told_apart(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = batch(running, await sent(running))
    monkeypatch.setattr(Node, "signer", lambda *_: None)

    with pytest.raises(SealError) as refused:
        await receipts.take(running.nodes[ORIGIN], payload)

    assert refused.value.code in receipts.MAY_BE_LATE


async def test_a_refusal_is_an_alarm_that_names_whom_to_telephone(running: Exchange) -> None:
    origin, city = running.nodes[ORIGIN], running.nodes[CITY]
    await running.stop_gateway(CITY)
    answer = await running.desks[ORIGIN].accepted(threat(due=None) | {"due": None})
    ident = str(answer["id"])
    await eventually(lambda: rung_of(running, ident) == "relayed")
    del city
    from broker.gateway import recheck

    original = recheck.Judge.portions

    def refuse(self: recheck.Judge, unsealed: Any) -> None:
        if unsealed.witness.recipient == CITY:
            raise SealError("recheck-refused")
        original(self, unsealed)

    recheck.Judge.portions = refuse  # type: ignore[method-assign]
    try:
        await running.start_gateway(CITY)
        await eventually(lambda: rung_of(running, ident) == "refused")
    finally:
        recheck.Judge.portions = original  # type: ignore[method-assign]

    (row,) = origin.store.read("SELECT detail FROM events WHERE event = 'alarm'")
    detail = json.loads(row["detail"])
    assert (detail["alarm"], detail["recipient"], detail["code"]) == ("delivery-refused", CITY, "recheck-refused")
    assert detail["contact"]["phone"] == "217-555-0199"


async def test_a_refusal_under_a_bulletins_own_id_does_not_keep_it_from_being_purged(running: Exchange) -> None:
    node = running.nodes[CITY]
    ident = await sent(running)
    copy = held(node, ident)
    hostile = replace(owed.witness_of(node, copy), sender="il-fusion", id=UUID(ident).bytes)
    await node.store.write(lambda c: owed.owe_refusal(node, c, CITY, hostile, "recheck-refused"))

    status, _ = await running.desks[ORIGIN].call("POST", f"/v1/bulletins/{ident}/recall", {"reason": "wrong house"})

    assert status == 202
    await eventually(lambda: rung_of(running, ident) == "purged")
    await eventually(lambda: len(_claims(node, ident)) == 2)
    assert {row["rung"] for row in _claims(node, ident)} == {"refused", "purged"}
    assert claims.unsent(node.store, 0, urgent=False, limit=9) == []
