"""An agency's own rules: who may sign them, what they may say, and that they never go back."""

import dataclasses
import pathlib
from datetime import timedelta
from typing import Any

import pytest

from broker.seal import cbor, sign_document, unverified_payload
from broker.trust import (
    Entry,
    Officer,
    OfficerKeys,
    OwnFiles,
    OwnRules,
    TrustError,
    TrustStore,
    public_entry,
    read_own_rules,
    read_public_entry,
    sign_own_rules,
)
from broker.trust.own import MAX_OWN, carried_into
from tests.trust.exchange import (
    AVERY,
    BEATING,
    BLAKE,
    CASEY,
    CONTACTS,
    NOW,
    RULES,
    agency_keys,
    directory,
    entries,
    entry,
    founded,
    gateway_keys,
    officer,
    put_in_force,
    root,
    rules,
)

PAT = officer("pat", "springfield-pd")
#: An officer of another agency in the same directory.
FINN = officer("finn", "il-fusion", "own")
TEXT = """policy: what Springfield PD keeps back
version: 1
rules:
- rule: OWN-1 Officer safety stays with the police of the city
  effect: never
  when: {category: officer safety}
  to:
  - kind: county sheriff
  because: General order 12
"""


def listed(keys: OfficerKeys) -> Officer:
    return Officer(person=keys.person, agency=keys.agency, signing=keys.signing.public)


def with_officer(agency: str, *keys: OfficerKeys) -> Entry:
    return dataclasses.replace(entry(agency), officers=tuple(map(listed, keys)))


@pytest.fixture
def store(tmp_path: pathlib.Path) -> TrustStore:
    store = TrustStore(tmp_path / "releases", root().fingerprint)
    members = entries(springfield_pd=with_officer("springfield-pd", PAT), il_fusion=with_officer("il-fusion", FINN))
    for minted in (founded(), directory(listed=members), rules()):
        store.offer(minted.sealed, now=NOW)
    put_in_force(store)
    return store


def signed(store: TrustStore, text: str = TEXT, *, by: OfficerKeys = PAT, **changes: Any) -> bytes:
    options: dict[str, Any] = {
        "agency": "springfield-pd",
        "root": root().fingerprint,
        "basis": store.staged_rules,
        "previous": None,
        "created": NOW,
    }
    return sign_own_rules(text, by.signing, **(options | changes))


def read(store: TrustStore, document: bytes, known: OwnRules | None = None, **changes: Any) -> OwnRules:
    options: dict[str, Any] = {
        "agency": "springfield-pd",
        "directory": store.directory,
        "root": store.root,
        "rules_at": store.rules_at,
        "in_force": store.rules,
        "known": known,
        "now": NOW,
    }
    return read_own_rules(document, **(options | changes))


def refusal(store: TrustStore, document: bytes, known: OwnRules | None = None, **changes: Any) -> str:
    with pytest.raises(TrustError) as refused:
        read(store, document, known, **changes)
    return refused.value.code


# --- who may sign


def test_one_officer_of_the_agency_is_enough(store: TrustStore) -> None:
    own = read(store, signed(store))
    assert (own.agency, own.number, own.signer, own.text) == ("springfield-pd", 1, "pat", TEXT)
    assert [rule.id for rule in own.ruleset.rules] == ["OWN-1"]
    assert own.basis == (store.rules.number, store.rules.hash)  # type: ignore[union-attr]


def test_an_officer_of_the_exchange_may_sign_for_the_agency_they_are_of(store: TrustStore) -> None:
    assert read(store, signed(store, by=AVERY, agency="il-state-police"), agency="il-state-police").signer == "avery"
    assert refusal(store, signed(store, by=AVERY)) == "wrong-role"


@pytest.mark.parametrize("keys", [FINN, BLAKE, CASEY], ids=["of another agency", "of the exchange", "another one"])
def test_an_officer_of_another_agency_signs_nothing_for_this_one(store: TrustStore, keys: OfficerKeys) -> None:
    assert refusal(store, signed(store, by=keys)) == "wrong-role"


def test_neither_the_agencys_own_keys_nor_the_beat_key_make_rules(store: TrustStore) -> None:
    payload = unverified_payload(signed(store))
    for keys in (agency_keys("springfield-pd").signing, BEATING):
        assert refusal(store, sign_document(payload, [keys], "own rules")) == "wrong-role"


def test_an_unknown_key_signs_nothing(store: TrustStore) -> None:
    assert refusal(store, signed(store, by=officer("pat", "springfield-pd", "forged"))) == "bad-signature"


def test_own_rules_stripped_of_their_signature_are_refused(store: TrustStore) -> None:
    whole = signed(store)
    stripped = cbor.encode([b"", {}, unverified_payload(whole), []])
    for document in (stripped, whole[:-1], b"", unverified_payload(whole)):
        assert refusal(store, document) == "bad-signature"


def test_a_signature_for_another_purpose_is_refused(store: TrustStore) -> None:
    payload = unverified_payload(signed(store))
    for context in ("rules", "directory", "own", "rules endorsement"):
        assert refusal(store, sign_document(payload, [PAT.signing], context)) == "bad-signature"


def test_a_forged_text_is_refused(store: TrustStore) -> None:
    document = signed(store)
    assert refusal(store, document.replace(b"county sheriff", b"city police sh")) == "bad-signature"


def test_a_second_signature_of_somebody_else_is_refused(store: TrustStore) -> None:
    payload = unverified_payload(signed(store))
    assert refusal(store, sign_document(payload, [PAT.signing, FINN.signing], "own rules")) == "wrong-role"


def test_an_officer_who_left_the_directory_signs_nothing_more(store: TrustStore) -> None:
    document = signed(store)
    store.offer(directory(store.directory, listed=entries()).sealed, now=NOW)
    assert refusal(store, document, directory=store.staged_directory) == "bad-signature"


# --- what they say


def test_own_rules_of_another_agency_are_refused_whoever_signed_them(store: TrustStore) -> None:
    assert refusal(store, signed(store, agency="il-fusion")) == "other-agency"


def test_own_rules_of_another_exchange_are_refused(store: TrustStore) -> None:
    assert refusal(store, signed(store, root="sha256:" + "0" * 64)) == "other-exchange"


def test_signed_nonsense_is_not_used(store: TrustStore) -> None:
    nonsense: tuple[cbor.Cbor, ...] = ({}, {1: "tearline own rules/2"}, [], b"x")
    for content in nonsense:
        document = sign_document(cbor.encode(content), [PAT.signing], "own rules")
        assert refusal(store, document) == "not-own-rules"
    fields = cbor.decode(unverified_payload(signed(store)), limit=MAX_OWN, code="document-shape")
    for change in ({4: 0}, {5: b""}, {8: [1]}, {10: b"short"}, {11: 1}, {9: 3}, {7: 1 << 60}):
        document = sign_document(cbor.encode({**fields, **change}), [PAT.signing], "own rules")
        assert refusal(store, document) == "not-own-rules", change


def test_own_rules_larger_than_any_are_refused_unread(store: TrustStore) -> None:
    assert refusal(store, signed(store, TEXT + "#" * MAX_OWN)) == "own-too-large"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ((("effect: never", "effect: share"),), "own-not-narrow"),
        ((("effect: never", "effect: always"),), "own-not-narrow"),
        ((("OWN-1", "R05"),), "own-id"),
        ((("county sheriff", "county sherif"),), "own-rules-invalid"),
        ((("  because: General order 12\n", ""),), "own-rules-invalid"),
        ((("version: 1", "version: 1\nagreements:\n  HIDTA-2024: {from: 2026-01-01, until: 2030-01-01}"),),
         "own-rules-invalid"),
        ((("county sheriff", "JTTF"), ("{category: officer safety}", "{TLP: AMBER}")), "own-blocks-always"),
    ],
    ids=["share", "always", "id of the exchange", "word", "reason", "own dates", "blocks an always rule"],
)  # fmt: skip
def test_own_rules_that_may_do_more_than_narrow_are_refused(
    store: TrustStore, changes: tuple[tuple[str, str], ...], code: str
) -> None:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    assert refusal(store, signed(store, text)) == code


def test_own_rules_beside_rules_that_never_arrived_are_refused(store: TrustStore) -> None:
    unheard = dataclasses.replace(store.rules, number=2)  # type: ignore[type-var]
    other = dataclasses.replace(store.rules, hash=bytes(32))  # type: ignore[type-var]
    for basis in (unheard, other):
        assert refusal(store, signed(store, basis=basis)) == "unknown-basis"


def test_an_empty_text_withdraws_own_rules(store: TrustStore) -> None:
    first = read(store, signed(store))
    assert read(store, signed(store, "", previous=first.named), first).ruleset.rules == ()


# --- in what order


def test_an_older_number_is_refused(store: TrustStore) -> None:
    first = read(store, signed(store))
    second = read(store, signed(store, previous=first.named), first)
    assert second.number == 2
    assert refusal(store, signed(store), second) == "rollback"


def test_an_equal_number_with_other_content_is_equivocation(store: TrustStore) -> None:
    first = read(store, signed(store))
    assert refusal(store, signed(store, TEXT.replace("12", "13")), first) == "equivocation"
    assert read(store, signed(store), first) == first


def test_a_number_from_far_ahead_and_another_history_are_refused(store: TrustStore) -> None:
    first = read(store, signed(store))
    ahead = dataclasses.replace(first, number=1_000_000)
    assert refusal(store, signed(store, previous=ahead.named), first) == "skipped-number"
    assert refusal(store, signed(store, previous=(1, bytes(32))), first) == "fork"


def test_expired_own_rules_and_those_from_the_future_are_refused(store: TrustStore) -> None:
    assert refusal(store, signed(store, created=NOW - timedelta(days=366))) == "own-expired"
    assert refusal(store, signed(store, created=NOW + timedelta(minutes=6))) == "own-from-the-future"


# --- under other rules


def test_own_rules_are_read_in_the_words_they_were_signed_beside(store: TrustStore) -> None:
    own = read(store, signed(store))
    store.offer(rules(store.staged_rules, text=RULES.replace("version: 41", "version: 42")).sealed, now=NOW)
    assert store.staged_rules is not None
    found = carried_into(own, store.staged_rules, store.rules_at)
    assert (found.ruleset.rules, found.adapted) == (own.ruleset.rules, ())


# --- on disk


def kept(store: TrustStore, folder: pathlib.Path) -> tuple[OwnFiles, OwnRules, OwnRules]:
    files = OwnFiles(folder)
    first_raw = signed(store)
    first = read(store, first_raw)
    files.keep(first_raw, first, directory=1)
    second_raw = signed(store, TEXT.replace("12", "13"), previous=first.named)
    second = read(store, second_raw, first)
    files.keep(second_raw, second, directory=1)
    return files, first, second


def test_own_rules_are_there_after_a_restart_with_all_that_were_before(store: TrustStore, tmp_path: Any) -> None:
    _, first, second = kept(store, tmp_path / "own")
    again = OwnFiles(tmp_path / "own")
    assert [one.number for one in again.accepted("springfield-pd")] == [1, 2]
    assert [again.load("springfield-pd", number, store) for number in (1, 2)] == [first, second]
    assert again.accepted("il-fusion") == ()


def test_own_rules_of_an_officer_who_left_since_are_still_read(store: TrustStore, tmp_path: Any) -> None:
    files, _, second = kept(store, tmp_path / "own")
    store.offer(directory(store.directory, listed=entries()).sealed, now=NOW)
    assert files.load("springfield-pd", 2, store) == second


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: (folder / "springfield-pd-000002.cose").unlink(),
        lambda folder: (folder / "springfield-pd-000001.cose").rename(folder / "springfield-pd-000002.cose"),
        lambda folder: (folder / "springfield-pd.json").write_text("{}"),
        lambda folder: (folder / "springfield-pd.json").write_text('{"accepted":[[2,"00",1]]}'),
        lambda folder: (folder / "springfield-pd.json").write_text('{"accepted":[[2,"zz",1]]}'),
    ],
    ids=["gone", "older", "no index", "other hash", "no hash"],
)
def test_own_rules_that_are_not_what_was_accepted_are_damage(store: TrustStore, tmp_path: Any, harm: Any) -> None:
    files, _, _ = kept(store, tmp_path / "own")
    harm(tmp_path / "own")
    with pytest.raises(TrustError) as refused:
        files.load("springfield-pd", 2, store)
    assert refused.value.code == "store-damaged"


# --- the directory


def test_officers_of_an_agency_are_in_its_directory_entry(store: TrustStore) -> None:
    assert store.directory is not None
    assert store.directory.entry("springfield-pd").officers == (listed(PAT),)
    assert store.directory.entry("il-state-police").officers == ()


def test_an_officer_of_two_agencies_or_with_an_agencys_key_is_not_minted() -> None:
    twice = entries(springfield_pd=with_officer("springfield-pd", PAT), il_fusion=with_officer("il-fusion", PAT))
    borrowed = Officer(person="pat", agency="springfield-pd", signing=agency_keys("springfield-pd").signing.public)
    own = entries(springfield_pd=dataclasses.replace(entry("springfield-pd"), officers=(borrowed,)))
    half = Officer(person="pat", agency="springfield-pd", signing=PAT.signing.public[:1])
    unfinished = entries(springfield_pd=dataclasses.replace(entry("springfield-pd"), officers=(half,)))
    for members in (twice, own, unfinished):
        with pytest.raises(TrustError) as refused:
            directory(listed=members)
        assert refused.value.code == "directory-invalid"


def test_a_public_entry_carries_the_agencys_officers() -> None:
    nkey = gateway_keys("shared").public
    raw = public_entry(
        agency_keys("springfield-pd"), gateway="shared", nkey=nkey, contacts=CONTACTS, officers=[listed(PAT)]
    )
    found, _ = read_public_entry(raw, {})
    assert found.officers == (listed(PAT),)
    with pytest.raises(TrustError):
        read_public_entry(raw.replace(b'"person":"pat"', b'"person":"max"'), {})
