"""`tearline rules propose, approve, rollback, emergency, confirm` and `agency suspend`, as officers type them."""

import json
import shutil
from pathlib import Path

import pytest

from broker.demo.ground import examples, prepare
from broker.ops.clock import now
from broker.trust import TrustStore
from tests.cli.command import tearline

RULES = examples()[1]
NEVER = """- rule: E01 Nothing on cyber to the county sheriffs
  effect: never
  when: {category: cyber}
  to:
  - kind: county sheriff
  because: order of the duty officer

# Locked section"""


@pytest.fixture(scope="module")
def founded(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exchange") / "run"
    prepare(folder, keys=examples()[0], rules=RULES, now=now(), adapters=False)
    return folder


@pytest.fixture
def run(founded, tmp_path) -> Path:
    """The run folder of a demo, as its officers find it; a copy, so that each test has its own chain."""
    return Path(shutil.copytree(founded, tmp_path / "run"))


def officer(run: Path, name: str) -> tuple[str, ...]:
    return "--run", str(run), "--officer", str(run / "keys" / "officers" / f"officer-{name}.json")


def edited(tmp_path: Path, old: str, new: str) -> Path:
    folder = Path(shutil.copytree(RULES, tmp_path / "my-rules", dirs_exist_ok=True))
    text = (folder / "rules.yaml").read_text(encoding="utf-8")
    assert text.count(old) == 1
    (folder / "rules.yaml").write_text(text.replace(old, new), encoding="utf-8")
    return folder


def newest(run: Path) -> TrustStore:
    return TrustStore(run / "releases", (run / "root.txt").read_text().strip())


def test_two_officers_release_a_change(run, tmp_path) -> None:
    folder = edited(tmp_path, "acknowledge within: 30 minutes", "acknowledge within: 4 hours")
    made = tearline("rules", "propose", folder, *officer(run, "avery"), "--out", tmp_path / "c.proposal")
    assert made.status == 0
    assert made.out.startswith("SAME; duties LOOSENED (proved)")

    done = tearline("rules", "approve", tmp_path / "c.proposal", *officer(run, "blake"), "--accept", "SAME")
    assert done.status == 0
    assert done.out.startswith("SAME; duties LOOSENED (proved)")
    assert newest(run).staged_rules.number == 2


def test_what_an_approver_is_told(run, tmp_path) -> None:
    folder = edited(tmp_path, "acknowledge within: 30 minutes", "acknowledge within: 4 hours")
    tearline("rules", "propose", folder, *officer(run, "avery"), "--out", tmp_path / "c.proposal")
    for name, verdict, status, code in (("avery", "SAME", 2, "own-proposal"), ("blake", "WIDENS", 1, "other-verdict")):
        told = tearline(
            *("rules", "approve", tmp_path / "c.proposal", *officer(run, name), "--accept", verdict, "--json")
        )
        assert (told.status, told.json()["code"]) == (status, code)
    assert newest(run).staged_rules.number == 1


def test_a_proposal_is_private_and_never_overwritten(run, tmp_path) -> None:
    folder = edited(tmp_path, "acknowledge within: 30 minutes", "acknowledge within: 4 hours")
    out = tmp_path / "c.proposal"
    assert tearline("rules", "propose", folder, *officer(run, "avery"), "--out", out, "--json").json()["sha256"]
    before = out.read_bytes()
    assert out.stat().st_mode & 0o777 == 0o600
    assert tearline("rules", "propose", folder, *officer(run, "blake"), "--out", out).status == 2
    assert out.read_bytes() == before


def test_nothing_is_signed_that_a_proof_stands_against(run, tmp_path) -> None:
    never = NEVER.replace("{category: cyber}", "anything").replace("kind: county sheriff", "kind: fusion center")
    folder = edited(tmp_path, "# Locked section", never)
    done = tearline("rules", "propose", folder, *officer(run, "avery"), "--out", tmp_path / "c.proposal", "--json")
    assert (done.status, done.json()["code"]) == (1, "does-not-pass")
    assert not (tmp_path / "c.proposal").exists()


def test_an_emergency_is_one_officers_and_confirmed_by_another(run, tmp_path) -> None:
    folder = edited(tmp_path, "# Locked section", NEVER)
    done = tearline("rules", "emergency", folder, *officer(run, "avery"))
    assert done.status == 0
    assert done.out.startswith("NARROWS (proved)")
    assert not newest(run).staged("rules").confirmed
    assert tearline("rules", "confirm", 2, *officer(run, "avery")).status == 2
    assert tearline("rules", "confirm", 2, *officer(run, "blake")).status == 0
    assert newest(run).staged("rules").confirmed


def test_going_back_and_suspending_are_proposals_too(run, tmp_path) -> None:
    folder = edited(tmp_path, "# Locked section", NEVER)
    assert tearline("rules", "emergency", folder, *officer(run, "avery")).status == 0
    back = tearline("rules", "rollback", 1, *officer(run, "casey"), "--out", tmp_path / "b.proposal", "--json")
    assert back.json()["preview"]["audience"] == "WIDENS"
    assert (
        tearline("rules", "approve", tmp_path / "b.proposal", *officer(run, "blake"), "--accept", "WIDENS").status == 0
    )

    suspension = tearline(
        *("agency", "suspend", "cook-sheriff", *officer(run, "casey"), "--out", tmp_path / "s.proposal", "--json")
    )
    assert suspension.json()["preview"]["audience"] == "NARROWS"
    done = tearline(
        *("rules", "approve", tmp_path / "s.proposal", *officer(run, "avery"), "--accept", "narrows", "--json")
    )
    assert (done.json()["type"], done.json()["number"]) == ("directory", 2)
    assert newest(run).staged_directory.agencies["cook-sheriff"]["status"] == "suspended"


@pytest.mark.parametrize("options", [("--releases", "."), ("--root", "sha256:" + "0" * 64), ("--run", "nowhere")])
def test_where_the_releases_are_must_be_said(options, run, tmp_path) -> None:
    done = tearline("rules", "confirm", 1, *options, "--officer", run / "keys" / "officers" / "officer-avery.json")
    assert done.status == 2
    assert "Traceback" not in done.words


def test_example_officers_sign_nothing_at_a_real_exchange(run) -> None:
    root = (run / "root.txt").read_text().strip()
    done = tearline(
        *("rules", "confirm", 1, "--releases", run / "releases", "--root", root, "--json"),
        *("--officer", run / "keys" / "officers" / "officer-avery.json"),
    )
    assert json.loads(done.out)["code"] in {"example-keys", "plain-keys"}
