"""Writing the sharing rules: `rules new`, `rules edit` and `rules say`."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from broker.cli.errors import FAILED, USAGE, Stop, TearlineGroup
from broker.cli.output import data, fail_words, json_data, words

_COMMAND = TearlineGroup.command_class
_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)
_EFFECTS: Final = ("share", "always", "never", "require")

growing_option = click.option(
    "--growing",
    is_flag=True,
    help="The exchange is still taking in agencies: a case that waits for one is no fault.",
)


@click.command(cls=_COMMAND)
@click.argument("folder", type=_FOLDER)
@click.argument("rule", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Data for machines.")
def say(folder: Path, rule: tuple[str, ...], as_json: bool) -> None:
    """Say every rule of FOLDER, or each RULE, in one English sentence.

    The sentence is the same however the rule was written, so two versions of the rules can be compared line by line.

    \b
    Examples:
      tearline rules say policy/rules.example
      tearline rules say policy/rules.example R09 HIDTA-2024
    """
    from broker.officer.rulebook import load_rulebook
    from policy.errors import not_one_of
    from policy.say import sentences

    with _files_of(folder):
        rulebook = load_rulebook(folder)
    said = sentences(rulebook.ruleset, rulebook.vocabulary)
    known = [one.about for one in said]
    for name in rule:
        if name not in known:
            raise Stop(USAGE, not_one_of(name, f"a rule or agreement of `{folder}`", known))
    shown = [one for one in said if not rule or one.about in rule]
    if as_json:
        rows = [{"about": one.about, "title": one.title, "sentence": one.text} for one in shown]
        json_data({"policy": rulebook.ruleset.name, "version": rulebook.ruleset.version, "sentences": rows})
        return
    for one in shown:
        data(f"{one.about} {one.title}\n  {one.text}")


@click.command(cls=_COMMAND)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--from", "source", type=_FOLDER, help="Start with the rules in this folder.")
@click.option("--rule", "effect", type=click.Choice(_EFFECTS), help="Add a rule of this effect to fill in, as remarks.")
@click.option("--json", "as_json", is_flag=True, help="Data for machines.")
def new(folder: Path, source: Path | None, effect: Any, as_json: bool) -> None:
    """Make FOLDER to write rules in, or add to its rules one to fill in.

    The folder gets vocabulary.yaml, rules.yaml and agencies.yaml, from --from or from the example that comes with the
    software; what is there is never overwritten. With --rule the rules file in FOLDER gets a template at the end of the
    rules and one for its case; both are remarks, so nothing changes until somebody takes the '#' away.

    \b
    Examples:
      tearline rules new my-rules
      tearline rules new my-rules --from in-force
      tearline rules new my-rules --rule never
    """
    from broker.officer import writing

    if effect is not None:
        if source is not None:
            raise Stop(USAGE, "give --from or --rule: a template goes into a folder that is there")
        with _files_of(folder):
            added = writing.add_template(folder, effect)
        if as_json:
            json_data({"rule": added.rule, "file": "rules.yaml", "line": added.line, "case_line": added.case_line})
        words(
            f"{added.rule} is a remark in {folder}/rules.yaml from line {added.line}, its case from {added.case_line}"
        )
        words(f"fill it in with: tearline rules edit {shlex.quote(str(folder))}")
        return
    start = source or writing.packaged_rules()
    with _files_of(start):
        rulebook = writing.start_folder(folder, start)
    if as_json:
        json_data({"folder": str(folder), "from": str(start), "rules": len(rulebook.ruleset.rules)})
    words(f"{folder} has {len(rulebook.ruleset.rules)} rules and {len(rulebook.agencies)} agencies to work on")


@click.command(cls=_COMMAND)
@click.argument("folder", type=_FOLDER)
@click.option("--agencies", is_flag=True, help="Change agencies.yaml in place of rules.yaml.")
@click.option("--kept", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Go on with a kept copy.")
@growing_option
@click.option("--json", "as_json", is_flag=True, help="Data for machines.")
def edit(folder: Path, agencies: bool, kept: Path | None, growing: bool, as_json: bool) -> None:
    """Change the rules of FOLDER in $VISUAL or $EDITOR; they are put in place only when they pass.

    What is edited is a copy. When it is saved, everything that `rules check` looks at is looked at; what is wrong is
    shown with its line, and the copy can be edited again, thrown away or kept. Otherwise the sentences that changed are
    shown and the file is replaced at one stroke.

    \b
    Examples:
      tearline rules edit my-rules
      EDITOR=nano tearline rules edit my-rules --agencies
    """
    from broker.officer import rulebook, writing

    with _files_of(folder):
        draft = writing.begin(folder, rulebook.AGENCIES if agencies else rulebook.RULES, kept=kept)
    reviewed = None
    while reviewed is None:
        _open_editor(draft)
        if _left_alone(draft):
            words("nothing was changed")
            if as_json:
                json_data({"ok": True, "replaced": False, "changes": []})
            return
        reviewed = _reviewed(draft, growing=growing)
        if reviewed is None:
            _ask_about(draft)
    writing.finish(draft, reviewed)
    words(f"{folder / draft.name} is replaced; it is in force when it is released")
    if as_json:
        json_data({"ok": True, "replaced": True, "changes": _changes(reviewed)})
    else:
        _show_changes(reviewed.changes)


def _changes(reviewed: Any) -> list[dict[str, Any]]:
    return [
        {"about": one.about, "before": one.before and one.before.text, "after": one.after and one.after.text}
        for one in reviewed.changes
    ]


def _left_alone(draft: Any) -> bool:
    from broker.officer import writing
    from policy import PolicyError

    try:
        return bool(writing.discard_unchanged(draft))
    except PolicyError:  # what is no text is no longer what the file was
        return False
    except FileNotFoundError:
        raise Stop(USAGE, "the copy is gone; nothing was changed") from None


def _reviewed(draft: Any, *, growing: bool) -> Any:
    """The change, or None after everything that is wrong with it was shown."""
    from broker.officer import writing
    from policy import PolicyError

    try:
        reviewed = writing.review(draft, growing=growing)
    except PolicyError as error:
        for fault in (error, *error.more):
            fail_words(str(fault))
        return None
    tell_check(reviewed.check, faults=True)
    return reviewed if reviewed.check.passed else None


def _open_editor(draft: Any) -> None:
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    try:
        status = subprocess.run([*command, str(draft.copy)], check=False).returncode
    except OSError as error:
        told = f"cannot start the editor `{command[0]}`: {error.strerror}; set EDITOR{_left(draft)}"
        raise Stop(USAGE, told, {"ok": False, "detail": told}) from error
    if status:
        # Nobody has seen what an editor that failed wrote, so it is neither used nor lost.
        told = f"the editor ended with status {status}; nothing was changed{_left(draft)}"
        raise Stop(FAILED, told, {"ok": False, "detail": told})


def _left(draft: Any) -> str:
    """Throws a copy that nobody wrote in away, and says where another one is."""
    return "" if _left_alone(draft) else f"; your text is in {draft.copy}"


def _ask_about(draft: Any) -> None:
    """What to do with a text that does not pass: returns to edit it again; where nobody can answer, it is kept."""
    from broker.officer import writing

    choices = click.Choice(("edit", "discard", "keep", "e", "d", "k"), case_sensitive=False)
    question = "edit again, discard, or keep the copy?"
    try:
        answer = click.prompt(question, type=choices, show_choices=False, default="edit", err=True)
    except click.Abort:
        words("")
        answer = "keep"
    if answer.startswith("d"):
        writing.discard(draft)
        raise Stop(FAILED, "thrown away; nothing was changed", {"ok": False, "kept": None})
    if answer.startswith("k"):
        again = f"tearline rules edit {shlex.quote(str(draft.folder))} --kept {shlex.quote(str(draft.copy))}"
        told = f"kept in {draft.copy}; nothing was changed\ngo on with: {again}"
        raise Stop(FAILED, told, {"ok": False, "kept": str(draft.copy)})


def _show_changes(changes: Sequence[Any]) -> None:
    if not changes:
        data("the rules say the same as before")
    for change in changes:
        for sign, one in (("-", change.before), ("+", change.after)):
            if one is not None:
                data(f"{sign} {one.about} {one.title}\n{sign}   {one.text}")


def checked_data(found: Any) -> dict[str, Any]:
    """A check for machines."""
    return {
        "ok": found.passed,
        "cases": [
            {
                "name": one.name,
                "line": one.line,
                "passed": one.passed,
                "waits": one.waits,
                "missing": sorted(one.missing),
                "detail": one.detail,
            }
            for one in found.cases
        ],
        "faults": [
            {
                "code": one.code,
                "file": one.file,
                "line": one.line,
                "rule": one.rule,
                "message": one.message,
                "example": one.example,
            }
            for one in found.faults
        ],
        "proofs": found.proofs,
    }


def tell_check(found: Any, *, faults: bool) -> None:
    """What stands against the rules, how many cases hold, and whether proofs were made: words for the person."""
    from broker.officer.checking import INSTALL

    for fault in found.faults if faults else ():
        fail_words(f"{fault} [{fault.code}]")
    held = sum(case.passed for case in found.cases)
    waiting = sorted(frozenset[str]().union(*(case.missing for case in found.cases if case.waits)))
    words(f"{held} of {len(found.cases)} cases hold" + (f"; waiting for {', '.join(waiting)}" if waiting else ""))
    if found.proofs != "made":
        words(f"the proofs were not made: the solver is not installed; {INSTALL}")


@contextmanager
def _files_of(folder: Path) -> Iterator[None]:
    """Says which file of a folder cannot be read or written."""
    try:
        yield
    except OSError as error:
        raise Stop(USAGE, f"cannot use `{error.filename or folder}`: {error.strerror}") from error
