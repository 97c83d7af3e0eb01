"""One AES-GCM ciphertext, one tag, two keys: GF(2^128) and the solving of one block (the 'invisible salamander')."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_POLYNOMIAL = 0xE1 << 120


def multiply(x: int, y: int) -> int:
    """Multiplication in GF(2^128) with GCM's bit order (SP 800-38D §6.3)."""
    product = 0
    for bit in range(127, -1, -1):
        if x >> bit & 1:
            product ^= y
        y = y >> 1 ^ (_POLYNOMIAL if y & 1 else 0)
    return product


def power(x: int, exponent: int) -> int:
    result = 1 << 127  # the field's one
    while exponent:
        if exponent & 1:
            result = multiply(result, x)
        x = multiply(x, x)
        exponent >>= 1
    return result


def invert(x: int) -> int:
    return power(x, 2**128 - 2)


def aes(key: bytes, block: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(block)


def keystream(key: bytes, iv: bytes, blocks: int) -> bytes:
    return b"".join(aes(key, iv + (2 + index).to_bytes(4, "big")) for index in range(blocks))


def _blocks(data: bytes) -> list[int]:
    padded = data + bytes(-len(data) % 16)
    return [int.from_bytes(padded[at : at + 16], "big") for at in range(0, len(padded), 16)]


def _hash(key: int, blocks: list[int]) -> int:
    result = 0
    for block in blocks:
        result = multiply(result ^ block, key)
    return result


def tag(key: bytes, iv: bytes, aad: bytes, ciphertext: bytes) -> bytes:
    lengths = (len(aad) * 8 << 64) | len(ciphertext) * 8
    h = int.from_bytes(aes(key, bytes(16)), "big")
    mask = int.from_bytes(aes(key, iv + b"\x00\x00\x00\x01"), "big")
    return (_hash(h, [*_blocks(aad), *_blocks(ciphertext), lengths]) ^ mask).to_bytes(16, "big")


def solve(one: bytes, two: bytes, iv: bytes, aad: bytes, ciphertext: bytes, free: int) -> bytes:
    """`ciphertext` (whole blocks), block `free` chosen so that the tag is the same under both keys, and that tag."""
    start = free * 16
    blank = ciphertext[:start] + bytes(16) + ciphertext[start + 16 :]
    difference = int.from_bytes(tag(one, iv, aad, blank), "big") ^ int.from_bytes(tag(two, iv, aad, blank), "big")
    exponent = len(ciphertext) // 16 - free + 1  # this block, those after it and the length block
    h1, h2 = (int.from_bytes(aes(key, bytes(16)), "big") for key in (one, two))
    block = multiply(difference, invert(power(h1, exponent) ^ power(h2, exponent)))
    solved = blank[:start] + block.to_bytes(16, "big") + blank[start + 16 :]
    assert tag(one, iv, aad, solved) == tag(two, iv, aad, solved)
    return solved + tag(one, iv, aad, solved)
