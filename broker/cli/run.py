"""The processes: `up`, `hub`, `gateway`, `adapter`."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click

from broker.cli.errors import FAILED, Stop, TearlineGroup
from broker.cli.output import data, json_data, words

_CONFIG = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command(cls=TearlineGroup.command_class)
@click.argument("exchange", type=_CONFIG)
@click.option("--check", is_flag=True, help="Only read the files and say what would run.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per happening.")
def up(exchange: Path, check: bool, as_json: bool) -> None:
    """Run the hub, the gateways and the adapters that EXCHANGE names, until Ctrl-C.

    A process that crashes is started again (after 0.5 s, 1 s, 2 s … 30 s). Ctrl-C or SIGTERM ends them all within
    three seconds. Each process writes its log into the folder that the file names.

    \b
    Example:
      tearline up exchange.toml
      tearline up exchange.toml --check
    """
    from broker.ops.exchange import plan
    from broker.ops.up import Reporter, run_until_stopped

    made = plan(exchange, environ=os.environ)
    if check:
        if as_json:
            json_data([{"name": one.name, "command": list(one.command), "ready": one.ready} for one in made.children])
        else:
            for one in made.children:
                data(f"{one.name}: {' '.join(one.command)}")
        return
    reporter = Reporter(lambda happening: json_data(happening) if as_json else None, words)
    failure = asyncio.run(run_until_stopped(made, reporter))
    if failure is not None:
        raise Stop(FAILED, str(failure), {"ok": False, "code": failure.code, "detail": str(failure)})


@click.command(cls=TearlineGroup.command_class)
@click.argument("config", type=_CONFIG)
def hub(config: Path) -> None:
    """Run the hub: it renders the NATS accounts, makes streams and consumers and publishes releases.

    \b
    Example:
      tearline hub hub.toml
    """
    from broker.ops import hub as room

    _run(room.run(room.load_hub_settings(config, _own_environ())))


@click.command(cls=TearlineGroup.command_class)
@click.argument("config", type=_CONFIG)
def gateway(config: Path) -> None:
    """Run one gateway: the only process that holds an agency's keys.

    \b
    Example:
      tearline gateway springfield-pd.toml
    """
    from broker.gateway import service, settings

    _run(service.run(settings.load(config, _own_environ())))


@click.command(cls=TearlineGroup.command_class)
@click.argument("kind", type=click.Choice(["city-police", "state-police", "jttf", "fusion-center"]))
@click.argument("config", type=_CONFIG)
def adapter(kind: str, config: Path) -> None:
    """Run one adapter: foreign formats on one side, its gateway on the other.

    \b
    Example:
      tearline adapter city-police springfield-pd.toml
    """
    importlib.import_module(f"adapters.{kind.replace('-', '_')}").main(config)


def _run(service: Coroutine[Any, Any, None]) -> None:
    from broker.ops import log

    log.configure()
    if sys.platform == "linux":
        import uvloop

        uvloop.run(service)
    else:
        asyncio.run(service)


def _own_environ() -> dict[str, str]:
    from broker.ops.exchange import CLIENT_VARIABLES

    return {name: value for name, value in os.environ.items() if name not in CLIENT_VARIABLES}
