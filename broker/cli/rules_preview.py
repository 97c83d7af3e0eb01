"""What a change of the rules would do: `rules preview`, and `rules history` for what it is tried on."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from broker.cli import access
from broker.cli.errors import FAILED, USAGE, Stop, TearlineGroup
from broker.cli.output import data, terminal_safe, words

if TYPE_CHECKING:
    from adapters.client import GatewayClient
    from broker.officer.previewing import Previewed

_COMMAND = TearlineGroup.command_class
_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)
_FILE = click.Path(path_type=Path, dir_okay=False)
_PAGE = 500


def _moment(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    """A moment with its time zone, in UTC; a date alone is no moment."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = datetime.min  # noqa: DTZ901 - refused below, like every other time without a zone
    if moment.tzinfo is None:
        raise click.BadParameter("write a moment with its time zone, for example 2026-11-20T12:00:00Z")
    return moment.astimezone(UTC)


@click.command(cls=_COMMAND, name="preview")
@click.argument("before", type=_FOLDER)
@click.argument("after", type=_FOLDER)
@click.option(
    "--history", "histories", type=_FILE, multiple=True, help="Recorded portions (`rules history`); more than once."
)
@click.option(
    "--at",
    "until",
    metavar="TIME",
    callback=_moment,
    help="End of the thirty days that are replayed; by default the newest recorded portion.",
)
@click.option("--html", "report", type=_FILE, help="Write the report to this file.")
@click.option("--json", "as_json", is_flag=True, help="The canonical JSON that is signed, and nothing else.")
def preview(
    before: Path, after: Path, histories: tuple[Path, ...], until: datetime | None, report: Path | None, as_json: bool
) -> None:
    """Show what changing the rules of folder BEFORE to those of folder AFTER would do.

    The verdict comes first and is proved for every possible bulletin and agency: SAME, NARROWS, WIDENS, or WIDENS AND
    NARROWS, and whether duties are LOOSENED or TIGHTENED. With --history the bulletins of the last thirty days are
    decided under both.

    Exit status 0 whatever the verdict, 1 when a case fails or a fault of the new rules is proved, 2 when a file cannot
    be read.

    \b
    Examples:
      tearline rules preview in-force my-rules --history portions.jsonl
      tearline rules preview in-force my-rules --html preview.html
    """
    from broker.officer import preview_text, previewing

    try:
        made = previewing.make(
            previewing.of_folder(before),
            previewing.of_folder(after),
            recordings=[previewing.read_history(path) for path in histories],
            until=until,
        )
    except OSError as error:
        raise Stop(USAGE, f"cannot read `{error.filename}`: {error.strerror}") from error
    if report is not None:
        _write_report(report, made)
    if as_json:
        _write_exactly(made.raw)
    else:
        for line in preview_text.lines(made.document, made.sha256):
            data(terminal_safe(line))
    if not made.preview.passed:
        raise click.exceptions.Exit(FAILED)


def _write_exactly(raw: bytes) -> None:
    """To a pipe the very bytes that are signed, so that `sha256sum` says their hash."""
    sys.stdout.buffer.write(raw + (b"\n" if sys.stdout.isatty() else b""))
    sys.stdout.flush()


def _write_report(path: Path, made: Previewed) -> None:
    from broker.officer import preview_html

    try:
        path.write_text(preview_html.page(made.document, made.sha256), encoding="utf-8")
    except OSError as error:
        raise Stop(USAGE, f"cannot write `{path}`: {error.strerror}") from error
    words(f"the report is in {path}")


@click.command(cls=_COMMAND, name="history")
@click.option("--days", type=click.IntRange(1, 30), default=30, show_default=True, help="How far back.")
@access.with_gateway
async def history(client: GatewayClient, days: int, as_json: bool) -> None:
    """Print what the rules saw of each portion that the agency submitted, one JSON object on a line.

    It is what `rules preview --history` replays: markings and other attributes (the protected person and the named
    agencies among them), never the text. Each agency exports its own.

    \b
    Example:
      tearline rules history --as chicago-pd > portions.jsonl
    """
    from broker.model import canonical_json
    from broker.ops.clock import now
    from policy.history import moment_text

    del as_json  # what is printed is data for machines in any case
    since = moment_text(now() - timedelta(days=days))
    cursor: str | None = None
    portions = unreadable = 0
    while True:
        page = await client.rules_history(since=since, limit=_PAGE, cursor=cursor)
        for item in page["items"]:
            data(canonical_json(item).decode())
        portions += len(page["items"])
        unreadable += int(page["unreadable"])
        cursor = page["next_cursor"]
        if cursor is None:
            break
    words(f"{portions} portions of the last {days} days")
    if unreadable:
        words(f"{unreadable} submission{'' if unreadable == 1 else 's'} cannot be read any more: the retention is over")
