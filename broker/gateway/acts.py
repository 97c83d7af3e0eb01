"""What persons and adapters do with a bulletin they have: confirm, read, acknowledge, act; and recall one's own."""

from __future__ import annotations

import sqlite3
from typing import Any
from uuid import UUID

from broker.gateway import control, owed
from broker.gateway.core import Node
from broker.gateway.problems import ProblemError
from broker.gateway.tokens import Grant
from broker.store import audit, bulletins, events

PERSONAL = ("read", "acknowledged", "acted")
# Where persons are named, only they can give these.
ANSWERS = ("acknowledged", "acted")
# Bytes; what a receipt or a recall can carry on the wire (broker.seal.receipt, broker.seal.terms).
MAX_PERSON = 256
MAX_WORDS = 1024


async def receipt(node: Node, grant: Grant, ident: UUID, *, rung: str, person: str, note: str = "") -> dict[str, Any]:
    """Records a person's act and owes its signed receipt to the originator. Repeating it changes nothing.

    Raises:
        ProblemError: not a rung for persons, not in this agency's inbox, recalled, or not one of the named (TLP:RED).
    """
    if rung not in PERSONAL:
        raise ProblemError(422, "bad-request", f"rung is one of {', '.join(PERSONAL)}", pointer="/rung")
    _require_fits("/person", person, MAX_PERSON)
    _require_fits("/note", note, MAX_WORDS)
    row = bulletins.find(node.store, grant.agency, ident)
    if row is None or row["role"] != "recipient":
        raise ProblemError(404, "not-found")
    if row["recalled"] is not None:
        raise ProblemError(409, "already-recalled")
    named = _named(node, row)
    if rung in ANSWERS and named and person not in named:
        raise ProblemError(403, "not-named", pointer="/person")
    words = {"person": person, "note": note} if note else {"person": person}
    climbed = await node.store.write(lambda connection: owed.owe(node, connection, row, rung, words=words))
    node.claims.ring()
    return {"id": str(ident), "rung": rung, "recorded": climbed}


def _named(node: Node, row: sqlite3.Row) -> tuple[str, ...]:
    """The persons of this agency that the bulletin is for alone (TLP:RED); empty where it is for the agency."""
    key_name, ident = str(row["storage_key"]), bytes(row["id"])
    record = node.vault.open_words(row["agency"], key_name, row["record_sealed"], "record", ident)
    return tuple(record.get("named", ())) if record.get("for_them_alone") else ()


def _require_fits(pointer: str, words: str, limit: int) -> None:
    if len(words.encode()) > limit:
        raise ProblemError(422, "bad-request", f"at most {limit} bytes", pointer=pointer)


async def confirm(node: Node, grant: Grant, seq: int) -> None:
    """Moves the subscriber's mark; every bulletin passed by it has been fetched."""

    def mark(connection: sqlite3.Connection) -> int:
        taken = events.confirm(connection, grant.id, grant.agency, seq)
        count = 0
        for ident in taken:
            row = connection.execute(
                "SELECT * FROM bulletins WHERE agency = ? AND id = ? AND role = 'recipient'",
                (grant.agency, ident.bytes),
            ).fetchone()
            if row is not None and row["recalled"] is None:
                count += owed.owe(node, connection, row, "fetched")
        return count

    if await node.store.write(mark):
        node.claims.ring()


async def recall(node: Node, grant: Grant, ident: UUID, *, reason: str) -> dict[str, Any]:
    """Recalls one's own bulletin from its whole recorded audience; once more, from those who still have it.

    Raises:
        ProblemError: 404, 403 ``not-the-originator``, 409 ``already-recalled``.
    """
    _require_fits("/reason", reason, MAX_WORDS)
    row = bulletins.find(node.store, grant.agency, ident)
    if row is None or row["kind"] in control.REFERENCE:
        raise ProblemError(404, "not-found")
    if row["role"] != "originator":
        await node.store.write(
            lambda connection: audit.record(
                connection, agency=grant.agency, at=node.now_ms(), event="recall refused", bulletin=ident
            )
        )
        raise ProblemError(403, "not-the-originator")
    again = row["recalled"] is not None
    message = control.recall(node, row, reason=reason)
    if message is None and again:
        raise ProblemError(409, "already-recalled")
    if message is None:
        raise ProblemError(409, "nobody-permitted", "nobody was ever sent this bulletin")

    def record(connection: sqlite3.Connection) -> None:
        # Two requests at once prepare two recalls of one bulletin; the second finds it recalled.
        now = connection.execute(
            "SELECT recalled FROM bulletins WHERE agency = ? AND id = ?", (grant.agency, ident.bytes)
        ).fetchone()
        if now["recalled"] != row["recalled"]:
            raise ProblemError(409, "already-recalled")
        control.record_recall(node, connection, message, row, whole=not again)

    await node.store.write(record)
    node.outbox.ring()
    node.deadlines.ring()
    return {"id": str(message.id), "recalls": str(ident), "audience": list(message.recipients)}
