"""Officers as they come to sign: with a file under a passphrase, or with a token and its file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import ModuleType

from broker.trust import Ask, OfficerKeys, TokenPlace, TrustError, load_officer_keys
from broker.trust.officers import on_token


def load_officer(path: Path, *, ask: Ask, allow_example: bool = False) -> OfficerKeys:
    """Read an officer's file of any kind, asking for what opens it; example keys only where a demo runs.

    Raises:
        TrustError: as `load_officer_keys` and `load_token_officer`; `no-pkcs11`.
    """
    if on_token(path):
        keys: OfficerKeys = _token_room().load_token_officer(path, ask=ask)
        return keys
    return load_officer_keys(path, ask=ask, allow_example=allow_example)


def load_officers(paths: Sequence[Path], *, ask: Ask) -> list[OfficerKeys]:
    """Read the files of all officers who sign; secrets are asked for in this order."""
    return [load_officer(path, ask=ask) for path in paths]


def make_token_officer(
    person: str, agency: str, path: Path, *, place: TokenPlace, pin: str, passphrase: str, created: datetime
) -> None:
    """Make an officer's key on a token, and its file.

    Raises:
        TrustError: as `broker.officer.token.make_token_officer`; `no-pkcs11`.
    """
    _token_room().make_token_officer(person, agency, path, place=place, pin=pin, passphrase=passphrase, created=created)


def _token_room() -> ModuleType:
    try:
        from broker.officer import token  # noqa: PLC0415 - needs the extra `officer`, for the few who have a token
    except ImportError as error:
        raise TrustError("no-pkcs11", "a token needs python-pkcs11: install the extra `officer`") from error
    return token
