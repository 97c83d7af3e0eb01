"""Reading everything that every agency can read, through the same API and with the same tokens as a person."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from adapters.client import GatewayClient
from broker.demo.evidence import Delivery, Escalation, Held, Portion, Sent

# What an agency was told stands before this in its event stream; the stream itself never ends.
_QUIET_SECONDS: Final = 1.0

# Messages that carry no portion; they are not opened, what they did is seen in the bulletin that they are about.
CONTROLS: Final = frozenset({"recall", "purge", "escalation"})

JsonObject = dict[str, Any]


async def pages(client: GatewayClient, *, sent: bool) -> list[JsonObject]:
    """Every row of an inbox or an outbox."""
    rows: list[JsonObject] = []
    cursor: str | None = None
    while True:
        page = await (client.outbox if sent else client.inbox)(cursor=cursor)
        rows += page["items"]
        cursor = page.get("next_cursor")
        if not cursor:
            return rows


async def read_inbox(agency: str, client: GatewayClient) -> tuple[Held, ...]:
    """An inbox, every bulletin in it opened."""
    rows = [row for row in await pages(client, sent=False) if row["kind"] not in CONTROLS]
    return tuple([held_of(agency, row, await client.get(row["id"])) for row in rows])


async def read_outbox(agency: str, client: GatewayClient, members: Sequence[str]) -> tuple[Sent, ...]:
    """An outbox, every bulletin in it opened and explained for every member."""
    rows = [row for row in await pages(client, sent=True) if row["kind"] not in CONTROLS]
    return tuple([await _sent(agency, client, row["id"], members) for row in rows])


async def escalations(agency: str, client: GatewayClient) -> tuple[Escalation, ...]:
    """The escalations that this agency was told of, read from its event stream until it is quiet."""
    found: list[Escalation] = []
    stream = client.events()
    try:
        while True:
            async with asyncio.timeout(_QUIET_SECONDS):
                event = await anext(stream)
            # The originator hears of it too; the one that counts is the recipient's, which names the contact.
            if (
                event.event == "escalation"
                and event.data.get("contact")
                and event.data.get("recipient", agency) == agency
            ):
                found.append(
                    Escalation(agency=agency, bulletin=str(event.data["id"]), contact=str(event.data["contact"]))
                )
    except (TimeoutError, StopAsyncIteration):
        return tuple(found)
    finally:
        await stream.aclose()


def held_of(agency: str, row: Mapping[str, Any], opened: Mapping[str, Any]) -> Held:
    """One inbox row and its opened bulletin as evidence."""
    return Held(
        agency=agency,
        id=row["id"],
        sender=opened["from"],
        control_number=opened["control_number"],
        kind=opened["kind"],
        precedence=opened["precedence"],
        rung=opened.get("rung") or "",
        recalled=bool(opened.get("recalled")),
        superseded_by=opened.get("superseded_by"),
        portions=_portions(opened),
    )


async def _sent(agency: str, client: GatewayClient, bulletin: str, members: Sequence[str]) -> Sent:
    opened = await client.get(bulletin)
    withheld: dict[str, dict[str, tuple[str, ...]]] = {}
    for member in members:
        if member == agency:
            continue
        explained = await client.explain(bulletin, member)
        held_back = {
            one["id"]: tuple(one["blocked_by"]) for one in explained["portions"] if one["outcome"] == "withheld"
        }
        if held_back:
            withheld[member] = held_back
    return Sent(
        agency=agency,
        id=opened["id"],
        control_number=opened["control_number"],
        kind=opened["kind"],
        precedence=opened["precedence"],
        created=datetime.fromisoformat(opened["created"]),
        recalled=bool(opened.get("recalled")),
        in_reply_to=(opened.get("references") or {}).get("in_reply_to"),
        portions=_portions(opened),
        deliveries=tuple(delivery_of(row) for row in opened.get("deliveries", ())),
        withheld=withheld,
    )


def delivery_of(row: Mapping[str, Any]) -> Delivery:
    """What the originator's timeline says about one recipient."""
    return Delivery(
        agency=row["agency"],
        portions=tuple(row["portions"]),
        rules=tuple(row["rules"]),
        state=row["state"],
        rungs={name: datetime.fromisoformat(at) for name, at in (row.get("rungs") or {}).items() if at},
        person=row.get("person") or "",
        escalated=bool(row.get("escalated")),
        code=row.get("code") or "",
    )


def _portions(opened: Mapping[str, Any]) -> tuple[Portion, ...]:
    return tuple(
        Portion(id=one["id"], content=one["content"]) for one in opened.get("portions", ()) if one.get("content")
    )
