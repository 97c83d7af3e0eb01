"""Writes `keys.example/`: the same throw-away keys for everyone who runs the demo. They are public and protect nothing.

python -m broker.trust.example keys.example
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from broker.seal import ML_KEM_1024_P384, AgencyKeys, KemKey, SigningKeys, nkey_public
from broker.trust.examples import key_print
from broker.trust.keys import GatewayKeys, agency_document, gateway_document
from broker.trust.officers import OfficerKeys, example_document

#: Which gateway hosts which agencies of `policy/rules.example/agencies.yaml`.
GATEWAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "springfield-pd": ("springfield-pd",),
    "chicago-pd": ("chicago-pd",),
    "il-state-police": ("il-state-police",),
    "jttf": ("jttf-springfield", "jttf-chicago"),
    "il-fusion": ("il-fusion",),
    "north-il-fusion": ("north-il-fusion",),
    "springfield-mayor": ("springfield-mayor",),
    "small-agencies": ("cook-sheriff", "lake-sheriff", "peoria-pd", "ero-chicago", "newtown-pd"),
}
#: Person and agency of the three who sign the example exchange's releases.
OFFICERS: Final[Mapping[str, str]] = {
    "officer-avery": "il-state-police",
    "officer-blake": "il-fusion",
    "officer-casey": "chicago-pd",
}
OFFICERS_FOLDER: Final = "officers"
FINGERPRINTS_FILE: Final = "FINGERPRINTS"
CREATED: Final = datetime(2026, 11, 22, tzinfo=UTC)


def example_seed(kind: str, name: str, purpose: str) -> bytes:
    """Return the seed of one example key: anybody can compute it."""
    return hashlib.sha256(f"tearline example key\0{kind}\0{name}\0{purpose}".encode()).digest()


def example_agency_keys(agency: str) -> AgencyKeys:
    return AgencyKeys(
        agency=agency,
        signing=_signing("agency", agency),
        kem=(KemKey.from_seed(ML_KEM_1024_P384, example_seed("agency", agency, "kem")),),
    )


def example_gateway_keys(gateway: str) -> GatewayKeys:
    seed = example_seed("gateway", gateway, "nkey")
    return GatewayKeys(gateway=gateway, public=nkey_public(seed), seed=seed)


def example_officer_keys(person: str) -> OfficerKeys:
    return OfficerKeys(person=person, agency=OFFICERS[person], signing=_signing("officer", person))


def example_files() -> Mapping[str, bytes]:
    """Return every generated file by its path in the folder: one folder per gateway, as a gateway's `keys` wants it."""
    written: dict[str, bytes] = {}
    prints: list[str] = []
    for gateway, agencies in GATEWAYS.items():
        nkey = example_gateway_keys(gateway)
        written[f"{gateway}/{gateway}.nkey.json"] = gateway_document(nkey, created=CREATED)
        prints.append(f"{key_print(nkey.public.encode())} gateway {gateway} nkey")
        for agency in agencies:
            keys = example_agency_keys(agency)
            written[f"{gateway}/{agency}.json"] = agency_document(keys, created=CREATED)
            prints += _prints("agency", agency, keys.signing)
            prints.append(f"{key_print(keys.kem[0].public.key)} agency {agency} kem")
    for person, agency in OFFICERS.items():
        signing = _signing("officer", person)
        written[f"{OFFICERS_FOLDER}/{person}.json"] = example_document(person, agency, signing, created=CREATED)
        prints += _prints("officer", person, signing)
    head = (
        "# Public keys whose private halves are published in keys.example; a gateway refuses them outside the demo.\n"
    )
    written[FINGERPRINTS_FILE] = (head + "\n".join(prints) + "\n").encode()
    return written


def write_examples(folder: Path) -> None:
    """Write all generated files, mode 0600 where they hold a key."""
    for name, raw in example_files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
        path.chmod(0o644 if name == FINGERPRINTS_FILE else 0o600)


def _signing(kind: str, name: str) -> SigningKeys:
    return SigningKeys.from_seeds(
        ed25519=example_seed(kind, name, "ed25519"), mldsa65=example_seed(kind, name, "mldsa65")
    )


def _prints(kind: str, name: str, signing: SigningKeys) -> Iterator[str]:
    for purpose, key in zip(("ed25519", "mldsa65"), signing.public, strict=True):
        yield f"{key_print(key.key)} {kind} {name} {purpose}"


if __name__ == "__main__":
    write_examples(Path(sys.argv[1]))
