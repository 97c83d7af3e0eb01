"""Where an officer's releases are: a folder with its root's fingerprint, or the run folder of a demo."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from broker.cli import access
from broker.cli.asking import Asking, passphrase_files
from broker.cli.errors import USAGE, Stop

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)

history_option = click.option(
    "--history",
    "histories",
    type=_FILE,
    multiple=True,
    help="Recorded portions to replay: what `tearline rules history` printed; as often as there are files.",
)
officer_option = click.option("--officer", type=_FILE, required=True, help="The officer's key file.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A folder of releases, and how its officer opens a key file."""

    store: Any
    asking: Asking
    demo: bool

    def officer(self, path: Path) -> Any:
        """Read an officer's keys; published example keys only at a demo's folder."""
        from broker.officer.signers import load_officer

        return load_officer(path, ask=self.asking, allow_example=self.demo)

    @staticmethod
    def recordings(paths: tuple[Path, ...]) -> list[Any]:
        from broker.officer.previewing import read_history

        return [read_history(path) for path in paths]


def at_releases(command: _Command) -> _Command:
    """Give a command the options that name its folder of releases, and a `Desk` as its first argument."""

    @click.option(
        "--releases",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        help="The hub's folder of releases.",
    )
    @click.option("--root", help="Fingerprint of the exchange's root; goes with --releases.")
    @click.option(
        "--run",
        envvar="TEARLINE_RUN",
        type=click.Path(path_type=Path),
        default=access.DEFAULT_RUN,
        show_default=True,
        help="Without --releases: the run folder of a demo.",
    )
    @passphrase_files
    @functools.wraps(command)
    def located(
        releases: Path | None, root: str | None, run: Path, passphrase_files: tuple[Path, ...], **options: Any
    ) -> Any:
        from broker.trust import TrustStore

        if (releases is None) != (root is None):
            raise Stop(USAGE, "--releases and --root go together")
        demo = releases is None
        folder = run / "releases" if releases is None else releases
        try:
            fingerprint = root or (run / "root.txt").read_text(encoding="ascii").strip()
        except OSError as error:
            raise Stop(USAGE, f"no demo runs in `{run}`: name --releases and --root") from error
        desk = Desk(store=TrustStore(folder, fingerprint), asking=Asking(passphrase_files), demo=demo)
        return command(desk, **options)

    return located  # type: ignore[return-value]
