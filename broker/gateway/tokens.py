"""Adapter tokens: who may ask this gateway for what. Only hashes rest on disk.

A token is 32 random bytes; its SHA-256 is what the file holds, so a stolen file opens nothing, and a fast hash is
enough because there is nothing to guess. One token belongs to one agency and carries scopes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

SCOPES = ("publish", "read", "acknowledge", "observe", "rules")


class TokenError(Exception):
    """The token file can't be used, or a token can't be made; ``code`` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Grant:
    """What one token allows: ``id`` names it in logs and subscriptions, never the token itself."""

    id: str
    agency: str
    scopes: frozenset[str]
    name: str


class Tokens:
    """The tokens of one gateway; the file is read again when it changed, so a revocation works at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._grants: dict[str, Grant] = {}

    def find(self, token: str) -> Grant | None:
        """The grant of a presented token, or None."""
        self._refresh()
        wanted = _digest(token)
        # Compared in constant time, although what is compared is a hash: costs nothing, settles the question.
        for digest, grant in self._grants.items():
            if hmac.compare_digest(digest, wanted):
                return grant
        return None

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._stamp, self._grants = None, {}
            return
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            self._grants = read(self._path)
            self._stamp = stamp


def read(path: Path) -> dict[str, Grant]:
    """The grants in a token file, by the token's hash.

    Raises:
        TokenError: ``tokens-too-open`` (others could read it), ``tokens-unreadable``.
    """
    if not path.exists():
        return {}
    if path.stat().st_mode & 0o077:
        raise TokenError("tokens-too-open", f"{path.name} can be read by others; chmod 600")
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return {row["sha256"]: Grant(row["id"], row["agency"], frozenset(row["scopes"]), row["name"]) for row in rows}
    except (ValueError, KeyError, TypeError) as error:
        raise TokenError("tokens-unreadable", f"{path.name} is not a token file") from error


def create(
    path: Path, *, agency: str, scopes: tuple[str, ...], name: str, random: Callable[[int], bytes] = os.urandom
) -> tuple[str, Grant]:
    """Adds a token; returns it (this is the only time it is seen) and its grant.

    Raises:
        TokenError: ``unknown-scope``, or the file can't be used.
    """
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise TokenError("unknown-scope", f"scopes are {', '.join(SCOPES)}")
    token = "tl_" + base64.urlsafe_b64encode(random(32)).decode().rstrip("=")
    grant = Grant(random(6).hex(), agency, frozenset(scopes), name)
    grants = read(path)
    grants[_digest(token)] = grant
    _write(path, grants)
    return token, grant


def revoke(path: Path, token_id: str) -> Grant | None:
    """Removes the token with that id; None when there is none."""
    grants = read(path)
    digest = next((digest for digest, grant in grants.items() if grant.id == token_id), None)
    if digest is None:
        return None
    grant = grants.pop(digest)
    _write(path, grants)
    return grant


def _write(path: Path, grants: dict[str, Grant]) -> None:
    rows = [{"sha256": digest, **asdict(grant), "scopes": sorted(grant.scopes)} for digest, grant in grants.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)  # 0600 by definition
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(rows, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(path)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
