"""`tearline rules status`: which releases are in force, where, and since when."""

from __future__ import annotations

from typing import Any

import click

from adapters.client import GatewayClient
from broker.cli.access import with_gateway
from broker.cli.errors import FAILED, TearlineGroup
from broker.cli.output import data, json_data, table, words


@click.command(cls=TearlineGroup.command_class)
@with_gateway
async def status(client: GatewayClient, as_json: bool) -> None:
    """Each gateway's rules and directory: number, hash, state, and since when.

    States: active (as here, nothing newer waits), ready (could take what waits), staging (cannot yet), lagging (has
    something else in force), silent (said nothing for 90 seconds). Exit status 1 unless all are active or ready.

    \b
    Example:
      tearline rules status --as chicago-pd
    """
    now = await client.releases()
    gateways = now["gateways"] or []
    if as_json:
        json_data(now)
    else:
        _show(now, gateways)
    if now["gateways"] is None or any(one["state"] not in {"active", "ready"} for one in gateways):
        raise click.exceptions.Exit(FAILED)


def _show(now: dict[str, Any], gateways: list[dict[str, Any]]) -> None:
    for name in ("rules", "directory"):
        present, staged = now["in_force"][name], now["staged"][name]
        data(f"{name}: {_release(present)}{_waiting(present, staged)}")
    if now["hearing"] != "fresh":
        data(f"NOTHING HEARD since {now['heard'] or 'the beginning'}: {now['hearing']}")
    if now["failing_cases"]:
        data(f"cases fail here: {'; '.join(now['failing_cases'])}")
    if now["trial"]:
        data(f"on trial: {now['trial']['number']}, until {now['trial']['until']}")
    if now["gateways"] is None:
        words("the relay is away: the other gateways cannot be asked")
        return
    rows = [
        (one["gateway"], _named(one["rules"]), _named(one["directory"]), one["state"], one["since"] or "", _note(one))
        for one in gateways
    ]
    table(("gateway", "rules", "directory", "state", "since", ""), rows)


def _release(present: dict[str, Any] | None) -> str:
    return "none in force" if present is None else f"{_named(present)} in force since {present['since']}"


def _waiting(present: dict[str, Any] | None, staged: dict[str, Any] | None) -> str:
    if staged is None:
        return ""
    lapses = f", an emergency that lapses {staged['lapses']}" if staged["lapses"] else ""
    if present is not None and staged["hash"] == present["hash"]:
        return lapses
    return f"; {_named(staged)} waits, signed by {' and '.join(staged['signers'])}{lapses}"


def _named(release: dict[str, Any] | None) -> str:
    return "none" if release is None else f"{release['number']} ({release['hash'][:12]})"


def _note(one: dict[str, Any]) -> str:
    if one["state"] == "silent":
        return f"last heard {one['reported']}" if one["reported"] else "never heard"
    return one["trouble"] or ""
