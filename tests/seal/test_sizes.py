"""Nothing is learnt from sizes and places; nothing is sealed that a recipient would refuse."""

from __future__ import annotations

from datetime import timedelta

import pytest

from broker.seal import (
    Addressee,
    Terms,
    decode_envelope,
    make_notice,
    padding,
)
from tests.seal.exchange import (
    FUSION,
    NOW,
    STATE,
    agency,
    content_for,
    counting,
    draft,
    envelope_for,
    refused_code,
    sealed,
)


def test_all_notices_of_a_bulletin_are_of_one_length() -> None:
    long = Terms(obligations={1: {"onward": "x" * 200}}, named=("p" * 100,), note="n" * 800)
    audience = (
        Addressee(agency=FUSION, parts=(1, 2), terms=long),
        *(Addressee(agency=f"agency-{index}", parts=(1 + index % 2,)) for index in range(40)),
    )
    one = sealed(audience=audience)
    kem = agency(STATE).kem[0].public

    sizes = {len(make_notice(one.source, each.agency, kem, random=counting())) for each in audience}

    assert len(sizes) == 1


@pytest.mark.parametrize("size", [0, 1, 254, 255, 256, 1000, 5000, 70_000, 500_000])
def test_parts_fall_into_padme_buckets(size: int) -> None:
    one = sealed(parts=(bytes(size),), audience=(Addressee(agency=STATE, parts=(1,)),))

    plaintext = len(decode_envelope(envelope_for(one, STATE)).frames[1].ciphertext) - 16

    assert plaintext == padding.padme(size + 1)
    assert plaintext == padding.padme(plaintext)
    assert size < plaintext <= max(256, (size + 1) * 1.12)


def test_short_texts_look_alike() -> None:
    sizes = set()
    for content in (b"", b"yes", b"n" * 255):
        one = sealed(parts=(content,), audience=(Addressee(agency=STATE, parts=(1,)),))
        sizes.add(len(envelope_for(one, STATE)))

    assert len(sizes) == 1


def test_a_small_audience_does_not_show_its_number() -> None:
    sizes, depths = set(), set()
    for number in (1, 2, 9, 16):
        audience = tuple(Addressee(agency=f"agency-{index}", parts=(1,)) for index in range(number))
        one = sealed(audience=audience)
        got = content_for(one.source, "agency-0")
        sizes.add((len(one.body), one.secrets.notice_size))
        depths.add(len(got.path))

    assert len(sizes) == 1
    assert depths == {4 * 32}


def test_places_are_random_and_their_order_is_not_the_audiences() -> None:
    places = []
    for attempt in range(20):
        audience = tuple(Addressee(agency=f"agency-{index}", parts=(1,)) for index in range(16))
        one = sealed(audience=audience, retention=f"class-{attempt}", precedence=("FLASH", "ROUTINE")[attempt % 2])
        places.append(tuple(one.source.tree.places[f"agency-{index}"] for index in range(16)))
        assert sorted(places[-1]) == list(range(16))

    assert tuple(range(16)) not in places
    assert len(set(places)) > 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"audience": ()}, "no-audience"),
        ({"audience": draft().audience * 2}, "bad-draft"),
        ({"audience": tuple(Addressee(agency=f"a{n}", parts=(1,)) for n in range(2**17 + 1))}, "too-large"),
        ({"audience": (Addressee(agency=STATE, parts=()),)}, "bad-draft"),
        ({"audience": (Addressee(agency=STATE, parts=(3,)),)}, "bad-draft"),
        ({"audience": (Addressee(agency=STATE, parts=(2, 1)),)}, "bad-draft"),
        ({"audience": (Addressee(agency="STATE POLICE", parts=(1,)),)}, "bad-draft"),
        ({"audience": (Addressee(agency=STATE, parts=(1,), terms=Terms(obligations={2: {}})),)}, "bad-draft"),
        ({"audience": (Addressee(agency=STATE, parts=(1,), terms=Terms(note="x" * 1025)),)}, "bad-draft"),
        (
            {
                "audience": (
                    Addressee(
                        agency=STATE,
                        parts=(1,),
                        terms=Terms(obligations={1: {f"name {n}": ("w" * 200,) * 64 for n in range(2)}}),
                    ),
                )
            },
            "too-large",
        ),
        ({"parts": (), "audience": (Addressee(agency=STATE, parts=()),)}, "bad-draft"),
        ({"parts": (b"",) * 17}, "bad-draft"),
        ({"parts": (bytes(400_000), bytes(200_000))}, "too-large"),
        ({"parts": (bytes(520_000), b"")}, "too-large"),  # fits, but not once padded
        ({"kind": "gossip"}, "bad-draft"),
        ({"status": "Maybe"}, "bad-draft"),
        ({"precedence": "URGENT"}, "bad-draft"),
        ({"expires": NOW - timedelta(days=1)}, "bad-draft"),
        ({"created": NOW.replace(tzinfo=None)}, "bad-draft"),
        ({"rules": (1, b"short")}, "bad-draft"),
        ({"retention": "x" * 65}, "bad-draft"),
    ],
)
def test_what_a_recipient_would_refuse_is_not_sealed(changes: dict[str, object], code: str) -> None:
    assert refused_code(lambda: sealed(**changes)) == code
