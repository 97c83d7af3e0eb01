"""What all key files have in common: canonical JSON of a named format, seeds as base64, no published example key."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from broker.model import JsonLike, JsonValue, Refusal, canonical_json, parse_json
from broker.seal import SigningKeys
from broker.trust.errors import TrustError
from broker.trust.examples import EXAMPLES, key_print
from broker.trust.files import read_private
from policy.vocabulary import is_agency_id

MAX_FILE: Final = 64 * 1024
SEED_SIZE: Final = 32


def document(members: dict[str, JsonLike]) -> bytes:
    return canonical_json(members) + b"\n"


def fields(path: Path) -> dict[str, JsonValue]:
    """Read the members of a private JSON object, whatever they are.

    Raises:
        TrustError: `keys-missing`, `keys-too-open`, `keys-malformed`.
    """
    try:
        value = parse_json(read_private(path, limit=MAX_FILE))
    except Refusal as refusal:
        raise TrustError("keys-malformed", f"`{path.name}` is not a key file ({refusal.code})") from None
    if not isinstance(value, dict):
        raise malformed(path)
    return value


def fields_of(path: Path, wanted: str, names: set[str]) -> dict[str, JsonValue]:
    """Read a key file of this format with exactly these members beside `format` and `created`.

    Raises:
        TrustError: as `fields`.
    """
    value = fields(path)
    if value.get("format") != wanted or set(value) != names | {"format", "created"}:
        raise malformed(path)
    return value


def text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def raw(value: JsonValue, path: Path) -> bytes:
    """Decode base64 that is written in its one canonical way."""
    try:
        decoded = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        raise malformed(path) from None
    if text(decoded) != value:
        raise malformed(path)
    return decoded


def seed(value: JsonValue, path: Path) -> bytes:
    decoded = raw(value, path)
    if len(decoded) != SEED_SIZE:
        raise malformed(path)
    return decoded


def signing_seeds(keys: SigningKeys) -> dict[str, JsonLike]:
    ed25519, mldsa65 = keys.seeds
    return {"ed25519": text(ed25519), "mldsa65": text(mldsa65)}


def signing(value: JsonValue, path: Path) -> SigningKeys:
    if not isinstance(value, dict) or set(value) != {"ed25519", "mldsa65"}:
        raise malformed(path)
    return SigningKeys.from_seeds(ed25519=seed(value["ed25519"], path), mldsa65=seed(value["mldsa65"], path))


def malformed(path: Path) -> TrustError:
    return TrustError("keys-malformed", f"`{path.name}` is not a key file of this kind")


def require_id(name: str) -> None:
    if not is_agency_id(name):
        raise TrustError("bad-name", "a name is made of lower-case words joined by hyphens")


def require_distinct(seeds: Sequence[bytes], path: Path) -> None:
    if len(set(seeds)) != len(seeds):
        raise TrustError("key-reused", f"`{path.name}` uses one seed for two purposes")


def refuse_examples(publics: Sequence[bytes], path: Path, *, allow_example: bool) -> None:
    if not allow_example and is_example(publics):
        raise TrustError("example-keys", f"`{path.name}` holds a published example key; everybody has it")


def is_example(publics: Sequence[bytes]) -> bool:
    """Whether one of these public keys is a published example."""
    return any(key_print(public) in EXAMPLES for public in publics)
