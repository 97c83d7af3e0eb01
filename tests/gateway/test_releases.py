"""A gateway takes releases in whatever order they come, and again when its clock has been set right."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from broker.gateway import releases
from broker.gateway.metrics import Metrics
from broker.gateway.tally import Tally
from broker.trust import TrustStore
from tests.gateway.exchange import eventually
from tests.trust.exchange import NOW, directory, founded, root, rules


class Line:
    """Releases as a link yields them: each once, and then none for ever."""

    def __init__(self, raws: Sequence[bytes]) -> None:
        self.raws = raws

    async def releases(self) -> AsyncIterator[bytes]:
        for raw in self.raws:
            yield raw
        await asyncio.Event().wait()


class Bell:
    def __init__(self) -> None:
        self.rung = 0

    def ring(self) -> None:
        self.rung += 1


@pytest.fixture
def chain(tmp_path: pathlib.Path) -> list[bytes]:
    """The root, a directory, and rules 1 to 3, as they travel."""
    maker = TrustStore(tmp_path / "maker", root().fingerprint)
    sealed = [founded().sealed, directory().sealed]
    for raw in sealed:
        maker.offer(raw, now=NOW)
    for _ in range(3):
        minted = rules(maker.staged_rules)
        maker.offer(minted.sealed, now=NOW)
        sealed.append(minted.sealed)
    return sealed


def node_of(tmp_path: pathlib.Path, raws: Sequence[bytes]) -> Any:
    return SimpleNamespace(
        link=Line(raws),
        trust=TrustStore(tmp_path / "releases", root().fingerprint),
        now=lambda: NOW,
        metrics=Metrics(),
        outbox=Bell(),
        releases=Bell(),
        held=Bell(),
        standing=SimpleNamespace(staged=Bell()),
        tally=Tally(),
        now_ms=lambda: 0,
        keys={"il-fusion": None},
        store=Nothing(),
    )


class Nothing:
    """Refusals are recorded in the audit; these tests are about what is taken."""

    async def write(self, _: Any) -> None:
        return None


async def until_staged(node: Any) -> None:
    trust = node.trust
    await eventually(lambda: trust.staged("directory") and trust.staged("rules") and trust.staged("rules").number == 3)


async def test_rules_three_two_one_are_all_staged_in_order(tmp_path: pathlib.Path, chain: list[bytes]) -> None:
    founding, one_directory, first, second, third = chain
    node = node_of(tmp_path, (founding, one_directory, third, second, first))
    following = asyncio.create_task(releases.run(node))
    await until_staged(node)
    following.cancel()
    # What waits for rules is woken by each of the five; nothing is in force before a beat says so.
    assert node.held.rung == node.outbox.rung == node.releases.rung == node.standing.staged.rung == 5
    assert node.trust.rules is None


async def test_a_clock_that_was_six_minutes_slow_is_set_right(
    tmp_path: pathlib.Path, chain: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releases, "AGAIN_SECONDS", 0.02)
    node = node_of(tmp_path, chain)
    node.now = lambda: NOW - timedelta(minutes=6)
    following = asyncio.create_task(releases.run(node))
    await eventually(lambda: node.trust.waiting == 4)
    assert node.trust.staged_directory is None
    node.now = lambda: NOW
    await until_staged(node)
    following.cancel()
