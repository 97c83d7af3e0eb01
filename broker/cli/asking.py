"""Secrets asked for: on the terminal, never echoed, or read from private files for machines. Never an argument."""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from broker.cli.errors import USAGE, Stop
from broker.trust.files import read_private

_MAX_SECRET: Final = 4096
_TERMINAL: Final = "/dev/tty"

#: An officer's passphrases and PINs for machines: a command with two officers asks twice.
passphrase_files = click.option(
    "--passphrase-file",
    "passphrase_files",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    multiple=True,
    envvar="TEARLINE_PASSPHRASE_FILE",
    help="A file of mode 0600 that answers the next question for a passphrase or PIN; as often as there are questions.",
)


class Asking:
    """Answers each question once: from the next file while there is one, then from the person at the terminal."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = list(files)

    def __call__(self, what: str) -> str:
        """Return the secret of `what`.

        Raises:
            Stop: there is neither a file nor a terminal.
            TrustError: others can read the file.
        """
        if self._files:
            return _from_file(self._files.pop(0))
        _require_terminal(what)
        return getpass.getpass(f"{what}: ")

    def new(self, what: str) -> str:
        """Return a secret that is chosen now; on the terminal it is typed twice.

        Raises:
            Stop: as above, or the two differ.
        """
        if self._files:
            return self(what)
        first = self(what)
        if first != self(f"{what}, again"):
            raise Stop(USAGE, "the two differ; nothing was changed")
        return first


def _from_file(path: Path) -> str:
    try:
        text = read_private(path, limit=_MAX_SECRET).decode()
    except UnicodeDecodeError:
        raise Stop(USAGE, f"`{path}` is not text") from None
    # An editor ends the line; it is not part of what a person would type.
    return text.removesuffix("\n").removesuffix("\r")


def _require_terminal(what: str) -> None:
    try:
        os.close(os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY))
    except OSError:
        raise Stop(USAGE, f"no terminal to ask for the {what}: give --passphrase-file") from None
