"""Key files of agencies and gateways: one JSON file each, mode 0600, seeds only. Officers' are in `officers`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

from typing_extensions import override

from broker.model import JsonLike, JsonValue
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
from broker.trust import keyfiles
from broker.trust.errors import TrustError
from broker.trust.files import create_private, replace_private

Random: TypeAlias = Callable[[int], bytes]

AGENCY_FORMAT: Final = "tearline agency keys 1"
GATEWAY_FORMAT: Final = "tearline gateway key 1"
KEM_NAMES: Final = {"ML-KEM-1024+P-384": ML_KEM_1024_P384, "ML-KEM-768+X25519": ML_KEM_768_X25519}
_NAME_OF_KEM: Final = {alg: name for name, alg in KEM_NAMES.items()}

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


def new_agency_keys(agency: str, *, kem_alg: int = ML_KEM_1024_P384, random: Random = os.urandom) -> AgencyKeys:
    keyfiles.require_id(agency)
    return AgencyKeys(agency=agency, signing=SigningKeys.generate(random), kem=(KemKey.generate(random, alg=kem_alg),))


def with_new_kem_key(keys: AgencyKeys, *, kem_alg: int = ML_KEM_1024_P384, random: Random = os.urandom) -> AgencyKeys:
    """Return the keys with a new KEM key first; the older ones still open what is on its way."""
    return AgencyKeys(
        agency=keys.agency, signing=keys.signing, kem=(KemKey.generate(random, alg=kem_alg), *keys.kem)[:_MAX_KEM_KEYS]
    )


def new_gateway_keys(gateway: str, *, random: Random = os.urandom) -> GatewayKeys:
    keyfiles.require_id(gateway)
    seed = random(keyfiles.SEED_SIZE)
    return GatewayKeys(gateway=gateway, public=nkey_public(seed), seed=seed)


def agency_document(keys: AgencyKeys, *, created: datetime) -> bytes:
    """Return the bytes of `<agency>.json`."""
    kem: list[JsonLike] = [{"alg": _NAME_OF_KEM[key.alg], "seed": keyfiles.text(key.seed)} for key in keys.kem]
    return keyfiles.document(
        {
            "format": AGENCY_FORMAT,
            "agency": keys.agency,
            "created": write_time(created),
            "signing": keyfiles.signing_seeds(keys.signing),
            "kem": kem,
        }
    )


def gateway_document(keys: GatewayKeys, *, created: datetime) -> bytes:
    """Return the bytes of `<gateway>.nkey.json`."""
    return keyfiles.document(
        {
            "format": GATEWAY_FORMAT,
            "gateway": keys.gateway,
            "created": write_time(created),
            "seed": nkey_seed_text(keys.seed),
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


def load_agency_keys(path: Path, *, allow_example: bool = False) -> AgencyKeys:
    """Read `<agency>.json`.

    Raises:
        TrustError: `keys-missing`, `keys-too-open`, `keys-malformed`, `wrong-agency`, `key-reused`, `example-keys`.
    """
    fields = keyfiles.fields_of(path, AGENCY_FORMAT, {"agency", "signing", "kem"})
    agency, kem = fields["agency"], fields["kem"]
    if not isinstance(agency, str) or not isinstance(kem, list) or not 0 < len(kem) <= _MAX_KEM_KEYS:
        raise keyfiles.malformed(path)
    _require_name(path.name, f"{agency}.json")
    keys = AgencyKeys(
        agency=agency,
        signing=keyfiles.signing(fields["signing"], path),
        kem=tuple(_kem(item, path) for item in kem),
    )
    keyfiles.require_distinct([*keys.signing.seeds, *(key.seed for key in keys.kem)], path)
    publics = [key.key for key in keys.public().signing + keys.public().kem]
    keyfiles.refuse_examples(publics, path, allow_example=allow_example)
    return keys


def load_gateway_keys(path: Path, *, allow_example: bool = False) -> GatewayKeys:
    """Read `<gateway>.nkey.json`.

    Raises:
        TrustError: as `load_agency_keys`; `wrong-gateway`.
    """
    fields = keyfiles.fields_of(path, GATEWAY_FORMAT, {"gateway", "seed"})
    gateway, text = fields["gateway"], fields["seed"]
    if not isinstance(gateway, str) or not isinstance(text, str):
        raise keyfiles.malformed(path)
    _require_name(path.name, f"{gateway}.nkey.json", code="wrong-gateway")
    try:
        seed = nkey_seed(text)
    except SealError:
        raise keyfiles.malformed(path) from None
    keys = GatewayKeys(gateway=gateway, public=nkey_public(seed), seed=seed)
    keyfiles.refuse_examples([keys.public.encode()], path, allow_example=allow_example)
    return keys


def _kem(value: JsonValue, path: Path) -> KemKey:
    if not isinstance(value, dict) or set(value) != {"alg", "seed"} or value["alg"] not in KEM_NAMES:
        raise keyfiles.malformed(path)
    return KemKey.from_seed(KEM_NAMES[str(value["alg"])], keyfiles.seed(value["seed"], path))


def _require_name(actual: str, expected: str, *, code: str = "wrong-agency") -> None:
    """Refuse a file under another's name: keys of another agency, copied or renamed by mistake."""
    if actual != expected:
        raise TrustError(code, f"`{actual}` holds the keys that belong in `{expected}`")
