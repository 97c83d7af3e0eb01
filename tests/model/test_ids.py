"""Ids and numbers belong to their sender: nobody takes another agency's, nor shows up under its number."""

from __future__ import annotations

import os
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.model import control_id, control_number, is_bound, is_control_number_of, new_id
from tests.model.examples import NOW

NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,30}", fullmatch=True)


@given(sender=NAMES, other=NAMES, random=st.binary(min_size=10, max_size=10))
def test_an_id_is_its_senders_and_nobody_elses(sender: str, other: str, random: bytes) -> None:
    ident = new_id(NOW, lambda _: random, sender)

    assert is_bound(ident, sender)
    assert is_bound(ident, other) == (other == sender)


@given(bit=st.integers(0, 127))
def test_no_bit_of_an_id_can_be_changed(bit: int) -> None:
    ident = new_id(NOW, os.urandom, "a-pd")

    assert not is_bound(UUID(int=ident.int ^ 1 << bit), "a-pd")


def test_many_ids_of_one_millisecond_differ() -> None:
    assert len({new_id(NOW, os.urandom, "a-pd") for _ in range(500)}) == 500


def test_the_id_of_a_control_is_never_a_bulletins_and_nobodys_choice() -> None:
    bulletin = new_id(NOW, os.urandom, "victim-pd")
    control = control_id("hostile-pd", bulletin.bytes)

    assert (control.version, control.variant) == (8, "specified in RFC 4122")
    assert control != bulletin
    assert not is_bound(control, "hostile-pd")
    assert control == control_id("hostile-pd", bulletin.bytes) != control_id("other-pd", bulletin.bytes)


@pytest.mark.parametrize(
    ("number", "agency"),
    [
        ("FBI-2026-000001", "springfield-pd"),
        ("SPRINGFIELD-2026-000001", "springfield-pd"),
        ("SPRINGFIELD-PD-2026-000001", "springfield"),
        ("SPRINGFIELD-PD-2026-000001\n", "springfield-pd"),
        ("SPRINGFIELD-PD-26-000001", "springfield-pd"),
        ("SPRINGFIELD-PD", "springfield-pd"),
    ],
)
def test_a_number_that_is_not_exactly_that_agencys_is_not_its_own(number: str, agency: str) -> None:
    assert not is_control_number_of(number, agency)


def test_an_agencys_own_number_is_its_own() -> None:
    assert is_control_number_of(control_number("springfield-pd", 2026, 1_234_567), "springfield-pd")
