"""Passphrases: asked for on a terminal or read from private files, never shown and never an argument."""

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from broker.trust import load_officer_keys
from tests.cli.command import CLEAN, tearline

PASSPHRASE = "correct horse battery staple"
OTHER = "another passphrase"
NEW = ("keys", "new", "il-fusion", "--officer", "blake", "--folder")


def secret(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text + "\n")
    return path


# The first terminal that a process without one opens, as the leader of its session, becomes its own.
ON_A_TERMINAL = (
    "import os, sys; os.open(sys.argv[1], os.O_RDWR); os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
)


def typed(answers: list[str], *arguments: str | Path) -> tuple[int, str]:
    """Run `tearline` on a terminal of its own and type an answer at every question; returns status and screen."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL, os.ttyname(theirs), "-m", "broker.cli", *map(str, arguments)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**CLEAN, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    os.close(theirs)
    screen, left, asked = b"", list(answers), 0
    while select.select([ours], [], [], 60)[0]:
        try:
            screen += os.read(ours, 4096)
        except OSError:  # the child is gone and so is its terminal
            break
        if left and screen.count(b": ") > asked and screen.endswith(b": "):
            asked = screen.count(b": ")
            os.write(ours, left.pop(0).encode() + b"\n")
    os.close(ours)
    return child.wait(timeout=60), screen.decode()


def test_a_new_passphrase_is_typed_twice_and_never_shown(tmp_path) -> None:
    status, screen = typed([PASSPHRASE, PASSPHRASE], *NEW, tmp_path)

    assert status == 0, screen
    assert screen.count("new passphrase of blake") == 2
    assert PASSPHRASE not in screen
    assert load_officer_keys(tmp_path / "blake.json", ask=lambda _: PASSPHRASE).person == "blake"


def test_two_that_differ_make_no_file(tmp_path) -> None:
    status, screen = typed([PASSPHRASE, OTHER], *NEW, tmp_path)

    assert status == 2
    assert "differ" in screen
    assert list(tmp_path.iterdir()) == []


def test_without_a_terminal_and_a_file_nobody_is_asked(tmp_path) -> None:
    refused = tearline(*NEW, tmp_path / "officers", stdin=PASSPHRASE + "\n", session=True)

    assert refused.status == 2
    assert "--passphrase-file" in refused.words
    assert not (tmp_path / "officers" / "blake.json").exists()


def test_a_passphrase_is_changed_by_files_from_the_environment(tmp_path) -> None:
    old, new = secret(tmp_path / "old", PASSPHRASE), secret(tmp_path / "new", OTHER)
    assert tearline(*NEW, tmp_path, env={"TEARLINE_PASSPHRASE_FILE": str(old)}).status == 0

    wrong = tearline("keys", "passphrase", tmp_path / "blake.json", "--passphrase-file", new, "--passphrase-file", new)
    right = tearline("keys", "passphrase", tmp_path / "blake.json", env={"TEARLINE_PASSPHRASE_FILE": f"{old}:{new}"})

    assert (wrong.status, right.status) == (2, 0)
    assert load_officer_keys(tmp_path / "blake.json", ask=lambda _: OTHER).person == "blake"
    assert not [word for word in (PASSPHRASE, OTHER) for done in (wrong, right) if word in done.out + done.words]


@pytest.mark.parametrize("text", ["", "short", " " * 12])
def test_a_weak_passphrase_makes_no_file(text: str, tmp_path) -> None:
    refused = tearline(*NEW, tmp_path / "officers", "--passphrase-file", secret(tmp_path / "weak", text), "--json")

    assert (refused.status, refused.json()["code"]) == (2, "weak-passphrase")
    assert not (tmp_path / "officers" / "blake.json").exists()


def test_a_passphrase_file_that_others_can_read_is_refused(tmp_path) -> None:
    known = secret(tmp_path / "known", PASSPHRASE)
    known.chmod(0o644)

    refused = tearline(*NEW, tmp_path / "officers", "--passphrase-file", known, "--json")

    assert (refused.status, refused.json()["code"]) == (2, "keys-too-open")


def test_what_an_officers_file_says_openly_is_shown_without_asking(tmp_path) -> None:
    made = tearline(*NEW, tmp_path, "--passphrase-file", secret(tmp_path / "known", PASSPHRASE))
    shown = tearline("keys", "show", tmp_path / "blake.json", session=True)

    assert made.status == 0
    assert (shown.status, shown.json()["person"], len(shown.json()["signing"])) == (0, "blake", 2)
