"""A change previewed: the folder or release before, the one after, proofs, cases and recordings made into one document.

The document is canonical JSON. Its SHA-256 goes into the release that the approvers sign, and whoever has the same
files makes the same bytes again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from broker.model import ORIGIN, Refusal, canonical_json, parse_json
from broker.officer.checking import INSTALL
from broker.officer.membership import Members, entry_changes, members_of
from broker.officer.rulebook import AGENCIES, RULES, VOCABULARY, Texts, parse_texts, read_texts
from broker.trust import Directory, Rules
from policy import PolicyError
from policy.comparison import Comparison, Edition, Finding
from policy.history import Recorded, parse_recorded
from policy.preview import History, Preview, Source, preview
from policy.preview_document import Document, document

#: Thirty days of a busy exchange are some 25 MB; a file beyond this is something else.
MAX_HISTORY: Final = 512 * 1024 * 1024
_MAX_LINE: Final = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One side of a change: what it means, where it comes from, and of a directory who is in it with which keys."""

    edition: Edition
    source: Source
    members: Members | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One file of recorded portions."""

    recorded: tuple[Recorded, ...]
    history: History


@dataclass(frozen=True, slots=True, kw_only=True)
class Previewed:
    """A preview, its document, and the document's bytes and hash as they are signed."""

    preview: Preview
    document: Document
    raw: bytes
    sha256: str


def of_texts(texts: Texts) -> Version:
    """A side from the three files of a folder.

    Raises:
        PolicyError: with file and line.
    """
    rulebook = parse_texts(texts)
    files = {VOCABULARY: texts.vocabulary, RULES: texts.rules, AGENCIES: texts.agencies}
    return Version(
        edition=Edition(vocabulary=rulebook.vocabulary, ruleset=rulebook.ruleset, agencies=rulebook.agencies),
        source=Source(files={name: _sha256(text.encode()) for name, text in files.items()}),
    )


def of_folder(folder: Path) -> Version:
    """A side from a folder of rules.

    Raises:
        PolicyError: with file and line.
        OSError: a file is missing.
    """
    return of_texts(read_texts(folder))


def of_releases(rules: Rules, directory: Directory) -> Version:
    """A side from two verified releases. A directory has no text: what stands for it is the hash of its release."""
    return Version(
        edition=Edition(vocabulary=rules.vocabulary, ruleset=rules.ruleset, agencies=directory.agencies),
        source=Source(
            files={
                VOCABULARY: _sha256(rules.vocabulary_text.encode()),
                RULES: _sha256(rules.rules_text.encode()),
                "directory": directory.hash.hex(),
            },
            rules=rules.number,
            directory=directory.number,
        ),
        members=members_of(directory),
    )


def read_history(path: Path) -> Recording:
    """Read a file of recorded portions, one JSON object on each line.

    Raises:
        PolicyError: `not-a-recording`, with file and line.
        OSError: it cannot be read.
    """
    raw = path.read_bytes()
    if len(raw) > MAX_HISTORY:
        raise PolicyError("not-a-recording", f"at most {MAX_HISTORY} bytes are taken", source=path.name)
    recorded = tuple(_recorded(raw, path.name))
    return Recording(recorded=recorded, history=History(sha256=_sha256(raw), portions=len(recorded)))


def _recorded(raw: bytes, source: str) -> Iterator[Recorded]:
    for number, line in enumerate(raw.splitlines(), start=1):
        try:
            yield parse_recorded(parse_json(line, limit=_MAX_LINE))
        except Refusal as refusal:
            raise PolicyError(
                "not-a-recording", f"not a line of JSON: {refusal.code}", source=source, line=number
            ) from None
        except PolicyError as error:
            raise PolicyError(error.code, error.message, source=source, line=number) from None


def make(
    before: Version, after: Version, *, recordings: Sequence[Recording] = (), until: datetime | None = None
) -> Previewed:
    """Preview a change: prove what it does, run the cases, and decide anew what was recorded.

    Without `recordings` nothing is replayed. `until` ends the thirty days that are replayed; by default the newest
    recorded portion does, so that the preview follows from the files alone.

    Raises:
        PolicyError: `no-solver`, `recorded-twice`, or the vocabularies of the two sides cannot be compared.
    """
    comparison, findings = _proofs(before.edition, after.edition)
    made = preview(
        before.edition,
        after.edition,
        sources=(before.source, after.source),
        comparison=comparison,
        findings=findings,
        recorded=_all(recordings) if recordings else None,
        history=[recording.history for recording in recordings],
        until=until,
        origin=ORIGIN,
        entries=entry_changes(before.members, after.members) if before.members and after.members else (),
    )
    return seal(made)


def seal(made: Preview) -> Previewed:
    """The document of a preview, its canonical bytes and their hash."""
    written = document(made)
    raw = canonical_json(written)
    return Previewed(preview=made, document=written, raw=raw, sha256=_sha256(raw))


def _all(recordings: Iterable[Recording]) -> list[Recorded]:
    return [recorded for recording in recordings for recorded in recording.recorded]


def _proofs(before: Edition, after: Edition) -> tuple[Comparison, tuple[Finding, ...]]:
    try:
        from policy.proof.compare import compare  # noqa: PLC0415 - the solver is an extra that not every desk has
        from policy.proof.lint import lint  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name != "z3":
            raise
        raise PolicyError("no-solver", f"a preview proves what it says and needs the solver: {INSTALL}") from None
    return compare(before, after), lint(after.ruleset, after.vocabulary)


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
