"""The watched folder: every file is taken once, ends in `done` or `refused`, and is never between the two for good.

A file goes through these states; each arrow is one rename or one whole write, so a crash leaves it in one of them:

    in/x → claimed/KEY~x → claimed/KEY.submission.json beside it → keys/KEY.json (the answer) → done/x
                                                                 → refused/x.reason.json → refused/x

KEY is the SHA-256 of name and content and the idempotency key of the submission: after a crash the same request is
sent with the same key, and the gateway answers with the bulletin it already made.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapters.errors import DocumentRefusedError, SettingsError
from adapters.files import read_json_file, sync_folder, write_json

#: No submission is larger (broker.model); a factor two for formats with more wrapping.
MAX_FILE: Final = 1024 * 1024
_UNFINISHED: Final = re.compile(r"\.(?:part|partial|tmp|temp|crdownload|filepart|swp|writing)$|~$", re.IGNORECASE)
_CLAIMED: Final = re.compile(r"([0-9a-f]{64})~(.+)", re.DOTALL)
_MAX_NAME: Final = 150  # bytes, so that a key and a suffix fit beside it into the 255 of a file name


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A file that is ours now."""

    key: str
    name: str
    path: Path
    content: bytes


@dataclass(frozen=True, slots=True)
class _Seen:
    mark: tuple[int, int, int]
    since: float


class WatchedFolder:
    """One inbox below an agency's folder. Blocking; call it from a thread.

    Args:
        root: holds the inbox and `claimed`, `done`, `refused`, `keys`, all on one file system.
        inbox: name of the folder where files arrive.
        check: raises `DocumentRefusedError` when a content is not a whole document.
        settle: seconds a file must not have changed.
        patience: seconds after which a file that still is no document is refused.
    """

    def __init__(
        self, root: Path, *, inbox: str, check: Callable[[bytes], object], settle: float, patience: float
    ) -> None:
        self._inbox, self._claimed = root / inbox, root / "claimed" / inbox
        self._done, self._refused, self._keys = root / "done", root / "refused", root / "keys"
        for folder in (self._inbox, self._claimed, self._done, self._refused, self._keys):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if len({folder.stat().st_dev for folder in (self._inbox, self._claimed, self._done, self._refused)}) > 1:
            raise SettingsError("folder-split", "the folders below `folder` must be on one file system")
        self._check, self._settle, self._patience = check, settle, patience
        self._seen: dict[str, _Seen] = {}
        self._drop_orphans()

    def left_over(self) -> list[Taken]:
        """Files claimed before a crash or an interruption, oldest first."""
        found = []
        for path in sorted(self._claimed.iterdir(), key=lambda path: path.lstat().st_mtime_ns):
            match = _CLAIMED.fullmatch(path.name)
            if match is not None:
                found.append(Taken(key=match[1], name=match[2], path=path, content=path.read_bytes()))
        return found

    def arrived(self, now: float) -> Iterator[Taken]:
        """Claim what has arrived whole; `now` is any clock that does not jump."""
        present: dict[str, _Seen] = {}
        for entry in sorted(os.scandir(self._inbox), key=lambda entry: entry.name):
            if entry.name.startswith(".") or _UNFINISHED.search(entry.name):
                continue
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                continue
            mark = (status.st_ino, status.st_size, status.st_mtime_ns)
            seen = self._seen.get(entry.name)
            present[entry.name] = seen if seen is not None and seen.mark == mark else _Seen(mark, now)
            quiet = now - present[entry.name].since
            if quiet < self._settle:
                continue
            taken = self._claim(Path(entry.path), status, waited_enough=quiet >= self._patience)
            if taken is not None:
                del present[entry.name]
                yield taken
        self._seen = present

    def answer_to(self, key: str) -> dict[str, Any] | None:
        """The answer this very file already got, if it was here before."""
        return read_json_file(self._keys / f"{key}.json")

    def submission(self, taken: Taken) -> dict[str, Any] | None:
        """What was about to be sent for this file before a crash."""
        return read_json_file(self._claimed / f"{taken.key}.submission.json")

    def keep_submission(self, taken: Taken, submission: Mapping[str, Any]) -> None:
        """Fix what will be sent, times included, before it is sent: a repetition must be the same request."""
        write_json(self._claimed / f"{taken.key}.submission.json", submission)

    def finish(self, taken: Taken, answer: Mapping[str, Any]) -> None:
        """The gateway has it: remember the answer, then move the file to `done`."""
        write_json(self._keys / f"{taken.key}.json", answer)
        name = self._free(self._done, taken)
        write_json(self._done / f"{name}.answer.json", answer)
        self._leave(taken, self._done / name)

    def refuse(self, taken: Taken, reason: Mapping[str, Any]) -> None:
        """Nobody will take it as it is: say why beside it."""
        name = self._free(self._refused, taken)
        write_json(self._refused / f"{name}.reason.json", reason)
        self._leave(taken, self._refused / name)

    def _claim(self, path: Path, status: os.stat_result, *, waited_enough: bool) -> Taken | None:
        problem = None
        if not stat.S_ISREG(status.st_mode):
            # A link would make us read, and send, a file that somebody else chose.
            problem = DocumentRefusedError("not-a-file", "", "only regular files are taken")
        elif status.st_size > MAX_FILE:
            problem = DocumentRefusedError("too-large", "", f"at most {MAX_FILE} bytes are taken")
        content = b"" if problem else _read(path)
        if problem is None:
            try:
                self._check(content)
            except DocumentRefusedError as refused:
                if refused.may_be_incomplete and not waited_enough:
                    return None
        name = _short(path.name)
        taken = Taken(
            key=_key(path.name, content),
            name=name,
            path=self._claimed / f"{_key(path.name, content)}~{name}",
            content=content,
        )
        path.rename(taken.path)
        sync_folder(self._claimed)
        sync_folder(self._inbox)
        if problem is not None:
            self.refuse(taken, {"code": problem.code, "pointer": problem.pointer, "detail": problem.detail})
            return None
        if _read(taken.path) != content:
            # Somebody still wrote while we read: put it back, unless another file of that name came meanwhile.
            return self._put_back(taken, path)
        return taken

    def _put_back(self, taken: Taken, path: Path) -> Taken | None:
        try:
            os.link(taken.path, path)
        except FileExistsError:
            # Both are kept: this one goes on under the key of what it holds now.
            content = _read(taken.path)
            moved = self._claimed / f"{_key(path.name, content)}~{taken.name}"
            taken.path.rename(moved)
            return Taken(key=_key(path.name, content), name=taken.name, path=moved, content=content)
        taken.path.unlink()
        return None

    def _free(self, folder: Path, taken: Taken) -> str:
        return f"{taken.key[:12]}~{taken.name}" if os.path.lexists(folder / taken.name) else taken.name

    def _leave(self, taken: Taken, target: Path) -> None:
        taken.path.rename(target)
        sync_folder(target.parent)
        sync_folder(self._claimed)
        (self._claimed / f"{taken.key}.submission.json").unlink(missing_ok=True)

    def _drop_orphans(self) -> None:
        """A crash between the last rename and the last unlink leaves a submission without its file."""
        present = {match[1] for path in self._claimed.iterdir() if (match := _CLAIMED.fullmatch(path.name))}
        for path in self._claimed.glob("*.submission.json"):
            if path.name.partition(".")[0] not in present:
                path.unlink()


class FolderLock:
    """One adapter per folder: two would take turns claiming and neither would know its leftovers."""

    def __init__(self, root: Path) -> None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._descriptor = os.open(root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            if error.errno not in {errno.EWOULDBLOCK, errno.EAGAIN}:
                raise
            raise SettingsError("folder-in-use", "another adapter is working in this folder") from None

    def release(self) -> None:
        os.close(self._descriptor)


def _key(name: str, content: bytes) -> str:
    return hashlib.sha256(b"tearline file\0" + os.fsencode(name) + b"\0" + content).hexdigest()


def _short(name: str) -> str:
    raw = os.fsencode(name)
    return name if len(raw) <= _MAX_NAME else raw[-_MAX_NAME:].decode(errors="replace")[-_MAX_NAME // 2 :]


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(MAX_FILE + 1)
