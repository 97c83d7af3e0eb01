"""What rests under a passphrase: a person remembers it, a machine needs half a second for each guess."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from typing import Final, Self

from broker.seal import primitives
from broker.seal.errors import SealError, require
from broker.seal.primitives import Random
from broker.seal.rest import unwrap_at_rest, wrap_at_rest

#: 128 MiB and some half a second for a guess (RFC 7914): below this a graphics card guesses too fast.
MIN_COST: Final = 2**17
#: 512 MiB: more than this a file may not demand of the machine that reads it.
MAX_COST: Final = 2**19
BLOCK: Final = 8
LANES: Final = 1
SALT_SIZE: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """How a passphrase becomes a key: scrypt at this cost, with this salt. It stands beside what it opens.

    Raises:
        SealError: `rest-shape` for a cost that is too low, too high or no power of two, and for a salt of another size.
    """

    cost: int
    salt: bytes

    def __post_init__(self) -> None:
        # A file is a stranger's word: it neither weakens what it protects nor exhausts the machine that reads it.
        bounded = MIN_COST <= self.cost <= MAX_COST and self.cost.bit_count() == 1
        require(bounded, "rest-shape", "the cost of a guess is out of bounds")
        require(len(self.salt) == SALT_SIZE, "rest-shape", "a salt is 16 bytes")

    @classmethod
    def new(cls, random: Random = os.urandom) -> Self:
        return cls(cost=MIN_COST, salt=random(SALT_SIZE))

    def key(self, passphrase: str) -> bytes:
        # NFKC (SP 800-63B §3.1.1.2): keyboards write one letter in different ways.
        text = unicodedata.normalize("NFKC", passphrase)
        try:
            raw = text.encode()
        except UnicodeEncodeError:
            raise SealError("rest-open", "half of a surrogate pair is no character") from None
        return primitives.scrypt(raw, self.salt, n=self.cost, r=BLOCK, p=LANES)


def seal_with_passphrase(
    passphrase: str, plaintext: bytes, context: bytes, *, stretch: Stretch, random: Random = os.urandom
) -> bytes:
    """Encrypt for whoever knows the passphrase; `context` is bound and must be the same to open it."""
    return wrap_at_rest(stretch.key(passphrase), plaintext, context, random=random)


def unseal_with_passphrase(passphrase: str, sealed: bytes, context: bytes, *, stretch: Stretch) -> bytes:
    """What was sealed under this passphrase and context.

    Raises:
        SealError: `rest-open` (the passphrase is wrong or something was changed: nobody can tell which), `rest-shape`.
    """
    return unwrap_at_rest(stretch.key(passphrase), sealed, context)
