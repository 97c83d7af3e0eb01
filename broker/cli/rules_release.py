"""From a changed folder to a release in force: `rules propose`, `approve`, `rollback`, `emergency`, `confirm`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from broker.cli.errors import TearlineGroup
from broker.cli.output import data, json_data, terminal_safe, words
from broker.cli.releases_at import Desk, at_releases, history_option, officer_option

_COMMAND = TearlineGroup.command_class
_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)
OUT = click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The proposal's file, made anew."
)
QUORUM = click.option(
    "--quorum",
    type=click.IntRange(1, 100),
    default=100,
    show_default=True,
    help="How many in a hundred of the gateways must be ready before it comes into force.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Data for machines.")


@click.command(cls=_COMMAND)
@click.argument("folder", type=_FOLDER)
@officer_option
@history_option
@QUORUM
@click.option("--floor", is_flag=True, help="Receivers shall refuse what was decided under older rules.")
@click.option("--trial", type=click.IntRange(1, 90), metavar="DAYS", help="Decide beside the rules in force, only.")
@OUT
@JSON
@at_releases
def propose(
    desk: Desk,
    folder: Path,
    officer: Path,
    histories: tuple[Path, ...],
    quorum: int,
    floor: bool,
    trial: int | None,
    out: Path,
    as_json: bool,
) -> None:
    """Preview the rules in FOLDER against the newest release, and sign them as their author.

    The file written is for another officer, of another agency, who approves it. Nothing is signed, and the exit status
    is 1, when a case fails or a proof holds something against the rules: `tearline rules preview` shows what.

    \b
    Examples:
      tearline rules propose my-rules --officer officers/avery.json --releases releases --root sha256:… \\
        --history chicago.jsonl --out change.proposal
      tearline rules propose my-rules --officer run/demo/keys/officers/officer-avery.json --out change.proposal
    """
    from broker.officer import desk as work
    from broker.officer.rulebook import read_texts

    texts = read_texts(folder)
    change = work.change_of_rules(
        desk.store,
        texts.vocabulary,
        texts.rules,
        recordings=desk.recordings(histories),
        quorum=quorum,
        raise_floor=floor,
        trial=None if trial is None else timedelta(days=trial),
    )
    propose_change(desk, change, officer, out, as_json=as_json)


@click.command(cls=_COMMAND)
@click.argument("proposal", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@officer_option
@history_option
@click.option("--accept", metavar="VERDICT", help="The verdict you approve; asked for on the terminal when left out.")
@JSON
@at_releases
def approve(
    desk: Desk, proposal: Path, officer: Path, histories: tuple[Path, ...], accept: str | None, as_json: bool
) -> None:
    """Look at a PROPOSAL, make its preview again, and sign it: it is then a release, and the hub takes it from here.

    The preview is made anew from the releases in this folder and compared with the one that the author signed; with
    the same --history files the replay is compared, too. You type the verdict that you approve.

    \b
    Examples:
      tearline rules approve change.proposal --officer officers/blake.json --releases releases --root sha256:…
      tearline rules approve change.proposal --officer run/demo/keys/officers/officer-blake.json --accept WIDENS
    """
    from broker.officer import approving
    from broker.officer.proposal import Proposal
    from broker.ops.clock import now

    proposed = Proposal.decode(proposal.read_bytes())
    recordings = desk.recordings(histories)
    examined = approving.examine(desk.store, proposed, recordings=recordings)
    if not as_json:
        _show(examined.preview, examined.preview_sha256)
        words(f"proposed by {', '.join(examined.release.signers)} as {examined.release.type} {examined.release.number}")
        if examined.preview["replay"] is not None and not examined.replayed:
            words("the replay is the author's: with the same --history files it would be compared")
    verdict = accept or click.prompt("Type the verdict to approve it", err=True)
    accepted = approving.approve(
        desk.store,
        proposed,
        approver=desk.officer(officer),
        verdict=verdict,
        recordings=recordings,
        now=now(),
    )
    _tell(accepted, as_json=as_json)


@click.command(cls=_COMMAND)
@click.argument("number", type=click.IntRange(1))
@officer_option
@history_option
@QUORUM
@click.option("--directory", is_flag=True, help="Go back to an earlier directory, not to earlier rules.")
@OUT
@JSON
@at_releases
def rollback(
    desk: Desk,
    number: int,
    officer: Path,
    histories: tuple[Path, ...],
    quorum: int,
    directory: bool,
    out: Path,
    as_json: bool,
) -> None:
    """Propose the files of release NUMBER as the next release. Previewed and approved like any change.

    \b
    Example:
      tearline rules rollback 41 --officer officers/avery.json --releases releases --root sha256:… --out back.proposal
    """
    from broker.officer import desk as work

    change = work.rollback(
        desk.store,
        "directory" if directory else "rules",
        number,
        recordings=desk.recordings(histories),
        quorum=quorum,
    )
    propose_change(desk, change, officer, out, as_json=as_json)


@click.command(cls=_COMMAND)
@click.argument("folder", type=_FOLDER)
@officer_option
@history_option
@click.option(
    "--basis",
    type=click.IntRange(1),
    metavar="NUMBER",
    help="The rules in force, by `tearline rules status`, when newer ones still wait to come into force.",
)
@JSON
@at_releases
def emergency(
    desk: Desk, folder: Path, officer: Path, histories: tuple[Path, ...], basis: int | None, as_json: bool
) -> None:
    """Put the never rules that FOLDER adds in force at once, with one signature, for a day.

    Nothing else in the folder may differ from the newest rules, or from those that --basis names. It is proved to only
    narrow and to hold back nobody whom an `always` rule must reach, and lapses after 24 hours unless another officer
    says `tearline rules confirm`.

    \b
    Example:
      tearline rules emergency my-rules --officer officers/avery.json --releases releases --root sha256:…
    """
    from broker.officer import desk as work
    from broker.officer.rulebook import read_texts
    from broker.ops.clock import now

    texts = read_texts(folder)
    previewed, accepted = work.emergency(
        desk.store,
        texts.vocabulary,
        texts.rules,
        author=desk.officer(officer),
        basis=basis,
        recordings=desk.recordings(histories),
        now=now(),
    )
    if not as_json:
        _show(previewed.document, previewed.sha256)
        words("it lapses in 24 hours unless an officer of another agency confirms it")
    _tell(accepted, as_json=as_json)


@click.command(cls=_COMMAND)
@click.argument("number", type=click.IntRange(1))
@officer_option
@JSON
@at_releases
def confirm(desk: Desk, number: int, officer: Path, as_json: bool) -> None:
    """Sign emergency NUMBER as its second officer, so that it does not lapse.

    \b
    Example:
      tearline rules confirm 42 --officer officers/blake.json --releases releases --root sha256:…
    """
    from broker.officer import proposal
    from broker.ops.clock import now

    accepted = proposal.confirm(number, store=desk.store, approver=desk.officer(officer), now=now())
    _tell(accepted, as_json=as_json)


def propose_change(desk: Desk, change: Any, officer: Path, out: Path, *, as_json: bool) -> None:
    """Show a change's preview, sign it as its author, and write the proposal's file."""
    from broker.officer import desk as work
    from broker.ops.clock import now
    from broker.trust.files import create_private

    proposed = work.propose(desk.store, change, author=desk.officer(officer), now=now())
    create_private(out, proposed.encode())
    if as_json:
        json_data({"proposal": str(out), "preview": change.previewed.document, "sha256": change.previewed.sha256})
    else:
        _show(change.previewed.document, change.previewed.sha256)
        words(f"proposed in {out}: an officer of another agency approves it with `tearline rules approve {out}`")


def _show(document: Mapping[str, Any], sha256: str) -> None:
    from broker.officer.preview_text import lines

    for line in lines(document, sha256):
        data(terminal_safe(line))
    failing = sum(bool(case["failure"]) for case in document["cases"])
    if failing:
        words(f"{failing} cases fail under it, and the release names them: gateways are ready for it all the same")


def _tell(accepted: Any, *, as_json: bool) -> None:
    if as_json:
        json_data({"type": accepted.type, "number": accepted.number, "hash": accepted.hash.hex()})
    elif accepted.type == "trial":
        words(f"trial {accepted.number} is released and delivers nothing: `tearline rules trial` shows its figures")
    else:
        words(f"{accepted.type} {accepted.number} is released: `tearline rules status` shows where it is in force")


COMMANDS = (propose, approve, rollback, emergency, confirm)
