"""Emergencies as an officer, or a thief of one officer's key, would sign them; and what a store makes of them."""

import functools
import pathlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from broker.seal import encrypt_release
from broker.trust import Minted, Rules, TrustError, TrustStore, endorse
from tests.trust.exchange import AVERY, BLAKE, NOW, RULES, beat_of, directory, founded, put_in_force, root, rules

HOUR = timedelta(hours=1)
#: Held back from everybody, and by no means from what an `always` rule delivers.
NARCOTICS = """
- rule: {id} nothing about narcotics
  effect: never
  when: {{category: narcotics, TLP: {tlp}}}
  to: everyone
  because: a source is in danger
"""
WIDE = """
- rule: W1 everything to everyone
  effect: share
  when: anything
  to: everyone
  because: it was a test
"""


def with_rule(text: str, rule: str) -> str:
    """Rules with one more of them, in the form of the file."""
    head, after, rest = text.partition("\nagreements:")
    return head.rstrip() + "\n" + rule + after + rest


def never(ident: str, text: str = RULES, tlp: str = "AMBER") -> str:
    return with_rule(text, NARCOTICS.format(id=ident, tlp=tlp))


@functools.cache
def wide() -> Minted:
    """Rules 1, which share everything with everyone."""
    return rules(text=with_rule(RULES, WIDE))


@functools.cache
def narrow() -> Minted:
    """Rules 2, which do not any more."""
    return rules(head(wide()))


def head(minted: Minted) -> Any:
    """What a minter needs to know of a predecessor."""
    return type("Head", (), {"release": minted.release})()


def emergency(
    previous: Minted,
    *,
    basis: Minted | None = None,
    text: str | None = None,
    officers: Any = (AVERY,),
    created: datetime = NOW,
    hours: float = 24,
    of: int | None = None,
    **more: Any,
) -> Minted:
    """An emergency after `previous` over `basis`, which is `previous` unless something is to be tried."""
    to = basis or previous
    content: Any = to.release.content
    return rules(
        head(previous),
        text=never("E" + str(previous.release.number), content[2]) if text is None else text,
        officers=officers,
        created=created,
        **{
            "expires": to.release.expires,
            "basis": to.release.number if of is None else of,
            "lapses": created + timedelta(hours=hours),
            **more,
        },
    )


def confirmed(minted: Minted, by: Any = BLAKE) -> bytes:
    return encrypt_release(root().fingerprint, endorse(minted.document, "rules", by.signing))


@functools.cache
def listed() -> Minted:
    return directory()


def opened(folder: pathlib.Path) -> TrustStore:
    """Wide rules 1 were replaced by rules 2, which are in force."""
    store = TrustStore(folder, root().fingerprint)
    for minted in (founded(), listed(), wide(), narrow()):
        store.offer(minted.sealed, now=NOW)
    put_in_force(store)
    return store


def beat(store: TrustStore, minted: Minted, *, at: datetime = NOW, **more: Any) -> None:
    sequence = store.force.sequence + 1
    store.activate(beat_of(minted, listed(), at=at, sequence=sequence, **more), now=at)


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(TrustError) as error:
        act()
    return error.value.code


def offered(store: TrustStore, minted: Minted, *, at: datetime = NOW) -> str:
    before = (store.rules, store.staged_rules)
    code = refused(lambda: store.offer(minted.sealed, now=at))
    assert (store.rules, store.staged_rules) == before
    return code


def in_force(store: TrustStore, at: datetime = NOW) -> Rules:
    assert store.rules is not None
    return store.effective(store.rules, at)


def quorum(store: TrustStore, *, at: datetime = NOW) -> list[tuple[int, int]]:
    """What may come into force at a hub with what this store has in force: numbers and quorums."""
    return [(release.number, needed) for release, needed in store.coming("rules", store.force.rules, at)]
