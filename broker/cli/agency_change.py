"""Changes of the directory as proposals: `agency suspend`, `resume`, `change`, `keys`, `remove`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from broker.cli.errors import TearlineGroup
from broker.cli.releases_at import Desk, at_releases, history_option, officer_option
from broker.cli.rules_release import JSON, OUT, QUORUM, propose_change

_COMMAND = TearlineGroup.command_class
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
_Changed = Callable[[Any], Any]
_Command = TypeVar("_Command", bound=Callable[..., Any])


def proposal(command: _Command) -> _Command:
    """Give a command what every proposal of a directory takes, and the desk as its first argument."""
    for option in (at_releases, JSON, OUT, QUORUM, history_option, officer_option):
        command = option(command)
    return command


def _propose(desk: Desk, changed: _Changed, options: dict[str, Any]) -> None:
    """Preview the directory that `changed` makes of the newest one, and sign it as its author."""
    from broker.officer import desk as work
    from broker.officer import membership

    members = changed(membership.members_of(desk.store.staged_directory))
    change = work.change_of_members(
        desk.store, members, recordings=desk.recordings(options["histories"]), quorum=options["quorum"]
    )
    propose_change(desk, change, options["officer"], options["out"], as_json=options["as_json"])


@click.command(cls=_COMMAND)
@click.argument("agency")
@proposal
def suspend(desk: Desk, agency: str, **options: Any) -> None:
    """Propose that AGENCY is suspended: the rules then hold back what they hold back from the suspended.

    With --history the preview says what that would have stopped last month.

    \b
    Example:
      tearline agency suspend peoria-pd --officer officers/avery.json --releases releases --root sha256:… \\
        --history state.jsonl --out suspend.proposal
    """
    from broker.officer import membership

    _propose(desk, lambda members: membership.suspended(members, agency), options)


@click.command(cls=_COMMAND)
@click.argument("agency")
@proposal
def resume(desk: Desk, agency: str, **options: Any) -> None:
    """Propose that the suspension of AGENCY ends.

    \b
    Example:
      tearline agency resume peoria-pd --officer officers/avery.json --releases releases --root sha256:… \\
        --out resume.proposal
    """
    from broker.officer import membership

    _propose(desk, lambda members: membership.resumed(members, agency), options)


@click.command(cls=_COMMAND)
@click.argument("agency")
@proposal
def remove(desk: Desk, agency: str, **options: Any) -> None:
    """Propose that AGENCY is revoked: it gets nothing more and nothing it signs is believed. It stays listed.

    \b
    Example:
      tearline agency remove peoria-pd --officer officers/avery.json --releases releases --root sha256:… \\
        --out remove.proposal
    """
    from broker.officer import membership

    _propose(desk, lambda members: membership.removed(members, agency), options)


@click.command(cls=_COMMAND)
@click.argument("agency")
@click.option("--attributes", type=_FILE, required=True, help="agencies.yaml with what the officers vouch for.")
@proposal
def change(desk: Desk, agency: str, attributes: Path, **options: Any) -> None:
    """Propose other attributes of AGENCY: kind, area served, agreements, clearances, as a file states them.

    \b
    Example:
      tearline agency change lake-sheriff --attributes agencies.yaml --officer officers/avery.json \\
        --releases releases --root sha256:… --out change.proposal
    """
    from broker.officer import authority, membership

    known = authority.attributes_of(desk.store, attributes, agency)
    _propose(desk, lambda members: membership.with_attributes(members, agency, known), options)


@click.command(cls=_COMMAND)
@click.argument("entry", type=_FILE)
@proposal
def keys(desk: Desk, entry: Path, **options: Any) -> None:
    """Propose the new keys and contacts that ENTRY announces for a member; its attributes stay.

    ENTRY is what `tearline keys show --gateway-key` printed at the agency after it made new keys.

    \b
    Example:
      tearline agency keys peoria-pd.entry.json --officer officers/avery.json --releases releases --root sha256:… \\
        --out keys.proposal
    """
    from broker.officer import membership
    from broker.trust import read_public_entry

    announced, nkey = read_public_entry(entry.read_bytes(), {})
    _propose(desk, lambda members: membership.with_keys(members, announced, nkey), options)


COMMANDS = (suspend, resume, remove, change, keys)
