"""Key files: refused when others can read them, when they are another's, and when everybody has them."""

import json
import pathlib
from datetime import timedelta
from typing import Any

import pytest
import yaml

from broker.seal import ML_KEM_768_X25519, SealError, nkey_verify
from broker.trust import (
    StorageKeys,
    TrustError,
    load_agency_keys,
    load_gateway_keys,
    load_officer_keys,
    new_agency_keys,
    new_officer_keys,
    public_entry,
    read_public_entry,
    replace_agency_keys,
    with_new_kem_key,
    write_agency_keys,
    write_gateway_keys,
)
from broker.trust.example import GATEWAYS, OFFICERS, example_files, write_examples
from tests.trust.exchange import AVERY, CONTACTS, NOW, RULES_FOLDER, agency_keys, gateway_keys

EXAMPLES = pathlib.Path(__file__).parents[2] / "keys.example"


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "il-fusion.json"
    write_agency_keys(agency_keys("il-fusion"), path, created=NOW)
    return path


def code(path: pathlib.Path, load: Any = load_agency_keys, **options: Any) -> str:
    with pytest.raises(TrustError) as refused:
        load(path, **options)
    return refused.value.code


def rewritten(path: pathlib.Path, **fields: Any) -> pathlib.Path:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    return path


def test_what_is_written_is_read_again(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    assert load_agency_keys(path) == agency_keys("il-fusion")
    assert path.stat().st_mode & 0o777 == 0o600
    write_gateway_keys(gateway_keys("shared"), tmp_path / "shared.nkey.json", created=NOW)
    loaded = load_gateway_keys(tmp_path / "shared.nkey.json")
    assert loaded == gateway_keys("shared")
    assert nkey_verify(loaded.public, b"nonce", loaded.sign(b"nonce"))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o700, 0o644])
def test_keys_others_can_read(mode: int, path: pathlib.Path) -> None:
    path.chmod(mode)
    assert code(path) == "keys-too-open"


def test_keys_that_are_not_there(tmp_path: pathlib.Path) -> None:
    assert code(tmp_path / "il-fusion.json") == "keys-missing"


def test_keys_of_another_agency(path: pathlib.Path) -> None:
    assert code(path.rename(path.with_name("chicago-pd.json"))) == "wrong-agency"
    with pytest.raises(TrustError, match="belong in"):
        write_agency_keys(agency_keys("il-fusion"), path.with_name("other.json"), created=NOW)


def test_keys_of_another_gateway(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "shared.nkey.json"
    write_gateway_keys(gateway_keys("shared"), path, created=NOW)
    assert code(path.rename(tmp_path / "state.nkey.json"), load_gateway_keys) == "wrong-gateway"


def test_keys_are_never_overwritten(path: pathlib.Path) -> None:
    before = path.read_bytes()
    with pytest.raises(TrustError) as refused:
        write_agency_keys(new_agency_keys("il-fusion"), path, created=NOW)
    assert refused.value.code == "keys-exist"
    assert path.read_bytes() == before
    assert [item.name for item in path.parent.iterdir()] == ["il-fusion.json"]


@pytest.mark.parametrize(
    "fields",
    [
        {"format": "tearline agency keys 2"},
        {"extra": 1},
        {"kem": []},
        {"kem": [{"alg": "X25519", "seed": "A" * 43 + "="}]},
        {"signing": {"ed25519": "AAAA", "mldsa65": "AAAA"}},
        {"signing": {"ed25519": "A" * 43 + "="}},
        {"agency": 7},
    ],
)
def test_key_files_of_another_form(fields: Any, path: pathlib.Path) -> None:
    assert code(rewritten(path, **fields)) == "keys-malformed"


def test_a_key_file_with_a_name_twice(path: pathlib.Path) -> None:
    path.write_text(path.read_text().replace("{", '{"agency":"chicago-pd",', 1))
    assert code(path) == "keys-malformed"


def test_one_seed_for_two_purposes(path: pathlib.Path) -> None:
    seed = json.loads(path.read_text())["signing"]["ed25519"]
    assert code(rewritten(path, signing={"ed25519": seed, "mldsa65": seed})) == "key-reused"


def test_no_message_contains_a_key(path: pathlib.Path) -> None:
    seed = json.loads(path.read_text())["signing"]["ed25519"]
    with pytest.raises(TrustError) as refused:
        load_agency_keys(rewritten(path, signing={"ed25519": seed, "mldsa65": seed}))
    assert seed not in str(refused.value)
    for keys in (agency_keys("il-fusion"), gateway_keys("shared"), AVERY):
        assert "seed" not in repr(keys)


def test_a_new_kem_key_is_first_and_the_old_one_still_opens(path: pathlib.Path) -> None:
    before = load_agency_keys(path)
    replace_agency_keys(with_new_kem_key(before, kem_alg=ML_KEM_768_X25519), path, created=NOW)
    after = load_agency_keys(path)
    assert after.signing == before.signing
    assert after.kem[1:] == before.kem
    assert after.kem[0].alg == ML_KEM_768_X25519
    assert path.stat().st_mode & 0o777 == 0o600


# The example keys


@pytest.fixture
def examples(tmp_path: pathlib.Path) -> pathlib.Path:
    write_examples(tmp_path)
    return tmp_path


def test_the_committed_example_keys_are_what_the_generator_makes() -> None:
    made = example_files()
    committed = {str(path.relative_to(EXAMPLES)): path.read_bytes() for path in EXAMPLES.rglob("*") if path.is_file()}
    committed.pop("README.md")
    assert committed == made
    recognised = pathlib.Path(__file__).parents[2] / "broker" / "trust" / "FINGERPRINTS"
    assert recognised.read_bytes() == made["FINGERPRINTS"]


def test_the_example_keys_are_those_of_the_example_agencies() -> None:
    agencies = yaml.safe_load((RULES_FOLDER / "agencies.yaml").read_text())
    assert sorted(name for hosted in GATEWAYS.values() for name in hosted) == sorted(agencies)
    assert len(set(OFFICERS.values())) == len(OFFICERS) == 3


def test_example_keys_are_refused_wherever_they_stand_and_however_they_are_named(examples: pathlib.Path) -> None:
    loaded = 0
    for path in sorted(examples.glob("*/*.json")):
        load: Any = load_gateway_keys if path.name.endswith(".nkey.json") else load_agency_keys
        if path.parent.name == "officers":
            load = load_officer_keys
        assert code(path, load) == "example-keys"
        load(path, allow_example=True)
        loaded += 1
    assert loaded == 13 + 8 + 3
    renamed = examples / "il-fusion" / "our-own-agency.json"
    renamed.write_text((examples / "il-fusion" / "il-fusion.json").read_text().replace("il-fusion", "our-own-agency"))
    renamed.chmod(0o600)
    assert code(renamed) == "example-keys"


def test_one_example_key_among_real_ones_is_enough_to_refuse(path: pathlib.Path, examples: pathlib.Path) -> None:
    theirs = json.loads((examples / "il-fusion" / "il-fusion.json").read_text())["kem"]
    ours = json.loads(path.read_text())["kem"]
    assert code(rewritten(path, kem=[*ours, *theirs])) == "example-keys"


# Storage keys


def test_a_storage_key_per_class_and_month_is_made_once(tmp_path: pathlib.Path) -> None:
    keys = StorageKeys(tmp_path / "storage" / "il-fusion")
    name = keys.current("criminal intelligence", NOW)
    assert name == "criminal-intelligence-2026-11"
    assert StorageKeys(tmp_path / "storage" / "il-fusion").key(name) == keys.key(name)
    assert keys.current("criminal intelligence", NOW + timedelta(days=9)) == "criminal-intelligence-2026-12"
    assert keys.current("tip or lead", NOW) == "tip-or-lead-2026-11"
    assert len({keys.key(found) for found in keys.names()}) == 3
    assert (tmp_path / "storage" / "il-fusion" / f"{name}.key").stat().st_mode & 0o777 == 0o600


def test_a_class_nobody_knows_makes_no_file_of_its_own(tmp_path: pathlib.Path) -> None:
    keys = StorageKeys(tmp_path)
    assert {keys.current(word, NOW) for word in ("../../x", "a\0b", "", "x" * 999, "2026")} == {"other-2026-11"}


def test_a_destroyed_storage_key_opens_nothing_ever_again(tmp_path: pathlib.Path) -> None:
    keys = StorageKeys(tmp_path)
    name = keys.current("investigative", NOW)
    before = keys.key(name)
    keys.destroy(name)
    keys.destroy(name)
    with pytest.raises(SealError) as refused:
        keys.key(name)
    assert refused.value.code == "rest-open"
    assert keys.names() == ()
    assert keys.key(keys.current("investigative", NOW)) != before


def test_a_storage_key_others_can_read(tmp_path: pathlib.Path) -> None:
    name = StorageKeys(tmp_path).current("investigative", NOW)
    (tmp_path / f"{name}.key").chmod(0o644)
    assert code(tmp_path / name, lambda path: StorageKeys(path.parent).key(path.name)) == "keys-too-open"
    with pytest.raises(TrustError):
        StorageKeys(tmp_path).key("../il-fusion.json")


# The public entry


def test_a_public_entry_proves_itself() -> None:
    keys, nkey = agency_keys("il-fusion"), gateway_keys("shared").public
    raw = public_entry(keys, gateway="shared", nkey=nkey, contacts=CONTACTS)
    entry, read = read_public_entry(raw, {"kind": "fusion center"})
    assert (entry.agency, entry.gateway, read) == ("il-fusion", "shared", nkey)
    assert entry.public == keys.public()
    assert entry.contacts["duty"] == CONTACTS["duty"]
    for private in (*keys.signing.seeds, keys.kem[0].seed):
        assert private.hex() not in raw.hex()
    other = json.loads(public_entry(agency_keys("springfield-pd"), gateway="shared", nkey=nkey, contacts=CONTACTS))
    mixed = json.loads(raw) | {"kem": other["kem"]}
    for forged in (mixed, json.loads(raw) | {"agency": "chicago-pd"}, json.loads(raw) | {"proof": other["proof"]}, {}):
        with pytest.raises(TrustError) as refused:
            read_public_entry(json.dumps(forged).encode(), {})
        assert refused.value.code == "entry-invalid"


def test_names_become_files_and_subjects_so_they_are_checked() -> None:
    for name in ("", "A", "a.b", "../x", "a" * 65):
        with pytest.raises(TrustError):
            new_agency_keys(name)
        with pytest.raises(TrustError):
            new_officer_keys(name, "il-fusion")
