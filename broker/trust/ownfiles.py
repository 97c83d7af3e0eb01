"""Agencies' own rules on disk: every document that was ever in force, and an index that never goes backwards.

    <folder>/<agency>-000001.cose …   as they were signed
    <folder>/<agency>.json            number and hash of each, and the directory by which its signer was an officer

A document is durable before the index names it: after a crash there may be one that nothing names, never one less.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from broker.model import JsonLike, Refusal, canonical_json, parse_json
from broker.trust.errors import TrustError
from broker.trust.files import replace_private
from broker.trust.own import OwnRules, reopen_own_rules
from broker.trust.store import TrustStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One accepted document. `directory`: the number of the directory that its signer was an officer by."""

    number: int
    hash: bytes
    directory: int


class OwnFiles:
    """The own rules of a gateway's agencies. One process has the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def accepted(self, agency: str) -> tuple[Kept, ...]:
        """Return what was accepted for an agency, the newest last.

        Raises:
            TrustError: `store-damaged`.
        """
        path = self._index(agency)
        if not path.exists():
            return ()
        try:
            value = parse_json(path.read_bytes())
        except Refusal:
            raise _damaged(agency) from None
        match value:
            case {"accepted": list(items), **rest} if items and not rest:
                kept = tuple(_kept(item, agency) for item in items)
            case _:
                raise _damaged(agency)
        if [one.number for one in kept] != sorted({one.number for one in kept}):
            raise _damaged(agency)
        return kept

    def load(self, agency: str, number: int, trust: TrustStore) -> OwnRules:
        """Read own rules that were accepted before, verified by the directory of that time.

        Raises:
            TrustError: `store-damaged` when they are gone or are not what was accepted, or a code of
                `reopen_own_rules`; with a trust store that lacks its releases they cannot be read yet.
        """
        kept = next((one for one in self.accepted(agency) if one.number == number), None)
        directory = trust.directory_at(kept.directory) if kept else None
        if kept is None or directory is None or trust.root is None:
            raise _damaged(agency)
        try:
            document = self._path(agency, number).read_bytes()
        except FileNotFoundError:
            raise _damaged(agency) from None
        own = reopen_own_rules(document, agency=agency, directory=directory, root=trust.root, rules_at=trust.rules_at)
        if (own.number, own.hash) != (kept.number, kept.hash):
            raise _damaged(agency)
        return own

    def keep(self, document: bytes, own: OwnRules, *, directory: int) -> None:
        """Keep verified own rules that follow what is kept, or take the place of what is damaged or missing.

        Durable when this returns.
        """
        try:
            before = [one for one in self.accepted(own.agency) if one.number < own.number]
        except TrustError:
            before = []
        accepted = (*before, Kept(number=own.number, hash=own.hash, directory=directory))
        replace_private(self._path(own.agency, own.number), document)
        items: list[JsonLike] = [[one.number, one.hash.hex(), one.directory] for one in accepted]
        replace_private(self._index(own.agency), canonical_json({"accepted": items}))

    def _path(self, agency: str, number: int) -> Path:
        return self._folder / f"{agency}-{number:06d}.cose"

    def _index(self, agency: str) -> Path:
        return self._folder / f"{agency}.json"


def _kept(item: object, agency: str) -> Kept:
    match item:
        case [int(number), str(digest), int(directory)] if number > 0 and directory > 0:
            try:
                return Kept(number=number, hash=bytes.fromhex(digest), directory=directory)
            except ValueError:
                raise _damaged(agency) from None
        case _:
            raise _damaged(agency)


def _damaged(agency: str) -> TrustError:
    return TrustError("store-damaged", f"the own rules of `{agency}` are not what was accepted here")
