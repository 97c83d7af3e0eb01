"""For all bulletins and for all bytes."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.seal import (
    ML_KEM_768_X25519,
    PRECEDENCES,
    STATUSES,
    Addressee,
    AgencyKeys,
    Draft,
    Reference,
    SealError,
    Secrets,
    SigningKeys,
    Terms,
    Witness,
    cbor,
    encode_envelope,
    make_notice,
    nkey_seed,
    nkey_seed_text,
    open_own,
    padding,
    seal,
    unwrap_at_rest,
    wrap_at_rest,
)
from broker.seal.audience import climbs_to, plant
from tests.seal.exchange import CITY, NOW, SKEW, agency, counting, directory, receive
from tests.seal.test_confusion import PARSERS, objects

MODERATE = settings(max_examples=60, deadline=None)

agencies = st.text(string.ascii_lowercase + string.digits + "-._", min_size=1, max_size=20).map("a".__add__)
words = st.text(max_size=20)
values = st.one_of(words, st.integers(-(2**53), 2**53), st.lists(words, max_size=3).map(tuple))
obligations = st.dictionaries(words, values, max_size=4)
references = st.lists(
    st.builds(Reference, kind=st.sampled_from(["in_reply_to", "supersedes"]), bulletin=st.uuids()), max_size=3
).map(tuple)


@st.composite
def drafts(draw: Any) -> Draft:
    portions = draw(st.lists(st.binary(max_size=600), min_size=1, max_size=4))
    names = draw(st.lists(agencies, min_size=1, max_size=20, unique=True))
    audience = []
    for name in names:
        given_parts = tuple(sorted(draw(st.sets(st.integers(1, len(portions)), min_size=1))))
        terms = Terms(
            obligations={part: draw(obligations) for part in given_parts if draw(st.booleans())},
            named=tuple(draw(st.lists(words, max_size=2))),
            approved=draw(st.booleans()),
            note=draw(words),
        )
        audience.append(Addressee(agency=name, parts=given_parts, terms=terms, references=draw(references)))
    lives = draw(st.integers(1, 30 * 86_400_000))
    return Draft(
        sender=CITY,
        created=NOW,
        expires=NOW + timedelta(milliseconds=lives),
        precedence=draw(st.sampled_from(PRECEDENCES)),
        kind="bulletin",
        status=draw(st.sampled_from(sorted(STATUSES))),
        parts=tuple(portions),
        audience=tuple(audience),
        rules=(draw(st.integers(0, 2**32 - 1)), draw(st.binary(min_size=32, max_size=32))),
        directory=draw(st.integers(0, 2**32 - 1)),
        retention=draw(words),
    )


@MODERATE
@given(draft=drafts(), data=st.data())
def test_what_is_unsealed_is_what_was_sealed(draft: Draft, data: st.DataObject) -> None:
    one = seal(draft, agency(CITY).signing)
    addressee = data.draw(st.sampled_from(draft.audience))
    base = agency("state-police", ML_KEM_768_X25519)
    keys = AgencyKeys(agency=addressee.agency, signing=base.signing, kem=base.kem)
    notice = make_notice(one.source, addressee.agency, keys.kem[0].public)

    got = receive(encode_envelope(one.header, one.body, [notice]), keys)

    assert got.parts == {index: draft.parts[index - 1] for index in addressee.parts}
    assert (got.terms, got.references) == (addressee.terms, addressee.references)
    assert (got.manifest.created, got.manifest.expires) == (draft.created, draft.expires)
    assert (got.manifest.kind, got.manifest.status) == (draft.kind, draft.status)
    assert (got.manifest.rules, got.manifest.directory) == (draft.rules, draft.directory)
    assert (got.header.precedence, got.manifest.retention) == (draft.precedence, draft.retention)
    assert Secrets.decode(one.secrets.encode()) == one.secrets
    assert Witness.decode(got.witness.encode()) == got.witness
    assert open_own(one.body, one.secrets) == dict(enumerate(draft.parts, start=1))
    assert len(notice) == len(make_notice(one.source, draft.audience[0].agency, keys.kem[0].public))


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=400))
def test_any_bytes_into_any_parser_give_a_value_or_a_seal_error(raw: bytes) -> None:
    for parse in PARSERS.values():
        try:
            parse(raw)
        except SealError:
            continue


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_change_of_a_good_object_gives_a_value_or_a_seal_error(data: st.DataObject) -> None:
    raw = bytearray(objects()[data.draw(st.sampled_from(sorted(objects())))])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        match data.draw(st.sampled_from(["change", "cut", "insert"])):
            case "change":
                raw[at] = data.draw(st.integers(0, 255))
            case "cut":
                del raw[at : at + data.draw(st.integers(1, 40))]
            case _:
                raw[at:at] = data.draw(st.binary(max_size=9))
        if not raw:
            break

    for parse in PARSERS.values():
        try:
            parse(bytes(raw))
        except SealError:
            continue


cbor_values = st.recursive(
    st.one_of(st.integers(-(2**63), 2**64 - 1), st.binary(max_size=20), st.text(max_size=20), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.integers(-24, 23), inner, max_size=4)),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(value=cbor_values)
def test_strict_cbor_returns_what_it_wrote(value: Any) -> None:
    assert cbor.decode(cbor.encode(value), limit=1 << 20, code="header-cbor") == value


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=60))
def test_strict_cbor_accepts_one_form_only(raw: bytes) -> None:
    try:
        value = cbor.decode(raw, limit=60, code="header-cbor")
    except SealError:
        return
    assert cbor.encode(value) == raw


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=3000), floor=st.sampled_from([256, 6144]))
def test_padding_comes_off_exactly(content: bytes, floor: int) -> None:
    padded = padding.pad(content, padding.padme(len(content) + 1, floor))

    assert padding.unpad_exact(padded, "part-padding", floor) == content


@settings(max_examples=100, deadline=None)
@given(number=st.integers(1, 70), tree_seed=st.binary(min_size=32, max_size=32))
def test_every_leaf_climbs_to_the_root_from_its_own_place_only(number: int, tree_seed: bytes) -> None:
    leaves = [(f"agency-{index}", bytes((index,)) * 32) for index in range(number)]

    tree = plant(leaves, tree_seed, bytes(32))

    for name, digest in leaves:
        place, path = tree.places[name], tree.path(name)
        assert climbs_to(digest, place, path, tree.depth) == tree.root
        assert climbs_to(digest, place ^ 1, path, tree.depth) != tree.root
        assert climbs_to(digest, place + (1 << tree.depth), path, tree.depth) is None
        assert climbs_to(digest, place, path[:-32], tree.depth) is None
        assert climbs_to(bytes(32) if number < 2 else leaves[0][1][::-1] + b"", place, path + b"x", tree.depth) is None


@MODERATE
@given(key=st.binary(min_size=32, max_size=32), plaintext=st.binary(max_size=300), context=st.binary(max_size=40))
def test_what_rests_comes_back(key: bytes, plaintext: bytes, context: bytes) -> None:
    assert unwrap_at_rest(key, wrap_at_rest(key, plaintext, context), context) == plaintext


@MODERATE
@given(raw=st.binary(min_size=32, max_size=32), kind=st.sampled_from(["user", "account", "operator"]))
def test_nkey_seeds_come_back(raw: bytes, kind: str) -> None:
    assert nkey_seed(nkey_seed_text(raw, kind), kind) == raw


@settings(max_examples=100, deadline=None)
@given(ms=st.integers(0, 253_402_300_799_999))
def test_times_keep_their_milliseconds(ms: int) -> None:
    from broker.seal.shape import Shape, milliseconds

    at = Shape("manifest-content").instant(ms)

    assert milliseconds(at) == ms
    assert at == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def test_the_properties_use_the_exchange_they_say() -> None:
    assert directory()(CITY) == agency(CITY).public()
    assert isinstance(agency(CITY).signing, SigningKeys)
    assert timedelta(minutes=5) == SKEW
    assert counting()(4) == counting()(4)
