"""What the hub publishes of its folder of releases: everything once, second signatures too, whatever the clock says."""

import os
import pathlib

import pytest

from broker.ops.hub import _changed, _publish
from broker.trust import TrustStore
from tests.trust.emergencies import confirmed, emergency, head
from tests.trust.exchange import NOW, directory, founded, root, rules


class Stream:
    """RELEASES in memory: nothing is put there twice in a row under one subject."""

    def __init__(self) -> None:
        self.stored: list[tuple[str, int, bytes]] = []

    async def publish_release(self, kind: str, number: int, raw: bytes) -> bool:
        last = next((kept for of, at, kept in reversed(self.stored) if (of, at) == (kind, number)), None)
        if last == raw:
            return False
        self.stored.append((kind, number, raw))
        return True


@pytest.fixture
def store(tmp_path: pathlib.Path) -> TrustStore:
    opened = TrustStore(tmp_path / "releases", root().fingerprint)
    for minted in (founded(), directory(), rules()):
        opened.offer(minted.sealed, now=NOW)
    return opened


def follower(folder: pathlib.Path, stream: Stream) -> TrustStore:
    """A gateway that reads the stream from its beginning."""
    gateway = TrustStore(folder, root().fingerprint)
    for _, _, raw in stream.stored:
        gateway.offer(raw, now=NOW)
    return gateway


async def test_everything_is_published_once(store: TrustStore, tmp_path: pathlib.Path) -> None:
    stream = Stream()
    for _ in range(3):
        await _publish(stream, store, tmp_path / "sealed")  # type: ignore[arg-type]
    assert [(kind, number) for kind, number, _ in stream.stored] == [("root", 1), ("rules", 1), ("directory", 1)]
    assert follower(tmp_path / "gateway", stream).staged_rules is not None


@pytest.mark.parametrize("looked", ["in between", "only afterwards"])
async def test_a_second_signature_is_published_also_when_the_next_release_came_with_it(
    store: TrustStore, tmp_path: pathlib.Path, looked: str
) -> None:
    """Otherwise the emergency would lapse at every gateway, and at the officers' desk it would not."""
    stream = Stream()
    added = emergency(rules())
    store.offer(added.sealed, now=NOW)
    if looked == "in between":
        await _publish(stream, store, tmp_path / "sealed")  # type: ignore[arg-type]
    store.offer(confirmed(added), now=NOW)
    store.offer(rules(head(added), text=added.release.content[2]).sealed, now=NOW)  # type: ignore[index]
    for _ in range(2):
        await _publish(stream, store, tmp_path / "sealed")  # type: ignore[arg-type]

    gateway = follower(tmp_path / "gateway", stream)
    second = gateway.release("rules", 2)
    assert second is not None
    assert second.confirmed
    assert gateway.staged_rules is not None
    assert gateway.staged_rules.number == 3
    assert len(stream.stored) == (5 if looked == "only afterwards" else 6)
    # A relay that lost its disk gets the confirmed one, not the copy of before.
    again = Stream()
    await _publish(again, store, tmp_path / "sealed")  # type: ignore[arg-type]
    second = follower(tmp_path / "another", again).release("rules", 2)
    assert second is not None
    assert second.confirmed


def test_a_file_is_seen_whatever_date_another_one_wears(store: TrustStore, tmp_path: pathlib.Path) -> None:
    """The clock was a year ahead when the first was written, or the folder was copied with its dates."""
    folder = tmp_path / "releases"
    os.utime(folder / "rules-000001.cose", (2_000_000_000, 2_000_000_000))
    before = _changed(folder)
    added = emergency(rules())
    store.offer(added.sealed, now=NOW)
    staged = _changed(folder)
    assert staged != before
    store.offer(confirmed(added), now=NOW)
    assert _changed(folder) != staged
