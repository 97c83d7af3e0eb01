"""The beat: which of the signed releases are in force, said every half minute by the hub under the root's beat key.

A beat puts nothing in force that officers did not sign: it can only name a release, and only a newer one than before.
Whoever steals the beat key can repeat what is in force or hold back what is ready; neither goes unnoticed.

Pure: what a beat says and whether it may be believed. What comes of it is `force`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from broker.model.times import from_ms, to_ms
from broker.seal import SealError, SigningKeys, cbor, encrypt_release, sign_document
from broker.trust.errors import TrustError
from broker.trust.root import Root

BEAT_FORMAT: Final = "tearline beat/1"
BEAT_CONTEXT: Final = "beat"
#: DESIGN 9 and rules.md section 4.
BEAT_EVERY: Final = timedelta(seconds=30)
BEAT_VALID: Final = timedelta(minutes=2)
#: DESIGN 7: how far clocks may differ.
SKEW: Final = timedelta(minutes=5)
MAX_BEAT: Final = 16 * 1024
_FIELDS: Final = 7
_HASH: Final = 32

# Number and hash of a release.
Named: TypeAlias = tuple[int, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A verified beat. `sequence` only rises; `issued` and `expires` are the hub's clock.

    `confirmed`: two officers signed the rules. A gateway that has not heard of the second one's signature on an
    emergency would let it lapse, so it must not count as fresh.
    """

    sequence: int
    issued: datetime
    expires: datetime
    rules: Named
    directory: Named
    confirmed: bool

    def of(self, release_type: Literal["directory", "rules"]) -> Named:
        return self.rules if release_type == "rules" else self.directory


def make_beat(
    keys: SigningKeys,
    *,
    root: str,
    sequence: int,
    issued: datetime,
    rules: Named,
    directory: Named,
    confirmed: bool = True,
) -> bytes:
    """Sign a beat, good for `BEAT_VALID` from `issued`, and cover it as releases are."""
    payload = cbor.encode(
        {
            1: BEAT_FORMAT,
            2: root,
            3: sequence,
            4: to_ms(issued),
            5: [rules[0], rules[1]],
            6: [directory[0], directory[1]],
            7: confirmed,
        }
    )
    return encrypt_release(root, sign_document(payload, [keys], BEAT_CONTEXT))


def read_beat(document: bytes, root: Root, *, now: datetime) -> Beat:
    """Verify a beat.

    1. It is of a beat's size, and signed by the root's beat key, not by an officer or a member.
    2. Its fields are complete, and it belongs to this root.
    3. It was made neither in the future nor longer ago than it is valid; clocks may differ by `SKEW`.
    4. Its sequence number is a time that has come: whoever could name a far one would shut out all that follow.

    Raises:
        TrustError: `not-a-beat`, `bad-signature`, `wrong-role`, `other-exchange`, `beat-from-the-future`,
            `beat-expired`.
    """
    if len(document) > MAX_BEAT:
        raise TrustError("not-a-beat", "larger than a beat can be")
    payload = root.verify_beat(document, BEAT_CONTEXT)  # 1
    try:
        fields = cbor.decode(payload, limit=MAX_BEAT, code="document-shape")
    except SealError as error:
        raise TrustError("not-a-beat", "not strict CBOR") from error
    match fields:  # 2
        case {
            1: str(form), 2: str(origin), 3: int(sequence), 4: int(issued), 5: rules, 6: directory, 7: bool(confirmed),
        }:  # fmt: skip
            pass
        case _:
            raise TrustError("not-a-beat", "a field is missing or of another type")
    if len(fields) != _FIELDS or form != BEAT_FORMAT or sequence < 1:
        raise TrustError("not-a-beat", "not a beat of this version")
    if origin != root.fingerprint:
        raise TrustError("other-exchange", "the beat belongs to another exchange")
    try:
        made = from_ms(issued)
    except (OverflowError, ValueError, OSError) as error:
        raise TrustError("not-a-beat", "no such time") from error
    if made > now + SKEW or sequence > to_ms(now + SKEW):  # 3, 4
        raise TrustError("beat-from-the-future", "a beat was made after now")
    if made + BEAT_VALID + SKEW <= now:
        raise TrustError("beat-expired", "a beat is older than it is valid")
    return Beat(
        sequence=sequence,
        issued=made,
        expires=made + BEAT_VALID,
        rules=_named(rules),
        directory=_named(directory),
        confirmed=confirmed,
    )


def next_sequence(last: int, issued: datetime) -> int:
    """Return the number of the next beat: above the last one, and a time, so that a new hub goes on from the clock.

    One that was made while the clock was far ahead was believed by nobody, and is not counted on from.
    """
    return max(last + 1, to_ms(issued)) if last < to_ms(issued + SKEW) else to_ms(issued)


def _named(item: cbor.Cbor) -> Named:
    match item:
        case [int(number), bytes(digest)] if number > 0 and len(digest) == _HASH:
            return number, digest
        case _:
            raise TrustError("not-a-beat", "a release is named by number and hash")
