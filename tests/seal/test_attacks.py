"""Attacks on envelopes, and proof for every check that without it the attack would get further."""

from __future__ import annotations

import hashlib
import sys
from types import ModuleType

import pytest

from broker.seal import CODES, Hold, SealError, audience, cbor, errors, notice, primitives
from tests.seal.attacks import ATTACKS, Attack
from tests.seal.salamander_attack import STAND_DOWN, SUSPECT, salamander

_ROOMS = [module for name, module in sys.modules.items() if name.startswith("broker.seal.")]


def names(attack: Attack) -> str:
    return attack.name


def switch_off(monkeypatch: pytest.MonkeyPatch, codes: tuple[str, ...]) -> None:
    """Let `require` and `hold_unless` pass for these codes, in every module that calls them."""

    def require(condition: bool, code: str, detail: str = "") -> None:
        if code not in codes:
            errors.__dict__["_real_require"](condition, code, detail)

    def hold_unless(condition: bool, code: str) -> None:
        if not condition and code not in codes:
            raise Hold(code)

    monkeypatch.setattr(errors, "_real_require", errors.require, raising=False)
    for room in _ROOMS:
        patch_names(monkeypatch, room, require, hold_unless)


def patch_names(monkeypatch: pytest.MonkeyPatch, room: ModuleType, require: object, hold_unless: object) -> None:
    if room is errors:
        return
    if hasattr(room, "require"):
        monkeypatch.setattr(room, "require", require)
    if hasattr(room, "hold_unless"):
        monkeypatch.setattr(room, "hold_unless", hold_unless)


@pytest.mark.parametrize("attack", ATTACKS, ids=names)
def test_the_attack_is_refused_with_its_own_code(attack: Attack) -> None:
    with pytest.raises(SealError) as refused:
        attack.run()

    assert refused.value.code == attack.code
    assert refused.value.step == CODES[attack.code][0]


@pytest.mark.parametrize("attack", ATTACKS, ids=names)
def test_without_its_check_the_attack_gets_further(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    if callable(attack.off):
        attack.off(monkeypatch)
    else:
        switch_off(monkeypatch, attack.off)

    if attack.then is None:
        attack.run()
    else:
        with pytest.raises(SealError) as refused:
            attack.run()
        assert refused.value.code == attack.then


def test_every_step_of_unseal_has_an_attack_and_every_check_its_sabotage() -> None:
    in_unseal = {code for code, (step, _) in CODES.items() if step}

    # The caller's callback raises these three; the two above show that it is heeded.
    assert in_unseal - {attack.code for attack in ATTACKS} == {"newer-rules"}


def test_the_salamander_is_real_and_one_recipient_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made = salamander()
    assert made.first().parts[1].startswith(SUSPECT)

    switch_off(monkeypatch, ("key-commitment", "part-iv"))

    assert STAND_DOWN in made.victim().parts[1]


def test_only_failures_after_the_signatures_name_a_sender_and_give_a_witness() -> None:
    for attack in ATTACKS:
        with pytest.raises(SealError) as refused:
            attack.run()
        verified = refused.value.step > 10
        assert (refused.value.sender is not None) is verified, attack.name
        assert (refused.value.witness is not None) is verified, attack.name


BINDINGS = {
    "the recipient": ("a_member_brings_in_an_outsider", lambda hh, seed, _, rights: (hh, seed, "any", rights)),
    "parts, terms and references": (
        "a_member_loosens_anothers_obligations",
        lambda hh, seed, recipient, _: (hh, seed, recipient, b""),
    ),
    "the parts": ("a_member_takes_a_portion_from_another", lambda hh, seed, recipient, _: (hh, seed, recipient, b"")),
    "the references": ("a_member_adds_a_reference", lambda hh, seed, recipient, _: (hh, seed, recipient, b"")),
    "the seed": ("the_seed_of_another_recipient", lambda hh, _, recipient, rights: (hh, bytes(32), recipient, rights)),
}


@pytest.mark.parametrize("binding", BINDINGS)
def test_a_leaf_needs_each_of_its_bindings(binding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, weaken = BINDINGS[binding]
    attack = next(each for each in ATTACKS if each.name == name)
    whole = audience.leaf
    for room in (audience, notice):
        monkeypatch.setattr(room, "leaf", lambda *pieces: whole(*weaken(*pieces)))

    attack.run()


def test_a_leaf_and_a_node_are_hashed_apart() -> None:
    """Without the first byte a node's two children could be sold as a leaf's content."""
    assert audience.node(bytes(32), bytes(32)) == hashlib.sha256(b"\x01" + bytes(64)).digest()
    encoded = cbor.encode(["tearline leaf", bytes(32), primitives.hkdf(bytes(32), b"leaf salt"), "a", [], [], []])
    assert audience.leaf(bytes(32), bytes(32), "a", b"\x80" * 3) == hashlib.sha256(b"\x00" + encoded).digest()
