"""The sharing rules: `rules check` and `rules explain`."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import click

from broker.cli import access
from broker.cli.errors import FAILED, USAGE, Stop, TearlineGroup
from broker.cli.output import data, json_data, table, words

_COMMAND = TearlineGroup.command_class
_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


@click.group(cls=TearlineGroup)
def rules() -> None:
    """Check the sharing rules, and ask why an agency gets or does not get something.

    \b
    Examples:
      tearline rules check policy/rules.example
      tearline rules explain 0193… springfield-mayor --as chicago-pd
      tearline rules explain bolo.json peoria-pd --rules policy/rules.example
    """


@rules.command(cls=_COMMAND)
@click.argument("folder", type=_FOLDER)
@click.option("--json", "as_json", is_flag=True, help="Data for machines.")
def check(folder: Path, as_json: bool) -> None:
    """Read vocabulary.yaml, rules.yaml and agencies.yaml in FOLDER and run the cases that stand with the rules.

    Exit status 1 when a case fails, 2 when a file cannot be read as rules.

    \b
    Example:
      tearline rules check policy/rules.example
    """
    from broker.officer import rulebook

    results = rulebook.check(_load(folder))
    failed = [one for one in results if not one.passed]
    if as_json:
        rows = [{"name": one.name, "passed": one.passed, "detail": one.detail} for one in results]
        json_data({"ok": not failed, "cases": rows})
    else:
        table(
            ("", "case", ""), [("ok" if one.passed else "FAILED", one.name, str(one.detail or "")) for one in results]
        )
        words(f"{len(results) - len(failed)} of {len(results)} cases hold")
    if failed:
        raise click.exceptions.Exit(FAILED)


@rules.command(cls=_COMMAND, name="explain")
@click.argument("bulletin")
@click.argument("recipient")
@click.option("--rules", "folder", type=_FOLDER, help="Ask the rules in this folder about a bulletin in a file.")
@click.option("--gateway", envvar="TEARLINE_GATEWAY", metavar="URL", help="The originator's gateway.")
@click.option("--token-file", envvar="TEARLINE_TOKEN_FILE", type=click.Path(path_type=Path))
@click.option("--ca-file", type=click.Path(path_type=Path))
@click.option(
    "--as", "agency", envvar="TEARLINE_AGENCY", metavar="AGENCY", help="Act as this agency of a running demo."
)
@click.option(
    "--run", envvar="TEARLINE_RUN", type=click.Path(path_type=Path), default=access.DEFAULT_RUN, show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="Data for machines.")
def explain(bulletin: str, recipient: str, folder: Path | None, as_json: bool, **where: Any) -> None:
    """Why did, or didn't, RECIPIENT get BULLETIN?

    BULLETIN is the id of an own bulletin (the gateway answers from what it recorded), or with --rules a file (the rules
    in that folder answer, nothing is sent).

    \b
    Examples:
      tearline rules explain 0193… springfield-mayor --as chicago-pd
      tearline rules explain bolo.json peoria-pd --rules policy/rules.example
    """
    answer = (
        _from_rules(bulletin, recipient, folder) if folder else asyncio.run(_from_gateway(bulletin, recipient, where))
    )
    if as_json:
        json_data(answer)
        return
    for portion in answer["portions"]:
        data(f"{portion['id']}: {portion['outcome']}")
        for sentence in portion["sentences"]:
            data(f"  {sentence}")


async def _from_gateway(bulletin: str, recipient: str, where: dict[str, Any]) -> dict[str, Any]:
    async with access.find(**where).client() as client:
        return await client.explain(bulletin, recipient)


def _from_rules(bulletin: str, recipient: str, folder: Path) -> dict[str, Any]:
    from broker.officer import rulebook
    from broker.ops.clock import now

    raw = sys.stdin.buffer.read() if bulletin == "-" else Path(bulletin).read_bytes()
    try:
        portions = rulebook.explain_bulletin(_load(folder), raw, recipient, at=now(), random=os.urandom)
    except KeyError as error:
        raise Stop(USAGE, f"`{recipient}` is not in `{folder}/agencies.yaml`") from error
    return {"bulletin": None, "agency": recipient, "portions": [{"id": one.pop("portion"), **one} for one in portions]}


def _load(folder: Path) -> Any:
    from broker.officer import rulebook

    try:
        return rulebook.load_rulebook(folder)
    except OSError as error:
        raise Stop(USAGE, f"cannot read `{error.filename}`: {error.strerror}") from error
