"""`tearline demo`, from an empty folder to the verdict, as its own process with everything real in it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from broker.demo.ground import examples

TEARLINE = (sys.executable, "-m", "broker.cli")
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("TEARLINE_")}

pytestmark = pytest.mark.timeout(180)


def play(folder: Path, *options: str) -> tuple[int, dict, str]:
    done = subprocess.run(
        [*TEARLINE, "demo", "--once", "--json", "--run", str(folder), *options],
        capture_output=True,
        text=True,
        timeout=170,
        env=ENVIRON,
        check=False,
    )
    return done.returncode, json.loads(done.stdout), done.stderr


def processes_of(folder: Path) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(folder) in command:
                found.append(command)
    return found


def broken(folder: Path, name: str, old: str, new: str) -> Path:
    """The example rules with one thing changed."""
    _, rules = examples()
    folder.mkdir()
    for file in ("vocabulary.yaml", "rules.yaml", "agencies.yaml"):
        text = (rules / file).read_text(encoding="utf-8")
        if file == name:
            assert old in text
            text = text.replace(old, new)
        (folder / file).write_text(text, encoding="utf-8")
    return folder


def without_rule(folder: Path, rule: str) -> Path:
    made = broken(folder, "rules.yaml", "", "")
    text = (made / "rules.yaml").read_text(encoding="utf-8")
    start = text.index(f"- rule: {rule} ")
    end = text.index("- rule: ", start + 1)
    # The cases that stand with the rules would notice as well; here it is the verdict that must.
    kept = (text[:start] + text[end:]).partition("\ntests:")[0] + "\n"
    (made / "rules.yaml").write_text(kept.replace(f" {rule},", "").replace(f", {rule}]", "]"), encoding="utf-8")
    return made


def test_the_demo_ends_with_a_good_verdict_and_leaves_no_process(tmp_path: Path) -> None:
    status, verdict, words = play(tmp_path / "run")

    assert status == 0, words
    assert verdict["ok"]
    assert verdict["unexpected"] == []
    assert all(one["happened"] and one["latency_ms"] is not None for one in verdict["expected"])
    assert all(one["ok"] for one in verdict["invariants"].values())
    assert "withheld" in words
    assert "stored, signed" in words
    assert processes_of(tmp_path) == []


def test_without_r10_the_suspended_agency_gets_the_bolo_and_the_verdict_says_so(tmp_path: Path) -> None:
    status, verdict, _ = play(tmp_path / "run", "--rules", str(without_rule(tmp_path / "rules", "R10")))

    assert status == 1
    assert not verdict["ok"]
    assert "peoria-pd" in {one["agency"] for one in verdict["unexpected"]}
    assert not verdict["invariants"]["default deny"]["ok"]


@pytest.mark.long
def test_with_r16_widened_the_mayor_reads_the_full_text_and_the_verdict_says_so(tmp_path: Path) -> None:
    rules = broken(
        tmp_path / "rules",
        "rules.yaml",
        "when: {category: threat to a public official, version: tearline,",
        "when: {category: threat to a public official,",
    )
    _, reference = examples()
    assert (rules / "rules.yaml").read_text() != (reference / "rules.yaml").read_text()

    status, verdict, _ = play(tmp_path / "run", "--rules", str(rules))

    assert status == 1
    assert ("springfield-mayor", "full") in {(one["agency"], one["portion"]) for one in verdict["unexpected"]} or (
        not verdict["invariants"]["withheld with its reason"]["ok"]
    )


@pytest.mark.long
def test_ctrl_c_ends_everything_within_three_seconds_and_leaves_no_process(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*TEARLINE, "demo", "--run", str(tmp_path / "run")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=ENVIRON,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("GOOD")
        assert processes_of(tmp_path / "run" / "gateways")

        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        status = process.wait(timeout=10)
        took = time.monotonic() - began

        assert status == 0
        assert took < 3.0
        assert processes_of(tmp_path) == []
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_folder_with_something_else_in_it_is_never_removed(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("keep me")

    done = subprocess.run(
        [*TEARLINE, "demo", "--once", "--run", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        env=ENVIRON,
        check=False,
    )

    assert done.returncode == 2
    assert precious.read_text() == "keep me"
