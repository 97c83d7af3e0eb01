"""The sharing rules: `rules check` and `rules explain`; writing them is in `rules_write`."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import click

from broker.cli import access
from broker.cli.errors import FAILED, USAGE, Stop, TearlineGroup
from broker.cli.output import data, json_data, table
from broker.cli.rules_own import own, trial
from broker.cli.rules_preview import history, preview
from broker.cli.rules_release import COMMANDS as RELEASE_COMMANDS
from broker.cli.rules_status import status
from broker.cli.rules_write import checked_data, edit, growing_option, new, say, tell_check

_COMMAND = TearlineGroup.command_class
_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


@click.group(cls=TearlineGroup)
def rules() -> None:
    """Write and check the sharing rules, and ask why an agency gets or does not get something.

    \b
    Examples:
      tearline rules new my-rules                     a folder to work in, from the rules that come with the software
      tearline rules edit my-rules                    change them; put in place only when they pass
      tearline rules say my-rules R09                 what a rule means, in one sentence
      tearline rules check my-rules
      tearline rules preview in-force my-rules        what changing the rules would do, proved
      tearline rules propose my-rules --officer officers/avery.json --out change.proposal
      tearline rules approve change.proposal --officer officers/blake.json
      tearline rules status --as chicago-pd           which release is in force, where
      tearline rules own show --as chicago-pd         what the agency keeps back by rules of its own
      tearline rules trial --as chicago-pd            what rules on trial would have done otherwise
      tearline rules explain 0193… springfield-mayor --as chicago-pd
      tearline rules explain bolo.json peoria-pd --rules policy/rules.example
    """


for _written in (new, edit, say, preview, history, status, own, trial, *RELEASE_COMMANDS):
    rules.add_command(_written)


@rules.command(cls=_COMMAND)
@click.argument("folder", type=_FOLDER)
@growing_option
@click.option("--json", "as_json", is_flag=True, help="Data for machines.")
def check(folder: Path, growing: bool, as_json: bool) -> None:
    """Read vocabulary.yaml, rules.yaml and agencies.yaml in FOLDER, run the cases, and prove what can be proved.

    Refused are a case that does not hold, a share, always or never rule that no case touches, and by proof
    a rule that never matches, adds nothing or is always blocked, an always that a rule it does not yield to can block.

    Exit status 1 when something is refused, 2 when a file cannot be read as rules.

    \b
    Example:
      tearline rules check policy/rules.example
    """
    from broker.officer.checking import check as check_rulebook

    found = check_rulebook(_load(folder), growing=growing)
    if as_json:
        json_data(checked_data(found))
    else:
        table(("", "case", ""), [(_state(one), one.name, one.detail) for one in found.cases])
    tell_check(found, faults=not as_json)
    if not found.passed:
        raise click.exceptions.Exit(FAILED)


def _state(case: Any) -> str:
    return "ok" if case.passed else "FAILED" if case.failed else "waits"


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
