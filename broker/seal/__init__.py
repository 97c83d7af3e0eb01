"""Seal: the wire format `tearline/1`. Pure: bytes and values in, bytes and values out.

The only room that imports `cryptography` and `cbor2`. Specified in `docs/wire-format.md`.
"""

from broker.seal.document import (
    decrypt_release,
    encrypt_release,
    sign_document,
    unverified_payload,
    verify_document,
)
from broker.seal.envelope import (
    MAX_BODY,
    MAX_ENVELOPE,
    MAX_NOTICES,
    Envelope,
    decode_envelope,
    encode_envelope,
    encode_envelopes,
)
from broker.seal.errors import CODES, Hold, SealError
from broker.seal.header import PRECEDENCES, Header
from broker.seal.keys import (
    ML_KEM_768_X25519,
    ML_KEM_1024_P384,
    SIGNATURE_SET,
    AgencyKeys,
    AgencyPublic,
    KemKey,
    PublicKey,
    Signer,
    SigningKey,
    SigningKeys,
    fingerprint,
    key_id,
)
from broker.seal.manifest import KINDS, PORTIONLESS, STATUSES, Manifest
from broker.seal.nkeys import (
    nkey_public,
    nkey_public_key,
    nkey_seed,
    nkey_seed_text,
    nkey_sign,
    nkey_verify,
)
from broker.seal.notice import NoticeSource, grow, make_notice, make_session_notice
from broker.seal.passphrase import Stretch, seal_with_passphrase, unseal_with_passphrase
from broker.seal.receipt import (
    MAX_BATCH,
    MAX_RECEIPTS,
    RUNGS,
    Claim,
    Receipt,
    check_receipt,
    make_receipts,
    open_receipts,
    receipts_kid,
)
from broker.seal.rest import STORAGE_KEY_SIZE, unwrap_at_rest, wrap_at_rest
from broker.seal.seal import Draft, Sealed, open_own, reopen, seal
from broker.seal.session import Session, SessionNotice, is_under_session
from broker.seal.terms import Addressee, Obligations, ObligationValue, Reference, Terms
from broker.seal.unseal import Unsealed, unseal
from broker.seal.witness import Secrets, Witness

__all__ = [
    "CODES",
    "KINDS",
    "MAX_BATCH",
    "MAX_BODY",
    "MAX_ENVELOPE",
    "MAX_NOTICES",
    "MAX_RECEIPTS",
    "ML_KEM_768_X25519",
    "ML_KEM_1024_P384",
    "PORTIONLESS",
    "PRECEDENCES",
    "RUNGS",
    "SIGNATURE_SET",
    "STATUSES",
    "STORAGE_KEY_SIZE",
    "Addressee",
    "AgencyKeys",
    "AgencyPublic",
    "Claim",
    "Draft",
    "Envelope",
    "Header",
    "Hold",
    "KemKey",
    "Manifest",
    "NoticeSource",
    "ObligationValue",
    "Obligations",
    "PublicKey",
    "Receipt",
    "Reference",
    "SealError",
    "Sealed",
    "Secrets",
    "Session",
    "SessionNotice",
    "Signer",
    "SigningKey",
    "SigningKeys",
    "Stretch",
    "Terms",
    "Unsealed",
    "Witness",
    "check_receipt",
    "decode_envelope",
    "decrypt_release",
    "encode_envelope",
    "encode_envelopes",
    "encrypt_release",
    "fingerprint",
    "grow",
    "is_under_session",
    "key_id",
    "make_notice",
    "make_receipts",
    "make_session_notice",
    "nkey_public",
    "nkey_public_key",
    "nkey_seed",
    "nkey_seed_text",
    "nkey_sign",
    "nkey_verify",
    "open_own",
    "open_receipts",
    "receipts_kid",
    "reopen",
    "seal",
    "seal_with_passphrase",
    "sign_document",
    "unseal",
    "unseal_with_passphrase",
    "unverified_payload",
    "unwrap_at_rest",
    "verify_document",
    "wrap_at_rest",
]
