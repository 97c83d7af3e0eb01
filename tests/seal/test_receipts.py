"""Receipts: true ones pass, false ones meet their code, and each check is needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from broker.seal import (
    ML_KEM_768_X25519,
    AgencyKeys,
    Claim,
    Receipt,
    Sealed,
    SealError,
    Witness,
    cbor,
    check_receipt,
    cose,
    make_receipts,
    open_receipts,
    padding,
    primitives,
    receipt,
    receipts_kid,
)
from broker.seal.receipt import RECEIPT_FLOOR
from tests.seal.exchange import (
    CITY,
    FUSION,
    MALLORY,
    NOW,
    STATE,
    agency,
    counting,
    directory,
    envelope_for,
    receive,
    refused_code,
    sealed,
)
from tests.seal.test_attacks import switch_off


def witness_of(one: Sealed, recipient: str) -> Witness:
    return receive(envelope_for(one, recipient), recipient).witness


def claim(rung: str = "stored", **more: Any) -> Claim:
    return Claim(rung=rung, seq=1, time=NOW, **more)


def send(*claims: tuple[Witness, Claim], signer: str | AgencyKeys = FUSION, recipient: str | None = None) -> bytes:
    keys = agency(signer) if isinstance(signer, str) else signer
    return make_receipts(
        keys.signing, recipient or keys.agency, agency(CITY).kem[0].public, CITY, claims, random=counting(9000)
    )


def check(raw: bytes, one: Sealed, **changes: Any) -> list[Receipt]:
    receipts = open_receipts(raw, agency(CITY), changes.get("sender_of", directory()))
    for each in receipts:
        check_receipt(each, one.source)
    return receipts


def test_a_receipt_arrives_with_person_note_and_code() -> None:
    one = sealed()
    said = claim("acknowledged", person="Sgt. B. Example", note="unit on its way", code="ok")

    (read,) = check(send((witness_of(one, FUSION), said)), one)

    assert (read.recipient, read.rung, read.seq, read.time) == (FUSION, "acknowledged", 1, NOW)
    assert (read.person, read.note, read.code) == ("Sgt. B. Example", "unit on its way", "ok")


def test_a_batch_over_several_bulletins_is_signed_once() -> None:
    bulletins = [sealed(precedence=precedence) for precedence in ("FLASH", "ROUTINE", "PRIORITY")]
    witnesses = [witness_of(one, FUSION) for one in bulletins]

    raw = send(*[(each, claim()) for each in witnesses])

    for read, one in zip(open_receipts(raw, agency(CITY), directory()), bulletins, strict=True):
        check_receipt(read, one.source)


def test_a_lone_receipt_has_one_size_whatever_it_says() -> None:
    witness = witness_of(sealed(), FUSION)

    plain = send((witness, claim()))
    talkative = send((witness, claim("acted", person="p" * 200, note="n" * 1000)))

    assert len(plain) == len(talkative)


def test_the_gateway_learns_which_agency_a_batch_is_for() -> None:
    assert receipts_kid(send((witness_of(sealed(), FUSION), claim()))) == agency(CITY).kem[0].public.kid


def test_a_refusal_is_receipted_with_the_witness_of_the_error() -> None:
    one = sealed(expires=NOW + timedelta(minutes=10))
    with pytest.raises(SealError) as refused:
        receive(envelope_for(one, FUSION), FUSION, now=NOW + timedelta(minutes=20))
    assert refused.value.sender == CITY
    assert refused.value.witness is not None

    (read,) = check(send((refused.value.witness, claim("refused", code=refused.value.code))), one)

    assert (read.rung, read.code) == ("refused", "expired")


@dataclass(frozen=True, kw_only=True)
class Falsehood:
    name: str
    code: str
    run: Callable[[], object]
    off: tuple[str, ...]
    then: str | None


FALSEHOODS: list[Falsehood] = []


def falsehood(code: str, *more: str, then: str | None = None) -> Callable[[Callable[[], object]], Callable[[], object]]:
    def register(run: Callable[[], object]) -> Callable[[], object]:
        FALSEHOODS.append(Falsehood(name=run.__name__, code=code, run=run, off=(code, *more), then=then))
        return run

    return register


def signed_by(
    keys: AgencyKeys, fields: list[Any], *, hhs: bytes, recipient: str, context: bytes | None = None
) -> bytes:
    """What a dishonest recipient signs and seals by hand."""
    payload = cbor.encode(fields)
    signed = cose.sign(
        payload,
        [keys.signing],
        receipt.CONTENT_TYPE,
        context if context is not None else receipt._signature_context(hhs, recipient, CITY),
    )
    return sealed_content(cbor.head(cbor.ARRAY, 3) + cbor.tstr(recipient) + cbor.bstr(hhs) + cbor.bstr(signed))


def sealed_content(content: bytes) -> bytes:
    kem = agency(CITY).kem[0].public
    padded = padding.pad(content, padding.padme(len(content) + 1, RECEIPT_FLOOR))
    return cose.encrypt_to(kem, padded, receipt._seal_context(CITY, kem.key), counting(7))


def fields_of(witness: Witness, **changes: Any) -> dict[int, Any]:
    made = receipt._receipt(witness, claim())
    return {**made, **{int(key[1:]): value for key, value in changes.items()}}


@falsehood("receipt-proof")
def a_receipt_without_the_keys() -> object:
    """Mallory saw the envelope pass, knows all digests and even the leaf, but never held K_i and seed."""
    one = sealed()
    known = witness_of(one, FUSION)
    guessed = replace(known, keys={0: bytes(32), 1: bytes(32), 2: bytes(32)})
    return check(send((guessed, claim())), one)


@falsehood("receipt-proof")
def a_receipt_without_the_seed() -> object:
    """A fellow recipient of the same portions knows the same K_i; the seed is the recipient's own."""
    one = sealed()
    guessed = replace(witness_of(one, FUSION), seed=bytes(32))
    return check(send((guessed, claim())), one)


@falsehood("receipt-header", "receipt-digest", "receipt-leaf", "receipt-proof")
def a_receipt_for_another_envelope() -> object:
    one, other = sealed(), sealed(precedence="ROUTINE")
    return check(send((witness_of(other, FUSION), claim())), one)


@falsehood("receipt-digest")
def a_receipt_for_another_body() -> object:
    one = sealed()
    return check(send((replace(witness_of(one, FUSION), body_digest=bytes(32)), claim())), one)


@falsehood("receipt-digest")
def a_receipt_for_another_manifest() -> object:
    one = sealed()
    return check(send((replace(witness_of(one, FUSION), manifest_digest=bytes(32)), claim())), one)


@falsehood("receipt-leaf", "receipt-proof")
def a_receipt_for_another_place_in_the_audience() -> object:
    one = sealed()
    return check(send((replace(witness_of(one, FUSION), leaf=bytes(32)), claim())), one)


@falsehood("receipt-recipient")
def a_receipt_by_another_recipient() -> object:
    """The state police sign, truthfully, a batch in which one receipt speaks for the fusion center."""
    one = sealed()
    fields = fields_of(witness_of(one, FUSION))
    return check(signed_by(agency(STATE), [fields], hhs=one.secrets.hh, recipient=STATE), one)


@falsehood("receipt-bad-signature")
def a_receipt_signed_in_anothers_name() -> object:
    """Named and set out as the fusion center's, signatures made with the wrong keys."""
    one = sealed()
    disguised = replace(agency(MALLORY).signing, public=agency(FUSION).signing.public)
    keys = replace(agency(FUSION), signing=disguised)
    return check(send((witness_of(one, FUSION), claim()), signer=keys), one)


@falsehood("receipt-signature-set", "receipt-bad-signature")
def a_receipt_with_one_signature_only() -> object:
    one = sealed()
    half = replace(agency(FUSION).signing, public=agency(FUSION).signing.public[:1])
    return check(send((witness_of(one, FUSION), claim()), signer=replace(agency(FUSION), signing=half)), one)


@falsehood("receipt-proof")
def an_altered_receipt() -> object:
    """The recipient's own key signs, but the rung was changed after the proof was made."""
    one = sealed()
    fields = fields_of(witness_of(one, FUSION), _8="purged")
    return check(signed_by(agency(FUSION), [fields], hhs=one.secrets.hh, recipient=FUSION), one)


@falsehood("receipt-originator", "receipt-proof")
def a_receipt_addressed_to_another_originator() -> object:
    one = sealed()
    fields = fields_of(witness_of(one, FUSION), _3=STATE)
    return check(signed_by(agency(FUSION), [fields], hhs=one.secrets.hh, recipient=FUSION), one)


@falsehood("receipt-header")
def a_batch_whose_outer_list_names_another_envelope() -> object:
    one = sealed()
    fields = fields_of(witness_of(one, FUSION))
    return check(signed_by(agency(FUSION), [fields], hhs=bytes(32), recipient=FUSION), one)


@falsehood("receipt-bad-signature")
def a_receipt_signed_in_another_context() -> object:
    one = sealed()
    fields = fields_of(witness_of(one, FUSION))
    return check(signed_by(agency(FUSION), [fields], hhs=one.secrets.hh, recipient=FUSION, context=b"another"), one)


@falsehood("receipt-revoked")
def a_receipt_by_a_revoked_agency() -> object:
    one = sealed()
    return check(send((witness_of(one, FUSION), claim())), one, sender_of=directory(revoked=(FUSION,)))


@falsehood("receipt-alg")
def an_algorithm_relabelled_in_sealed_receipts() -> object:
    one = sealed()
    fields = fields_of(witness_of(one, FUSION))
    signature_context = receipt._signature_context(one.secrets.hh, FUSION, CITY)
    signed = cose.sign(cbor.encode([fields]), [agency(FUSION).signing], receipt.CONTENT_TYPE, signature_context)
    content = cbor.encode([FUSION, one.secrets.hh, signed])
    key = agency(CITY).kem[0].public
    protected = cbor.encode({1: ML_KEM_768_X25519, 4: key.kid})
    context = receipt._seal_context(CITY, key.key)
    info = cbor.encode(["HPKE Recipient", 3, protected, context])
    enc, wrapped = primitives.hpke_encrypt(key.alg, key.key, bytes(32), info)
    aad = cbor.encode(["Encrypt", cbor.encode({1: 3}), context])
    padded = padding.pad(content, padding.padme(len(content) + 1, RECEIPT_FLOOR))
    ciphertext = primitives.aes_gcm_encrypt(bytes(32), bytes(12), padded, aad)
    raw = cbor.encode([cbor.encode({1: 3}), {5: bytes(12)}, ciphertext, [[protected, {-4: enc}, wrapped]]])
    return check(raw, one)


@falsehood("receipt-too-large", then="receipt-shape")
def a_batch_over_its_cap() -> object:
    return check(bytes(500_000), sealed())


@pytest.mark.parametrize("lie", FALSEHOODS, ids=lambda lie: lie.name)
def test_a_false_receipt_meets_its_code(lie: Falsehood) -> None:
    with pytest.raises(SealError) as refused:
        lie.run()

    assert refused.value.code == lie.code
    assert refused.value.step == 0


@pytest.mark.parametrize("lie", FALSEHOODS, ids=lambda lie: lie.name)
def test_without_its_check_the_false_receipt_is_believed(lie: Falsehood, monkeypatch: pytest.MonkeyPatch) -> None:
    switch_off(monkeypatch, lie.off)

    if lie.then is None:
        lie.run()
    else:
        with pytest.raises(SealError) as refused:
            lie.run()
        assert refused.value.code == lie.then


def test_receipts_for_another_agency_are_refused() -> None:
    raw = send((witness_of(sealed(), FUSION), claim()))

    assert refused_code(lambda: open_receipts(raw, agency(STATE), directory())) == "receipt-not-mine"
    # Two agencies of one gateway with one KEM key: the sealed context names the originator.
    twin = replace(agency(STATE), kem=agency(CITY).kem)
    assert refused_code(lambda: open_receipts(raw, twin, directory())) == "receipt-open"


def test_receipts_of_an_agency_the_directory_does_not_know_are_refused() -> None:
    raw = send((witness_of(sealed(), FUSION), claim()))

    assert refused_code(lambda: open_receipts(raw, agency(CITY), directory(without=(FUSION,)))) == (
        "receipt-unknown-signer"
    )


def test_a_recipient_outside_the_audience_has_no_receipt_to_give() -> None:
    one = sealed()
    stranger = replace(witness_of(one, FUSION), recipient=MALLORY)

    assert refused_code(lambda: check(send((stranger, claim()), signer=MALLORY), one)) == "receipt-recipient"


def test_unknown_rungs_and_fields_are_refused_on_both_sides() -> None:
    one = sealed()
    witness = witness_of(one, FUSION)

    assert refused_code(lambda: send((witness, claim("seen")))) == "receipt-content"
    other = signed_by(agency(FUSION), [fields_of(witness, _1="tearline/2")], hhs=one.secrets.hh, recipient=FUSION)
    assert refused_code(lambda: open_receipts(other, agency(CITY), directory())) == "receipt-content"
    surplus = fields_of(witness, _15=1)
    raw = signed_by(agency(FUSION), [surplus], hhs=one.secrets.hh, recipient=FUSION)
    assert refused_code(lambda: check(raw, one)) == "receipt-content"


def test_opening_and_checking_each_refuse_another_originator() -> None:
    one = sealed()
    witness = witness_of(one, FUSION)
    raw = signed_by(agency(FUSION), [fields_of(witness, _3=STATE)], hhs=one.secrets.hh, recipient=FUSION)
    (honest,) = open_receipts(send((witness, claim())), agency(CITY), directory())

    assert refused_code(lambda: open_receipts(raw, agency(CITY), directory())) == "receipt-originator"
    assert refused_code(lambda: check_receipt(replace(honest, originator=STATE), one.source)) == "receipt-originator"


def test_every_flipped_bit_of_sealed_receipts_is_refused() -> None:
    one = sealed()
    raw = send((witness_of(one, FUSION), claim()))

    for at in range(0, len(raw), 61):
        flipped = raw[:at] + bytes((raw[at] ^ 1 << at % 8,)) + raw[at + 1 :]
        with pytest.raises(SealError):
            check(flipped, one)


def test_a_batch_that_is_empty_too_long_or_of_another_pair_is_not_made() -> None:
    witness = witness_of(sealed(), FUSION)

    assert refused_code(send) == "receipt-content"
    talkative = (witness, claim(person="p" * 256, note="n" * 1024))
    assert refused_code(lambda: send(*[talkative] * 256)) == "too-large"
    assert refused_code(lambda: receipts_kid(bytes(500_000))) == "receipt-too-large"
    assert refused_code(lambda: send(*[(witness, claim())] * 257)) == "receipt-content"
    assert refused_code(lambda: send((witness, claim()), signer=STATE)) == "receipt-content"
