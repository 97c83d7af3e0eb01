"""`tearline demo`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from broker.cli.errors import FAILED, TearlineGroup
from broker.cli.output import data, json_data


@click.command(cls=TearlineGroup.command_class)
@click.option(
    "--run",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("run/demo"),
    show_default=True,
    help="Run folder; a former run in it is removed.",
)
@click.option("--once", is_flag=True, help="Stop after the verdict.")
@click.option(
    "--rules",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Play under the rules in this folder instead of policy/rules.example.",
)
@click.option("--json", "as_json", is_flag=True, help="The verdict for machines (schema in the README).")
def demo(folder: Path, once: bool, rules: Path | None, as_json: bool) -> None:
    """Start an exchange of thirteen agencies on this machine, play a scenario, and judge what happened.

    The verdict is computed from the signed receipts and the decrypted inboxes of every agency. Exit status 0 only when
    every expected delivery happened and nothing else did. Afterwards everything stays up until Ctrl-C.

    \b
    Examples:
      tearline demo
      tearline demo --once --json > verdict.json
      tearline demo --once --rules my-rules        what would these rules have done?
    """
    from broker.demo.run import Options, run_demo
    from broker.demo.show import Lines
    from broker.demo.verdict import Verdict

    def tell(verdict: Verdict) -> None:
        if as_json:
            json_data(verdict.as_json())
        else:
            data(verdict.sentence())

    verdict = asyncio.run(run_demo(Options(folder=folder, rules=rules, once=once), Lines(), tell))
    if verdict is None or not verdict.ok:
        raise click.exceptions.Exit(FAILED)
