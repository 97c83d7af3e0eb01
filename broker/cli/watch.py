"""How things stand: `status` and `doctor`."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import click

from adapters.client import GatewayClient
from broker.cli.access import with_gateway
from broker.cli.errors import FAILED, TearlineGroup
from broker.cli.output import data, json_data, table, words

_COMMAND = TearlineGroup.command_class


@click.command(cls=_COMMAND)
@click.option("--watch", is_flag=True, help="Ask again every second, until Ctrl-C.")
@with_gateway
async def status(client: GatewayClient, watch: bool, as_json: bool) -> None:
    """What the gateway says of itself: relay, releases, what waits, what is late and for whom.

    \b
    Examples:
      tearline status --as jttf-springfield
      tearline status --as jttf-springfield --watch
    """
    while True:
        now = await client.status()
        if as_json:
            json_data(now)
        else:
            if watch:
                click.clear()
            _show(now)
        if not watch:
            return
        await asyncio.sleep(1.0)


@click.command(cls=_COMMAND)
@click.option(
    "--gateway-config", type=click.Path(path_type=Path, exists=True), help="Check what this gateway will use."
)
@click.option(
    "--data",
    "data_folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder whose disk is measured.",
)
@click.option("--nats", metavar="URL", help="Monitoring address of a nats-server, for example http://127.0.0.1:8222.")
@click.option("--json", "as_json", is_flag=True, help="Data for machines.")
def doctor(gateway_config: Path | None, data_folder: Path, nats: str | None, as_json: bool) -> None:
    """Check versions, OpenSSL and its FIPS flag, clock, disk, NATS and the age of keys.

    Exit status 1 when a check fails. A warning is no failure.

    \b
    Examples:
      tearline doctor
      tearline doctor --gateway-config run/demo/gateways/jttf.toml --nats http://127.0.0.1:8222
    """
    from broker.ops.doctor import examine

    findings = examine(gateway_config=gateway_config, data=data_folder, nats=nats, environ=os.environ)
    failed = [one for one in findings if one.verdict == "fail"]
    if as_json:
        json_data({"ok": not failed, "checks": [one.as_json() for one in findings]})
    else:
        table(("", "check", "found"), [(one.verdict, one.check, one.found) for one in findings])
        warned = sum(one.verdict == "warn" for one in findings)
        words(f"{len(failed)} failed, {warned} warned, {len(findings)} checked")
    if failed:
        raise click.exceptions.Exit(FAILED)


def _show(now: dict[str, Any]) -> None:
    queue = now.get("queue", {})
    relay = now.get("relay", {})
    connected = relay.get("connected") if isinstance(relay, dict) else relay
    releases = now.get("releases", {})
    line = "relay connected" if connected else "RELAY NOT CONNECTED, bulletins wait safely"
    data(f"gateway {now.get('gateway')}: {line}")
    numbers = {name: (releases.get(name) or {}).get("number", "none") for name in ("rules", "directory")}
    data(f"rules {numbers['rules']}, directory {numbers['directory']}")
    if releases.get("hearing", "fresh") != "fresh":
        data(f"NOTHING HEARD of what is in force: {releases['hearing']}; see `tearline rules status`")
    oldest = f", oldest since {queue['oldest']}" if queue.get("oldest") else ""
    data(f"waiting: {queue.get('waiting', 0)}{oldest}")
    late = now.get("late", [])
    if late:
        rows = [
            (
                row["bulletin"],
                row["recipient"],
                str(row["due"] or row["state"]),
                "escalated" if row["escalated"] else "",
            )
            for row in late
        ]
        table(("late", "for", "due", ""), rows)
    else:
        data("nothing is late")
    for code, count in now.get("alarms", {}).items():
        data(f"ALARM {code}: {count}")
