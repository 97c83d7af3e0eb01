"""What an agency hears: `inbox` and `ack`."""

from __future__ import annotations

from typing import Any

import click

from adapters.client import GatewayClient
from broker.cli.access import with_gateway
from broker.cli.errors import TearlineGroup
from broker.cli.output import data, json_data, table, terminal_safe, words

_COMMAND = TearlineGroup.command_class


@click.command(cls=_COMMAND)
@click.argument("bulletin", required=False)
@click.option("--follow", is_flag=True, help="Stay and show what arrives, until Ctrl-C.")
@click.option("--sent", is_flag=True, help="The agency's own bulletins instead, with who has and who has not.")
@with_gateway
async def inbox(client: GatewayClient, bulletin: str | None, follow: bool, sent: bool, as_json: bool) -> None:
    """List what the agency received, or show the BULLETIN with that id in full.

    \b
    Examples:
      tearline inbox --as springfield-pd
      tearline inbox --as springfield-pd 0193…
      tearline inbox --as springfield-pd --follow --json
      tearline inbox --as chicago-pd --sent
    """
    if bulletin is not None:
        _show(await client.get(bulletin), as_json=as_json)
        return
    items = await everything(client, sent=sent)
    if as_json:
        if follow:
            for item in items:
                json_data(item)
        else:
            json_data({"items": items, "next_cursor": None})
    else:
        columns = ("id", "control number", "kind", "product", "precedence", "portions", "state")
        table(columns, [_row(item, sent=sent) for item in items])
        if not items:
            words("nothing yet")
    if follow:
        await _follow(client, as_json=as_json)


@click.command(cls=_COMMAND)
@click.argument("bulletin")
@click.option(
    "--rung",
    type=click.Choice(["read", "acknowledged", "acted"]),
    default="acknowledged",
    show_default=True,
    help="What the person did.",
)
@click.option("--person", required=True, help="Who; signed and shown to the originator.")
@click.option("--note", default="", help="What the originator should know.")
@with_gateway
async def ack(client: GatewayClient, bulletin: str, rung: str, person: str, note: str, as_json: bool) -> None:
    """Record that a person read, acknowledged or acted on a bulletin; the originator gets a signed receipt.

    \b
    Example:
      tearline ack 0193… --person "Sgt. C. Example" --as springfield-pd
    """
    answer = await client.receipts(bulletin, rung, person=person, note=note)
    if as_json:
        json_data(answer)
    else:
        words(f"{rung} by {person}: recorded")


async def everything(client: GatewayClient, *, sent: bool = False) -> list[dict[str, Any]]:
    """Every page of the inbox (or of the outbox), oldest first."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = await (client.outbox if sent else client.inbox)(cursor=cursor)
        items += page["items"]
        cursor = page.get("next_cursor")
        if not cursor:
            return items


def _row(item: dict[str, Any], *, sent: bool) -> tuple[str, ...]:
    if sent:
        who = [f"{row['agency']}={row['state']}" for row in item.get("deliveries", [])]
        state = " ".join(who)
    else:
        state = f"from {item['from']}, {'recalled' if item['recalled'] else item['rung']}"
    portions = " ".join(item.get("portions", ()))
    return (
        item["id"], item["control_number"], item["kind"], item["product"] or "", item["precedence"], portions, state
    )  # fmt: skip


async def _follow(client: GatewayClient, *, as_json: bool) -> None:
    words("waiting for what arrives; Ctrl-C ends")
    async for event in client.events():
        if as_json:
            json_data({"event": event.event, "cursor": event.id, **event.data})
            continue
        held = event.data.get("bulletin")
        if event.event == "bulletin" and isinstance(held, dict):
            who = f"{held['precedence']} {held['product'] or held['kind']} {held['control_number']} from {held['from']}"
            data(f"{event.data.get('at', '')}  {who}  {held['id']}")
        else:
            data(f"{event.data.get('at', '')}  {event.event}  {event.data.get('id', '')}")


def _show(held: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        json_data(held)
        return
    data(f"{held['control_number']}  {held['precedence']}  {held['kind']} {held['product'] or ''}  from {held['from']}")
    data(f"id {held['id']}, created {held['created']}, expires {held['expires']}")
    if held.get("recalled"):
        data("RECALLED by its originator")
    for portion in held["portions"]:
        marking = portion.get("marking", {})
        banner = " ".join(filter(None, [f"TLP:{marking['tlp']}" if marking.get("tlp") else "", *_words(marking)]))
        data(f"\n[{portion['id']} {portion['version']}] {banner}")
        data(terminal_safe(portion.get("content", "")))
        for name, value in sorted(held.get("obligations", {}).get(portion["id"], {}).items()):
            data(f"  {name}: {', '.join(value) if isinstance(value, list) else value}")
    if held.get("deliveries"):
        data("")
        rows = [
            (
                row["agency"],
                " ".join(row["portions"]),
                row["state"],
                row.get("person") or "",
                "late" if row["late"] else "",
            )
            for row in held["deliveries"]
        ]
        table(("agency", "portions", "state", "person", ""), rows)


def _words(marking: dict[str, Any]) -> list[str]:
    return [str(word) for name in ("caveats", "dissemination", "cui") for word in marking.get(name) or ()]
