"""What attackers can do: bend what a member's gateway seals, own the relay, and look at every disk."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from broker.gateway import plan as planning
from broker.gateway import submit
from broker.gateway.core import Node
from broker.model import canonical_json
from broker.relay.publisher import Outcome, Outgoing
from broker.relay.subjects import receipt_subject
from broker.seal import Addressee, Draft, Sealed, SigningKeys, seal
from tests.gateway.exchange import HOME, Exchange, clock, eventually

CITY, CHICAGO, FUSION, STATE = "springfield-pd", "chicago-pd", "il-fusion", "il-state-police"


def same(value: Any) -> Any:
    return value


@dataclass(kw_only=True)
class Twist:
    """How a bought gateway departs from an honest one; what it says is properly signed all the same."""

    audience: Callable[[tuple[Addressee, ...]], tuple[Addressee, ...]] = same
    document: Callable[[dict[str, Any]], dict[str, Any]] = same
    draft: Callable[[Draft], Draft] = same
    random: Callable[[int], bytes] = os.urandom


def only(*agencies: str) -> Callable[[tuple[Addressee, ...]], tuple[Addressee, ...]]:
    """Addresses just these agencies, those the rules left out like the first that they did not."""

    def chosen(audience: tuple[Addressee, ...]) -> tuple[Addressee, ...]:
        honest = {addressee.agency: addressee for addressee in audience}
        return tuple(honest.get(agency) or replace(audience[0], agency=agency) for agency in sorted(agencies))

    return chosen


def bend(monkeypatch: pytest.MonkeyPatch, twist: Twist) -> None:
    """From here on, whatever is submitted in this process is planned and sealed with the twist."""
    decide = planning.plan

    def bent_plan(*positional: Any, **named: Any) -> planning.Plan:
        honest = decide(*positional, **named)
        addressees = twist.audience(honest.addressees)
        granted = {addressee.agency: ("R00",) for addressee in addressees}
        return replace(honest, addressees=addressees, granted_by=granted | honest.granted_by)

    def bent_seal(draft: Draft, signing: SigningKeys) -> Sealed:
        parts = tuple(canonical_json(twist.document(json.loads(part))) for part in draft.parts)
        return seal(twist.draft(replace(draft, parts=parts)), signing, random=twist.random)

    monkeypatch.setattr(submit, "plan", bent_plan)
    monkeypatch.setattr(submit, "seal", bent_seal)


@dataclass(frozen=True)
class Relay:
    """The relay's operator: sees what is stored, deletes it, and publishes whatever it likes."""

    running: Exchange

    async def streams(self) -> JetStreamContext:
        return (await self.running.hub._client()).jetstream()

    async def stored(self, stream: str, recipient: str | None = None) -> list[RawStreamMsg]:
        streams = await self.streams()
        state = (await streams.stream_info(stream)).state
        found = []
        for sequence in range(max(1, state.first_seq), state.last_seq + 1):
            with contextlib.suppress(NotFoundError):
                message = await streams.get_msg(stream, sequence)
                if recipient is None or f".{recipient}." in str(message.subject):
                    found.append(message)
        return found

    async def waits(self, stream: str, recipient: str, count: int = 1) -> list[RawStreamMsg]:
        async def enough() -> list[RawStreamMsg] | None:
            found = await self.stored(stream, recipient)
            return found if len(found) >= count else None

        return list(await eventually(enough))

    async def delete(self, stream: str, message: RawStreamMsg) -> None:
        await (await self.streams()).delete_msg(stream, message.seq or 0)

    async def publish(self, subject: str, payload: bytes, **headers: str) -> None:
        await (await self.streams()).publish(subject, payload, headers=headers or None)

    async def empty(self, recipient: str, *streams: str) -> None:
        """Returns once nothing waits for that gateway: all it was sent is dealt with."""

        async def nothing() -> bool:
            return not [found for stream in streams for found in await self.stored(stream, recipient)]

        # A gateway that was restarted gets what its last pull had drawn only after the lane's wait.
        await eventually(nothing, within=40)


async def refused(running: Exchange, sender: str, recipient: str, ident: str) -> str:
    """The code of the recipient's signed refusal as it reached the originator; the recipient shows nothing."""

    async def look() -> str | None:
        shown = await running.desks[sender].bulletin(ident)
        line = next(item for item in shown["deliveries"] if item["agency"] == recipient)
        return str(line["code"]) if line["state"] == "refused" else None

    code = str(await eventually(look))
    assert await times(running, recipient, ident) == 0
    return code


async def times(running: Exchange, agency: str, ident: str) -> int:
    """How often a bulletin stands in an inbox."""
    return [item["id"] for item in await running.desks[agency].inbox()].count(ident)


def recorded(node: Node, event: str, **fields: Any) -> list[dict[str, Any]]:
    """The audit entries of that event whose detail has these fields."""
    rows = node.store.read("SELECT * FROM audit WHERE event = ? ORDER BY seq", (event,))
    found = [{**json.loads(row["detail"]), "agency": row["agency"], "peer": row["peer"]} for row in rows]
    return [entry for entry in found if fields.items() <= entry.items()]


def alarms(node: Node, code: str) -> int:
    return int(node.metrics.alarms.labels(code=code)._value.get())


def refusals(node: Node, where: str, code: str) -> int:
    return int(node.metrics.refused.labels(where=where, code=code)._value.get())


def refused_by_code(node: Node) -> dict[str, int]:
    """How many arrivals were refused, by code; the audit log has those nobody signed for once a minute only."""
    return {
        sample.labels["code"]: int(sample.value)
        for metric in node.metrics.refused.collect()
        for sample in metric.samples
        if sample.name.endswith("_total") and sample.labels["where"] == "deliver"
    }


def set_clock(monkeypatch: pytest.MonkeyPatch, node: Node, **by: float) -> None:
    """Sets a running gateway's wall clock off by so much; nothing: right again. Its steady clock goes on."""

    def wall() -> datetime:
        return clock() + timedelta(**by)

    monkeypatch.setattr(node, "now", wall)
    monkeypatch.setattr(node.steady, "_wall", wall)


async def send_receipts(running: Exchange, sender: str, recipient: str, payload: bytes) -> None:
    """A member's gateway puts a batch of receipts on its own subject."""
    subject = receipt_subject(HOME[sender], HOME[recipient])
    outgoing = Outgoing(subject=subject, payload=payload, expires_at=clock() + timedelta(hours=1))
    outcomes = await running.nodes[HOME[sender]].link.publish([outgoing])
    assert [outcome.state for outcome in outcomes] == ["relayed"]


async def send_envelope(running: Exchange, subject: str, payload: bytes, *, through: str) -> str:
    """Publishes bytes through a member's own link; the outcome's state."""
    outgoing = Outgoing(subject=subject, payload=payload, expires_at=clock() + timedelta(hours=1))
    return (await running.nodes[through].link.publish([outgoing]))[0].state


def tap(monkeypatch: pytest.MonkeyPatch, node: Node) -> list[Outgoing]:
    """Everything that a gateway hands to the relay from here on, as the relay sees it."""
    seen: list[Outgoing] = []
    publish = node.link.publish

    async def watched(outgoing: Sequence[Outgoing]) -> list[Outcome]:
        seen.extend(outgoing)
        return await publish(outgoing)

    monkeypatch.setattr(node.link, "publish", watched)
    return seen


def copy_of(running: Exchange, agency: str, ident: str) -> Any:
    return running.nodes[HOME[agency]].store.read_one(
        "SELECT * FROM bulletins WHERE agency = ? AND id = ?", (agency, UUID(ident).bytes)
    )
