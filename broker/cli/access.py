"""Which gateway a command talks to, and as which agency.

Found, in this order: the options; `TEARLINE_GATEWAY` and `TEARLINE_TOKEN_FILE`; the folder of a running demo or
exchange (`--run`, default `run/demo`), whose `agencies.json` names a gateway and a token file for each agency.
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import click

from adapters.client import GatewayClient, Retry, read_token
from broker.cli.errors import USAGE, Stop

DEFAULT_RUN: Final = Path("run/demo")
AGENCIES_FILE: Final = "agencies.json"

# A person waits at a prompt: three tries within a second or two, then the truth.
_PATIENCE: Final = Retry(attempts=3, first_seconds=0.2, most_seconds=1.0)

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A gateway and the token file that opens it."""

    gateway: str
    token_file: Path
    ca_file: Path | None = None

    def client(self) -> GatewayClient:
        """A client, not yet open."""
        return GatewayClient(self.gateway, read_token(self.token_file), ca_file=self.ca_file, retry=_PATIENCE)


def find(
    *, gateway: str | None, token_file: Path | None, ca_file: Path | None, agency: str | None, run: Path
) -> Access:
    """The access that options, environment and run folder give.

    Raises:
        Stop: status 2 with what is missing.
    """
    if agency is None and gateway and token_file:
        return Access(gateway=gateway, token_file=token_file, ca_file=ca_file)
    index = run / AGENCIES_FILE
    if not index.exists():
        raise Stop(
            USAGE,
            "which gateway? give --gateway URL and --token-file FILE (or TEARLINE_GATEWAY and TEARLINE_TOKEN_FILE), "
            f"or start `tearline demo`, which leaves its addresses in `{run}`",
        )
    agencies = json.loads(index.read_text(encoding="utf-8"))
    if agency is None:
        raise Stop(USAGE, "which agency? give --as with one of: " + ", ".join(sorted(agencies)))
    if agency not in agencies:
        raise Stop(USAGE, f"`{agency}` is none of: " + ", ".join(sorted(agencies)))
    row = agencies[agency]
    return Access(gateway=row["gateway"], token_file=run / row["token_file"], ca_file=ca_file)


_OPTIONS: Final = (
    click.option("--gateway", envvar="TEARLINE_GATEWAY", metavar="URL", help="The agency's gateway."),
    click.option(
        "--token-file",
        envvar="TEARLINE_TOKEN_FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        help="File with the adapter token, mode 0600.",
    ),
    click.option(
        "--ca-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Certificates to trust instead of the system's.",
    ),
    click.option(
        "--as", "agency", envvar="TEARLINE_AGENCY", metavar="AGENCY", help="Act as this agency of a running demo."
    ),
    click.option(
        "--run",
        envvar="TEARLINE_RUN",
        type=click.Path(path_type=Path, file_okay=False),
        default=DEFAULT_RUN,
        show_default=True,
        help="Run folder of the demo.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Data for machines."),
)


def with_gateway(
    command: Callable[Concatenate[GatewayClient, P], Awaitable[T]],
) -> Callable[P, T]:
    """Give a command the options that find a gateway, and call it with an open client."""

    @functools.wraps(command)
    def wrapped(*arguments: P.args, **options: P.kwargs) -> T:
        chosen: dict[str, Any] = {
            name: options.pop(name) for name in ("gateway", "token_file", "ca_file", "agency", "run")
        }
        access = find(**chosen)

        async def call() -> T:
            async with access.client() as client:
                return await command(client, *arguments, **options)

        return asyncio.run(call())

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
