"""Receipts this gateway owes: claimed once per rung, made where the keys for them are, dropped by name or never."""

from __future__ import annotations

import sqlite3
from uuid import UUID

from broker.gateway.clock import from_ms, to_ms
from broker.gateway.core import Node
from broker.seal import Claim, PublicKey, SealError, Witness, make_receipts
from broker.store import audit, bulletins, claims
from broker.trust import TrustError

# The rung that a copy is written with: that it is written is what the rung says.
FIRST = "stored"
URGENT = frozenset({"FLASH", "IMMEDIATE"})
# What keeps one receipt from being made: its keys do not open, its words do not fit, its row is damaged.
FAULTS = (SealError, TrustError, LookupError, ValueError)


def kem_of(node: Node, agency: str) -> PublicKey:
    """The key that receipts to an agency are sealed to.

    Raises:
        TrustError: ``no-kem-key``: it has left the exchange or was revoked; nothing is sealed to it any more.
        Hold: there is no directory at all yet.
    """
    public = node.signer(agency)
    if public is None or public.revoked or not public.kem:
        raise TrustError("no-kem-key", f"the directory has no key to seal to for `{agency}`")
    return public.kem[0]


def owe(
    node: Node,
    connection: sqlite3.Connection,
    copy: sqlite3.Row,
    rung: str,
    *,
    words: dict[str, str] | None = None,
) -> bool:
    """Climbs a rung and queues its receipt in the caller's transaction; False when it was climbed before."""
    number = bulletins.climb(connection, str(copy["agency"]), bytes(copy["id"]), rung)
    if number is None:
        return False
    _queue(node, connection, copy, rung, number, words)
    return True


def owe_first(node: Node, connection: sqlite3.Connection, copy: sqlite3.Row) -> None:
    """Queues the receipt of a copy that was just written with its first rung, in the caller's transaction."""
    _queue(node, connection, copy, FIRST, 1, None)


def _queue(  # noqa: PLR0917
    node: Node,
    connection: sqlite3.Connection,
    copy: sqlite3.Row,
    rung: str,
    number: int,
    words: dict[str, str] | None,
) -> None:
    agency, ident, key_name = str(copy["agency"]), bytes(copy["id"]), str(copy["storage_key"])
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


def code_of(error: Exception) -> str:
    """What went wrong, for the record."""
    return error.code if isinstance(error, SealError | TrustError) else type(error).__name__


def record_dropped(
    connection: sqlite3.Connection, agency: str, originator: str, bulletin: bytes, *, at: int, detail: dict[str, str]
) -> None:
    """Records a receipt that nobody can be sent any more."""
    audit.record(
        connection,
        agency=agency,
        at=at,
        event="receipt dropped",
        bulletin=UUID(bytes=bulletin),
        peer=originator,
        detail=detail,
    )


def witness_of(node: Node, copy: sqlite3.Row) -> Witness:
    """What this agency's receipts for a bulletin are made from."""
    keyring = node.vault.open(copy["agency"], copy["storage_key"], copy["keyring_sealed"], "keyring", bytes(copy["id"]))
    return Witness.decode(keyring)


def claim_of(node: Node, row: sqlite3.Row) -> Claim:
    """What a receipt says."""
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
    made now, in one batch, and the keyring is destroyed with the body. It is destroyed also when no receipt can be
    made: for an originator that left the exchange, or under a storage key that is gone.
    """
    agency, ident, sender = str(copy["agency"]), bytes(copy["id"]), str(copy["sender"])
    number = bulletins.climb(connection, agency, ident, "purged")
    if number is None:
        return
    at = node.now_ms()
    last = Claim(rung="purged", seq=number, time=from_ms(at))
    try:
        kem, witness = kem_of(node, sender), witness_of(node, copy)
        made = [(witness, claim_of(node, row)) for row in claims.of_bulletin(connection, agency, ident)]
        signing, session = node.keys[agency].signing, node.sessions.to_name(sender, agency)
        payload = make_receipts(signing, agency, kem, sender, [*made, (witness, last)], session=session)
    except FAULTS as error:
        claims.replace_all(connection, agency, ident)
        record_dropped(connection, agency, sender, ident, at=at, detail={"rung": "purged", "code": code_of(error)})
    else:
        claims.replace_all(connection, agency, ident)
        _add_made(connection, witness, last, payload, bulletin=ident, key_name=str(copy["storage_key"]))
    bulletins.purge(connection, agency, ident, at=at)
    node.opened.forget(agency, ident)
    audit.record(connection, agency=agency, at=at, event="purged", bulletin=UUID(bytes=ident), peer=sender)


def owe_refusal(node: Node, connection: sqlite3.Connection, agency: str, witness: Witness, code: str) -> None:
    """Queues a signed refusal. There is no copy to keep its keys with, so the receipt is made at once."""
    at = node.now_ms()
    claim = Claim(rung="refused", seq=1, time=from_ms(at), code=code)
    try:
        kem = kem_of(node, witness.sender)
    except TrustError as error:
        detail = {"rung": "refused", "code": error.code}
        record_dropped(connection, agency, witness.sender, witness.id, at=at, detail=detail)
        return
    signing, session = node.keys[agency].signing, node.sessions.to_name(witness.sender, agency)
    payload = make_receipts(signing, agency, kem, witness.sender, [(witness, claim)], session=session)
    _add_made(connection, witness, claim, payload, bulletin=witness.id)


def _add_made(
    connection: sqlite3.Connection,
    witness: Witness,
    claim: Claim,
    payload: bytes,
    *,
    bulletin: bytes,
    key_name: str = "",
) -> None:
    claims.add(
        connection,
        agency=witness.recipient,
        originator=witness.sender,
        bulletin=bulletin,
        rung=claim.rung,
        seq=claim.seq,
        at=to_ms(claim.time),
        urgent=True,
        words_sealed=None,
        storage_key=key_name,
        payload=payload,
    )
