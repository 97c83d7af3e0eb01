"""Writing rules: a folder to work in, a rule to fill in, and a change that is put in place only when it passes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker.officer import files
from broker.officer.checking import Check, check
from broker.officer.rulebook import (
    FILES,
    RULES,
    Rulebook,
    load_rulebook,
    parse_texts,
    read_text,
    read_texts,
)
from broker.officer.templates import case_template, rule_template
from policy import PolicyError
from policy.rules import Effect
from policy.say import Reworded, reworded, sentences
from policy.strict_yaml import Fields, load

_BELOW_A_BLANK: Final = 2
_NO_TESTS: Final = "# tests:"
_ID: Final = re.compile(r"R[0-9]{1,6}")
_TEMPLATE: Final = re.compile(r"^# - rule: R([0-9]{1,6})\b", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """Where a template was put: lines of the rules file, counted from 1."""

    rule: str
    line: int
    case_line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A file being changed: the copy that is edited, and what the file was when the copy was made."""

    folder: Path
    name: str
    copy: Path
    original: str

    @property
    def text(self) -> str:
        """The copy as it is now.

        Raises:
            PolicyError: it is not text.
            OSError: it is gone.
        """
        return read_text(self.copy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """What a change was found to be: the text that was looked at, what stands against it, the sentences it alters."""

    text: str
    check: Check
    changes: tuple[Reworded, ...]


def packaged_rules() -> Path:
    """The rules that come with the software."""
    import policy  # noqa: PLC0415 - only for where it lies

    return Path(str(policy.__file__)).parent / "rules.example"


def start_folder(folder: Path, source: Path) -> Rulebook:
    """Make a working folder with the three files of `source`, which must be readable as rules.

    Raises:
        PolicyError: `folder-in-use` when any of the files is there already, or whatever the source is refused for.
        OSError: the source has no such files, or the folder cannot be written.
    """
    texts = read_texts(source)
    rulebook = parse_texts(texts)
    taken = [name for name in FILES if (folder / name).exists()]
    if taken:
        raise PolicyError("folder-in-use", f"`{folder}` has {', '.join(taken)} already; nothing was written")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in zip(FILES, (texts.vocabulary, texts.rules, texts.agencies), strict=True):
        files.create(folder / name, text)
    return rulebook


def add_template(folder: Path, effect: Effect) -> Added:
    """Put a rule to fill in at the end of the rules, and a case for it at the end of the cases; both as remarks.

    As remarks they change nothing until an officer takes the `#` away, so the file passes as it did before.

    Raises:
        PolicyError: the folder cannot be read as rules.
        OSError: a file is missing.
    """
    rulebook = load_rulebook(folder)
    text = read_text(folder / RULES)
    rule = _next_id(text, rulebook)
    nevers = sorted(known.id for known in rulebook.ruleset.rules if known.effect == "never")
    lines = text.splitlines()
    at = _end_of(lines, "rules")
    lines[at:at] = ["", *rule_template(effect, rule, rulebook.vocabulary, nevers)]
    behind = _cases_end(lines, rulebook)
    lines[behind:behind] = ["", *case_template(effect, rule, rulebook.vocabulary)]
    files.replace_by(folder / RULES, "\n".join(lines) + "\n")
    return Added(rule=rule, line=at + _BELOW_A_BLANK, case_line=behind + _BELOW_A_BLANK)


def _next_id(text: str, rulebook: Rulebook) -> str:
    """The number after the last one, of rules and of templates that are still remarks."""
    taken = [int(rule.id[1:]) for rule in rulebook.ruleset.rules if _ID.fullmatch(rule.id)]
    waiting = [int(number) for number in _TEMPLATE.findall(text)]
    return f"R{max((*taken, *waiting), default=0) + 1:02d}"


def _cases_end(lines: list[str], rulebook: Rulebook) -> int:
    """Where another case goes; a file without cases gets the head of their section, as a remark as well."""
    if rulebook.ruleset.cases:
        return _end_of(lines, "tests")
    if _NO_TESTS not in lines:
        lines.extend(("", _NO_TESTS))
    return lines.index(_NO_TESTS) + 1


def _end_of(lines: list[str], section: str) -> int:
    """How many lines there are up to the last one of a section that is no remark."""
    document = load("\n".join(lines) + "\n", source=RULES)
    starts = {name: key.line for name, (key, _) in document.entries.items()} if isinstance(document, Fields) else {}
    end = min((line - 1 for line in starts.values() if line > starts[section]), default=len(lines))
    while not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#"):
        end -= 1
    return end


def begin(folder: Path, name: str, *, kept: Path | None = None) -> Draft:
    """Start to change a file of the folder, in a copy; `kept` is a copy from before.

    Raises:
        PolicyError: the file is not text.
        OSError: there is no such file.
    """
    original = read_text(folder / name)
    return Draft(folder=folder, name=name, copy=kept or files.copy_beside(folder / name), original=original)


def review(draft: Draft, *, growing: bool = False) -> Reviewed:
    """Look at the folder as it would be with the change.

    Raises:
        PolicyError: it cannot be read as rules.
        OSError: the copy is gone.
    """
    text = draft.text
    after = parse_texts(read_texts(draft.folder).with_file(draft.name, text))
    return Reviewed(text=text, check=check(after, growing=growing), changes=_changes(draft, after))


def _changes(draft: Draft, after: Rulebook) -> tuple[Reworded, ...]:
    new = sentences(after.ruleset, after.vocabulary)
    try:
        before = load_rulebook(draft.folder)
    except PolicyError:
        # What was there could not be read, so every sentence is new.
        return reworded((), new)
    return reworded(sentences(before.ruleset, before.vocabulary), new)


def finish(draft: Draft, reviewed: Reviewed) -> None:
    """Put the text that was looked at, and no later one, in the place of the file.

    Raises:
        PolicyError: `changed-meanwhile` when somebody else changed the file since; the copy stays.
    """
    if read_text(draft.folder / draft.name) != draft.original:
        told = f"{draft.name} was changed by somebody else meanwhile; your text is kept in `{draft.copy}`"
        raise PolicyError("changed-meanwhile", told)
    files.replace_by(draft.folder / draft.name, reviewed.text)
    draft.copy.unlink()


def discard(draft: Draft) -> None:
    """Throw the copy away; the file stays as it was."""
    draft.copy.unlink(missing_ok=True)


def discard_unchanged(draft: Draft) -> bool:
    """Throw the copy away if it still is what the file was; whether it was.

    Raises:
        PolicyError: it is not text.
        OSError: it is gone.
    """
    if draft.text != draft.original:
        return False
    discard(draft)
    return True
