"""An officer with a token: the same signatures, from a key that nobody has."""

import functools
import itertools
import json
import os
import pathlib
import shutil
import traceback
from typing import Any

import pkcs11
import pytest

from broker.officer import authority
from broker.officer.signers import load_officer, load_officers
from broker.officer.token import make_token_officer
from broker.seal import SealError, primitives, sign_document, verify_document
from broker.trust import OfficerKeys, TokenPlace, TrustError, TrustStore, read_officer_file, write_officer_keys
from tests.cli.command import Done, tearline
from tests.officer.softhsm import PIN, make_tokens, module
from tests.trust.exchange import BLAKE, NOW, RULES_FOLDER

PASSPHRASE = "correct horse battery staple"
#: A guess costs half a second on purpose; one and the same guess is computed once for all tests.
REMEMBERED = functools.lru_cache(maxsize=64)(primitives.scrypt)
SALT = b"sixteen bytes..."
numbers = itertools.count()


@pytest.fixture(scope="session")
def so(tmp_path_factory: pytest.TempPathFactory) -> str:
    found = module()
    make_tokens(tmp_path_factory.mktemp("softhsm"))
    return found


@pytest.fixture(autouse=True)
def remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(primitives, "scrypt", REMEMBERED)


@pytest.fixture
def place(so: str) -> TokenPlace:
    return TokenPlace(module=so, token="Avery", key=f"key {next(numbers)}")


def random(size: int) -> bytes:
    return SALT[:size] if size == len(SALT) else os.urandom(size)


def make(path: pathlib.Path, place: TokenPlace, pin: str = PIN, passphrase: str = PASSPHRASE) -> OfficerKeys:
    return make_token_officer(
        "avery", "il-state-police", path, place=place, pin=pin, passphrase=passphrase, created=NOW, random=random
    )


@pytest.fixture
def path(place: TokenPlace, tmp_path: pathlib.Path) -> pathlib.Path:
    make(tmp_path / "avery.json", place)
    return tmp_path / "avery.json"


def knows(what: str) -> str:
    return PIN if what.startswith("PIN") else PASSPHRASE


def answers(pin: str = PIN, passphrase: str = PASSPHRASE) -> Any:
    return lambda what: pin if what.startswith("PIN") else passphrase


def code(path: pathlib.Path, ask: Any = knows) -> str:
    with pytest.raises(TrustError) as refused:
        load_officer(path, ask=ask)
    return refused.value.code


def objects(place: TokenPlace) -> list[str]:
    with pkcs11.lib(place.module).get_token(token_label=place.token).open(user_pin=PIN) as session:
        return sorted(str(found) for found in session.get_objects({pkcs11.Attribute.LABEL: place.key}))


def test_a_token_signs_as_a_file_does(path: pathlib.Path) -> None:
    avery = load_officer(path, ask=knows)
    document = sign_document(b"what officers sign", [avery.signing, BLAKE.signing], "rules")
    known = {"avery": read_officer_file(path).signing, "blake": BLAKE.signing.public}

    assert verify_document(document, known, "rules") == (b"what officers sign", ("avery", "blake"))
    with pytest.raises(SealError):
        verify_document(document, known, "directory")
    for position in (0, 1):
        assert avery.signing.public[position].verifies(avery.signing.sign(position, b"message"), b"message")


def test_the_passphrase_is_asked_before_the_pin_because_the_file_names_the_code_that_gets_the_pin(
    path: pathlib.Path,
) -> None:
    asked: list[str] = []

    def ask(what: str) -> str:
        asked.append(what)
        return knows(what)

    load_officer(path, ask=ask)
    assert asked == ["passphrase of avery (avery.json)", "PIN of the token Avery"]


def test_an_exchange_founded_by_a_token_and_a_file_is_accepted_by_every_store(
    path: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    write_officer_keys(BLAKE, tmp_path / "blake.json", passphrase=PASSPHRASE, created=NOW, random=random)

    made = authority.found(
        "test", rules=RULES_FOLDER, releases=tmp_path / "releases", officers=[path, tmp_path / "blake.json"], ask=knows
    )

    store = TrustStore(tmp_path / "releases", made["root"])
    assert store.root is not None
    assert store.staged_rules is not None
    assert store.staged_rules.release.signers == ("avery", "blake")
    assert [officer.signing for officer in store.root.officers] == [
        read_officer_file(path).signing,
        BLAKE.signing.public,
    ]


def test_the_private_key_never_leaves_the_token(path: pathlib.Path, place: TokenPlace) -> None:
    with pkcs11.lib(place.module).get_token(token_label=place.token).open(user_pin=PIN) as session:
        private = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=place.key)
        for attribute in (pkcs11.Attribute.NEVER_EXTRACTABLE, pkcs11.Attribute.ALWAYS_SENSITIVE):
            assert private[attribute] is True
        with pytest.raises(pkcs11.AttributeSensitive):
            private[pkcs11.Attribute.VALUE]
    assert len(read_officer_file(path).unseal(PASSPHRASE)) == 32


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"pin": "0000 0000"}, "wrong-pin"),
        ({"pin": ""}, "wrong-pin"),
        ({"pin": "1" * 300}, "wrong-pin"),
        ({"passphrase": "another passphrase"}, "wrong-passphrase"),
    ],
)
def test_neither_half_alone_makes_an_officer(given: dict[str, str], refusal: str, path: pathlib.Path) -> None:
    assert code(path, answers(**given)) == refusal
    assert load_officer(path, ask=knows).person == "avery"


def test_no_pin_no_passphrase_and_no_seed_is_in_what_is_said(path: pathlib.Path) -> None:
    said = [repr(load_officer(path, ask=knows)), path.read_text()]
    for given in (answers(pin="0000 0000"), answers(passphrase="another passphrase")):
        try:
            load_officer(path, ask=given)
        except TrustError as error:
            said.append("".join(traceback.format_exception(error)))

    seed = read_officer_file(path).unseal(PASSPHRASE)

    assert len(said) == 4
    for secret in (PIN, PASSPHRASE, "0000 0000", "another passphrase", seed.hex(), str(seed)):
        assert not any(secret in text for text in said)


def test_another_token_of_that_key_label_signs_nothing_that_leaves(path: pathlib.Path, place: TokenPlace) -> None:
    """Avery's key is gone, and somebody put another of the same name in its place."""
    avery = load_officer(path, ask=knows)
    with pkcs11.lib(place.module).get_token(token_label=place.token).open(rw=True, user_pin=PIN) as session:
        for found in list(session.get_objects({pkcs11.Attribute.LABEL: place.key})):
            found.destroy()
    make(path.with_name("another.json"), place)

    with pytest.raises(TrustError) as refused:
        avery.signing.sign(0, b"message")
    assert refused.value.code == "token-signature"


def test_a_key_that_is_gone_and_a_token_that_is_not_there(path: pathlib.Path, place: TokenPlace) -> None:
    with pkcs11.lib(place.module).get_token(token_label=place.token).open(rw=True, user_pin=PIN) as session:
        for found in list(session.get_objects({pkcs11.Attribute.LABEL: place.key})):
            found.destroy()
    assert code(path) == "token-key-missing"

    with pytest.raises(TrustError) as refused:
        make(path.with_name("b.json"), TokenPlace(module=place.module, token="Nobody", key="key"))
    assert refused.value.code == "token-missing"


def test_a_signing_session_is_closed_after_each_signature(path: pathlib.Path, place: TokenPlace) -> None:
    avery = load_officer(path, ask=knows)
    for _ in range(3):
        avery.signing.sign(0, b"message")
    # Whoever is logged in keeps others out: this would be refused with a session still open.
    assert len(objects(place)) == 2


def test_a_session_that_is_open_elsewhere_in_the_program_is_not_borrowed(path: pathlib.Path, place: TokenPlace) -> None:
    """Where somebody is logged in, any PIN would do: it is refused, right or wrong."""
    with pkcs11.lib(place.module).get_token(token_label=place.token).open(user_pin=PIN):
        assert code(path, answers(pin="0000 0000")) in {"token-busy", "wrong-pin"}
        assert code(path) == "token-busy"
    assert load_officer(path, ask=knows).person == "avery"


@pytest.mark.parametrize("changed", [{"person": "blake"}, {"agency": "il-fusion"}, {"token": "Blake"}, {"key": "k"}])
def test_a_token_file_with_another_name_agency_or_place(changed: dict[str, str], path: pathlib.Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    assert code(path) == "wrong-passphrase"


def test_a_module_that_the_file_was_made_to_name_is_never_loaded(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """A shared library is code; loading one that a stranger wrote into the file would be running the stranger's."""
    evil = tmp_path / "evil.so"
    shutil.copy(read_officer_file(path).place.module, evil)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"module": str(evil)}))

    assert code(path) == "wrong-passphrase"
    assert str(evil) not in pathlib.Path("/proc/self/maps").read_text()


def test_a_module_that_others_can_change_or_that_is_none_is_never_loaded(so: str, tmp_path: pathlib.Path) -> None:
    evil = tmp_path / "evil.so"
    shutil.copy(so, evil)
    evil.chmod(0o666)
    for name in (str(evil), "libsofthsm2.so", str(tmp_path), str(tmp_path / "absent.so"), "/etc/passwd"):
        with pytest.raises(TrustError) as refused:
            make(tmp_path / "avery.json", TokenPlace(module=name, token="Avery", key="key"))
        assert refused.value.code == "token-module"
    assert str(evil) not in pathlib.Path("/proc/self/maps").read_text()


def test_a_label_that_is_taken_is_not_used_twice(path: pathlib.Path, place: TokenPlace) -> None:
    with pytest.raises(TrustError) as refused:
        make(path.with_name("again.json"), place)
    assert refused.value.code == "token-key-exists"
    assert len(objects(place)) == 2
    assert load_officer(path, ask=knows).person == "avery"


def test_a_file_that_cannot_be_written_leaves_no_key_on_the_token(place: TokenPlace, tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError):
        make(tmp_path / "no folder" / "avery.json", place)
    assert objects(place) == []
    with pytest.raises(TrustError):
        make(tmp_path / "avery.json", place, passphrase="short")
    assert objects(place) == []
    (tmp_path / "avery.json").touch()
    with pytest.raises(TrustError):
        make(tmp_path / "avery.json", place)
    assert objects(place) == []


def test_two_officers_of_two_tokens_sign_together(so: str, tmp_path: pathlib.Path) -> None:
    paths = []
    for person, agency, label in (("avery", "il-state-police", "Avery"), ("blake", "il-fusion", "Blake")):
        paths.append(tmp_path / f"{person}.json")
        make_token_officer(
            *(person, agency, paths[-1]),
            place=TokenPlace(module=so, token=label, key=f"key {next(numbers)}"),
            pin=PIN,
            passphrase=PASSPHRASE,
            created=NOW,
            random=random,
        )

    both = load_officers(paths, ask=knows)

    known = {one.person: one.signing.public for one in both}
    document = sign_document(b"payload", [one.signing for one in both], "rules")
    assert verify_document(document, known, "rules")[1] == ("avery", "blake")


# The command line


def secret(path: pathlib.Path, text: str) -> pathlib.Path:
    path.touch(mode=0o600)
    path.write_text(text + "\n")
    return path


def test_a_token_is_made_shown_and_given_another_passphrase_from_the_command_line(
    so: str, tmp_path: pathlib.Path
) -> None:
    pin, old, new = (
        secret(tmp_path / name, text)
        for name, text in (("pin", PIN), ("old", PASSPHRASE), ("new", "another passphrase"))
    )

    def run(*words: Any) -> Done:
        return tearline(*words, env={"SOFTHSM2_CONF": os.environ["SOFTHSM2_CONF"]})

    made = run(
        *("keys", "token", "il-fusion", "--officer", "casey", "--module", so, "--token", "Casey"),
        *("--folder", tmp_path, "--passphrase-file", pin, "--passphrase-file", old, "--json"),
    )
    shown = run("keys", "show", tmp_path / "casey.json")
    changed = run("keys", "passphrase", tmp_path / "casey.json", "--passphrase-file", old, "--passphrase-file", new)

    assert (made.status, made.json()["key"]) == (0, "tearline-casey")
    assert shown.json()["token"] == {"module": so, "token": "Casey", "key": "tearline-casey"}
    assert len(shown.json()["signing"]) == 2
    assert changed.status == 0, changed.words
    assert code(tmp_path / "casey.json") == "wrong-passphrase"
    assert load_officer(tmp_path / "casey.json", ask=answers(passphrase="another passphrase")).person == "casey"
    assert not [word for word in (PIN, PASSPHRASE) for done in (made, shown, changed) if word in done.out + done.words]
