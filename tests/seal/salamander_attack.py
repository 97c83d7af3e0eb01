"""A malicious sender: one part, two keys, two texts; every digest and signature is valid."""

from __future__ import annotations

from dataclasses import dataclass

from broker.seal import Addressee, Sealed, Unsealed, cose, parts, primitives
from tests.seal.exchange import FUSION, STATE, Forger, content_for, draft, forged_envelope, receive, seed
from tests.seal.salamander import keystream, solve

SUSPECT = b"SUSPECT IS JOHN DOE, 12 ELM STREET".ljust(96, b".")
STAND_DOWN = b"NO THREAT: DISREGARD, STAND DOWN".ljust(96, b".")
_BLOCKS = 16  # 256 bytes: the smallest bucket
_FREE = 12


@dataclass(frozen=True, kw_only=True)
class Salamander:
    sealed: Sealed
    other_key: bytes

    def first(self) -> Unsealed:
        """The fusion center, whose key is the committed one, reads the one text."""
        return receive(forged_envelope(self.sealed, FUSION), FUSION)

    def victim(self) -> Unsealed:
        """The state police were given the other key."""
        keys = {0: self.sealed.secrets.keys[0], 1: self.other_key}
        content = content_for(self.sealed.source, STATE, keys=keys)
        return receive(forged_envelope(self.sealed, STATE, content), STATE)


def _mix(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def salamander() -> Salamander:
    audience = (Addressee(agency=FUSION, parts=(1,)), Addressee(agency=STATE, parts=(1,)))
    forger = Forger(draft=draft(parts=(b"x",), audience=audience))
    others: list[bytes] = []

    def two_faced(index: int, _: bytes) -> bytes:
        mine = parts.derive(forger.made[index], forger.cx, index)
        first = keystream(mine.cek, mine.iv, _BLOCKS)
        attempt = 0
        while True:  # the padding's mark, the last byte, must be one under both keys: 256 tries
            other = seed("salamander", str(attempt))
            cek = parts.derive(other, forger.cx, index).cek
            second = keystream(cek, mine.iv, _BLOCKS)
            if first[-1] == second[-1]:
                break
            attempt += 1
        others.append(other)
        last = bytes((first[-1] ^ 0x80,))
        ciphertext = _mix(SUSPECT, first[:96]) + _mix(STAND_DOWN, second[96:192]) + bytes(63) + last
        aad = cose.encrypt0_aad(parts._context(forger.cx, index))
        sealed = solve(mine.cek, cek, mine.iv, aad, ciphertext, _FREE)
        assert primitives.aes_gcm_decrypt(mine.cek, mine.iv, sealed, aad).startswith(SUSPECT)
        assert STAND_DOWN in primitives.aes_gcm_decrypt(cek, mine.iv, sealed, aad)
        return cose.Encrypt0(iv=mine.iv, ciphertext=sealed).encode()

    forger.portion = two_faced
    return Salamander(sealed=forger.forge(), other_key=others[0])
