"""Key files of agencies, gateways and officers: one JSON file each, mode 0600, seeds only."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

from typing_extensions import override

from broker.model import JsonLike, JsonValue, Refusal, canonical_json, parse_json
from broker.model.written import write_time
from broker.seal import (
    ML_KEM_768_X25519,
    ML_KEM_1024_P384,
    AgencyKeys,
    KemKey,
    SealError,
    SigningKeys,
    nkey_public,
    nkey_seed,
    nkey_seed_text,
    nkey_sign,
)
from broker.trust.errors import TrustError
from broker.trust.examples import EXAMPLES, key_print
from broker.trust.files import create_private, read_private, replace_private
from policy.vocabulary import is_agency_id

Random: TypeAlias = Callable[[int], bytes]

AGENCY_FORMAT: Final = "tearline agency keys 1"
GATEWAY_FORMAT: Final = "tearline gateway key 1"
OFFICER_FORMAT: Final = "tearline officer keys 1"
KEM_NAMES: Final = {"ML-KEM-1024+P-384": ML_KEM_1024_P384, "ML-KEM-768+X25519": ML_KEM_768_X25519}
_NAME_OF_KEM: Final = {alg: name for name, alg in KEM_NAMES.items()}

_MAX_FILE: Final = 64 * 1024
_SEED_SIZE: Final = 32
#: A KEM key is used for up to 30 days and kept for the longest transit; more than a few means that nobody destroys.
_MAX_KEM_KEYS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GatewayKeys:
    """A gateway's NATS identity. It opens nothing; what a gateway may read is in its agencies' keys."""

    gateway: str
    public: str
    seed: bytes

    def sign(self, nonce: bytes) -> bytes:
        """Answer the server's challenge."""
        return nkey_sign(self.seed, nonce)

    @override
    def __repr__(self) -> str:
        return f"GatewayKeys({self.gateway}, {self.public})"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficerKeys:
    """One person of the exchange authority. A person may hold several key files and still counts once."""

    person: str
    agency: str
    signing: SigningKeys


def new_agency_keys(agency: str, *, kem_alg: int = ML_KEM_1024_P384, random: Random = os.urandom) -> AgencyKeys:
    _require_id(agency)
    return AgencyKeys(agency=agency, signing=SigningKeys.generate(random), kem=(KemKey.generate(random, alg=kem_alg),))


def with_new_kem_key(keys: AgencyKeys, *, kem_alg: int = ML_KEM_1024_P384, random: Random = os.urandom) -> AgencyKeys:
    """Return the keys with a new KEM key first; the older ones still open what is on its way."""
    return AgencyKeys(
        agency=keys.agency, signing=keys.signing, kem=(KemKey.generate(random, alg=kem_alg), *keys.kem)[:_MAX_KEM_KEYS]
    )


def new_gateway_keys(gateway: str, *, random: Random = os.urandom) -> GatewayKeys:
    _require_id(gateway)
    seed = random(_SEED_SIZE)
    return GatewayKeys(gateway=gateway, public=nkey_public(seed), seed=seed)


def new_officer_keys(person: str, agency: str, *, random: Random = os.urandom) -> OfficerKeys:
    _require_id(person)
    _require_id(agency)
    return OfficerKeys(person=person, agency=agency, signing=SigningKeys.generate(random))


def agency_document(keys: AgencyKeys, *, created: datetime) -> bytes:
    """Return the bytes of `<agency>.json`."""
    kem: list[JsonLike] = [{"alg": _NAME_OF_KEM[key.alg], "seed": _text(key.seed)} for key in keys.kem]
    return _document(
        {
            "format": AGENCY_FORMAT,
            "agency": keys.agency,
            "created": write_time(created),
            "signing": _signing_seeds(keys.signing),
            "kem": kem,
        }
    )


def gateway_document(keys: GatewayKeys, *, created: datetime) -> bytes:
    """Return the bytes of `<gateway>.nkey.json`."""
    return _document(
        {
            "format": GATEWAY_FORMAT,
            "gateway": keys.gateway,
            "created": write_time(created),
            "seed": nkey_seed_text(keys.seed),
        }
    )


def officer_document(keys: OfficerKeys, *, created: datetime) -> bytes:
    """Return the bytes of an officer's key file."""
    return _document(
        {
            "format": OFFICER_FORMAT,
            "person": keys.person,
            "agency": keys.agency,
            "created": write_time(created),
            "signing": _signing_seeds(keys.signing),
        }
    )


def write_agency_keys(keys: AgencyKeys, path: Path, *, created: datetime) -> None:
    """Write a new key file, mode 0600.

    Raises:
        TrustError: `keys-exist`; `wrong-agency` when the file would have another agency's name.
    """
    _require_name(path.name, f"{keys.agency}.json")
    create_private(path, agency_document(keys, created=created))


def replace_agency_keys(keys: AgencyKeys, path: Path, *, created: datetime) -> None:
    """Replace a key file at one stroke, after `with_new_kem_key` or the destruction of an old one."""
    _require_name(path.name, f"{keys.agency}.json")
    replace_private(path, agency_document(keys, created=created))


def write_gateway_keys(keys: GatewayKeys, path: Path, *, created: datetime) -> None:
    _require_name(path.name, f"{keys.gateway}.nkey.json")
    create_private(path, gateway_document(keys, created=created))


def write_officer_keys(keys: OfficerKeys, path: Path, *, created: datetime) -> None:
    create_private(path, officer_document(keys, created=created))


def load_agency_keys(path: Path, *, allow_example: bool = False) -> AgencyKeys:
    """Read `<agency>.json`.

    Raises:
        TrustError: `keys-missing`, `keys-too-open`, `keys-malformed`, `wrong-agency`, `key-reused`, `example-keys`.
    """
    fields = _fields(path, AGENCY_FORMAT, {"agency", "signing", "kem"})
    agency, kem = fields["agency"], fields["kem"]
    if not isinstance(agency, str) or not isinstance(kem, list) or not 0 < len(kem) <= _MAX_KEM_KEYS:
        raise _malformed(path)
    _require_name(path.name, f"{agency}.json")
    keys = AgencyKeys(
        agency=agency,
        signing=_signing(fields["signing"], path),
        kem=tuple(_kem(item, path) for item in kem),
    )
    _require_distinct([*keys.signing.seeds, *(key.seed for key in keys.kem)], path)
    publics = [key.key for key in keys.public().signing + keys.public().kem]
    _refuse_examples(publics, path, allow_example=allow_example)
    return keys


def load_gateway_keys(path: Path, *, allow_example: bool = False) -> GatewayKeys:
    """Read `<gateway>.nkey.json`.

    Raises:
        TrustError: as `load_agency_keys`; `wrong-gateway`.
    """
    fields = _fields(path, GATEWAY_FORMAT, {"gateway", "seed"})
    gateway, text = fields["gateway"], fields["seed"]
    if not isinstance(gateway, str) or not isinstance(text, str):
        raise _malformed(path)
    _require_name(path.name, f"{gateway}.nkey.json", code="wrong-gateway")
    try:
        seed = nkey_seed(text)
    except SealError:
        raise _malformed(path) from None
    keys = GatewayKeys(gateway=gateway, public=nkey_public(seed), seed=seed)
    _refuse_examples([keys.public.encode()], path, allow_example=allow_example)
    return keys


def load_officer_keys(path: Path, *, allow_example: bool = False) -> OfficerKeys:
    """Read an officer's key file.

    Raises:
        TrustError: as `load_agency_keys`.
    """
    fields = _fields(path, OFFICER_FORMAT, {"person", "agency", "signing"})
    person, agency = fields["person"], fields["agency"]
    if not isinstance(person, str) or not isinstance(agency, str):
        raise _malformed(path)
    keys = OfficerKeys(person=person, agency=agency, signing=_signing(fields["signing"], path))
    _require_distinct(keys.signing.seeds, path)
    _refuse_examples([key.key for key in keys.signing.public], path, allow_example=allow_example)
    return keys


def _document(members: dict[str, JsonLike]) -> bytes:
    return canonical_json(members) + b"\n"


def _signing_seeds(signing: SigningKeys) -> dict[str, JsonLike]:
    ed25519, mldsa65 = signing.seeds
    return {"ed25519": _text(ed25519), "mldsa65": _text(mldsa65)}


def _text(seed: bytes) -> str:
    return base64.b64encode(seed).decode()


def _fields(path: Path, wanted: str, names: set[str]) -> dict[str, JsonValue]:
    try:
        value = parse_json(read_private(path, limit=_MAX_FILE))
    except Refusal as refusal:
        raise TrustError("keys-malformed", f"`{path.name}` is not a key file ({refusal.code})") from None
    if not isinstance(value, dict) or value.get("format") != wanted or set(value) != names | {"format", "created"}:
        raise _malformed(path)
    return value


def _signing(value: JsonValue, path: Path) -> SigningKeys:
    if not isinstance(value, dict) or set(value) != {"ed25519", "mldsa65"}:
        raise _malformed(path)
    return SigningKeys.from_seeds(ed25519=_seed(value["ed25519"], path), mldsa65=_seed(value["mldsa65"], path))


def _kem(value: JsonValue, path: Path) -> KemKey:
    if not isinstance(value, dict) or set(value) != {"alg", "seed"} or value["alg"] not in KEM_NAMES:
        raise _malformed(path)
    return KemKey.from_seed(KEM_NAMES[str(value["alg"])], _seed(value["seed"], path))


def _seed(value: JsonValue, path: Path) -> bytes:
    try:
        seed = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        raise _malformed(path) from None
    if len(seed) != _SEED_SIZE:
        raise _malformed(path)
    return seed


def _malformed(path: Path) -> TrustError:
    return TrustError("keys-malformed", f"`{path.name}` is not a key file of this kind")


def _require_id(name: str) -> None:
    if not is_agency_id(name):
        raise TrustError("bad-name", "a name is made of lower-case words joined by hyphens")


def _require_name(actual: str, expected: str, *, code: str = "wrong-agency") -> None:
    """Refuse a file under another's name: keys of another agency, copied or renamed by mistake."""
    if actual != expected:
        raise TrustError(code, f"`{actual}` holds the keys that belong in `{expected}`")


def _require_distinct(seeds: Sequence[bytes], path: Path) -> None:
    if len(set(seeds)) != len(seeds):
        raise TrustError("key-reused", f"`{path.name}` uses one seed for two purposes")


def _refuse_examples(publics: Sequence[bytes], path: Path, *, allow_example: bool) -> None:
    if not allow_example and any(key_print(public) in EXAMPLES for public in publics):
        raise TrustError("example-keys", f"`{path.name}` holds a published example key; everybody has it")
