"""`tearline rules own` and `tearline rules trial`: from a file to what goes out, as a person would do it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.gateway.tokens import SCOPES, create
from broker.trust import Officer, new_officer_keys, write_officer_keys
from tests.cli.command import Done, tearline
from tests.gateway.documents import alert
from tests.gateway.exchange import Exchange, clock, eventually, exchange
from tests.gateway.test_trial import ALL, release_trial

ISP = "il-state-police"
PASSPHRASE = "correct horse battery staple"
RULES = """policy: what the state police keep back
version: 1
rules:
- rule: OWN-1 Alerts about missing persons are not for the mayor's office
  effect: never
  when: {product: CAP-ALERT, category: missing person}
  to:
  - kind: mayor's office
  because: General order 7
tests:
- test: the mayor gets none
  bulletin: {product: CAP-ALERT, category: missing person, TLP: GREEN, version: full, caveats: [], dissemination: [],
             content basis: public safety, information class: public safety, purpose: protection of life,
             origin state: IL, area: IL-SANGAMON, originator: il-state-police}
  withheld from: {springfield-mayor: [OWN-1]}
  reaches exactly: [il-state-police, il-fusion, jttf-springfield, springfield-pd]
"""


class Desk:
    """An officer of the state police at a command line, and the exchange beside."""

    def __init__(self, running: Exchange, folder: Path) -> None:
        self.running, self.folder = running, folder
        self.where = ("--releases", running.folder / "authority", "--root", running.root.root.fingerprint)
        settings = running.nodes[ISP].settings
        token, _ = create(settings.tokens, agency=ISP, scopes=SCOPES, name="officer")
        self.token = private(folder / "token", token)
        self.passphrase = private(folder / "passphrase", PASSPHRASE)
        self.gateway = ("--gateway", f"http://{settings.listen}", "--token-file", self.token)
        self.officer = ("--officer", folder / "pat.json", "--passphrase-file", self.passphrase)

    async def run(self, *arguments: Any) -> Done:
        return await asyncio.to_thread(tearline, "rules", *arguments)

    def file(self, text: str) -> Path:
        path = self.folder / "own-rules.yaml"
        path.write_text(text, encoding="utf-8")
        return path


def private(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.fixture
async def desk(tmp_path: Path):
    keys = new_officer_keys("pat", ISP)
    folder = tmp_path / "desk"
    folder.mkdir()
    write_officer_keys(keys, folder / "pat.json", passphrase=PASSPHRASE, created=clock())
    pat = Officer(person="pat", agency=ISP, signing=keys.signing.public)
    async with exchange(tmp_path, ISP) as running:
        newest = await running.release_directory(il_state_police=lambda entry: replace(entry, officers=(pat,)))
        node = running.nodes[ISP]
        await eventually(lambda: node.trust.directory is not None and node.trust.directory.number == newest.number)
        yield Desk(running, folder)


async def test_own_rules_are_checked_signed_installed_shown_and_withdrawn(desk: Desk) -> None:
    file, first, second = desk.file(RULES), desk.folder / "own-1.cose", desk.folder / "own-2.cose"
    publish = desk.running.desks[ISP]

    checked = await desk.run("own", "check", file, "--agency", ISP, *desk.where)
    signed = await desk.run("own", "sign", file, *desk.officer, "--out", first, *desk.where, "--json")
    installed = await desk.run("own", "install", first, *desk.gateway)
    shown = await desk.run("own", "show", *desk.gateway)
    sent = await publish.accepted(alert())

    assert (checked.status, checked.out.splitlines()[0]) == (0, "NARROWS (proved)")
    assert (signed.status, signed.json()["number"]) == (0, 1)
    assert installed.words.strip() == f"own rules 1 of {ISP} are in force: OWN-1"
    assert (shown.status, shown.out) == (0, RULES)
    assert "springfield-mayor" not in {row["agency"] for row in sent["audience"]}
    withdrawn = await desk.run(
        "own", "sign", "--withdraw", *desk.officer, "--previous", first, "--out", second, *desk.where
    )
    assert (withdrawn.status, (await desk.run("own", "install", second, *desk.gateway)).status) == (0, 0)
    assert "springfield-mayor" in {row["agency"] for row in (await publish.accepted(alert()))["audience"]}
    older = await desk.run("own", "install", first, *desk.gateway)
    assert (older.status, older.words.splitlines()[0]) == (3, "refused: rollback")


async def test_own_rules_that_fail_are_told_with_their_line_and_are_not_signed(desk: Desk) -> None:
    wrong = desk.file(RULES.replace("springfield-pd]", "springfield-pd, peoria-pd]"))
    checked = await desk.run("own", "check", wrong, "--agency", ISP, *desk.where, "--json")
    signed = await desk.run("own", "sign", wrong, *desk.officer, "--out", desk.folder / "o", *desk.where)
    shares = desk.file(RULES.replace("effect: never", "effect: share"))
    unread = await desk.run("own", "check", shares, "--agency", ISP, *desk.where)

    assert (checked.status, [fault["code"] for fault in checked.json()["faults"]]) == (1, ["case-fails"])
    assert (signed.status, (desk.folder / "o").exists()) == (2, False)
    assert unread.status == 2
    assert "own-rules.yaml:4: OWN-1 is share: an agency's own rules only forbid and oblige" in unread.words


async def test_a_trial_is_told_in_figures_and_examples(desk: Desk) -> None:
    nothing = await desk.run("trial", *desk.gateway)
    await release_trial(desk.running, ALL)
    early = await desk.run("trial", *desk.gateway)
    sent = await desk.running.desks[ISP].accepted(alert())

    async def decided() -> bool:
        _, answer = await desk.running.desks[ISP].call("GET", "/v1/rules/trial")
        return bool(answer["portions"])

    await eventually(decided)
    told = await desk.run("trial", *desk.gateway)
    data = await desk.run("trial", *desk.gateway, "--json")

    assert nothing.words.strip() == "there is no trial"
    assert early.out.splitlines()[1] == "nothing was decided by it yet"
    lines = told.out.splitlines()
    assert lines[0].startswith("trial 1, ")
    assert lines[0].endswith(", running")
    assert any(line.startswith("NEWLY DISCLOSED") and "1 bulletin (1 ROUTINE)" in line for line in lines), lines
    assert any("cook-sheriff: GREEN +1" in line for line in lines)
    assert any(sent["control_number"] in line for line in lines)
    assert data.json()["disclosed"]["bulletins"] == 1
