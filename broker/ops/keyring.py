"""Key files made and shown: what `tearline keys` does. Secrets go into files of mode 0600 and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from broker.ops.clock import now
from broker.seal import PublicKey, fingerprint
from broker.trust import (
    KEM_NAMES,
    Ask,
    Officer,
    TrustError,
    change_passphrase,
    load_agency_keys,
    load_gateway_keys,
    load_officer_keys,
    new_agency_keys,
    new_gateway_keys,
    new_officer_keys,
    public_entry,
    read_officer_file,
    write_agency_keys,
    write_gateway_keys,
    write_officer_keys,
)
from broker.trust.officers import EXAMPLE_FORMAT


def make(agency: str, *, gateway: str | None, folder: Path, kem: str) -> list[Path]:
    """Make an agency's keys, and its gateway's when it has none yet; returns the files made.

    Raises:
        TrustError: `keys-exist`; a key file is never overwritten. `bad-name`.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    at = now()
    path = folder / f"{agency}.json"
    write_agency_keys(new_agency_keys(agency, kem_alg=KEM_NAMES[kem]), path, created=at)
    made = [path]
    if gateway is not None and not (folder / f"{gateway}.nkey.json").exists():
        made.append(folder / f"{gateway}.nkey.json")
        write_gateway_keys(new_gateway_keys(gateway), made[-1], created=at)
    return made


def make_officer(agency: str, person: str, *, folder: Path, new: Ask) -> Path:
    """Make an officer's key file, under the passphrase that `new` asks for.

    Raises:
        TrustError: `keys-exist`, `bad-name`, `weak-passphrase`.
    """
    path = officer_path(folder, person)
    keys = new_officer_keys(person, agency)
    write_officer_keys(keys, path, passphrase=new(f"new passphrase of {person}"), created=now())
    return path


def officer_path(folder: Path, person: str) -> Path:
    """Where the file of a new officer goes, before anything is asked or made.

    Raises:
        TrustError: `keys-exist`.
    """
    path = folder / f"{person}.json"
    if path.exists():
        raise TrustError("keys-exist", f"`{path.name}` exists and is not overwritten")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def change(path: Path, *, old: Ask, new: Ask) -> str:
    """Change the passphrase of an officer's file; returns whose it is.

    Raises:
        TrustError: `wrong-passphrase`, `weak-passphrase`; the file is refused. Then nothing changes.
    """
    return change_passphrase(path, old=old, new=new).person


def public_part(path: Path) -> dict[str, Any]:
    """The fingerprints in a key file of an agency, a gateway or an officer: for reading aloud on the telephone.

    Raises:
        TrustError: it is no key file, or others can read it.
    """
    kind = _format(path)
    if "gateway" in kind:
        gateway = load_gateway_keys(path, allow_example=True)
        return {"gateway": gateway.gateway, "nkey": gateway.public}
    if kind == EXAMPLE_FORMAT:
        example = load_officer_keys(path, allow_example=True)
        return {"person": example.person, "agency": example.agency, "signing": _prints(example.signing.public)}
    if "officer" in kind:
        officer = read_officer_file(path)
        shown: dict[str, Any] = {"person": officer.person, "agency": officer.agency}
        if officer.place is not None:
            shown["token"] = {"module": officer.place.module, "token": officer.place.token, "key": officer.place.key}
        return {**shown, "signing": _prints(officer.signing)}
    public = load_agency_keys(path, allow_example=True).public()
    return {"agency": public.agency, "signing": _prints(public.signing), "kem": _prints(public.kem)}


def entry(path: Path, *, gateway_key: Path, duty: str, alternate: str, officers: Sequence[Path] = ()) -> str:
    """The public entry that officers sign into the directory, signed by the keys it announces.

    `officers` are files of the agency's own officers, who may sign its own rules; only their public halves are read.

    Raises:
        TrustError: a key file is refused.
    """
    gateway = load_gateway_keys(gateway_key, allow_example=True)
    contacts = {"duty": _contact(duty), "alternate": _contact(alternate)}
    keys = load_agency_keys(path, allow_example=True)
    listed = [_officer_of(keys.agency, file) for file in officers]
    return public_entry(keys, gateway=gateway.gateway, nkey=gateway.public, contacts=contacts, officers=listed).decode()


def _officer_of(agency: str, path: Path) -> Officer:
    officer = read_officer_file(path)
    if officer.agency != agency:
        raise TrustError("other-agency", f"`{path.name}` is an officer of `{officer.agency}`")
    return Officer(person=officer.person, agency=officer.agency, signing=officer.signing)


def _format(path: Path) -> str:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrustError("keys-malformed", f"`{path.name}` is not a key file") from error
    return str(value.get("format", "")) if isinstance(value, dict) else ""


def _prints(keys: tuple[PublicKey, ...]) -> list[dict[str, str | int]]:
    return [{"alg": key.alg, "fingerprint": fingerprint(key.key)} for key in keys]


def _contact(text: str) -> dict[str, str]:
    name, _, phone = text.partition(",")
    return {"name": name.strip(), "phone": phone.strip() or "-"}
