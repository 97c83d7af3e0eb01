"""The directory: which agencies there are, what the rules may know of them, their public keys and whom to telephone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from broker.seal import AgencyPublic, PublicKey, SealError, cbor, nkey_public_key
from broker.seal.keys import key_id, require_signature_set
from broker.trust.errors import TrustError, UnknownAgencyError
from broker.trust.release import Release
from broker.trust.root import Officer
from policy.vocabulary import Attributes, Value, is_agency_id

#: Whom to reach: the duty desk, and the alternate a late bulletin escalates to.
CONTACTS: Final = ("duty", "alternate")
_MAX_TEXT: Final = 500
_MAX_ATTRIBUTES: Final = 100
#: A DNS label (RFC 1035 §2.3.4).
_MAX_GATEWAY: Final = 63
#: Those who sign an agency's own rules; shifts and successors included.
MAX_OFFICERS: Final = 16

Contacts = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One agency. A revoked one stays listed: what it says from now on is refused by name, not as a stranger's.

    `officers` may sign the agency's own rules, and nothing of the exchange's.
    """

    agency: str
    gateway: str
    attributes: Attributes
    public: AgencyPublic
    contacts: Contacts
    officers: tuple[Officer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """One verified release of the directory."""

    number: int
    hash: bytes
    created: datetime
    expires: datetime
    entries: Mapping[str, Entry]
    agencies: Mapping[str, Attributes]
    gateways: Mapping[str, str]
    hosted: Mapping[str, tuple[str, ...]]
    release: Release

    def entry(self, agency: str) -> Entry:
        """Return an agency's entry.

        Raises:
            UnknownAgencyError: it is not in this directory.
        """
        try:
            return self.entries[agency]
        except KeyError:
            raise UnknownAgencyError(agency) from None

    def signer(self, agency: str) -> AgencyPublic:
        """Return an agency's public keys, and whether they are revoked."""
        return self.entry(agency).public

    def gateway_of(self, agency: str) -> str:
        return self.entry(agency).gateway

    def hosted_by(self, gateway: str) -> tuple[str, ...]:
        """Return the agencies of one gateway, in order of their names; revoked ones too."""
        return self.hosted.get(gateway, ())


def directory_content(entries: Iterable[Entry], gateways: Mapping[str, str]) -> cbor.Cbor:
    """Return what the officers sign: entries and gateways (name and NATS public key), each in order of their names."""
    ordered = sorted(entries, key=lambda entry: entry.agency)
    return {
        1: [[name, gateways[name]] for name in sorted(gateways)],
        2: [
            [
                entry.agency,
                entry.gateway,
                [[name, _written(entry.attributes[name])] for name in sorted(entry.attributes)],
                [[key.alg, key.key] for key in entry.public.signing],
                [[key.alg, key.key] for key in entry.public.kem],
                [[kind, [[k, entry.contacts[kind][k]] for k in sorted(entry.contacts[kind])]] for kind in CONTACTS],
                entry.public.revoked,
                [[one.person, [[key.alg, key.key] for key in one.signing]] for one in entry.officers],
            ]
            for entry in ordered
        ],
    }


def read_directory(release: Release) -> Directory:
    """Read a verified release of the directory.

    Raises:
        TrustError: `directory-invalid`; signed or not, what is malformed is not used.
    """
    match release.content:
        case {1: list(gateway_items), 2: list(entry_items)} if len(release.content) == 2:  # noqa: PLR2004
            pass
        case _:
            raise _invalid("a field is missing or of another type")
    gateways = dict(_gateway(item) for item in gateway_items)
    entries = {entry.agency: entry for entry in map(_entry, entry_items)}
    if len(gateways) != len(gateway_items) or len(entries) != len(entry_items):
        raise _invalid("a name stands twice")
    _check(entries, gateways)
    hosted: dict[str, list[str]] = {name: [] for name in sorted(gateways)}
    for agency in sorted(entries):
        hosted[entries[agency].gateway].append(agency)
    # A revoked agency is no possible recipient: the rules do not see it at all.
    agencies = {name: entry.attributes for name, entry in sorted(entries.items()) if not entry.public.revoked}
    return Directory(
        number=release.number,
        hash=release.hash,
        created=release.created,
        expires=release.expires,
        entries=MappingProxyType(entries),
        agencies=MappingProxyType(agencies),
        gateways=MappingProxyType(gateways),
        hosted=MappingProxyType({name: tuple(names) for name, names in hosted.items()}),
        release=release,
    )


def _check(entries: Mapping[str, Entry], gateways: Mapping[str, str]) -> None:
    keys: set[bytes] = set()
    for entry in entries.values():
        if entry.gateway not in gateways:
            raise _invalid(f"`{entry.agency}` is at a gateway that is not listed")
        if not entry.public.kem and not entry.public.revoked:
            raise _invalid(f"`{entry.agency}` has no key to seal to")
        listed = [entry.public.signing, entry.public.kem, *(officer.signing for officer in entry.officers)]
        own = {key.key for several in listed for key in several}
        if len(own) != sum(map(len, listed)) or own & keys:
            raise _invalid(f"`{entry.agency}` shares a key")
        keys |= own
    if len(set(gateways.values())) != len(gateways):
        raise _invalid("two gateways share a NATS key")


def is_gateway_name(text: str) -> bool:
    """Tell whether the relay can have an address of this name: an agency id of at most 63 characters, not a number."""
    return is_agency_id(text) and len(text) <= _MAX_GATEWAY and not text.isdigit()


def _gateway(item: cbor.Cbor) -> tuple[str, str]:
    match item:
        case [str(name), str(nkey)] if is_gateway_name(name):
            try:
                nkey_public_key(nkey)
            except SealError as error:
                raise _invalid(f"the NATS key of gateway `{name}` is malformed") from error
            return name, nkey
        case _:
            raise _invalid("a gateway is malformed")


def _entry(item: cbor.Cbor) -> Entry:
    match item:
        case [
            str(agency), str(gateway), list(attributes), list(signing), list(kem), list(contacts), bool(revoked),
            list(officers),
        ] if is_agency_id(agency) and len(attributes) <= _MAX_ATTRIBUTES and len(officers) <= MAX_OFFICERS:  # fmt: skip
            try:
                public = AgencyPublic(
                    agency=agency,
                    signing=tuple(_public(key) for key in signing),
                    kem=tuple(_public(key) for key in kem),
                    revoked=revoked,
                )
                listed = tuple(_officer(officer, agency) for officer in officers)
            except SealError as error:
                raise _invalid(f"the keys of `{agency}` are refused") from error
            return Entry(
                agency=agency,
                gateway=gateway,
                attributes=MappingProxyType(dict(_attribute(attribute) for attribute in attributes)),
                public=public,
                contacts=_contacts(contacts),
                officers=listed,
            )
        case _:
            raise _invalid("an entry is malformed")


def _officer(item: cbor.Cbor, agency: str) -> Officer:
    match item:
        case [str(person), list(keys)] if is_agency_id(person):
            signing = tuple(_public(key) for key in keys)
            require_signature_set(signing)
            return Officer(person=person, agency=agency, signing=signing)
        case _:
            raise _invalid(f"an officer of `{agency}` is malformed")


def _public(item: cbor.Cbor) -> PublicKey:
    match item:
        case [int(alg), bytes(key)]:
            public = PublicKey(alg=alg, kid=key_id(alg, key), key=key)
            public.check()
            return public
        case _:
            raise _invalid("a key is malformed")


def _written(value: Value) -> str | list[str]:
    return value if isinstance(value, str) else sorted(value)


def _attribute(item: cbor.Cbor) -> tuple[str, Value]:
    match item:
        case [str(name), str(value)]:
            return name, value
        case [str(name), list(values)] if all(isinstance(value, str) for value in values):
            return name, frozenset(values)
        case _:
            raise _invalid("an attribute is malformed")


def _contacts(items: list[cbor.Cbor]) -> Contacts:
    contacts = dict(_contact(item) for item in items)
    if tuple(contacts) != CONTACTS:
        raise _invalid("duty and alternate contacts are needed")
    return MappingProxyType(contacts)


def _contact(item: cbor.Cbor) -> tuple[str, Mapping[str, str]]:
    match item:
        case [str(kind), list(fields)] if fields:
            return kind, MappingProxyType(dict(_line(field) for field in fields))
        case _:
            raise _invalid("a contact is malformed")


def _line(item: cbor.Cbor) -> tuple[str, str]:
    match item:
        case [str(name), str(text)] if 0 < len(name) <= _MAX_TEXT and 0 < len(text) <= _MAX_TEXT:
            return name, text
        case _:
            raise _invalid("a contact is malformed")


def _invalid(why: str) -> TrustError:
    return TrustError("directory-invalid", f"the directory is refused: {why}")
