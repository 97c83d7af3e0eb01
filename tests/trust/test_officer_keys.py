"""Officers' files: nothing opens without the passphrase, and nothing in them changes without being noticed."""

import base64
import functools
import json
import pathlib
import resource
import traceback
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.seal import (
    PublicKey,
    SealError,
    SigningKeys,
    Stretch,
    primitives,
    seal_with_passphrase,
    unseal_with_passphrase,
)
from broker.trust import (
    OfficerKeys,
    TokenPlace,
    TrustError,
    change_passphrase,
    endorse,
    load_officer_keys,
    new_officer_keys,
    read_officer_file,
    require_passphrase,
    write_officer_keys,
    write_token_file,
)
from broker.trust.example import OFFICERS, example_seed, write_examples
from broker.trust.officers import example_document
from tests.trust.exchange import AVERY, BLAKE, NOW, directory, rules, seeded

PASSPHRASE = "correct horse battery staple"
ORIGINAL = primitives.scrypt
#: A guess costs half a second on purpose; one and the same guess is computed once for all tests.
REMEMBERED = functools.lru_cache(maxsize=256)(ORIGINAL)


@pytest.fixture(autouse=True)
def remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(primitives, "scrypt", REMEMBERED)


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return written(tmp_path / "avery.json")


def written(path: pathlib.Path, passphrase: str = PASSPHRASE) -> pathlib.Path:
    write_officer_keys(AVERY, path, passphrase=passphrase, created=NOW, random=seeded("file"))
    return path


def knows(_: str) -> str:
    return PASSPHRASE


def code(path: pathlib.Path, ask: Any = knows, **options: Any) -> str:
    with pytest.raises(TrustError) as refused:
        load_officer_keys(path, ask=ask, **options)
    return refused.value.code


def members(path: pathlib.Path) -> dict[str, Any]:
    return json.loads(path.read_bytes())


def rewritten(path: pathlib.Path, **changed: Any) -> pathlib.Path:
    path.write_text(json.dumps(members(path) | changed))
    return path


def test_an_officers_file_opens_with_its_passphrase_and_with_no_other(path: pathlib.Path) -> None:
    asked: list[str] = []

    def ask(what: str) -> str:
        asked.append(what)
        return PASSPHRASE

    assert load_officer_keys(path, ask=ask) == AVERY
    assert asked == ["passphrase of avery (avery.json)"]
    assert path.stat().st_mode & 0o777 == 0o600
    for wrong in (PASSPHRASE + " ", PASSPHRASE.title(), "", "\udc80" * 12):
        assert code(path, lambda _, wrong=wrong: wrong) == "wrong-passphrase"
    assert code(path, None) == "no-passphrase"


def test_the_public_halves_are_read_without_the_passphrase(path: pathlib.Path) -> None:
    file = read_officer_file(path)

    assert (file.person, file.agency, file.signing) == ("avery", "il-state-police", AVERY.signing.public)
    assert file.place is None


def test_no_seed_is_in_the_file_or_in_anything_said_about_it(path: pathlib.Path) -> None:
    said = [repr(AVERY), repr(read_officer_file(path)), path.read_text()]
    for ask in (lambda _: "another passphrase", lambda _: "\udc80" * 12):
        try:
            load_officer_keys(path, ask=ask)
        except TrustError as error:
            said.append("".join(traceback.format_exception(error)))

    secrets = [
        form for seed in AVERY.signing.seeds for form in (seed.hex(), base64.b64encode(seed).decode(), str(seed))
    ]

    assert len(said) == 5
    assert not [secret for secret in [*secrets, PASSPHRASE, "another passphrase"] for text in said if secret in text]


def test_the_message_of_a_wrong_passphrase_is_always_the_same(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    told = set()
    for file, ask in (
        (path, lambda _: "wrong passphrase"),
        (rewritten(written(tmp_path / "b.json"), person="b"), knows),
    ):
        with pytest.raises(TrustError) as refused:
            load_officer_keys(file, ask=ask)
        told.add((refused.value.code, str(refused.value)))
    assert told == {("wrong-passphrase", "the passphrase is wrong, or the file was changed")}


def test_a_flipped_bit_anywhere_in_the_file_is_refused(path: pathlib.Path) -> None:
    whole = path.read_bytes()
    salt = whole.index(b'"salt":"') + 8
    for position in range(len(whole)):
        # Another salt is another guess at full price: three bits of it are enough.
        if salt <= position < salt + 24 and position not in {salt, salt + 11, salt + 21}:
            continue
        flipped = bytearray(whole)
        flipped[position] ^= 1 << position % 8
        path.write_bytes(flipped)
        assert code(path) in {"wrong-passphrase", "keys-malformed", "key-file-costs"}, position


def says_the_same(one: bytes, other: bytes) -> bool:
    """Blanks between the members of a JSON object say nothing."""
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_file_that_was_cut_or_changed_is_never_opened(path: pathlib.Path, data: st.DataObject) -> None:
    whole = path.read_bytes()
    sealed = whole.index(b'"sealed":"') + 10
    start = data.draw(st.integers(sealed, len(whole) - 1))
    end = data.draw(st.integers(start, len(whole)))
    changed = whole[:start] + data.draw(st.binary(max_size=8)) + whole[end:]
    other = path.with_name("changed.json")
    other.write_bytes(changed)
    other.chmod(0o600)

    if says_the_same(changed, whole):
        assert load_officer_keys(other, ask=knows) == AVERY
    else:
        assert code(other) in {"wrong-passphrase", "keys-malformed"}


@pytest.mark.parametrize(
    "changed",
    [
        {"person": "blake"},
        {"agency": "il-fusion"},
        {"created": "2020-01-01T00:00:00Z"},
        {"signing": [{"alg": key.alg, "key": base64.b64encode(key.key).decode()} for key in BLAKE.signing.public]},
    ],
)
def test_another_persons_name_agency_or_keys_in_the_file(changed: dict[str, Any], path: pathlib.Path) -> None:
    assert code(rewritten(path, **changed)) == "wrong-passphrase"


def test_seeds_that_are_not_of_the_keys_the_file_names(path: pathlib.Path) -> None:
    """Sealed with the right passphrase by somebody who wants Avery to be taken for Blake."""
    mixed = OfficerKeys(
        person="avery", agency="il-state-police", signing=replace(AVERY.signing, public=BLAKE.signing.public)
    )
    write_officer_keys(mixed, path.with_name("mixed.json"), passphrase=PASSPHRASE, created=NOW, random=seeded("file"))

    assert code(path.with_name("mixed.json")) == "keys-malformed"


@pytest.mark.parametrize(
    "costs",
    [
        {"n": 2**16},
        {"n": 2},
        {"n": 0},
        {"n": -(2**17)},
        {"n": 2**17 + 1},
        {"r": 1},
        {"p": 0},
        {"p": True},
        {"name": "pbkdf2"},
        {"salt": ""},
        {"salt": base64.b64encode(bytes(15)).decode()},
        {"more": 1},
    ],
)
def test_weakened_costs_are_refused_before_anything_is_computed(
    costs: dict[str, Any], path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(primitives, "scrypt", None)

    assert code(rewritten(path, kdf=members(path)["kdf"] | costs)) == "key-file-costs"


@pytest.mark.parametrize("costs", [{"n": 2**20}, {"n": 2**40}, {"r": 2**20}, {"p": 2**30}])
def test_costs_that_would_exhaust_the_machine_are_refused_without_allocating(
    costs: dict[str, Any], path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(primitives, "scrypt", None)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    assert code(rewritten(path, kdf=members(path)["kdf"] | costs)) == "key-file-costs"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024


def test_costs_cannot_be_changed_within_their_bounds_either(path: pathlib.Path) -> None:
    assert code(rewritten(path, kdf=members(path)["kdf"] | {"n": 2**18})) == "wrong-passphrase"


@pytest.mark.parametrize(
    "changed",
    [
        {"format": "tearline officer keys 3"},
        {"format": "tearline officer token 1"},
        {"extra": 1},
        {"person": "Avery"},
        {"person": 7},
        {"signing": []},
        {"sealed": "x"},
        {"sealed": None},
        {"kdf": {}},
        {"kdf": []},
    ],
)
def test_files_of_another_form(changed: dict[str, Any], path: pathlib.Path) -> None:
    assert code(rewritten(path, **changed)) == "keys-malformed"


def test_half_a_signature_set_is_no_officers_file(path: pathlib.Path) -> None:
    both = members(path)["signing"]
    for half in (both[:1], both[1:], both[::-1], [both[1], both[1]]):
        assert code(rewritten(path, signing=half)) == "keys-malformed"


def test_the_same_keys_sealed_twice_share_nothing(tmp_path: pathlib.Path) -> None:
    for name in ("a.json", "b.json"):
        write_officer_keys(AVERY, tmp_path / name, passphrase=PASSPHRASE, created=NOW)
    first, second = members(tmp_path / "a.json"), members(tmp_path / "b.json")

    assert first["kdf"]["salt"] != second["kdf"]["salt"]
    assert first["sealed"] != second["sealed"]


@pytest.mark.parametrize("weak", ["", "a", "elevenchars", " " * 12, "\udc80" * 12])
def test_a_weak_passphrase_makes_no_file(weak: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(TrustError) as refused:
        written(tmp_path / "avery.json", weak)
    assert refused.value.code == "weak-passphrase"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fine", ["twelve chars", "aaaaaaaaaaaa", "ein langer Satz über nichts", "密" * 12])
def test_length_is_all_that_is_asked_of_a_passphrase(fine: str) -> None:
    require_passphrase(fine)


def test_a_passphrase_is_the_same_however_a_keyboard_writes_its_letters() -> None:
    stretch = Stretch.new(seeded("salt"))
    sealed = seal_with_passphrase("Überwachung 2026", b"secret", b"", stretch=stretch)

    assert unseal_with_passphrase("U\N{COMBINING DIAERESIS}berwachung 2026", sealed, b"", stretch=stretch) == b"secret"
    with pytest.raises(SealError):
        unseal_with_passphrase("Uberwachung 2026", sealed, b"", stretch=stretch)


def test_the_key_is_the_one_of_rfc_7914() -> None:
    derived = ORIGINAL(b"pleaseletmein", b"SodiumChloride", n=16384, r=8, p=1)

    assert derived.hex() == "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"


def test_a_changed_passphrase_opens_the_same_keys_and_the_old_one_nothing(path: pathlib.Path) -> None:
    file = change_passphrase(path, old=knows, new=lambda _: "another passphrase")

    assert file.person == "avery"
    assert load_officer_keys(path, ask=lambda _: "another passphrase") == AVERY
    assert code(path) == "wrong-passphrase"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["avery.json"]


@pytest.mark.parametrize(
    ("old", "new", "refusal"),
    [("not it, surely", "new passphrase", "wrong-passphrase"), (PASSPHRASE, "short", "weak-passphrase")],
)
def test_a_passphrase_that_cannot_be_changed_leaves_the_file(
    old: str, new: str, refusal: str, path: pathlib.Path
) -> None:
    before = path.read_bytes()
    with pytest.raises(TrustError) as refused:
        change_passphrase(path, old=lambda _: old, new=lambda _: new)
    assert refused.value.code == refusal
    assert path.read_bytes() == before


def test_a_file_is_never_overwritten_by_new_keys(path: pathlib.Path) -> None:
    before = path.read_bytes()
    with pytest.raises(TrustError) as refused:
        write_officer_keys(BLAKE, path, passphrase=PASSPHRASE, created=NOW)
    assert refused.value.code == "keys-exist"
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused_though_it_is_sealed(mode: int, path: pathlib.Path) -> None:
    path.chmod(mode)
    assert code(path) == "keys-too-open"


# Seeds in the clear


def test_an_officers_seeds_in_the_clear_are_refused_everywhere(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "avery.json"
    path.write_bytes(example_document("avery", "il-state-police", AVERY.signing, created=NOW))
    path.chmod(0o600)

    assert code(path) == "plain-keys"
    assert code(path, allow_example=True) == "plain-keys"
    with pytest.raises(TrustError) as refused:
        read_officer_file(path)
    assert refused.value.code == "plain-keys"


def test_one_example_key_beside_a_real_one_does_not_make_the_file_an_example(tmp_path: pathlib.Path) -> None:
    seeds = {"ed25519": example_seed("officer", "officer-avery", "ed25519"), "mldsa65": bytes(32)}
    mixed = SigningKeys.from_seeds(**seeds)
    path = tmp_path / "officer-avery.json"
    path.write_bytes(example_document("officer-avery", "il-state-police", mixed, created=NOW))
    path.chmod(0o600)

    assert code(path, allow_example=True) == "plain-keys"


def test_only_the_demo_takes_the_published_examples(tmp_path: pathlib.Path) -> None:
    write_examples(tmp_path)
    for person in OFFICERS:
        path = tmp_path / "officers" / f"{person}.json"
        assert code(path) == "example-keys"
        assert load_officer_keys(path, allow_example=True).person == person


def test_an_example_key_under_a_passphrase_is_still_an_example(tmp_path: pathlib.Path) -> None:
    write_examples(tmp_path)
    example = load_officer_keys(tmp_path / "officers" / "officer-avery.json", allow_example=True)
    write_officer_keys(example, tmp_path / "sealed.json", passphrase=PASSPHRASE, created=NOW, random=seeded("file"))

    assert code(tmp_path / "sealed.json") == "example-keys"


# Signers that lie


class Bent:
    """Holds the right keys and signs wrongly, as a broken token would."""

    def __init__(self, keys: OfficerKeys, how: str) -> None:
        self.public: tuple[PublicKey, ...] = keys.signing.public
        self._keys = keys.signing
        self._how = how

    def sign(self, position: int, message: bytes) -> bytes:
        signature = self._keys.sign(position, message)
        match self._how:
            case "wrong":
                return signature[:-1] + bytes([signature[-1] ^ 1])
            case "short":
                return signature[:-1]
            case "long":
                return signature + b"\0"
            case "huge":
                return signature * 80
            case "empty":
                return b""
            case "swapped":
                return self._keys.sign(1 - position, message)
            case "other message":
                return self._keys.sign(position, message + b"\0")
        raise AssertionError


@pytest.mark.parametrize("how", ["wrong", "short", "long", "huge", "empty", "swapped", "other message"])
@pytest.mark.parametrize("minting", [rules, directory])
def test_a_signer_that_signs_wrongly_is_noticed_before_a_release_leaves(minting: Any, how: str) -> None:
    bent = OfficerKeys(person=BLAKE.person, agency=BLAKE.agency, signing=Bent(BLAKE, how))
    with pytest.raises((TrustError, SealError)) as refused:
        minting(officers=(AVERY, bent))
    assert refused.value.code in {"document-bad-signature", "document-shape"}


@pytest.mark.parametrize("how", ["wrong", "short", "long", "huge", "empty", "swapped", "other message"])
def test_an_endorsement_that_was_signed_wrongly_never_leaves_either(how: str) -> None:
    with pytest.raises(SealError) as refused:
        endorse(rules().document, "rules", Bent(BLAKE, how))
    assert refused.value.code in {"document-bad-signature", "document-shape"}


def test_a_signer_without_every_key_of_the_set_is_no_officer() -> None:
    half = Bent(AVERY, "wrong")
    for public in (AVERY.signing.public[:1], AVERY.signing.public[1:], AVERY.signing.public[::-1], ()):
        half.public = public
        with pytest.raises(TrustError) as refused:
            OfficerKeys(person="avery", agency="il-state-police", signing=half)
        assert refused.value.code == "keys-malformed"


# The file of an officer with a token, as far as it needs no token


def test_a_token_file_names_its_token_and_is_bound_to_it(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "avery.json"
    place = TokenPlace(module="/usr/lib/token.so", token="Avery", key="tearline-avery")
    write_token_file(
        AVERY, path, place=place, seed=bytes(32), passphrase=PASSPHRASE, created=NOW, random=seeded("file")
    )

    file = read_officer_file(path)
    assert (file.place, file.signing) == (place, AVERY.signing.public)
    assert file.unseal(PASSPHRASE) == bytes(32)
    assert code(path) == "keys-on-token"
    for changed in ({"module": "/tmp/evil.so"}, {"token": "Blake"}, {"key": "other"}):
        with pytest.raises(TrustError) as refused:
            read_officer_file(rewritten(path, **changed)).unseal(PASSPHRASE)
        assert refused.value.code == "wrong-passphrase"
        path.unlink()
        write_token_file(
            AVERY, path, place=place, seed=bytes(32), passphrase=PASSPHRASE, created=NOW, random=seeded("file")
        )


def test_keys_whose_seeds_nobody_has_are_not_written(tmp_path: pathlib.Path) -> None:
    bent = OfficerKeys(person="avery", agency="il-state-police", signing=Bent(AVERY, "wrong"))
    with pytest.raises(TrustError) as refused:
        write_officer_keys(bent, tmp_path / "avery.json", passphrase=PASSPHRASE, created=NOW)
    assert refused.value.code == "keys-on-token"


def test_names_become_files_and_records_so_they_are_checked() -> None:
    for name in ("", "A", "a.b", "../x", "a" * 65):
        with pytest.raises(TrustError):
            new_officer_keys("avery", name)
