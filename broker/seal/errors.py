"""The one error of this room, and the list of everything that can be refused.

Every code belongs to exactly one step of `unseal` (see `broker.seal.unseal`), so a recorded code says how far a hostile
envelope came. Step 0 is for everything outside that order: sealing, receipts, documents, keys at rest.
A code is part of the wire format: documented in `docs/wire-format.md`, never reused for another meaning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from broker.seal.witness import Witness

#: code -> (step of unseal, meaning)
CODES: Final[dict[str, tuple[int, str]]] = {
    "envelope-too-large": (1, "envelope, body or a count is over its cap"),
    "envelope-shape": (1, "not [header, [part, …], [notice, …]] in shortest-form CBOR"),
    "part-shape": (1, "a part is not the one permitted COSE_Encrypt0 shape"),
    "notice-shape": (1, "a notice is not one of the two permitted shapes, COSE_Encrypt and COSE_Encrypt0"),
    "header-cbor": (2, "the header is not strict deterministic CBOR"),
    "unknown-version": (3, "the header names another version of this format"),
    "unknown-suite": (3, "the header names an unknown suite"),
    "header-field": (3, "a header field is missing, surplus or out of range"),
    "header-expired": (4, "the header's expiry has passed"),
    "notice-not-mine": (5, "the notice is for a key this agency does not hold"),
    "notice-alg": (5, "the notice's algorithm is not the one of the recipient's key"),
    "session-unknown": (5, "the notice was made under a session this agency does not hold"),
    "notice-open": (5, "the notice does not open for this header, body, recipient and key or session"),
    "notice-content": (5, "the notice opened, but what it holds is malformed"),
    "manifest-iv": (6, "the IV of part 0 is not the one derived from K_0"),
    "manifest-open": (7, "part 0 does not open under the key in the notice"),
    "manifest-padding": (7, "the padding of part 0 is not the derived one"),
    "manifest-shape": (7, "part 0 is not the one permitted COSE_Sign shape"),
    "manifest-cbor": (7, "the manifest is not strict deterministic CBOR"),
    "manifest-content": (7, "a manifest field is missing, surplus or out of range"),
    "manifest-commitment": (8, "COM_0 in the manifest is not the one derived from K_0"),
    "unknown-signer": (9, "the directory does not know the sender"),
    "signature-set": (9, "the signatures are not exactly the ordered set the directory requires"),
    "bad-signature": (9, "a required signature does not verify"),
    "signer-mismatch": (10, "the signed manifest names another sender"),
    "revoked-signer": (10, "the sender is revoked in the directory in force"),
    "header-mismatch": (11, "the manifest was signed for another header"),
    "expiry-mismatch": (11, "the header's expiry is not the manifest's, rounded up to the hour"),
    "expired": (11, "the manifest's expiry has passed, or lies before its creation"),
    "clock-ahead": (11, "hold: created further in the future than the permitted skew"),
    "replay": (12, "this envelope was accepted before, byte for byte"),
    "equivocation": (12, "this sender and id were accepted before with another body"),
    "not-in-audience": (13, "sender, recipient, keys, terms and place do not lead to the signed audience root"),
    "rules-floor": (14, "decided under rules older than the floor in force"),
    "newer-rules": (14, "hold: decided under rules this gateway does not have yet"),
    "newer-directory": (14, "hold: decided under a directory this gateway does not have yet"),
    "part-count": (15, "the body has not as many parts as the manifest lists, or none of them is for us"),
    "part-digest": (15, "a part is not the one the manifest lists"),
    "key-commitment": (16, "COM_i in the manifest is not the one derived from K_i"),
    "part-iv": (16, "the IV of a part is not the one derived from K_i"),
    "part-open": (17, "a part does not open under its key"),
    "part-padding": (17, "the padding of a part is not the derived one"),
    "recheck-refused": (18, "the recipient's own reading of the rules refuses a portion"),
    "bad-draft": (0, "what is to be sealed breaks a limit of the wire format"),
    "bad-key": (0, "a key is malformed, of an unknown algorithm or missing from a required set"),
    "classical-kem": (0, "sealing to a key without a post-quantum half is refused"),
    "no-audience": (0, "the audience is empty"),
    "not-addressed": (0, "that agency is not in this bulletin's audience"),
    "too-large": (0, "what is to be sealed does not fit"),
    "own-body": (0, "the stored body is not the one these secrets belong to"),
    "receipt-shape": (0, "sealed receipts are not the one permitted shape"),
    "receipt-too-large": (0, "a batch of receipts is over its cap"),
    "receipt-not-mine": (0, "the receipts are sealed to a key this agency does not hold"),
    "receipt-alg": (0, "the receipts' algorithm is not the one of the originator's key"),
    "receipt-open": (0, "the receipts do not open for this originator and key"),
    "receipt-content": (0, "a receipt is malformed"),
    "receipt-cbor": (0, "the receipts are not strict deterministic CBOR"),
    "receipt-unknown-signer": (0, "the directory does not know who signed the receipts"),
    "receipt-signature-set": (0, "the receipts do not carry exactly the required signatures"),
    "receipt-bad-signature": (0, "a signature over the receipts does not verify"),
    "receipt-revoked": (0, "the receipts' signer is revoked"),
    "receipt-recipient": (0, "a receipt names another recipient than its signer"),
    "receipt-originator": (0, "a receipt is addressed to another originator"),
    "receipt-header": (0, "a receipt is for another envelope"),
    "receipt-digest": (0, "a receipt is for another body or manifest"),
    "receipt-leaf": (0, "a receipt is for another place in the audience"),
    "receipt-proof": (0, "a receipt was made without the keys of that notice"),
    "document-shape": (0, "a signed document is not the one permitted shape"),
    "document-signature-set": (0, "a document's signatures are not complete ordered sets of known signers"),
    "document-bad-signature": (0, "a signature over a document does not verify"),
    "release-open": (0, "a release does not open under this root fingerprint"),
    "release-shape": (0, "a sealed release is malformed"),
    "rest-open": (0, "what rests does not open under this storage key and context"),
    "rest-shape": (0, "what rests is malformed"),
    "secrets-shape": (0, "stored secrets are malformed"),
    "witness-shape": (0, "a stored witness is malformed"),
    "nkey": (0, "not a NATS nkey of the expected kind"),
}


class SealError(Exception):
    """Something on the wire, or to be put there, is refused.

    Attributes:
        code: one of `CODES`.
        step: the step of `unseal` it belongs to; 0 outside unseal.
        sender: the *verified* signer, once its signatures stood; before that `None`, and the failure is recorded
            locally only, because anyone can name anyone.
        claimed_directory: the directory number the (perhaps unverified) manifest names: when it is newer than
            ours, an unknown signer may only mean that we are late.
        witness: what a signed `refused` receipt is made from; set when the sender is.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        step, meaning = CODES[code]
        super().__init__(f"{code}: {detail or meaning}")
        self.code = code
        self.step = step
        self.detail = detail or meaning
        self.sender: str | None = None
        self.claimed_directory: int | None = None
        self.witness: Witness | None = None


class Hold(SealError):  # noqa: N818 - not an error to report but a delay to serve
    """Not acceptable yet: keep the envelope, alarm, try again. Never drop it."""


def require(condition: bool, code: str, detail: str = "") -> None:  # noqa: FBT001 - reads as a sentence
    """Refuse with `code` unless `condition` holds."""
    if not condition:
        raise SealError(code, detail)


def hold_unless(condition: bool, code: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Hold with `code` unless `condition` holds."""
    if not condition:
        raise Hold(code)
