"""Every attack on an envelope, by name: the code it must meet, and what happens when that one check is switched off.

`off` switches the check off: codes whose `require` is made to pass, or a function that patches the production code.
`then` is the outcome without it: `None` when the attack succeeds, otherwise the code of the check that stands behind.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cbor2
import pytest

from broker.seal import (
    Sealed,
    Unsealed,
    cbor,
    cose,
    padding,
    parts,
    primitives,
)
from broker.seal.parts import derive
from tests.seal.exchange import (
    Forger,
)


@dataclass(frozen=True, kw_only=True)
class Attack:
    name: str
    code: str
    run: Callable[[], Unsealed]
    off: tuple[str, ...] | Callable[[pytest.MonkeyPatch], None]
    then: str | None


# The function `unseal` hides the module of that name.
unseal_room = sys.modules["broker.seal.unseal"]

ATTACKS: list[Attack] = []


def attack(
    code: str, *, off: tuple[str, ...] | Callable[[pytest.MonkeyPatch], None] | None = None, then: str | None = None
) -> Callable[[Callable[[], Unsealed]], Callable[[], Unsealed]]:
    def register(run: Callable[[], Unsealed]) -> Callable[[], Unsealed]:
        ATTACKS.append(Attack(name=run.__name__, code=code, run=run, off=(code,) if off is None else off, then=then))
        return run

    return register


def put(target: Any, name: str, value: Any) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda monkeypatch: monkeypatch.setattr(target, name, value)


def lenient(raw: bytes, **_: Any) -> Any:
    return cbor2.loads(raw)


no_end_check = put(cbor.Reader, "end", lambda _: None)


def changed_header(**changes: Any) -> Callable[[bytes], bytes]:
    return lambda raw: cbor.encode({**cbor2.loads(raw), **{int(key[1:]): value for key, value in changes.items()}})


def anew(index: int, change: Callable[[Forger, int, bytes], bytes]) -> Sealed:
    """A bulletin whose part `index` the sender encrypted itself, given its content."""
    forger = Forger()

    def again(at: int, part: bytes) -> bytes:
        if at != index:
            return part
        return change(
            forger, at, parts.open_part(forger.made[at], forger.cx, at, cose.Encrypt0.parse(part, "part-shape"))
        )

    forger.portion = again
    forger.part_zero = lambda part: again(0, part)
    return forger.forge()


def chosen_iv(forger: Forger, index: int, content: bytes) -> bytes:
    keys = replace(derive(forger.made[index], forger.cx, index), iv=bytes(12))
    return parts.encrypt_part(keys, forger.cx, index, content)


def encrypted(forger: Forger, index: int, padded: bytes, place: int) -> bytes:
    mine = derive(forger.made[index], forger.cx, index)
    aad = cose.encrypt0_aad(parts._context(forger.cx, place))
    return cose.Encrypt0(iv=mine.iv, ciphertext=primitives.aes_gcm_encrypt(mine.cek, mine.iv, padded, aad)).encode()


def padded_otherwise(forger: Forger, index: int, content: bytes) -> bytes:
    padded = padding.pad(content, 2 * padding.padme(len(content) + 1))
    return encrypted(forger, index, padded, index)


def for_another_place(forger: Forger, index: int, content: bytes) -> bytes:
    return encrypted(forger, index, padding.pad(content, padding.padme(len(content) + 1)), 16)
