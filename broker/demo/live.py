"""The live view: follows every agency's outbox and events, and shows each thing once, when it has happened."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from adapters.client import GatewayClient, GatewayError, ServerEvent
from broker.demo.collect import CONTROLS, delivery_of, pages
from broker.demo.show import Lines

_OUTBOX_SECONDS: Final = 0.4
_RUNGS_OF_PERSONS: Final = frozenset({"read", "acknowledged", "acted", "purged"})


class Live:
    """Shows what the originators' gateways know. It only reads, with read tokens, and confirms nothing."""

    def __init__(self, clients: Mapping[str, GatewayClient], lines: Lines, rule_names: Mapping[str, str]) -> None:
        self._rule_names = rule_names
        self._clients = clients
        self._lines = lines
        self._known: set[str] = set()
        self._shown: set[tuple[str, str, str]] = set()

    async def follow(self) -> None:
        """Show until cancelled."""
        async with asyncio.TaskGroup() as group:
            for agency, client in self._clients.items():
                group.create_task(self._events(agency, client))
                group.create_task(self._outbox(agency, client))

    async def _outbox(self, agency: str, client: GatewayClient) -> None:
        """A new own bulletin: show at once who was kept from it; its deliveries follow as receipts come in."""
        while True:
            try:
                for row in await pages(client, sent=True):
                    if row["id"] not in self._known and row["kind"] not in CONTROLS:
                        self._known.add(row["id"])
                        await self._withheld(agency, client, row)
            except GatewayError:
                # A gateway that is busy or restarting is asked again; the verdict does not depend on this view.
                pass
            await asyncio.sleep(_OUTBOX_SECONDS)

    async def _withheld(self, agency: str, client: GatewayClient, row: Mapping[str, Any]) -> None:
        for member in self._clients:
            if member == agency:
                continue
            explained = await client.explain(row["id"], member)
            for portion in explained["portions"]:
                if portion["outcome"] == "withheld":
                    self._lines.withheld(
                        number=row["control_number"],
                        sender=agency,
                        recipient=member,
                        portion=portion["id"],
                        reasons=[self._rule_names.get(rule, rule) for rule in portion["blocked_by"]],
                    )

    async def _events(self, agency: str, client: GatewayClient) -> None:
        async for event in client.events():
            try:
                await self._event(agency, client, event)
            except GatewayError:
                continue

    async def _event(self, agency: str, client: GatewayClient, event: ServerEvent) -> None:
        match event.event:
            case "receipt":
                await self._receipt(agency, client, event.data)
            case "escalation" if "recipient" not in event.data:  # the originator's own word about it names one
                contact = event.data["contact"]
                name = contact.get("name", contact) if isinstance(contact, dict) else contact
                self._lines.say(
                    f"              escalated at {agency}: nobody acknowledged in time; told: {name}", "yellow"
                )
            case "recall":
                number = (await client.get(str(event.data["id"])))["control_number"]
                self._lines.say(
                    f"              recalled  {number} at {agency}: {event.data.get('reason', '')}", "yellow"
                )
            case "alarm" | "refused":
                self._lines.say(f"              {event.event} at {agency}: {event.data.get('code', '')}", "bold red")
            case _:
                pass

    async def _receipt(self, agency: str, client: GatewayClient, data: Mapping[str, Any]) -> None:
        recipient, bulletin, rung = str(data["recipient"]), str(data["id"]), str(data["rung"])
        opened = await client.get(bulletin)
        delivery = next((delivery_of(row) for row in opened["deliveries"] if row["agency"] == recipient), None)
        if delivery is None:
            return
        if "stored" in delivery.rungs and self._first(bulletin, recipient, "stored"):
            created = datetime.fromisoformat(opened["created"])
            self._lines.delivered(
                at=delivery.rungs["stored"],
                precedence=opened["precedence"],
                product=opened["product"] or opened["kind"],
                number=opened["control_number"],
                sender=agency,
                recipient=recipient,
                portions=delivery.portions,
                rules=delivery.rules,
                milliseconds=(delivery.rungs["stored"] - created).total_seconds() * 1000,
                receipt="stored, signed",
            )
        if rung in _RUNGS_OF_PERSONS and rung in delivery.rungs and self._first(bulletin, recipient, rung):
            self._lines.rung(
                at=delivery.rungs[rung],
                number=opened["control_number"],
                recipient=recipient,
                rung=rung,
                person=delivery.person if rung != "purged" else "",
                note=str(data.get("note") or ""),
            )

    def _first(self, bulletin: str, recipient: str, rung: str) -> bool:
        key = (bulletin, recipient, rung)
        if key in self._shown:
            return False
        self._shown.add(key)
        return True
