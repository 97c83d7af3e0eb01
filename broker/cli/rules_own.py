"""An agency's own rules: `rules own check`, `sign`, `install`, `show`; and `rules trial`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from adapters.client import GatewayClient
from broker.cli.access import with_gateway
from broker.cli.errors import FAILED, USAGE, Stop, TearlineGroup
from broker.cli.output import data, json_data, terminal_safe, words
from broker.cli.releases_at import Desk, at_releases, history_option, officer_option

_COMMAND = TearlineGroup.command_class
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
_JSON = click.option("--json", "as_json", is_flag=True, help="Data for machines.")


@click.group(cls=TearlineGroup)
def own() -> None:
    """Rules of one agency's own: never and require rules that narrow what that agency itself sends.

    \b
    Examples:
      tearline rules own check own-rules.yaml --agency peoria-pd --releases releases --root sha256:…
      tearline rules own sign own-rules.yaml --officer officers/pat.json --out own-1.cose --releases releases …
      tearline rules own install own-1.cose --as peoria-pd
      tearline rules own show --as peoria-pd
    """


@own.command(cls=_COMMAND)
@click.argument("file", type=_FILE)
@click.option("--agency", required=True, help="Whose rules they are.")
@history_option
@_JSON
@at_releases
def check(desk: Desk, file: Path, agency: str, histories: tuple[Path, ...], as_json: bool) -> None:
    """Read the own rules in FILE beside the exchange's newest rules; prove that they only narrow.

    Refused are rules that share, ids that do not begin with OWN-, never rules that could keep back what an always rule
    delivers, rules that can never match, a case that does not hold, and a rule that no case touches.

    Exit status 1 when something is refused, 2 when FILE cannot be read as rules.

    \b
    Example:
      tearline rules own check own-rules.yaml --agency chicago-pd --history portions.jsonl
    """
    from broker.officer import own_rules

    checked = own_rules.check(desk.store, _read(file), agency=agency, recordings=desk.recordings(histories))
    _tell(checked, as_json=as_json)
    if checked.faults:
        raise click.exceptions.Exit(FAILED)


@own.command(cls=_COMMAND)
@click.argument("file", type=_FILE, required=False)
@officer_option
@click.option("--withdraw", is_flag=True, help="Instead of FILE: the agency has no own rules any more.")
@click.option("--previous", type=_FILE, help="The signed own rules that these replace; none for the first.")
@history_option
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The signed file.")
@_JSON
@at_releases
def sign(
    desk: Desk,
    file: Path | None,
    officer: Path,
    withdraw: bool,
    previous: Path | None,
    histories: tuple[Path, ...],
    out: Path,
    as_json: bool,
) -> None:
    """Sign the own rules in FILE for the officer's agency: one signature is enough, for they only narrow.

    \b
    Examples:
      tearline rules own sign own-rules.yaml --officer officers/pat.json --out own-1.cose
      tearline rules own sign own-rules.yaml --officer officers/pat.json --previous own-1.cose --out own-2.cose
      tearline rules own sign --withdraw --officer officers/pat.json --previous own-2.cose --out own-3.cose
    """
    from broker.officer import own_rules
    from broker.ops.clock import now
    from broker.trust.files import create_private

    if (file is None) is not withdraw:
        raise Stop(USAGE, "give either a FILE of rules or --withdraw")
    signer = desk.officer(officer)
    before = None
    if previous is not None:
        before = own_rules.read(desk.store, previous.read_bytes(), agency=signer.agency).named
    document, signed, checked = own_rules.sign(
        desk.store,
        "" if file is None else _read(file),
        officer=signer,
        previous=before,
        recordings=desk.recordings(histories),
        now=now(),
    )
    create_private(out, document)
    if as_json:
        json_data({"file": str(out), "number": signed.number, "hash": signed.hash.hex(), "agency": signed.agency})
        return
    _tell(checked, as_json=False)
    words(f"signed as own rules {signed.number} of {signed.agency}: `tearline rules own install {out}`")


@own.command(cls=_COMMAND)
@click.argument("document", type=_FILE)
@with_gateway
async def install(client: GatewayClient, document: Path, as_json: bool) -> None:
    """Give the signed DOCUMENT to the agency's gateway: what it sends from then on is decided under it, too.

    The token needs the scope `rules`.

    \b
    Example:
      tearline rules own install own-1.cose --as chicago-pd
    """
    shown = await client.install_own_rules(_signed(document))
    if as_json:
        json_data(shown)
    else:
        words(f"own rules {shown['number']} of {shown['agency']} are in force: {', '.join(shown['rules']) or 'none'}")


@own.command(cls=_COMMAND)
@with_gateway
async def show(client: GatewayClient, as_json: bool) -> None:
    """Print the agency's own rules as they are in force, and say what their officer must mend.

    Exit status 1 when there is something to mend.

    \b
    Example:
      tearline rules own show --as chicago-pd
    """
    shown = await client.own_rules()
    if as_json:
        json_data(shown)
    elif not shown["number"]:
        words(f"{shown['agency']} has no own rules")
    else:
        if shown.get("text"):
            data(terminal_safe(shown["text"]).rstrip("\n"))
        words(f"own rules {shown['number']} of {shown['agency']}, signed by {shown.get('signer', 'nobody known')}")
        for line in _troubles(shown):
            words(line)
    if shown["troubles"]:
        raise click.exceptions.Exit(FAILED)


def _troubles(shown: dict[str, Any]) -> list[str]:
    """What is wrong, and what it does meanwhile."""
    said = {
        "own-rules-lost": "they are not readable at the gateway: only what always rules deliver goes out",
        "own-rules-expired": "they have expired, and go on holding back until they are signed anew or withdrawn",
        "own-rules-adapted": "words have changed since they were signed, so these forbid or oblige more than they say: "
        + ", ".join(shown.get("adapted", ())),
        "own-rules-block-always": "they do not hold for whom these always rules reach: "
        + ", ".join(sorted({one for always in shown.get("not_for_recipients_of", {}).values() for one in always})),
    }
    return [f"{code}: {said[code]}" for code in shown["troubles"]]


@click.command(cls=_COMMAND)
@with_gateway
async def trial(client: GatewayClient, as_json: bool) -> None:
    """Say what rules on trial would have done otherwise with what the agency sent; nothing goes out by them.

    \b
    Examples:
      tearline rules trial --as chicago-pd
      tearline rules trial --as chicago-pd --json
    """
    from broker.officer.preview_text import replay_lines

    shown = await client.trial()
    if as_json:
        json_data(shown)
        return
    if not shown["number"]:
        words("there is no trial")
        return
    state = "running" if shown["running"] else "over"
    data(f"trial {shown['number']}, {shown['started'][:10]} to {shown['ends'][:10]}, {state}")
    if not shown["portions"]:
        data("nothing was decided by it yet")
    else:
        for line in replay_lines(shown):
            data(terminal_safe(line))
    if shown["skipped"]:
        words(f"{shown['skipped']} bulletins were not decided by it: the gateway had more urgent work")


def _tell(checked: Any, *, as_json: bool) -> None:
    if as_json:
        faults = [
            {"code": one.code, "line": one.line, "rule": one.rule, "message": one.message} for one in checked.faults
        ]
        preview = {"sha256": checked.previewed.sha256, "document": checked.previewed.document}
        json_data({"ok": not checked.faults, "faults": faults, "preview": preview})
        return
    from broker.officer.preview_text import lines

    for line in lines(checked.previewed.document, checked.previewed.sha256):
        data(terminal_safe(line))
    for one in checked.faults:
        words(str(one))


def _signed(document: Path) -> bytes:
    try:
        return document.read_bytes()
    except OSError as error:
        raise Stop(USAGE, f"cannot read `{document}`: {error.strerror}") from error


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(USAGE, f"cannot read `{file}` as text") from error
