"""Founding an exchange and joining it, by the commands that the README names."""

from pathlib import Path

import pytest

from tests.cli.command import tearline

RULES = Path(__file__).parents[2] / "policy" / "rules.example"


def secret(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text + "\n")
    return path


@pytest.fixture
def officers(tmp_path) -> list[str]:
    options = []
    for person, agency in (("officer-a", "il-state-police"), ("officer-b", "il-fusion")):
        known = secret(tmp_path / f"{person}.txt", f"the passphrase of {person}")
        made = tearline(
            *("keys", "new", agency, "--officer", person),
            *("--folder", tmp_path / "officers", "--passphrase-file", known),
        )
        assert made.status == 0
        options += ["--officer", str(tmp_path / "officers" / f"{person}.json"), "--passphrase-file", str(known)]
    return options


def join(folder: Path, agency: str, root: str, officers: list[str]):
    assert tearline("keys", "new", agency, "--gateway", agency, "--folder", folder / "keys").status == 0
    shown = tearline(
        *("keys", "show", folder / "keys" / f"{agency}.json", "--gateway-key", folder / "keys" / f"{agency}.nkey.json"),
        *("--duty", "Duty desk, +1 309 555 0100", "--alternate", "Watch commander, +1 309 555 0199"),
    )
    entry = folder / f"{agency}.entry.json"
    entry.write_text(shown.out)
    return tearline(
        *("agency", "add", entry, "--attributes", RULES / "agencies.yaml"),
        *("--releases", folder / "releases", "--root", root, *officers, "--json"),
    )


def test_an_exchange_is_founded_and_agencies_join_it(tmp_path, officers) -> None:
    founded = tearline(
        "agency", "found", "test", "--rules", RULES, "--releases", tmp_path / "releases", *officers, "--json"
    )
    root = founded.json()["root"]

    first = join(tmp_path, "peoria-pd", root, officers)
    second = join(tmp_path, "springfield-pd", root, officers)
    listed = tearline("agency", "list", "--releases", tmp_path / "releases", "--root", root, "--json")

    assert first.json()["number"] == 1
    assert second.json()["number"] == 2
    assert second.json()["signers"] == ["officer-a", "officer-b"]
    assert [one["agency"] for one in listed.json()] == ["peoria-pd", "springfield-pd"]
    assert listed.json()[0]["status"] == "suspended"
    assert (tmp_path / "keys" / "peoria-pd.json").stat().st_mode & 0o777 == 0o600


def test_one_officer_alone_adds_nobody(tmp_path, officers) -> None:
    founded = tearline(
        "agency", "found", "test", "--rules", RULES, "--releases", tmp_path / "releases", *officers, "--json"
    )

    done = join(tmp_path, "peoria-pd", founded.json()["root"], officers[:4])

    assert done.status == 2
    assert done.json()["code"] == "too-few-persons"


def test_keys_are_never_overwritten(tmp_path) -> None:
    assert tearline("keys", "new", "peoria-pd", "--folder", tmp_path).status == 0
    before = (tmp_path / "peoria-pd.json").read_bytes()

    again = tearline("keys", "new", "peoria-pd", "--folder", tmp_path)

    assert again.status == 2
    assert (tmp_path / "peoria-pd.json").read_bytes() == before


def test_showing_keys_shows_no_secret(tmp_path) -> None:
    tearline("keys", "new", "peoria-pd", "--gateway", "peoria-pd", "--folder", tmp_path)
    import json

    kept = json.loads((tmp_path / "peoria-pd.json").read_text())
    secrets = [*kept["signing"].values(), *(one["seed"] for one in kept["kem"])]

    shown = tearline("keys", "show", tmp_path / "peoria-pd.json")

    assert shown.json()["agency"] == "peoria-pd"
    assert not any(secret in shown.out + shown.words for secret in secrets)


def test_a_token_is_made_private_and_revoked(tmp_path) -> None:
    tokens, out = tmp_path / "tokens.json", tmp_path / "peoria.token"
    made = tearline(
        *("token", "new", "--agency", "peoria-pd", "--scope", "read", "--tokens", tokens, "--out", out, "--json"),
    )

    assert made.status == 0
    assert out.stat().st_mode & 0o777 == 0o600
    assert out.read_text().strip() not in tokens.read_text()
    assert out.read_text().strip() not in made.out + made.words
    assert tearline("token", "revoke", made.json()["id"], "--tokens", tokens).status == 0
    assert tearline("token", "revoke", made.json()["id"], "--tokens", tokens).status == 2
