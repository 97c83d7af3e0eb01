"""Releases on disk: whole, never backwards, and read back as what they were signed as."""

import os
import pathlib

import pytest

from broker.trust import TrustError, TrustStore
from tests.trust.exchange import NOW, directory, founded, put_in_force, root, rules


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "releases"
    store = TrustStore(folder, root().fingerprint)
    for minted in (founded(), directory(), rules()):
        store.offer(minted.sealed, now=NOW)
    store.offer(rules(store.staged_rules).sealed, now=NOW)
    return folder


def reopened(folder: pathlib.Path) -> TrustStore:
    return TrustStore(folder, root().fingerprint)


def damage(folder: pathlib.Path) -> str:
    with pytest.raises(TrustError) as refused:
        reopened(folder)
    return refused.value.code


def test_what_was_accepted_is_in_force_after_a_restart(folder: pathlib.Path) -> None:
    store = reopened(folder)
    assert store.staged_rules is not None
    assert store.staged_directory is not None
    assert (store.staged_rules.number, store.staged_directory.number) == (2, 1)
    assert store.rules_at(1) is not None
    put_in_force(store)
    again = reopened(folder)
    assert (again.rules, again.directory) == (store.rules, store.directory)
    assert again.decider(NOW) is not None


def test_the_stream_is_read_again_from_its_beginning(folder: pathlib.Path) -> None:
    before = reopened(folder)
    stream = [before.sealed("root"), before.sealed("directory"), before.sealed("rules", 1), before.sealed("rules", 2)]
    after = reopened(folder)
    assert [after.offer(raw, now=NOW) for raw in stream] == [None] * 4
    fresh = TrustStore(folder.parent / "fresh", root().fingerprint)
    accepted = [fresh.offer(raw, now=NOW) for raw in stream]
    assert [(item.type, item.number) for item in accepted if item] == [
        ("root", 1),
        ("directory", 1),
        ("rules", 1),
        ("rules", 2),
    ]


def test_a_crash_while_writing_leaves_the_release_before(folder: pathlib.Path) -> None:
    (folder / ".rules-000003.cose.77.tmp").write_bytes(b"half a rel")
    (folder / ".marks.json.77.tmp").write_bytes(b"{")
    store = reopened(folder)
    assert store.staged_rules is not None
    assert store.staged_rules.number == 2
    store.offer(rules(store.staged_rules).sealed, now=NOW)
    assert not list(folder.glob(".*.tmp"))


def test_a_crash_between_release_and_marks_leaves_the_new_release_whole(folder: pathlib.Path) -> None:
    marks = (folder / "marks.json").read_bytes()
    store = reopened(folder)
    third = rules(store.staged_rules)
    store.offer(third.sealed, now=NOW)
    (folder / "marks.json").write_bytes(marks)
    again = reopened(folder)
    assert again.staged_rules is not None
    assert again.staged_rules.hash == third.release.hash
    assert again.offer(third.sealed, now=NOW) is None


def test_a_crash_at_every_rename_leaves_one_whole_release(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies right before the n-th rename; what is found afterwards is the old release or the new one."""
    rename = pathlib.Path.replace

    class DeathError(Exception):
        pass

    for survived in range(2):
        store = reopened(folder)
        assert store.staged_rules is not None
        before = store.staged_rules.number
        left = [survived]

        def dies(self: pathlib.Path, target: pathlib.Path, left: list[int] = left) -> pathlib.Path:
            if left[0] == 0:
                raise DeathError
            left[0] -= 1
            return rename(self, target)

        minted = rules(store.staged_rules)
        monkeypatch.setattr(pathlib.Path, "replace", dies)
        with pytest.raises(DeathError):
            store.offer(minted.sealed, now=NOW)
        monkeypatch.setattr(pathlib.Path, "replace", rename)
        after = reopened(folder)
        assert after.staged_rules is not None
        assert after.staged_rules.number == before + survived
        assert (after.offer(minted.sealed, now=NOW) is None) == (survived == 1)


def test_two_processes_add_to_one_folder(folder: pathlib.Path) -> None:
    """An officer adds what the hub follows: neither takes the other's release back, and one number has one content."""
    hub, desk, late = reopened(folder), reopened(folder), reopened(folder)
    third = rules(desk.staged_rules)
    desk.offer(third.sealed, now=NOW)
    hub.offer(directory(hub.staged_directory).sealed, now=NOW)
    with pytest.raises(TrustError) as refused:
        late.offer(rules(late.staged_rules, floor=1).sealed, now=NOW)
    assert refused.value.code == "equivocation"
    assert late.offer(third.sealed, now=NOW) is not None
    after = reopened(folder)
    assert after.staged_rules is not None
    assert after.staged_directory is not None
    assert (after.staged_rules.number, after.staged_directory.number) == (3, 2)
    (folder / "rules-000003.cose").unlink()
    assert damage(folder) == "store-damaged"


def test_reading_a_folder_writes_nothing(folder: pathlib.Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    reopened(folder)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_a_release_that_was_in_force_and_is_gone(folder: pathlib.Path) -> None:
    (folder / "rules-000002.cose").unlink()
    assert damage(folder) == "store-damaged"


def test_a_disk_from_yesterday_under_the_marks_of_today(folder: pathlib.Path) -> None:
    (folder / "rules-000002.cose").write_bytes((folder / "rules-000001.cose").read_bytes())
    assert damage(folder) == "store-damaged"


def test_a_release_changed_on_disk(folder: pathlib.Path) -> None:
    path = folder / "rules-000002.cose"
    raw = bytearray(path.read_bytes())
    raw[raw.find(b"R01 RED")] ^= 1
    path.write_bytes(raw)
    assert damage(folder) == "bad-signature"


def test_a_release_changed_on_disk_while_running(folder: pathlib.Path) -> None:
    store = reopened(folder)
    store._shelf._rules.clear()
    (folder / "rules-000001.cose").write_bytes((folder / "rules-000002.cose").read_bytes())
    with pytest.raises(TrustError) as refused:
        store.rules_at(1)
    assert refused.value.code == "store-damaged"


def test_the_folder_of_another_exchange(folder: pathlib.Path) -> None:
    with pytest.raises(TrustError) as refused:
        TrustStore(folder, "sha256:" + "0" * 64)
    assert refused.value.code == "other-exchange"


@pytest.mark.parametrize("raw", [b"", b"{", b"[]x", b'{"rules":[0,"x"]}', b'{"rules":[99,"00"]}', b'{"other":[1,"x"]}'])
def test_marks_nobody_can_read(raw: bytes, folder: pathlib.Path) -> None:
    (folder / "marks.json").write_bytes(raw)
    assert damage(folder) == "store-damaged"


def test_the_root_taken_away(folder: pathlib.Path) -> None:
    (folder / "root.cose").unlink()
    assert damage(folder) == "store-damaged"


def test_nobody_else_reads_the_folder(folder: pathlib.Path) -> None:
    secret = [path for path in folder.iterdir() if path.name != ".lock"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in [folder, *secret])


def test_a_release_is_on_disk_before_it_is_in_force(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = reopened(folder)
    synced: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: (synced.append(number), fsync(number))[1])
    store.offer(rules(store.staged_rules).sealed, now=NOW)
    # File and folder of the release, then file and folder of the marks.
    assert len(synced) == 4
