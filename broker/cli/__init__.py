"""The `tearline` command line: options in, one call into a room, words to stderr, data to stdout.

Commands are imported when they are used: `up` starts some twenty processes, and each pays for what it imports.
"""

import importlib
from typing import Final

import click
from typing_extensions import override

from broker.cli.errors import TearlineGroup

# name -> (module, attribute, one line for the overview); the overview needs no import of the command itself.
COMMANDS: Final[dict[str, tuple[str, str, str]]] = {
    "demo": ("broker.cli.demo", "demo", "A whole exchange on this machine and a scenario that proves itself."),
    "up": ("broker.cli.run", "up", "Run hub, gateways and adapters of one exchange file."),
    "hub": ("broker.cli.run", "hub", "Run the hub: NATS accounts, streams, releases."),
    "gateway": ("broker.cli.run", "gateway", "Run one gateway."),
    "adapter": ("broker.cli.run", "adapter", "Run one adapter."),
    "publish": ("broker.cli.publish", "publish", "Submit a bulletin, or ask who would get it."),
    "rfi": ("broker.cli.publish", "rfi", "Ask the agencies that serve an area."),
    "respond": ("broker.cli.publish", "respond", "Answer a request for information."),
    "correct": ("broker.cli.publish", "correct", "Replace an own bulletin by a corrected one."),
    "recall": ("broker.cli.publish", "recall", "Withdraw an own bulletin everywhere."),
    "inbox": ("broker.cli.inbox", "inbox", "Read what the agency received."),
    "ack": ("broker.cli.inbox", "ack", "Record that a person read, acknowledged or acted."),
    "status": ("broker.cli.watch", "status", "What is late, for whom, since when."),
    "doctor": ("broker.cli.watch", "doctor", "Check this machine and this installation."),
    "rules": ("broker.cli.rules", "rules", "Check the sharing rules, explain a decision."),
    "keys": ("broker.cli.keys", "keys", "Make and show the keys of agencies and officers."),
    "agency": ("broker.cli.trust", "agency", "Add to and list the signed directory."),
    "token": ("broker.cli.trust", "token", "Make and revoke adapter tokens."),
    "bench": ("broker.cli.bench", "bench", "Measure: audience, seal, relay, idle, soak."),
}


class _Lazy(TearlineGroup):
    """Imports a command when it is asked for."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"`{module}.{attribute}` is not a command")
        return command

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, _, words) in COMMANDS.items()])


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="tearline", prog_name="tearline")
def main() -> None:
    """Tearline: intelligence sharing between agencies, decided by rules and sealed end to end.

    \b
    Try it:
      tearline demo                               an exchange of thirteen agencies on this machine
      tearline inbox --as springfield-pd          read what one of them received
      tearline publish bulletin.json --dry-run    who would get it, and why the others would not

    A gateway is found by --gateway and --token-file, by TEARLINE_GATEWAY and TEARLINE_TOKEN_FILE, or, for --as AGENCY,
    in the folder of a running demo. Words go to stderr and data to stdout; --json gives data to machines.

    Exit status: 0 ok, 1 a check failed, 2 usage, 3 refused by the rules, 4 unreachable.
    """
