"""An nkey as this room needs it: its public text and a way to sign the server's nonce. No key material lives here."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from broker.relay.errors import RelayError

# `U` + 55 characters of base32: prefix byte, 32 key bytes, CRC-16 (NATS nkeys specification).
_USER_PUBLIC: Final = re.compile(r"U[A-Z2-7]{55}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Nkey:
    """A user nkey: `public` is its text form, `sign` makes the raw 64-byte Ed25519 signature of a nonce."""

    public: str
    sign: Callable[[bytes], bytes]

    def __post_init__(self) -> None:
        user_nkey(self.public)

    def answer(self, nonce: str) -> bytes:
        """Sign the server's nonce, in the base64 that CONNECT carries."""
        return base64.b64encode(self.sign(nonce.encode()))


def user_nkey(text: str) -> str:
    """Admit the text of a public user nkey; its checksum is checked too, since it goes into a configuration file.

    Raises:
        RelayError: `bad-nkey`.
    """
    if not _USER_PUBLIC.fullmatch(text):
        raise RelayError("bad-nkey", "not a public user nkey")
    raw = base64.b32decode(text)
    if _crc16(raw[:-2]) != int.from_bytes(raw[-2:], "little"):
        raise RelayError("bad-nkey", "the checksum of a public user nkey does not match")
    return text


def _crc16(octets: bytes) -> int:
    """CRC-16/XMODEM, as the nkeys specification has it."""
    crc = 0
    for octet in octets:
        crc ^= octet << 8
        for _ in range(8):
            crc = ((crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc
