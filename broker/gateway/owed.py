"""Receipts this gateway owes: claimed once per rung, sent in signed batches to each originator.

At a few hundred deliveries a second a signature for each receipt would cost more than the deliveries. So receipts to
one originator that are ready together are signed and sealed together.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from datetime import timedelta
from uuid import UUID

import structlog

from broker.gateway.bells import wait
from broker.gateway.clock import from_ms
from broker.gateway.core import Node
from broker.relay.publisher import Outgoing
from broker.relay.subjects import receipt_subject
from broker.seal import Claim, SealError, Witness, make_receipts
from broker.store import audit, bulletins, claims
from broker.trust import TrustError

log = structlog.get_logger()

BATCH = 200
GATHER_SECONDS = 0.1
PAUSE_SECONDS = 0.1
IDLE_SECONDS = 5.0
PUT_OFF_MS = 1000
TRANSIT = timedelta(days=7)
URGENT = frozenset({"FLASH", "IMMEDIATE"})


def owe(
    node: Node,
    connection: sqlite3.Connection,
    copy: sqlite3.Row,
    rung: str,
    *,
    words: dict[str, str] | None = None,
) -> bool:
    """Climbs a rung and queues its receipt in the caller's transaction; False when it was climbed before."""
    agency, ident, key_name = str(copy["agency"]), bytes(copy["id"]), str(copy["storage_key"])
    number = bulletins.climb(connection, agency, ident, rung)
    if number is None:
        return False
    at = node.now_ms()
    claims.add(
        connection,
        agency=agency,
        originator=str(copy["sender"]),
        bulletin=ident,
        rung=rung,
        seq=number,
        at=at,
        urgent=copy["precedence"] in URGENT,
        words_sealed=node.vault.seal_words(agency, key_name, words, "words", ident, rung) if words else None,
        storage_key=key_name,
    )
    audit.record(connection, agency=agency, at=at, event=rung, bulletin=UUID(bytes=ident), peer=str(copy["sender"]))
    return True


async def run(node: Node) -> None:
    """Sends owed receipts, for ever."""
    while True:
        rung = node.claims.listen()
        if not node.link.connected:
            await wait(rung, 0.2)
            continue
        rows = claims.unsent(node.store, node.now_ms(), limit=BATCH)
        if not rows:
            await wait(rung, IDLE_SECONDS)
            continue
        if not rows[0]["urgent"] and len(rows) < BATCH:
            await asyncio.sleep(GATHER_SECONDS)
            rows = claims.unsent(node.store, node.now_ms(), limit=BATCH)
        await _send(node, rows)
        # The first receipt of a FLASH goes at once; under load the next ones gather, so that signing stays cheap.
        await asyncio.sleep(PAUSE_SECONDS)


async def _send(node: Node, rows: list[sqlite3.Row]) -> None:
    packets: list[tuple[Outgoing, list[int]]] = []
    put_off: list[int] = []
    rows = sorted(rows, key=lambda row: (row["agency"], row["originator"]))
    for (agency, originator), group in itertools.groupby(rows, key=lambda row: (row["agency"], row["originator"])):
        batch = list(group)
        try:
            packets += _packets(node, agency, originator, batch)
        except (SealError, TrustError) as error:
            # An originator that left the exchange, or a row that cannot be opened, holds up nobody else's receipts.
            log.warning("receipts cannot be made now", originator=originator, code=error.code)
            node.metrics.alarms.labels(code="receipts-fault").inc()
            put_off += [int(row["number"]) for row in batch]
        await asyncio.sleep(0)
    outcomes = await node.link.publish([outgoing for outgoing, _ in packets])
    done: list[int] = []
    for (_, numbers), outcome in zip(packets, outcomes, strict=True):
        (done if outcome.state in ("relayed", "duplicate") else put_off).extend(numbers)
    now = node.now_ms()

    def note(connection: sqlite3.Connection) -> None:
        claims.sent(connection, done, now)
        claims.postpone(connection, put_off, now + PUT_OFF_MS)

    await node.store.write(note)


def _packets(node: Node, agency: str, originator: str, batch: list[sqlite3.Row]) -> list[tuple[Outgoing, list[int]]]:
    ready = [(bytes(row["payload"]), [row]) for row in batch if row["payload"] is not None]
    loose = [row for row in batch if row["payload"] is None]
    if loose and (payload := _batch(node, agency, originator, loose)) is not None:
        ready.append((payload, loose))
    subject = receipt_subject(node.settings.name, node.gateway_of(originator))
    expires = node.now() + TRANSIT
    return [
        (Outgoing(subject=subject, payload=payload, expires_at=expires), [int(row["number"]) for row in carried])
        for payload, carried in ready
    ]


def _batch(node: Node, agency: str, originator: str, rows: list[sqlite3.Row]) -> bytes | None:
    made: list[tuple[Witness, Claim]] = []
    for row in rows:
        ident = bytes(row["id"])
        copy = node.store.read_one("SELECT * FROM bulletins WHERE agency = ? AND id = ?", (agency, ident))
        if copy is None or copy["keyring_sealed"] is None:
            continue
        made.append((witness_of(node, copy), _claim(node, row)))
    if not made:
        return None
    kem = node.trust.signer(originator).kem[0]
    return make_receipts(node.keys[agency].signing, agency, kem, originator, made)


def witness_of(node: Node, copy: sqlite3.Row) -> Witness:
    """What this agency's receipts for a bulletin are made from."""
    keyring = node.vault.open(copy["agency"], copy["storage_key"], copy["keyring_sealed"], "keyring", bytes(copy["id"]))
    return Witness.decode(keyring)


def _claim(node: Node, row: sqlite3.Row) -> Claim:
    words = node.vault.open_words(
        row["agency"], row["storage_key"], row["words_sealed"], "words", bytes(row["id"]), row["rung"]
    )
    return Claim(
        rung=row["rung"],
        seq=int(row["seq"]),
        time=from_ms(row["at"]),
        code=str(words.get("code", "")),
        person=str(words.get("person", "")),
        note=str(words.get("note", "")),
    )


def purge_with_receipt(node: Node, connection: sqlite3.Connection, copy: sqlite3.Row) -> None:
    """Makes a recalled copy unreadable and says so to its originator, in the caller's transaction.

    The keyring both opens the body and makes receipts. So every receipt of this bulletin, the last one included, is
    made now, in one batch, and the keyring is destroyed with the body.
    """
    agency, ident = str(copy["agency"]), bytes(copy["id"])
    number = bulletins.climb(connection, agency, ident, "purged")
    if number is None:
        return
    at = node.now_ms()
    witness = witness_of(node, copy)
    made = [(witness, _claim(node, row)) for row in claims.of_bulletin(connection, agency, ident)]
    made.append((witness, Claim(rung="purged", seq=number, time=from_ms(at))))
    kem = node.trust.signer(str(copy["sender"])).kem[0]
    claims.replace_all(connection, agency, ident)
    claims.add(
        connection,
        agency=agency,
        originator=str(copy["sender"]),
        bulletin=ident,
        rung="purged",
        seq=number,
        at=at,
        urgent=True,
        words_sealed=None,
        storage_key=str(copy["storage_key"]),
        payload=make_receipts(node.keys[agency].signing, agency, kem, str(copy["sender"]), made),
    )
    bulletins.purge(connection, agency, ident, at=at)
    audit.record(connection, agency=agency, at=at, event="purged", bulletin=UUID(bytes=ident), peer=str(copy["sender"]))


def owe_refusal(node: Node, connection: sqlite3.Connection, agency: str, witness: Witness, code: str) -> None:
    """Queues a signed refusal. There is no copy to keep its keys with, so the receipt is made at once."""
    at = node.now_ms()
    kem = node.trust.signer(witness.sender).kem[0]
    claim = Claim(rung="refused", seq=1, time=from_ms(at), code=code)
    claims.add(
        connection,
        agency=agency,
        originator=witness.sender,
        bulletin=witness.id,
        rung="refused",
        seq=1,
        at=at,
        urgent=True,
        words_sealed=None,
        storage_key="",
        payload=make_receipts(node.keys[agency].signing, agency, kem, witness.sender, [(witness, claim)]),
    )
