"""Who is who and which rules are in force: keys on disk, and signed releases of the directory and the rules."""

from broker.seal import AgencyKeys, AgencyPublic
from broker.trust.beat import Beat, make_beat, next_sequence
from broker.trust.beatkeys import BEAT_KEY, load_beat_keys, new_beat_keys, write_beat_keys
from broker.trust.directory import CONTACTS, Contacts, Directory, Entry
from broker.trust.endorsement import endorse
from broker.trust.errors import TrustError, UnknownAgencyError
from broker.trust.joining import public_entry, read_public_entry
from broker.trust.keys import (
    KEM_NAMES,
    GatewayKeys,
    load_agency_keys,
    load_gateway_keys,
    new_agency_keys,
    new_gateway_keys,
    replace_agency_keys,
    with_new_kem_key,
    write_agency_keys,
    write_gateway_keys,
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
from broker.trust.officerfiles import OfficerFile, TokenPlace, require_passphrase
from broker.trust.officers import (
    Ask,
    OfficerKeys,
    change_passphrase,
    load_officer_keys,
    new_officer_keys,
    read_officer_file,
    write_officer_keys,
    write_token_file,
)
from broker.trust.own import OwnRules, read_own_rules, sign_own_rules
from broker.trust.ownfiles import OwnFiles
from broker.trust.pulse import Pulse
from broker.trust.release import Conditions, Release
from broker.trust.report import Report, make_report, read_report
from broker.trust.root import Officer, Root, read_root
from broker.trust.rules import Rules
from broker.trust.staging import Accepted, Retried
from broker.trust.storage_keys import StorageKeys
from broker.trust.store import TrustStore

__all__ = [
    "BEAT_KEY",
    "CONTACTS",
    "DIRECTORY_VALID",
    "KEM_NAMES",
    "ROOT_VALID",
    "RULES_VALID",
    "Accepted",
    "AgencyKeys",
    "AgencyPublic",
    "Ask",
    "Beat",
    "Conditions",
    "Contacts",
    "Directory",
    "Entry",
    "GatewayKeys",
    "Minted",
    "MintedRoot",
    "Officer",
    "OfficerFile",
    "OfficerKeys",
    "OwnFiles",
    "OwnRules",
    "Pulse",
    "Release",
    "Report",
    "Retried",
    "Root",
    "Rules",
    "StorageKeys",
    "TokenPlace",
    "TrustError",
    "TrustStore",
    "UnknownAgencyError",
    "change_passphrase",
    "endorse",
    "load_agency_keys",
    "load_beat_keys",
    "load_gateway_keys",
    "load_officer_keys",
    "make_beat",
    "make_report",
    "mint_directory",
    "mint_release",
    "mint_root",
    "mint_rules",
    "new_agency_keys",
    "new_beat_keys",
    "new_gateway_keys",
    "new_officer_keys",
    "next_sequence",
    "public_entry",
    "read_officer_file",
    "read_own_rules",
    "read_public_entry",
    "read_report",
    "read_root",
    "replace_agency_keys",
    "require_passphrase",
    "sign_own_rules",
    "with_new_kem_key",
    "write_agency_keys",
    "write_beat_keys",
    "write_gateway_keys",
    "write_officer_keys",
    "write_token_file",
]
