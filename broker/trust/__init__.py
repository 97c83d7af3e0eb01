"""Who is who and which rules are in force: keys on disk, and signed releases of the directory and the rules."""

from broker.seal import AgencyKeys, AgencyPublic
from broker.trust.directory import CONTACTS, Contacts, Directory, Entry
from broker.trust.errors import TrustError, UnknownAgencyError
from broker.trust.joining import public_entry, read_public_entry
from broker.trust.keys import (
    KEM_NAMES,
    GatewayKeys,
    OfficerKeys,
    load_agency_keys,
    load_gateway_keys,
    load_officer_keys,
    new_agency_keys,
    new_gateway_keys,
    new_officer_keys,
    replace_agency_keys,
    with_new_kem_key,
    write_agency_keys,
    write_gateway_keys,
    write_officer_keys,
)
from broker.trust.mint import (
    DIRECTORY_VALID,
    ROOT_VALID,
    RULES_VALID,
    Minted,
    MintedRoot,
    mint_directory,
    mint_release,
    mint_root,
    mint_rules,
)
from broker.trust.release import Release
from broker.trust.root import Officer, Root, read_root
from broker.trust.rules import Rules
from broker.trust.storage_keys import StorageKeys
from broker.trust.store import Accepted, Retried, TrustStore

__all__ = [
    "CONTACTS",
    "DIRECTORY_VALID",
    "KEM_NAMES",
    "ROOT_VALID",
    "RULES_VALID",
    "Accepted",
    "AgencyKeys",
    "AgencyPublic",
    "Contacts",
    "Directory",
    "Entry",
    "GatewayKeys",
    "Minted",
    "MintedRoot",
    "Officer",
    "OfficerKeys",
    "Release",
    "Retried",
    "Root",
    "Rules",
    "StorageKeys",
    "TrustError",
    "TrustStore",
    "UnknownAgencyError",
    "load_agency_keys",
    "load_gateway_keys",
    "load_officer_keys",
    "mint_directory",
    "mint_release",
    "mint_root",
    "mint_rules",
    "new_agency_keys",
    "new_gateway_keys",
    "new_officer_keys",
    "public_entry",
    "read_public_entry",
    "read_root",
    "replace_agency_keys",
    "with_new_kem_key",
    "write_agency_keys",
    "write_gateway_keys",
    "write_officer_keys",
]
