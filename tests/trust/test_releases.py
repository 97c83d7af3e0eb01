"""Attacks on releases, by name: each is refused with its code and changes nothing."""

import dataclasses
import pathlib
from datetime import timedelta
from typing import Any

import pytest

from broker.seal import cbor, encrypt_release, fingerprint, sign_document, unverified_payload
from broker.trust import (
    Conditions,
    Minted,
    TrustError,
    TrustStore,
    UnknownAgencyError,
    mint_directory,
    mint_root,
    read_root,
)
from broker.trust.release import check_follows, release_payload
from tests.trust.exchange import (
    AVERY,
    AVERY_AGAIN,
    BEATING,
    BLAKE,
    CASEY,
    LATER,
    NOW,
    PREVIEW,
    RULES,
    STRANGER,
    agency_keys,
    directory,
    entries,
    entry,
    forged,
    founded,
    gateway_keys,
    gateways,
    officer,
    other_exchange,
    put_in_force,
    root,
    rules,
)


@pytest.fixture
def empty(tmp_path: pathlib.Path) -> TrustStore:
    return TrustStore(tmp_path / "releases", root().fingerprint)


@pytest.fixture
def store(empty: TrustStore) -> TrustStore:
    """The root, one directory and one set of rules in force."""
    for minted in (founded(), directory(), rules()):
        assert empty.offer(minted.sealed, now=NOW) is not None
    put_in_force(empty)
    return empty


def refusal(store: TrustStore, raw: bytes, *, now: Any = NOW) -> str:
    before = (store.directory, store.rules, store.staged_directory, store.staged_rules)
    with pytest.raises(TrustError) as refused:
        store.offer(raw, now=now)
    assert (store.directory, store.rules, store.staged_directory, store.staged_rules) == before
    return refused.value.code


def payload(content: Any = None, *, previous: Any = None, release_type: Any = "rules", of: Any = None) -> bytes:
    return release_payload(
        release_type,
        content if content is not None else {1: "", 2: "", 3: 0},
        root=of or root(),
        previous=previous,
        created=NOW,
        expires=NOW + timedelta(days=1),
        conditions=Conditions(preview=PREVIEW),
    )


def changed(minted: Minted, field: int, value: Any) -> bytes:
    """The same release with one field of its payload changed, signed again by the right officers."""
    fields = cbor.decode(unverified_payload(minted.document), limit=10**7, code="document-shape")
    return forged(cbor.encode(fields | {field: value}), [AVERY, BLAKE], minted.release.type)


def test_what_two_persons_signed_is_in_force_once_the_hub_says_so(store: TrustStore) -> None:
    assert store.directory is store.staged_directory
    assert store.rules is store.staged_rules
    assert store.staged_directory is not None
    assert store.staged_rules is not None
    assert (store.staged_directory.number, store.staged_rules.number) == (1, 1)
    assert store.staged_directory.gateway_of("il-fusion") == "shared"
    assert store.staged_directory.hosted_by("shared") == ("il-fusion", "springfield-pd")
    assert store.staged_directory.entry("il-fusion").contacts["alternate"]["name"] == "Sgt. Example"
    assert store.signer("il-fusion") == agency_keys("il-fusion").public()
    assert store.staged_directory.agencies["il-fusion"]["serves"] == frozenset({"IL-SANGAMON"})
    assert store.staged_rules.rules_text == RULES


def test_forged_by_strangers(store: TrustStore) -> None:
    assert store.staged_rules is not None
    raw = forged(payload(previous=store.staged_rules.release), [STRANGER, officer("oscar", "x")], "rules")
    assert refusal(store, raw) == "bad-signature"


def test_one_stranger_among_officers(store: TrustStore) -> None:
    assert store.staged_rules is not None
    raw = forged(payload(previous=store.staged_rules.release), [AVERY, STRANGER], "rules")
    assert refusal(store, raw) == "bad-signature"


def test_one_changed_byte(store: TrustStore) -> None:
    minted = rules(store.staged_rules)
    document = bytearray(minted.document)
    document[document.find(b"R01 RED")] ^= 1
    assert refusal(store, encrypt_release(root().fingerprint, bytes(document))) == "bad-signature"


def test_stripped_of_a_persons_signatures(store: TrustStore) -> None:
    fewer = sign_document(unverified_payload(rules(store.staged_rules).document), [AVERY.signing], "rules")
    assert refusal(store, encrypt_release(root().fingerprint, fewer)) == "too-few-persons"


def test_stripped_of_a_post_quantum_signature(store: TrustStore) -> None:
    """The whole set is named in the signed part and in the root, so one that was left out is missed."""
    protected, unprotected, content, signatures = cbor.decode(
        rules(store.staged_rules).document, limit=10**7, code="document-shape"
    )
    for left in (signatures[:3], [signatures[0], *signatures[2:]], [signatures[0], signatures[2]], []):
        stripped = cbor.encode([protected, unprotected, content, left])
        code = refusal(store, encrypt_release(root().fingerprint, stripped))
        assert code == "bad-signature" if left else code in {"bad-signature", "too-few-persons"}


@pytest.mark.parametrize(
    ("officers", "code"),
    [
        pytest.param([AVERY], "too-few-persons", id="one signature"),
        pytest.param([AVERY, AVERY_AGAIN], "too-few-persons", id="two keys of one person"),
        pytest.param([BLAKE, CASEY], "too-few-agencies", id="two persons of one agency"),
        pytest.param([AVERY, STRANGER], "bad-signature", id="a key nobody knows"),
    ],
)
def test_not_enough_officers(officers: Any, code: str, store: TrustStore) -> None:
    assert store.staged_rules is not None
    assert refusal(store, forged(payload(previous=store.staged_rules.release), officers, "rules")) == code
    with pytest.raises(TrustError, match="sign"):
        rules(store.staged_rules, officers=officers)


def test_a_second_key_of_a_person_may_stand_for_the_first(store: TrustStore) -> None:
    assert store.offer(rules(store.staged_rules, officers=[AVERY_AGAIN, BLAKE]).sealed, now=NOW) is not None


def test_expired_when_it_arrives(store: TrustStore) -> None:
    minted = rules(store.staged_rules, expires=LATER)
    with pytest.raises(TrustError) as refused:
        store.offer(minted.sealed, now=LATER)
    assert refused.value.code == "release-expired"
    # Its successor follows it, so it was kept in the chain; but no beat puts it in force.
    assert store.staged_rules is not None
    assert store.staged_rules.number == 2
    with pytest.raises(TrustError, match="rules 2 has expired"):
        put_in_force(store, at=LATER)
    assert store.offer(rules(store.staged_rules).sealed, now=LATER) is not None
    put_in_force(store, at=LATER)
    assert store.rules == store.staged_rules


def test_expired_while_in_force(store: TrustStore) -> None:
    assert store.decider(NOW + timedelta(days=29)) is not None
    with pytest.raises(TrustError, match="directory 1 has expired") as refused:
        store.decider(NOW + timedelta(days=31))
    assert refused.value.code == "release-expired"


def test_the_root_expires(store: TrustStore) -> None:
    year = NOW + timedelta(days=366)
    assert refusal(store, rules(store.staged_rules, created=year).sealed, now=year) == "root-expired"
    with pytest.raises(TrustError) as refused:
        store.decider(year)
    assert refused.value.code == "root-expired"


def test_made_in_the_future(store: TrustStore) -> None:
    assert refusal(store, rules(store.staged_rules, created=LATER).sealed) == "release-from-the-future"


def test_rollback_to_an_older_number_that_never_was(store: TrustStore) -> None:
    store.offer(rules(store.staged_rules).sealed, now=NOW)
    assert store.staged_rules is not None
    assert store.staged_rules.number == 2
    assert refusal(store, changed(rules(), 8, {1: "", 2: "", 3: 0})) == "equivocation"
    assert refusal(store, changed(rules(), 3, 0)) == "not-a-release"


def test_an_older_number_never_follows() -> None:
    first = rules()
    older = first.release
    head = dataclasses.replace(older, number=5)
    with pytest.raises(TrustError) as refused:
        check_follows(older, head)
    assert refused.value.code == "rollback"


def test_an_old_release_again_changes_nothing(store: TrustStore) -> None:
    first = store.staged_rules
    assert first is not None
    second = rules(first)
    store.offer(second.sealed, now=NOW)
    assert store.offer(store.sealed("rules", 1), now=NOW) is None
    assert store.staged_rules is not None
    assert store.staged_rules.number == 2


def test_equivocation_two_contents_under_one_number(store: TrustStore) -> None:
    assert store.staged_rules is not None
    first = store.staged_rules
    assert store.offer(rules(first).sealed, now=NOW) is not None
    assert refusal(store, rules(first, floor=1).sealed) == "equivocation"


def test_fork_follows_another_past(store: TrustStore) -> None:
    assert refusal(store, changed(rules(store.staged_rules), 4, bytes(31) + b"\x01")) == "fork"


@pytest.mark.parametrize("number", [3, 10**9, 2**62])
def test_fast_forward_and_skipped_numbers(number: int, store: TrustStore) -> None:
    assert refusal(store, changed(rules(store.staged_rules), 3, number)) == "skipped-number"


def test_the_first_release_is_number_one(empty: TrustStore, store: TrustStore, tmp_path: pathlib.Path) -> None:
    fresh = TrustStore(tmp_path / "fresh", root().fingerprint)
    fresh.offer(founded().sealed, now=NOW)
    assert refusal(fresh, rules(store.staged_rules).sealed) == "skipped-number"


def test_an_object_signed_for_another_role(store: TrustStore) -> None:
    assert store.staged_rules is not None
    content = payload(previous=store.staged_rules.release)
    for context in ("directory", "root", "entry"):
        assert refusal(store, forged(content, [AVERY, BLAKE], context)) == "bad-signature"
    as_directory = payload(previous=store.staged_rules.release, release_type="directory")
    assert refusal(store, forged(as_directory, [AVERY, BLAKE], "rules")) == "bad-signature"
    assert refusal(store, forged(payload(release_type="beat"), [AVERY, BLAKE], "beat")) == "not-a-release"


def test_a_release_of_another_exchange_with_the_same_officers(store: TrustStore) -> None:
    elsewhere = directory(of=other_exchange().root)
    assert refusal(store, elsewhere.sealed) == "other-exchange"
    # Re-encrypted under our fingerprint by a member of both.
    assert refusal(store, encrypt_release(root().fingerprint, elsewhere.document)) == "other-exchange"


def test_the_root_of_another_exchange(empty: TrustStore) -> None:
    assert refusal(empty, other_exchange().sealed) == "other-exchange"
    raw = encrypt_release(root().fingerprint, other_exchange().document)
    assert refusal(empty, raw) == "no-root"
    assert empty.root is None


def test_a_root_that_not_every_officer_signed() -> None:
    payload = unverified_payload(founded().document)
    document = sign_document(payload, [AVERY.signing, BLAKE.signing], "root")
    with pytest.raises(TrustError) as refused:
        read_root(document, expected=fingerprint(payload))
    assert refused.value.code == "root-invalid"


@pytest.mark.parametrize(
    "officers",
    [
        pytest.param([AVERY, AVERY_AGAIN], id="one person"),
        pytest.param([BLAKE, CASEY], id="one agency"),
        pytest.param([AVERY, officer("avery", "il-fusion", "moved")], id="one person in two agencies"),
        pytest.param([AVERY, BLAKE, AVERY], id="a key twice"),
    ],
)
def test_a_root_that_one_person_or_agency_could_use_alone(officers: Any) -> None:
    with pytest.raises(TrustError) as refused:
        mint_root("alone", officers, beats=[BEATING.public], created=NOW)
    assert refused.value.code == "root-invalid"


def test_a_release_before_the_root(empty: TrustStore) -> None:
    assert refusal(empty, directory().sealed) == "no-root"


@pytest.mark.parametrize("raw", [b"", b"\xff" * 100, b"{}"])
def test_noise(raw: bytes, store: TrustStore) -> None:
    assert refusal(store, raw) == "other-exchange"
    assert refusal(store, encrypt_release(root().fingerprint, raw)) == "not-a-release"


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(b"\x81" * 4_000_000 + b"\x00", id="nested arrays"),
        pytest.param(cbor.head(cbor.ARRAY, 4_000_000) + b"\x80" * 4_000_000, id="millions of lists"),
        pytest.param(cbor.head(cbor.MAP, 8) + b"\x01" + cbor.tstr("tearline release/1") + b"\x02\x65rules\x03\x01"
                     + b"\x04\x40\x05\x00\x06\x00\x07\x60\x08" + cbor.head(cbor.ARRAY, 4_000_000)
                     + b"\x80" * 4_000_000, id="inside a release"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("signers", [[STRANGER, officer("oscar", "x")], [AVERY]], ids=["strangers", "one officer"])
def test_a_bomb_that_two_officers_did_not_sign_never_meets_the_decoder(
    bomb: bytes, signers: Any, store: TrustStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = forged(bomb, signers, "rules")
    decoded: list[int] = []
    decode = cbor.decode
    monkeypatch.setattr(cbor, "decode", lambda raw, **limits: (decoded.append(len(raw)), decode(raw, **limits))[1])
    assert refusal(store, raw) in {"not-a-release", "bad-signature", "too-few-persons"}
    assert decoded == []


def test_signed_nonsense_is_not_used(store: TrustStore) -> None:
    assert store.staged_rules is not None
    previous = store.staged_rules.release
    for content in ({1: "bulletin: {}", 2: RULES, 3: 0}, {1: "", 2: ""}, [], {1: "", 2: "", 3: 9}):
        assert refusal(store, forged(payload(content, previous=previous), [AVERY, BLAKE], "rules")) == "rules-invalid"
    assert store.staged_directory is not None
    raw = payload({1: [], 2: [["x"]]}, previous=store.staged_directory.release, release_type="directory")
    assert refusal(store, forged(raw, [AVERY, BLAKE], "directory")) == "directory-invalid"


def test_a_directory_with_one_key_for_two_agencies_is_not_minted() -> None:
    twin = entry("springfield-pd")
    copied = agency_keys("il-fusion").public()
    shared = entries(springfield_pd=type(twin)(
        agency=twin.agency, gateway=twin.gateway, attributes=twin.attributes, contacts=twin.contacts,
        public=type(copied)(agency="springfield-pd", signing=copied.signing, kem=copied.kem),
    ))  # fmt: skip
    with pytest.raises(TrustError) as refused:
        directory(listed=shared)
    assert refused.value.code == "directory-invalid"


@pytest.mark.parametrize("name", ["7", "0042", "a" * 64])
def test_a_gateway_that_the_relay_could_not_address_is_not_minted(name: str) -> None:
    with pytest.raises(TrustError) as refused:
        mint_directory(
            entries(),
            gateways() | {name: gateway_keys(name).public},
            root=root(),
            previous=None,
            officers=[AVERY, BLAKE],
            created=NOW,
        )
    assert refused.value.code == "directory-invalid"


def test_a_revoked_agency_is_known_by_name_and_receives_nothing(store: TrustStore) -> None:
    store.offer(
        directory(store.staged_directory, listed=entries(il_fusion=entry("il-fusion", revoked=True))).sealed, now=NOW
    )
    assert store.staged_directory is not None
    assert store.signer("il-fusion").revoked
    assert "il-fusion" not in store.staged_directory.agencies
    past = store.directory_at(1)
    assert past is not None
    assert not past.signer("il-fusion").revoked


def test_an_agency_nobody_lists(store: TrustStore) -> None:
    for look_up in (store.signer, store.staged_directory.gateway_of if store.staged_directory else store.signer):
        with pytest.raises(UnknownAgencyError):
            look_up("nobody")
        with pytest.raises(LookupError):
            look_up("nobody")


def test_past_releases_still_decide_what_names_them(store: TrustStore) -> None:
    first = store.staged_rules
    assert first is not None
    for _ in range(12):
        store.offer(rules(store.staged_rules, floor=1).sealed, now=NOW)
    assert store.staged_rules is not None
    assert store.staged_rules.number == 13
    past = store.rules_at(1)
    assert past is not None
    assert (past.hash, past.floor, store.staged_rules.floor) == (first.hash, 0, 1)
    assert store.rules_at(14) is None
    assert store.rules_at(0) is None
    assert store.decider_at(1, 1, NOW, decided=NOW) is store.decider_at(1, 1, LATER, decided=NOW)
    with pytest.raises(TrustError) as refused:
        store.decider_at(14, 1, NOW, decided=NOW)
    assert refused.value.code == "unknown-release"


def test_a_decider_is_folded_again_when_an_agreement_ends(store: TrustStore) -> None:
    before = store.decider_at(1, 1, NOW, decided=NOW)
    assert before.valid_until is not None
    after = store.decider_at(1, 1, before.valid_until + timedelta(days=1), decided=NOW)
    assert after is not before
    assert (
        store.decider_at(1, 1, before.valid_until + timedelta(days=2), decided=NOW) is after
        or after.valid_until is not None
    )
    # A clock that went back gets the dates of its own day, never those of the future.
    assert store.decider_at(1, 1, NOW, decided=NOW).moment == NOW


def test_a_relay_reads_no_agency_and_no_marking_in_what_it_stores() -> None:
    words = (b"il-fusion", b"avery", b"city police", b"TLP", b"R01 RED")
    documents = [founded(), directory(), rules()]
    for word in words:
        assert any(word in minted.document for minted in documents)
        assert not any(word in minted.sealed for minted in documents)
