"""What an agency says: `publish`, `rfi`, `respond`, `correct`, `recall`."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import click

from adapters.client import GatewayClient
from broker.cli.access import with_gateway
from broker.cli.compose import answer_to, request_for, submission
from broker.cli.errors import TearlineGroup
from broker.cli.output import json_data, table, words

_COMMAND = TearlineGroup.command_class
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True, allow_dash=True)
_KEY = click.option(
    "--key",
    metavar="TEXT",
    help="Idempotency key; default: the hash of the file, so that the same file twice is one bulletin.",
)


@click.command(cls=_COMMAND)
@click.argument("file", type=_FILE)
@click.option("--dry-run", is_flag=True, help="Only ask who would get it; nothing is stored or sent.")
@_KEY
@with_gateway
async def publish(client: GatewayClient, file: Path, dry_run: bool, key: str | None, as_json: bool) -> None:
    """Submit the bulletin in FILE (JSON; - for stdin).

    \b
    Examples:
      tearline publish bolo.json --as il-state-police
      tearline publish bolo.json --as il-state-police --dry-run
      jq '.due="2026-11-22T12:00:00Z"' bolo.json | tearline publish - --as il-state-police --json
    """
    raw = _read(file)
    if dry_run:
        _show(await client.dry_run(submission(raw)), as_json=as_json)
        return
    _show(await client.publish(submission(raw), idempotency_key=key or _key_of(raw)), as_json=as_json)


@click.command(cls=_COMMAND)
@click.argument("question")
@click.option("--area", "areas", multiple=True, required=True, help="County, by name or code; may be repeated.")
@click.option("--agency-name", "asker", required=True, metavar="AGENCY", help="The agency that asks.")
@click.option("--official", required=True, help="Its control official.")
@click.option("--category", required=True, help="What it is about, a word of the vocabulary.")
@click.option("--purpose", default="criminal investigation", show_default=True)
@click.option("--tlp", default="AMBER", show_default=True)
@click.option("--caveat", "caveats", multiple=True, default=("LES",), show_default=True)
@click.option("--precedence", default="PRIORITY", show_default=True)
@click.option("--days", type=click.IntRange(1, 30), default=7, show_default=True, help="How long it travels.")
@_KEY
@with_gateway
async def rfi(client: GatewayClient, /, as_json: bool, key: str | None, **said: Any) -> None:
    """Ask QUESTION of the agencies that serve an area (a request for information).

    \b
    Example:
      tearline rfi "Any reporting on a grey van with plate fragment 7K3?" --as springfield-pd \\
        --agency-name springfield-pd --official "Lt. A. Example" --area IL-SANGAMON --category "violent crime"
    """
    document = request_for(**said)
    answer = await client.publish(document, idempotency_key=key or _key_of(repr(sorted(said.items())).encode()))
    _show(answer, as_json=as_json)


@click.command(cls=_COMMAND)
@click.argument("request")
@click.argument("text")
@click.option("--agency-name", "answerer", required=True, metavar="AGENCY", help="The agency that answers.")
@click.option("--official", required=True, help="Its control official.")
@click.option("--feedback", is_flag=True, help="Feedback on a bulletin instead of an answer to a request.")
@click.option("--tlp", default=None, help="Default: the marking of the request.")
@click.option("--caveat", "caveats", multiple=True, help="Default: the caveats of the request.")
@_KEY
@with_gateway
async def respond(
    client: GatewayClient, /, request: str, text: str, feedback: bool, as_json: bool, key: str | None, **said: Any
) -> None:
    """Answer the request with id REQUEST by TEXT; only the agency that asked gets it.

    \b
    Example:
      tearline respond 0193… "Grey van seen twice, see control number …" --as il-fusion \\
        --agency-name il-fusion --official "Sgt. B. Example"
    """
    asked = await client.get(request)
    document = answer_to(asked, text=text, feedback=feedback, **said)
    answer = await client.publish(document, idempotency_key=key or _key_of(f"{request} {text}".encode()))
    _show(answer, as_json=as_json)


@click.command(cls=_COMMAND)
@click.argument("bulletin")
@click.argument("file", type=_FILE)
@_KEY
@with_gateway
async def correct(client: GatewayClient, bulletin: str, file: Path, as_json: bool, key: str | None) -> None:
    """Replace the own bulletin with id BULLETIN by the one in FILE.

    The rules decide the correction anew; who had the old one and may not have the new one gets a recall.

    \b
    Example:
      tearline correct 0193… corrected.json --as jttf-chicago
    """
    raw = _read(file)
    answer = await client.correct(bulletin, submission(raw), idempotency_key=key or _key_of(bulletin.encode() + raw))
    _show(answer, as_json=as_json)


@click.command(cls=_COMMAND)
@click.argument("bulletin")
@click.option("--reason", required=True, help="Why; the recipients read it.")
@with_gateway
async def recall(client: GatewayClient, bulletin: str, reason: str, as_json: bool) -> None:
    """Withdraw the own bulletin with id BULLETIN from everyone who got it.

    \b
    Example:
      tearline recall 0193… --reason "source withdrew the statement" --as il-fusion
    """
    answer = await client.recall(bulletin, reason=reason)
    if as_json:
        json_data(answer)
        return
    agencies = [row["agency"] if isinstance(row, dict) else str(row) for row in answer.get("audience", [])]
    words(f"recalled: {len(agencies)} agencies are told: {', '.join(agencies)}")


def _show(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        json_data(answer)
        return
    if "id" in answer:
        words(f"{answer['control_number']} accepted as {answer['id']}, {answer['precedence']}")
    else:
        words(f"dry run: nothing was stored or sent; it would go out as {answer['precedence']}")
    rows = [("to", row["agency"], " ".join(row["portions"]), " ".join(row["rules"])) for row in answer["audience"]]
    rows += [("withheld", row["agency"], row["portion"], " ".join(row["rules"])) for row in answer.get("withheld", [])]
    table(("", "agency", "portions", "rules"), rows)
    for warning in answer.get("warnings", []):
        words(f"note: {warning if isinstance(warning, str) else warning.get('detail', warning)}")


def _read(file: Path) -> bytes:
    return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()


def _key_of(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
