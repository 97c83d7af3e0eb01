"""Rules on the command line as an officer writes them: in their own editor, with the mistakes told and nothing lost."""

import shutil
from pathlib import Path

import pytest

from tests.cli.command import tearline

EXAMPLE = Path(__file__).parents[2] / "policy" / "rules.example"
LONGER = "s/acknowledge within: 30 minutes/acknowledge within: 4 hours/"
SLIP = "s/TLP: at most AMBER+STRICT/TLP: at most AMBRE/"


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(EXAMPLE, tmp_path / "rules"))


def editor(tmp_path, *expressions, then=()):
    """A program that changes the file as an officer would, and the second time it is started by `then`."""
    program = tmp_path / "editor"
    first, again = (" ".join(f"-e '{one}'" for one in changes) for changes in (expressions, then))
    program.write_text(
        f'#!/bin/sh\nif [ -e {tmp_path}/opened ]; then sed -i {again or "-e q"} "$1"; exit; fi\n'
        f'touch {tmp_path}/opened\nsed -i {first} "$1"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    return {"EDITOR": str(program), "VISUAL": ""}


def rules_of(folder):
    return (folder / "rules.yaml").read_text(encoding="utf-8")


def copies(folder):
    return list(folder.glob("rules.edit-*"))


def test_a_change_that_passes_is_put_in_place_and_told_in_sentences(folder, tmp_path):
    done = tearline("rules", "edit", folder, env=editor(tmp_path, LONGER))

    assert done.status == 0, done.words
    removed, added = (line for line in done.out.splitlines() if line.startswith(("-   ", "+   ")))
    assert "within 30 minutes" in removed
    assert "within 4 hours" in added
    assert "19 of 19 cases hold" in done.words
    assert "acknowledge within: 4 hours" in rules_of(folder)
    assert copies(folder) == []


def test_a_slip_is_shown_with_its_line_and_can_be_edited_again(folder, tmp_path):
    done = tearline(
        "rules", "edit", folder, env=editor(tmp_path, LONGER, SLIP, then=["s/AMBRE/AMBER/"]), stdin="edit\n"
    )

    assert done.status == 0, done.words
    assert "rules.yaml:84: 'AMBRE' is not a value of TLP" in done.words
    assert "did you mean AMBER?" in done.words
    assert "TLP: at most AMBER\n" in rules_of(folder)


def test_a_text_that_does_not_pass_can_be_thrown_away(folder, tmp_path):
    done = tearline("rules", "edit", folder, env=editor(tmp_path, SLIP), stdin="discard\n")

    assert done.status == 1
    assert rules_of(folder) == rules_of(EXAMPLE)
    assert copies(folder) == []


@pytest.mark.parametrize("answer", ["k\n", ""])
def test_a_text_that_does_not_pass_can_be_kept_and_is_where_nobody_answers(folder, tmp_path, answer):
    done = tearline("rules", "edit", folder, env=editor(tmp_path, SLIP), stdin=answer)

    assert done.status == 1
    assert rules_of(folder) == rules_of(EXAMPLE)
    (copy,) = copies(folder)
    assert f"--kept {copy}" in done.words
    assert "AMBRE" in copy.read_text(encoding="utf-8")

    (tmp_path / "opened").unlink()
    done = tearline("rules", "edit", folder, "--kept", copy, env=editor(tmp_path, "s/AMBRE/AMBER/"))

    assert done.status == 0, done.words
    assert "TLP: at most AMBER\n" in rules_of(folder)


def test_a_case_that_no_longer_holds_keeps_the_rules_as_they_were(folder, tmp_path):
    env = editor(
        tmp_path, "s/  effect: always/  effect: share/;s/^  yields to.*//;s/kind: city police$/kind: transit police/"
    )
    done = tearline("rules", "edit", folder, env=env, stdin="d\n")

    assert done.status == 1
    assert "[case-fails]" in done.words
    assert "it does not reach springfield-pd" in done.words
    assert rules_of(folder) == rules_of(EXAMPLE)


def test_an_editor_that_changes_nothing_or_fails_or_is_not_there_changes_nothing(folder):
    for program, status, told in (
        ("true", 0, "nothing was changed"),
        ("false", 1, "the editor ended with status 1"),
        ("/no/such/editor", 2, "cannot start the editor `/no/such/editor`"),
    ):
        done = tearline("rules", "edit", folder, env={"EDITOR": program, "VISUAL": ""})
        assert done.status == status
        assert told in done.words
        assert copies(folder) == []
    assert rules_of(folder) == rules_of(EXAMPLE)


def test_a_kept_copy_outlives_an_editor_that_is_not_there(folder, tmp_path):
    copy = tmp_path / "kept.yaml"
    copy.write_text("mine", encoding="utf-8")

    done = tearline("rules", "edit", folder, "--kept", copy, env={"EDITOR": "/no/such/editor", "VISUAL": ""})

    assert done.status == 2
    assert f"your text is in {copy}" in done.words
    assert copy.read_text(encoding="utf-8") == "mine"


def test_a_change_is_told_to_machines(folder, tmp_path):
    done = tearline("rules", "edit", folder, "--json", env=editor(tmp_path, LONGER))

    assert (done.json()["ok"], done.json()["replaced"]) == (True, True)
    assert [one["about"] for one in done.json()["changes"]] == ["R09"]


def test_a_new_folder_passes_and_is_never_overwritten(tmp_path):
    assert tearline("rules", "new", tmp_path / "mine").status == 0
    assert tearline("rules", "check", tmp_path / "mine").status == 0

    again = tearline("rules", "new", tmp_path / "mine")

    assert again.status == 2
    assert "nothing was written" in again.words


def test_a_rule_to_fill_in_is_added_as_remarks(folder):
    done = tearline("rules", "new", folder, "--rule", "never", "--json")

    assert done.status == 0, done.words
    told = done.json()
    lines = rules_of(folder).splitlines()
    assert lines[told["line"] - 1].startswith("# # To use R20")
    assert "- rule: R20" in lines[told["line"] + 1]
    assert lines[told["case_line"] - 1].startswith("# # The case of R20")
    assert tearline("rules", "check", folder).status == 0


def test_rules_are_said_in_sentences_and_an_unknown_one_is_named(folder):
    done = tearline("rules", "say", folder, "R10", "HIDTA-2024")

    assert done.out.splitlines() == [
        "R10 Nothing to a suspended agency",
        (
            "  R10 never shares any bulletin with any agency whose status is suspended (or not known), because: "
            "Security officer's suspension order."
        ),
        "HIDTA-2024 agreement",
        "  The agreement HIDTA-2024 is in force from 2024-01-01 until the end of 2026-12-31 (UTC).",
    ]
    assert len(tearline("rules", "say", folder, "--json").json()["sentences"]) == 26
    unknown = tearline("rules", "say", folder, "HIDTA-2O24")
    assert unknown.status == 2
    assert "did you mean HIDTA-2024?" in unknown.words


def test_everything_that_stands_against_rules_is_told_with_code_file_and_line(folder):
    (folder / "rules.yaml").write_text(rules_of(folder).replace("exactly: [cook-sheriff]", "exactly: [cook-sherif]"))

    done = tearline("rules", "check", folder, "--json")

    assert done.status == 1
    (fault,) = [one for one in done.json()["faults"] if one["code"] == "case-fails"]
    assert (fault["file"], fault["line"]) == ("rules.yaml", 231)
    assert "did you mean cook-sheriff?" in fault["message"]


def test_all_mistaken_rules_of_a_file_are_told_at_once(folder):
    text = rules_of(folder).replace("TLP: RED}", "TLP: REDD}").replace("effect: always", "effect: sometimes")
    (folder / "rules.yaml").write_text(text, encoding="utf-8")

    done = tearline("rules", "check", folder)

    assert done.status == 2
    assert [line.split(": ")[0] for line in done.words.splitlines()] == [
        "rules.yaml:9",
        "rules.yaml:15",
        "rules.yaml:178",
    ]
    facts = tearline("rules", "check", folder, "--json").json()
    assert facts["code"] == "unknown-value"
    assert [one["code"] for one in facts["more"]] == ["unknown-effect", "unknown-value"]
