"""Chains of accepted releases on disk: written whole or not at all, never backwards, read back with every signature.

    <folder>/root.cose                     the signed root
    <folder>/directory-000001.cose …       every release ever accepted, as it was signed
    <folder>/rules-000001.cose …
    <folder>/marks.json                    the highest numbers and hashes seen

A release is in its file, durably, before it is in the marks. So after a crash there may be one release more than the
marks say (it is whole, and verified when read) but never one less: less means that somebody took it away.

Several processes may have one folder (officers add to what the hub follows): writers hold a lock, readers need none.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from broker.model import Refusal, canonical_json, parse_json
from broker.trust.errors import TrustError
from broker.trust.files import TEMPORARY, replace_private
from broker.trust.release import TYPES, Release, ReleaseType, check_follows, read_release
from broker.trust.root import Root, read_root

_ROOT_FILE: Final = "root.cose"
_MARKS_FILE: Final = "marks.json"
_LOCK_FILE: Final = ".lock"
_RELEASE_FILE: Final = re.compile(r"(directory|rules|trial)-([0-9]{6,})\.cose")


class Chains:
    """What is on disk. Opening verifies all of it; afterwards only `append` and `keep_root` write."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = folder
        self._fingerprint = fingerprint
        self._hashes: dict[ReleaseType, list[bytes]] = {name: [] for name in TYPES}
        self._heads: dict[ReleaseType, Release | None] = dict.fromkeys(TYPES)
        self.root: Root | None = None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._open()

    def head(self, release_type: ReleaseType) -> Release | None:
        """Return the newest release of a chain."""
        return self._heads[release_type]

    def knows(self, release: Release) -> bool:
        """Tell whether this very release was accepted before; the stream is read from its beginning at every start."""
        return self.hash_of(release.type, release.number) == release.hash

    def hash_of(self, release_type: ReleaseType, number: int) -> bytes | None:
        """Return the hash of the release that was accepted under a number; None when there was none."""
        hashes = self._hashes[release_type]
        return hashes[number - 1] if 0 < number <= len(hashes) else None

    def contradicts(self, release: Release) -> bool:
        """Tell whether another release of this number was accepted before."""
        return release.number <= len(self._hashes[release.type]) and not self.knows(release)

    def keep_root(self, document: bytes, root: Root) -> None:
        with self._writing():
            replace_private(self._folder / _ROOT_FILE, document)
        self.root = root

    def append(self, document: bytes, release: Release) -> None:
        """Keep a verified release that follows the head; durable when this returns."""
        check_follows(release, self._heads[release.type])
        path = self._path(release.type, release.number)
        with self._writing():
            kept = read_release(path.read_bytes(), self._require_root()) if path.exists() else release
            if kept.hash != release.hash:
                raise TrustError("equivocation", f"another process kept another {release.type} {release.number}")
            if kept.confirmed and not release.confirmed:
                release = kept  # with a second officer's signature, which this copy came without
            else:
                replace_private(path, document)
            self._took(release)
            self._write_marks()

    def confirm(self, document: bytes, release: Release) -> None:
        """Keep a second officer's signature on a release that is known; durable when this returns."""
        with self._writing():
            replace_private(self._path(release.type, release.number), document)
        head = self._heads[release.type]
        if head is not None and head.number == release.number:
            self._heads[release.type] = release

    def read(self, release_type: ReleaseType, number: int) -> Release | None:
        """Return a release that was accepted before, verified again; None when there is none of that number.

        Raises:
            TrustError: `store-damaged` when the file is not what was accepted.
        """
        if not 0 < number <= len(self._hashes[release_type]):
            return None
        head = self._heads[release_type]
        if head is not None and head.number == number:
            return head
        release = read_release(self.document(release_type, number), self._require_root())
        if not self.knows(release) or release.number != number:
            raise _damaged(f"{release_type} {number} is not the one that was accepted")
        return release

    def document(self, release_type: ReleaseType, number: int) -> bytes:
        """Return a release as it was signed.

        Raises:
            TrustError: `store-damaged` when it is gone.
        """
        try:
            return self._path(release_type, number).read_bytes()
        except FileNotFoundError:
            raise _damaged(f"{release_type} {number} is missing") from None

    def root_document(self) -> bytes:
        return (self._folder / _ROOT_FILE).read_bytes()

    def _open(self) -> None:
        marks = self._read_marks()
        if not (self._folder / _ROOT_FILE).exists():
            if marks:
                raise _damaged("the root is missing")
            return
        self.root = read_root(self.root_document(), expected=self._fingerprint)
        found: dict[str, list[int]] = {name: [] for name in TYPES}
        for path in self._folder.iterdir():
            match = _RELEASE_FILE.fullmatch(path.name)
            if match is not None:
                found[match[1]].append(int(match[2]))
        for release_type in self._heads:
            for number in sorted(found[release_type]):
                release = read_release(self.document(release_type, number), self.root)
                if release.type != release_type or release.number != number:
                    raise _damaged(f"{release_type} {number} is another release")
                check_follows(release, self._heads[release_type])
                self._took(release)
            self._check_mark(release_type, marks.get(release_type))
        if any(head is not None and marks.get(name, (0, ""))[0] < head.number for name, head in self._heads.items()):
            with self._writing():  # a crash came between a release and its mark
                self._write_marks()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the folder alone; whatever temporary file is there then was left by a writer that died."""
        with (self._folder / _LOCK_FILE).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for leftover in self._folder.glob(f".*{TEMPORARY}"):
                leftover.unlink(missing_ok=True)
            yield

    def _took(self, release: Release) -> None:
        self._hashes[release.type].append(release.hash)
        self._heads[release.type] = release

    def _check_mark(self, release_type: ReleaseType, mark: tuple[int, str] | None) -> None:
        if mark is None:
            return
        number, digest = mark
        hashes = self._hashes[release_type]
        if number > len(hashes) or hashes[number - 1].hex() != digest:
            raise _damaged(f"{release_type} {number} was in force here and is gone")

    def _read_marks(self) -> dict[str, tuple[int, str]]:
        path = self._folder / _MARKS_FILE
        if not path.exists():
            return {}
        try:
            value = parse_json(path.read_bytes())
        except Refusal:
            raise _damaged("the marks are not readable") from None
        marks: dict[str, tuple[int, str]] = {}
        for name, mark in value.items() if isinstance(value, dict) else ():
            match mark:
                case [int(number), str(digest)] if name in TYPES and number > 0:
                    marks[name] = (number, digest)
                case _:
                    raise _damaged("the marks are not readable")
        return marks

    def _write_marks(self) -> None:
        """Raise the marks to the heads; another process may have raised them further, and marks never fall."""
        marks = self._read_marks()
        for name, head in self._heads.items():
            if head is not None and head.number > marks.get(name, (0, ""))[0]:
                marks[name] = (head.number, head.hash.hex())
        written: Mapping[str, list[int | str]] = {name: list(mark) for name, mark in marks.items()}
        replace_private(self._folder / _MARKS_FILE, canonical_json(written))

    def _path(self, release_type: ReleaseType, number: int) -> Path:
        return self._folder / f"{release_type}-{number:06d}.cose"

    def _require_root(self) -> Root:
        if self.root is None:
            raise TrustError("no-root", "the root of this exchange has not arrived yet")
        return self.root


def _damaged(why: str) -> TrustError:
    return TrustError("store-damaged", f"the kept releases are refused: {why}")
