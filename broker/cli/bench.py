"""`tearline bench`: the measurements of `bench/`, which stand in the source tree beside the code they measure."""

from __future__ import annotations

import importlib
from typing import Any

import click

from broker.cli.errors import FAILED, USAGE, Stop, TearlineGroup
from broker.cli.output import json_data, table, words

_COMMAND = TearlineGroup.command_class


def _measure(name: str, *, as_json: bool, **options: Any) -> dict[str, Any]:
    try:
        module = importlib.import_module(f"bench.{name}")
    except ModuleNotFoundError as error:
        if error.name not in ("bench", f"bench.{name}"):
            raise
        raise Stop(
            USAGE, "the measurements are part of the source tree: run this in a clone of the repository"
        ) from error
    result: dict[str, Any] = module.run(**options)
    if as_json:
        json_data(result)
    else:
        table(("figure", "value"), _rows(result))
    return result


def _rows(value: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, one in value.items():
        if isinstance(one, dict):
            rows += _rows(one, f"{prefix}{name}.")
        else:
            rows.append((prefix + name, f"{one:.3f}" if isinstance(one, float) else str(one)))
    return rows


@click.group(cls=TearlineGroup)
def bench() -> None:
    """Measure this machine; every figure names what it measures, --json gives it to machines.

    \b
    Examples:
      tearline bench audience
      tearline bench relay --json
    """


_JSON = click.option("--json", "as_json", is_flag=True, help="Data for machines.")


_SECONDS = click.option(
    "--seconds", type=click.FloatRange(0.1, 3600), default=5, show_default=True, help="How long to measure."
)


@bench.command(cls=_COMMAND)
@_SECONDS
@_JSON
def audience(seconds: float, as_json: bool) -> None:
    """Decide one bulletin over 18,000 agencies and 200 rules."""
    words("building an exchange of 18,000 agencies and 200 rules ...")
    _measure("audience", as_json=as_json, seconds=seconds)


@bench.command(cls=_COMMAND)
@click.option("--agencies", type=click.IntRange(300, 18_000), default=18_000, show_default=True)
@click.option("--rules", "count", type=click.IntRange(20, 200), default=200, show_default=True)
@click.option(
    "--portions", type=click.IntRange(10, 100_000), default=500, show_default=True, help="Portions to decide."
)
@click.option("--passes", type=click.IntRange(1, 100), default=5, show_default=True, help="Runs of each portion.")
@click.option(
    "--half-filled", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Share of half-filled records."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, another country.")
@click.option("--days", type=click.IntRange(1, 30), default=30, show_default=True, help="Days of bulletins to replay.")
@_JSON
def rules(
    agencies: int, count: int, portions: int, passes: int, half_filled: float, seed: int, days: int, as_json: bool
) -> None:
    """Decide, compile, prove and replay on a national directory, beside Cedar on the same rules.

    Fails when Cedar decides anything otherwise. Without cedarpy (the extra `bench`) the rest is measured.
    """
    result = _measure(
        "rules",
        as_json=as_json,
        agencies=agencies,
        rules=count,
        portions=portions,
        passes=passes,
        half_filled=half_filled,
        seed=seed,
        days=days,
        say=words,
    )
    if result["cedar"]["mismatches"]:
        raise Stop(FAILED, f"Cedar decides {result['cedar']['mismatches']} of {result['cedar']['compared']} otherwise")


@bench.command(cls=_COMMAND)
@click.option("--rounds", type=click.IntRange(1, 100), default=5, show_default=True)
@_JSON
def release(rounds: int, as_json: bool) -> None:
    """From the second signature on a release to in force at five gateways; going back, and an emergency."""
    _measure("release", as_json=as_json, rounds=rounds, say=words)


@bench.command(cls=_COMMAND)
@_SECONDS
@_JSON
def seal(seconds: float, as_json: bool) -> None:
    """Seal and unseal for 4, 50 and 500 recipients."""
    _measure("seal", as_json=as_json, seconds=seconds)


@bench.command(cls=_COMMAND)
@click.option("--size", type=click.IntRange(64, 400_000), default=2048, show_default=True, help="Bytes of content.")
@click.option("--rate", type=click.FloatRange(1, 500), default=20, show_default=True, help="Bulletins a second.")
@click.option("--count", type=click.IntRange(10, 100_000), default=300, show_default=True)
@_JSON
def relay(size: int, rate: float, count: int, as_json: bool) -> None:
    """Submit to readable in the recipients' inboxes, against raw NATS of the same bytes on the same server."""
    _measure("relay", as_json=as_json, size=size, rate=rate, count=count, say=words)


@bench.command(cls=_COMMAND)
@click.option("--seconds", type=click.IntRange(5, 3600), default=30, show_default=True)
@_JSON
def idle(seconds: int, as_json: bool) -> None:
    """Memory and processor time of a gateway that has nothing to do."""
    _measure("idle", as_json=as_json, seconds=seconds, say=words)


@bench.command(cls=_COMMAND)
@click.option("--minutes", type=click.FloatRange(0.1, 600), default=10, show_default=True)
@click.option("--rate", type=click.FloatRange(1, 500), default=60, show_default=True, help="Bulletins a second.")
@_JSON
def soak(minutes: float, rate: float, as_json: bool) -> None:
    """Steady load for minutes: is memory flat, is anything lost or late?"""
    _measure("soak", as_json=as_json, minutes=minutes, rate=rate, say=words)
