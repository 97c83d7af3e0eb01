"""The public entry an agency hands to the officers when it joins or changes keys: a JSON file that proves itself."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Final

from broker.model import JsonLike, JsonValue, Refusal, canonical_json, parse_json
from broker.seal import AgencyKeys, AgencyPublic, PublicKey, SealError, nkey_public_key, sign_document, verify_document
from broker.seal.keys import require_signature_set
from broker.trust.directory import CONTACTS, MAX_OFFICERS, Contacts, Entry, is_gateway_name
from broker.trust.errors import TrustError
from broker.trust.root import Officer
from policy.vocabulary import Attributes, is_agency_id

ENTRY_FORMAT: Final = "tearline public entry 1"
_CONTEXT: Final = "entry"
_MAX_ENTRY: Final = 64 * 1024
_FIELDS: Final = frozenset({"format", "agency", "gateway", "nkey", "signing", "kem", "contacts", "officers"})


def public_entry(
    keys: AgencyKeys, *, gateway: str, nkey: str, contacts: Contacts, officers: Sequence[Officer] = ()
) -> bytes:
    """Return the entry as a JSON document, signed with the keys it announces: nobody can announce another's keys.

    `officers` are those who may sign the agency's own rules; the agency vouches for their keys.
    """
    public = keys.public()
    members: dict[str, JsonLike] = {
        "format": ENTRY_FORMAT,
        "agency": keys.agency,
        "gateway": gateway,
        "nkey": nkey,
        "signing": [_key(key) for key in public.signing],
        "kem": [_key(key) for key in public.kem],
        "contacts": {kind: dict(contacts[kind]) for kind in CONTACTS},
        "officers": [{"person": one.person, "signing": [_key(key) for key in one.signing]} for one in officers],
    }
    proof = sign_document(canonical_json(members), [keys.signing], _CONTEXT)
    return canonical_json(members | {"proof": base64.b64encode(proof).decode()}) + b"\n"


def read_public_entry(raw: bytes, attributes: Attributes) -> tuple[Entry, str]:
    """Verify a public entry; return it with the attributes the officers vouch for, and the gateway's NATS key.

    Raises:
        TrustError: `entry-invalid`.
    """
    try:
        value = parse_json(raw, limit=_MAX_ENTRY)
        if not isinstance(value, dict) or set(value) != _FIELDS | {"proof"} or value["format"] != ENTRY_FORMAT:
            raise _invalid()
        proof = base64.b64decode(str(value.pop("proof")), validate=True)
        agency, gateway, nkey = str(value["agency"]), str(value["gateway"]), str(value["nkey"])
        public = AgencyPublic(agency=agency, signing=_keys(value["signing"]), kem=_keys(value["kem"]))
        officers = _officers(value["officers"], agency)
        nkey_public_key(nkey)
        signed, _ = verify_document(proof, {agency: public.signing}, _CONTEXT)
    except (Refusal, SealError, binascii.Error, ValueError) as error:
        raise _invalid() from error
    if signed != canonical_json(value) or not is_agency_id(agency) or not is_gateway_name(gateway):
        raise _invalid()
    return (
        Entry(
            agency=agency,
            gateway=gateway,
            attributes=attributes,
            public=public,
            contacts=_contacts(value["contacts"]),
            officers=officers,
        ),
        nkey,
    )


def _key(key: PublicKey) -> dict[str, JsonLike]:
    return {"alg": key.alg, "key": base64.b64encode(key.key).decode()}


def _keys(value: JsonValue) -> tuple[PublicKey, ...]:
    keys: list[PublicKey] = []
    for item in value if isinstance(value, list) else ():
        match item:
            case {"alg": int(alg), "key": str(text), **rest} if not rest:
                keys.append(PublicKey.of(alg, base64.b64decode(text, validate=True)))
            case _:
                raise _invalid()
    return tuple(keys)


def _officers(value: JsonValue, agency: str) -> tuple[Officer, ...]:
    officers: list[Officer] = []
    if not isinstance(value, list) or len(value) > MAX_OFFICERS:
        raise _invalid()
    for item in value:
        match item:
            case {"person": str(person), "signing": list(keys), **rest} if not rest and is_agency_id(person):
                signing = _keys(keys)
                require_signature_set(signing)
                officers.append(Officer(person=person, agency=agency, signing=signing))
            case _:
                raise _invalid()
    return tuple(officers)


def _contacts(value: JsonValue) -> Contacts:
    contacts: dict[str, Mapping[str, str]] = {}
    for kind in CONTACTS:
        fields = value.get(kind) if isinstance(value, dict) else None
        if not isinstance(fields, dict) or not fields:
            raise TrustError("entry-invalid", f"the public entry needs a {kind} contact")
        contacts[kind] = {name: str(text) for name, text in fields.items()}
    return contacts


def _invalid() -> TrustError:
    return TrustError("entry-invalid", "this is not a public entry signed with its own keys")
