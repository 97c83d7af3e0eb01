"""Receipts: what a recipient did, signed by it and provably made with the very keys it was sent.

A batch to one originator is signed once, padded and sealed. Layers: COSE_Encrypt to the originator's KEM key, in it
`[recipient, hh ‖ hh ‖ …, COSE_Sign]`, whose payload is the array of receipts. Each carries an HMAC under a key that
follows from seed_r and all K_i of its notice: a member without that notice cannot claim to have received it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from broker.seal import audience, cbor, cose, padding, primitives
from broker.seal.cbor import Cbor, Reader
from broker.seal.errors import SealError, require
from broker.seal.keys import AgencyKeys, PublicKey, SigningKeys
from broker.seal.manifest import FORMAT
from broker.seal.notice import NoticeSource
from broker.seal.primitives import HASH_SIZE, Random
from broker.seal.session import SESSION_ID_SIZE
from broker.seal.shape import MAX_AGENCY, Shape, milliseconds
from broker.seal.unseal import SenderOf
from broker.seal.witness import Witness

CONTENT_TYPE: Final = "tearline receipt"
RUNGS: Final = frozenset({"stored", "fetched", "read", "acknowledged", "acted", "purged", "refused"})
MAX_BATCH: Final = 256
MAX_RECEIPTS: Final = 400_000  # bytes of a batch as sealed; a full batch without notes is 90 KB
MAX_PERSON: Final = 256
MAX_NOTE: Final = 1024
MAX_CODE: Final = 64
#: A lone receipt with a note looks like one without, and like a handful: its size does not say "a person answered".
RECEIPT_FLOOR: Final = 6144

_PROOF: Final = 14
_SESSION: Final = 15
_KEYS: Final = frozenset(range(1, _PROOF + 1))
_SHAPE: Final = Shape("receipt-content")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Claim:
    """What the recipient says. `seq` counts its receipts for one bulletin, so that an old one is not taken for new."""

    rung: str
    seq: int
    time: datetime
    code: str = ""
    person: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Receipt:
    """A receipt whose signatures stand. `check_receipt` must follow: only the originator's secrets tell it is true."""

    recipient: str
    originator: str
    hh: bytes
    body_digest: bytes
    manifest_digest: bytes
    leaf: bytes
    rung: str
    seq: int
    time: datetime
    code: str
    person: str
    note: str
    session: bytes
    proof: bytes

    def proven(self) -> bytes:
        """Everything but the proof, as the proof covers it."""
        return cbor.encode(_fields(self))


def _fields(receipt: Receipt) -> dict[int, Cbor]:
    named: dict[int, Cbor] = {_SESSION: receipt.session} if receipt.session else {}
    return named | {
        1: FORMAT,
        2: receipt.recipient,
        3: receipt.originator,
        4: receipt.hh,
        5: receipt.body_digest,
        6: receipt.manifest_digest,
        7: receipt.leaf,
        8: receipt.rung,
        9: receipt.seq,
        10: milliseconds(receipt.time),
        11: receipt.code,
        12: receipt.person,
        13: receipt.note,
    }


def _proof_key(seed: bytes, keys: Sequence[bytes]) -> bytes:
    return primitives.hkdf(b"".join(keys), b"", salt=primitives.hkdf(seed, b"receipt"))


def _signature_context(hhs: bytes, recipient: str, originator: str) -> bytes:
    return cbor.encode([CONTENT_TYPE, hhs, recipient, originator])


def _seal_context(originator: str, kem_key: bytes) -> bytes:
    return cbor.encode(["tearline receipts", originator, primitives.sha256(kem_key)])


def _receipt(witness: Witness, claim: Claim, session: bytes = b"") -> dict[int, Cbor]:
    unproven = Receipt(
        recipient=witness.recipient,
        originator=witness.sender,
        hh=witness.hh,
        body_digest=witness.body_digest,
        manifest_digest=witness.manifest_digest,
        leaf=witness.leaf,
        rung=claim.rung,
        seq=claim.seq,
        time=claim.time,
        code=claim.code,
        person=claim.person,
        note=claim.note,
        session=session,
        proof=b"",
    )
    fields = _fields(unproven)
    key = _proof_key(witness.seed, [key for _, key in sorted(witness.keys.items())])
    proof = primitives.hmac_sha256(key, cbor.encode(fields))
    _parse_receipt({**fields, _PROOF: proof})  # what the originator would refuse is refused here
    return {**fields, _PROOF: proof}


def make_receipts(
    signing: SigningKeys,
    recipient: str,
    originator_kem: PublicKey,
    originator: str,
    claims: Sequence[tuple[Witness, Claim]],
    *,
    session: bytes = b"",
    random: Random = os.urandom,
) -> bytes:
    """A batch of receipts from one agency to one originator.

    ``session`` is the id of the newest session that the agency holds from that originator, empty when it holds none.

    Raises:
        SealError: `receipt-content` for an empty or oversized batch, or a witness of another pair of agencies.
    """
    require(0 < len(claims) <= MAX_BATCH, "receipt-content", "not a permitted number of receipts")
    for witness, _ in claims:
        require(witness.recipient == recipient and witness.sender == originator, "receipt-content", "another pair")
    hhs = b"".join(witness.hh for witness, _ in claims)
    payload = cbor.encode([_receipt(witness, claim, session) for witness, claim in claims])
    signed = cose.sign(payload, [signing], CONTENT_TYPE, _signature_context(hhs, recipient, originator))
    content = cbor.head(cbor.ARRAY, 3) + cbor.tstr(recipient) + cbor.bstr(hhs) + cbor.bstr(signed)
    padded = padding.pad(content, padding.padme(len(content) + 1, RECEIPT_FLOOR))
    sealed = cose.encrypt_to(originator_kem, padded, _seal_context(originator, originator_kem.key), random)
    require(len(sealed) <= MAX_RECEIPTS, "too-large", "a batch with this much text must be split")
    return sealed


def receipts_kid(raw: bytes) -> bytes:
    """The id of the key a batch is sealed to: which of the agencies a gateway hosts it is for."""
    require(len(raw) <= MAX_RECEIPTS, "receipt-too-large")
    return cose.Encrypt.parse(raw, "receipt-shape").kid


def open_receipts(raw: bytes, keys: AgencyKeys, sender_of: SenderOf) -> list[Receipt]:
    """The receipts of a batch, signatures verified before they are read; each still wants `check_receipt`.

    Raises:
        SealError: a `receipt-` code.
    """
    require(len(raw) <= MAX_RECEIPTS, "receipt-too-large")
    message = cose.Encrypt.parse(raw, "receipt-shape")
    key = keys.kem_key(message.kid)
    if key is None:
        raise SealError("receipt-not-mine")
    require(message.alg == key.alg, "receipt-alg")
    padded = cose.decrypt_with(key, message, _seal_context(keys.agency, key.public.key), "receipt-open")
    content = padding.unpad_exact(padded, "receipt-shape", RECEIPT_FLOOR)

    reader = Reader(content, "receipt-shape")
    reader.literal(cbor.head(cbor.ARRAY, 3))
    recipient = reader.tstr(MAX_AGENCY)
    hhs = reader.bstr(MAX_BATCH * HASH_SIZE, HASH_SIZE)
    signed = cose.Sign.parse(reader.bstr(MAX_RECEIPTS), "receipt-shape", max_payload=MAX_RECEIPTS)
    reader.end()

    try:
        entry = sender_of(recipient)
    except LookupError:
        entry = None
    if entry is None:
        raise SealError("receipt-unknown-signer")
    cose.verify(
        signed,
        entry.signing,
        CONTENT_TYPE,
        _signature_context(hhs, recipient, keys.agency),
        set_code="receipt-signature-set",
        signature_code="receipt-bad-signature",
    )
    require(not entry.revoked, "receipt-revoked")

    entries = cbor.decode(signed.payload, limit=MAX_RECEIPTS, code="receipt-cbor")
    receipts = [_parse_receipt(value) for value in _SHAPE.list(entries, MAX_BATCH, 1)]
    require(b"".join(receipt.hh for receipt in receipts) == hhs, "receipt-header")
    for receipt in receipts:
        require(receipt.recipient == recipient, "receipt-recipient")
        require(receipt.originator == keys.agency, "receipt-originator")
    return receipts


def _parse_receipt(value: Cbor) -> Receipt:
    names = type(value) is dict and _SESSION in value
    fields = _SHAPE.map(value, _KEYS | {_SESSION} if names else _KEYS)
    if fields[1] != FORMAT:
        _SHAPE.refuse("another format")
    return Receipt(
        recipient=_SHAPE.agency(fields[2]),
        originator=_SHAPE.agency(fields[3]),
        hh=_SHAPE.bytes(fields[4], HASH_SIZE),
        body_digest=_SHAPE.bytes(fields[5], HASH_SIZE),
        manifest_digest=_SHAPE.bytes(fields[6], HASH_SIZE),
        leaf=_SHAPE.bytes(fields[7], HASH_SIZE),
        rung=_SHAPE.one_of(fields[8], RUNGS),
        seq=_SHAPE.uint(fields[9]),
        time=_SHAPE.instant(fields[10]),
        code=_SHAPE.text(fields[11], MAX_CODE),
        person=_SHAPE.text(fields[12], MAX_PERSON),
        note=_SHAPE.text(fields[13], MAX_NOTE),
        session=_SHAPE.bytes(fields[_SESSION], SESSION_ID_SIZE) if names else b"",
        proof=_SHAPE.bytes(fields[_PROOF], HASH_SIZE),
    )


def check_receipt(receipt: Receipt, source: NoticeSource) -> None:
    """The receipt is true: for this very envelope, from an agency of its audience, made with that agency's notice.

    Raises:
        SealError: `receipt-header`, `receipt-digest`, `receipt-recipient`, `receipt-leaf` or `receipt-proof`.
    """
    secrets = source.secrets
    require(primitives.equal(receipt.hh, secrets.hh), "receipt-header")
    require(receipt.originator == secrets.sender, "receipt-originator")
    require(primitives.equal(receipt.body_digest, secrets.body_digest), "receipt-digest")
    require(primitives.equal(receipt.manifest_digest, secrets.manifest_digest), "receipt-digest")
    addressee = source.addressees.get(receipt.recipient)
    if addressee is None:
        raise SealError("receipt-recipient")
    require(primitives.equal(receipt.leaf, source.tree.leaf(receipt.recipient)), "receipt-leaf")
    seed = audience.recipient_seed(secrets.tree_seed, secrets.hh, receipt.recipient)
    key = _proof_key(seed, [secrets.keys[index] for index in (0, *addressee.parts)])
    require(primitives.equal(receipt.proof, primitives.hmac_sha256(key, receipt.proven())), "receipt-proof")
