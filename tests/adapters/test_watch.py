from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from adapters import files, watch
from adapters.errors import SettingsError
from adapters.watch import FolderLock, WatchedFolder
from adapters.worker import check_whole

WHOLE = b'{"kind": "bulletin"}'


class Crash(BaseException):
    """kill -9, at a moment of the test's choosing."""


def folder(root: Path, **options) -> WatchedFolder:
    return WatchedFolder(root, inbox="in", check=check_whole, **{"settle": 1.0, "patience": 10.0, **options})


def tree(root: Path) -> dict[str, list[str]]:
    return {
        name: sorted(path.name for path in (root / name).iterdir() if path.is_file() or path.is_symlink())
        for name in ("in", "claimed/in", "done", "refused")
    }


def drop(root: Path, name: str, content: bytes = WHOLE) -> Path:
    path = root / "in" / name
    path.write_bytes(content)
    return path


def test_a_file_is_taken_once_it_has_not_changed_for_a_while(tmp_path):
    watched = folder(tmp_path)
    drop(tmp_path, "a.json")

    assert list(watched.arrived(0.0)) == []
    assert list(watched.arrived(0.9)) == []
    (taken,) = watched.arrived(1.0)
    assert (taken.name, taken.content) == ("a.json", WHOLE)
    assert list(watched.arrived(5.0)) == []


def test_a_file_that_still_grows_is_left_alone(tmp_path):
    watched = folder(tmp_path)
    path = drop(tmp_path, "a.json", WHOLE[:5])
    for moment in range(5):
        assert list(watched.arrived(float(moment))) == []
        with path.open("ab") as file:
            file.write(WHOLE[5 + moment : 6 + moment])
    path.write_bytes(WHOLE)
    assert list(watched.arrived(5.0)) == []
    assert len(list(watched.arrived(6.0))) == 1


def test_a_writer_that_pauses_in_the_middle_is_waited_for(tmp_path):
    watched = folder(tmp_path)
    path = drop(tmp_path, "a.json", WHOLE[:-1])
    assert [list(watched.arrived(moment)) for moment in (0.0, 1.0, 9.0)] == [[], [], []]

    path.write_bytes(WHOLE)

    assert [len(list(watched.arrived(moment))) for moment in (9.5, 10.5)] == [0, 1]


def test_half_a_file_nobody_finishes_is_given_to_the_worker_to_refuse(tmp_path):
    watched = folder(tmp_path)
    drop(tmp_path, "a.json", WHOLE[:-1])
    list(watched.arrived(0.0))
    (taken,) = watched.arrived(10.0)
    assert taken.content == WHOLE[:-1]


@pytest.mark.parametrize(
    "name", [".a.json", "a.json.part", "a.json.PART", "a.json.tmp", "a.json~", ".a.json.swp", "a.filepart"]
)
def test_names_of_files_under_way_are_ignored(tmp_path, name):
    watched = folder(tmp_path)
    drop(tmp_path, name)
    list(watched.arrived(0.0))
    assert list(watched.arrived(100.0)) == []


def test_a_file_renamed_in_is_taken(tmp_path):
    watched = folder(tmp_path)
    drop(tmp_path, "a.json.part").rename(tmp_path / "in" / "a.json")
    list(watched.arrived(0.0))
    assert len(list(watched.arrived(1.0))) == 1


def test_a_link_to_somebody_elses_file_is_refused_and_not_read(tmp_path):
    watched = folder(tmp_path)
    secret = tmp_path / "secret"
    secret.write_bytes(WHOLE)
    (tmp_path / "in" / "a.json").symlink_to(secret)
    list(watched.arrived(0.0))

    assert list(watched.arrived(1.0)) == []

    assert tree(tmp_path)["refused"] == ["a.json", "a.json.reason.json"]
    assert json.loads((tmp_path / "refused" / "a.json.reason.json").read_bytes())["code"] == "not-a-file"
    assert secret.read_bytes() == WHOLE


def test_a_pipe_does_not_block_the_adapter(tmp_path):
    watched = folder(tmp_path)
    os.mkfifo(tmp_path / "in" / "a.json")
    list(watched.arrived(0.0))
    assert list(watched.arrived(1.0)) == []
    assert "a.json.reason.json" in tree(tmp_path)["refused"]


def test_a_file_larger_than_any_bulletin_is_refused_unread(tmp_path):
    watched = folder(tmp_path)
    drop(tmp_path, "a.json", b" " * (watch.MAX_FILE + 1))
    list(watched.arrived(0.0))
    assert list(watched.arrived(1.0)) == []
    assert "a.json.reason.json" in tree(tmp_path)["refused"]


def test_a_file_written_to_while_it_was_read_goes_back(tmp_path, monkeypatch):
    watched = folder(tmp_path)
    drop(tmp_path, "a.json")
    list(watched.arrived(0.0))
    real, calls = watch._read, []

    def racing(path):
        content = real(path)
        calls.append(path)
        return content if len(calls) == 1 else content + b" "

    monkeypatch.setattr(watch, "_read", racing)
    assert list(watched.arrived(1.0)) == []
    assert tree(tmp_path) == {"in": ["a.json"], "claimed/in": [], "done": [], "refused": []}


def test_two_files_of_one_name_one_after_the_other_are_both_kept(tmp_path):
    watched = folder(tmp_path, settle=0.0)
    for number, content in enumerate((WHOLE, WHOLE + b" ", WHOLE + b"  ")):
        drop(tmp_path, "a.json", content)
        (taken,) = watched.arrived(float(number))
        watched.finish(taken, {"id": str(number)})
    done = [name for name in tree(tmp_path)["done"] if not name.endswith(".answer.json")]
    assert len(done) == 3
    assert done[-1] == "a.json"


def test_names_no_other_program_would_choose_are_taken(tmp_path):
    watched = folder(tmp_path, settle=0.0)
    names = ["a b.json", "ä" * 100 + ".json", "-rf.json", "x" * 250, "a\nb.json", os.fsdecode(b"\xff\xfe.json")]
    for name in names:
        drop(tmp_path, name, json.dumps({"n": len(name)}).encode())
    taken = list(watched.arrived(0.0))
    assert len(taken) == len(names)
    for item in taken:
        watched.refuse(item, {"code": "x", "name": "y"})
    assert tree(tmp_path)["claimed/in"] == tree(tmp_path)["in"] == []
    assert len(tree(tmp_path)["refused"]) == 2 * len(names)


def test_one_adapter_per_folder(tmp_path):
    lock = FolderLock(tmp_path)
    with pytest.raises(SettingsError) as refused:
        FolderLock(tmp_path)
    assert refused.value.code == "folder-in-use"
    lock.release()
    FolderLock(tmp_path).release()


# ---------------------------------------------------------------------- crashes


class CrashAfter:
    """Lets a number of file operations happen, then dies before or in the middle of the next."""

    def __init__(self, monkeypatch, budget: int) -> None:
        self.left = budget
        for module, name in ((watch, "write_json"), (watch, "sync_folder"), (files, "sync_folder")):
            monkeypatch.setattr(module, name, self.wrapped(getattr(module, name)))
        for name in ("rename", "unlink"):
            monkeypatch.setattr(Path, name, self.wrapped(getattr(Path, name)))

    def wrapped(self, function):
        def call(*arguments, **options):
            if self.left == 0:
                raise Crash
            self.left -= 1
            return function(*arguments, **options)

        return call


def life(root: Path, gateway: dict, *, moment: float) -> None:
    """One life of an adapter: what `Worker` does with a folder, in its order."""
    watched = folder(root, settle=0.0)
    for taken in [*watched.left_over(), *watched.arrived(moment)]:
        answer = watched.answer_to(taken.key)
        if answer is None:
            submission = watched.submission(taken)
            if submission is None:
                if b"refuse" in taken.content:
                    watched.refuse(taken, {"code": "x"})
                    continue
                submission = {"body": taken.content.decode(), "at": moment}
                watched.keep_submission(taken, submission)
            # The gateway: one bulletin per key, and a repetition must be the same request.
            assert gateway.setdefault(taken.key, submission) == submission
            answer = {"id": taken.key}
        watched.finish(taken, answer)


@pytest.mark.parametrize("content", [WHOLE, b'{"refuse": 1}'], ids=["published", "refused"])
def test_kill_9_before_any_file_operation_loses_nothing_and_takes_nothing_twice(tmp_path, content):
    for budget in range(60):
        root, gateway = tmp_path / str(budget), {}
        folder(root)
        drop(root, "a.json", content)
        with pytest.MonkeyPatch.context() as monkeypatch:
            CrashAfter(monkeypatch, budget)
            try:
                life(root, gateway, moment=1.0)
                crashed = False
            except Crash:
                crashed = True
        life(root, gateway, moment=2.0)
        life(root, gateway, moment=3.0)

        found = tree(root)
        assert found["in"] == found["claimed/in"] == []
        if content == WHOLE:
            assert (found["done"], len(gateway)) == (["a.json", "a.json.answer.json"], 1)
        else:
            assert (found["refused"], len(gateway)) == (["a.json", "a.json.reason.json"], 0)
        if not crashed:
            break
    else:
        pytest.fail("the life never came to its end")
    assert budget > 6  # so many places to die were tried


def test_the_same_file_dropped_again_gets_the_answer_it_already_got(tmp_path):
    gateway: dict = {}
    folder(tmp_path)
    for moment in (1.0, 2.0):
        drop(tmp_path, "a.json")
        life(tmp_path, gateway, moment=moment)
    assert len(gateway) == 1
    assert len([name for name in tree(tmp_path)["done"] if not name.endswith(".answer.json")]) == 2
