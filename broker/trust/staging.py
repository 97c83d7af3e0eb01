"""Taking releases: what verifies and follows is kept, durably; what came too early is kept for another try."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from broker.seal import SealError, decrypt_release, fingerprint, unverified_payload
from broker.trust.basis import check_basis, check_directory_basis
from broker.trust.beat import SKEW
from broker.trust.chain import Chains
from broker.trust.directory import Directory, read_directory
from broker.trust.endorsement import split
from broker.trust.errors import TrustError
from broker.trust.release import Release, check_follows, read_release
from broker.trust.root import Root, read_root
from broker.trust.rules import Rules, read_rules
from broker.trust.shelf import Shelf
from broker.trust.waiting import PASSING, Waiting

AcceptedType: TypeAlias = Literal["root", "directory", "rules", "trial"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What `offer` staged. `confirmed`: nothing new but the second signature of an emergency."""

    type: AcceptedType
    number: int
    hash: bytes
    confirmed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """What `retry` staged, and what it refused for good."""

    accepted: tuple[Accepted, ...]
    refused: tuple[TrustError, ...]


class Staging:
    """The way into the chains. What it accepts is staged: verified and on disk; a beat puts it in force."""

    def __init__(self, root_fingerprint: str, chains: Chains, shelf: Shelf) -> None:
        self._fingerprint = root_fingerprint
        self._chains = chains
        self._shelf = shelf
        self._waiting = Waiting()

    def offer(self, raw: bytes, *, now: datetime) -> Accepted | None:
        """Take a release as it lies in the stream (encrypted); return what was staged, None for a known one.

        1. It opens under this exchange's key.
        2. A root is the one whose fingerprint was given.
        3. The root has not expired; signatures, persons and agencies are enough (`read_release`).
        4. A known release changes nothing but that a second officer may confirm an emergency; another one of a known
           number is an alarm.
        5. It is the very next one.
        6. It was not made in the future.
        7. What it says is well-formed; a rollback repeats its basis, an emergency only adds never rules to it.
        8. It is kept, durably.
        9. It has not expired. An expired one is kept, because its successor follows it, and refused.

        One that is refused for a reason that passes (`waiting.PASSING`) is kept for `retry`.

        Raises:
            TrustError: with the code of the step; nothing changed, except after `release-expired`.
        """
        try:
            accepted = self._take(raw, now)
        except TrustError as error:
            if error.code in PASSING:
                self._waiting.keep(raw)
            else:
                self._waiting.drop(raw)
            raise
        self._waiting.drop(raw)
        return accepted

    @property
    def waiting(self) -> int:
        """How many refused releases `retry` would offer again."""
        return len(self._waiting)

    def retry(self, now: datetime) -> Retried:
        """Offer again what was refused for a reason that may have passed: after each acceptance, and from time to time.

        Each acceptance may be what another one waited for, so this goes on until nothing more is staged.
        """
        accepted: list[Accepted] = []
        refused: list[TrustError] = []
        progress = True
        while progress:
            progress = False
            for raw in self._waiting.all():
                try:
                    taken = self.offer(raw, now=now)
                except TrustError as error:
                    # An expired one is in the chain all the same, and its successor may be waiting here.
                    progress = progress or error.code == "release-expired"
                    if error.code not in PASSING:
                        refused.append(error)
                else:
                    if taken is not None:
                        accepted.append(taken)
                        progress = True
        return Retried(accepted=tuple(accepted), refused=tuple(refused))

    def _take(self, raw: bytes, now: datetime) -> Accepted | None:
        document = self.opened(raw)  # 1
        if self._is_root(document):  # 2
            return self._take_root(document)
        root = self.require_root(now)  # 3
        release = read_release(document, root)
        if self._chains.knows(release):  # 4
            return self._confirm(document, release)
        if self._chains.contradicts(release):
            raise TrustError("equivocation", f"{release.type} {release.number} exists twice, with different content")
        check_follows(release, self._chains.head(release.type))  # 5
        if release.created > now + SKEW:  # 6
            raise TrustError("release-from-the-future", f"{release.type} {release.number} was made after now")
        read = self._read_new(release)  # 7
        self._chains.append(document, release)  # 8
        if isinstance(read, Directory):
            self._shelf.put_directory(read)
        elif release.type == "rules":
            self._shelf.put_rules(read)
        if release.expires <= now:  # 9
            raise TrustError("release-expired", f"{release.type} {release.number} has expired")
        return Accepted(type=release.type, number=release.number, hash=release.hash)

    def _read_new(self, release: Release) -> Rules | Directory:
        if release.type == "directory":
            return check_directory_basis(read_directory(release), self._shelf.directory_at(release.basis))
        rules = read_rules(release)
        if release.type == "rules" and release.basis:
            check_basis(rules, self._shelf.rules_at(release.basis))
        return rules

    def _confirm(self, document: bytes, release: Release) -> Accepted | None:
        known = self._chains.read(release.type, release.number)
        if known is None or known.confirmed or not release.confirmed:
            return None
        self._chains.confirm(document, release)
        self._shelf.put_rules(read_rules(release))
        return Accepted(type=release.type, number=release.number, hash=release.hash, confirmed=True)

    def opened(self, raw: bytes) -> bytes:
        """Open what travels under this exchange's key.

        Raises:
            TrustError: `other-exchange`.
        """
        try:
            return decrypt_release(self._fingerprint, raw)
        except SealError as error:
            raise TrustError("other-exchange", "it does not open under this exchange's root") from error

    def _is_root(self, document: bytes) -> bool:
        try:
            return fingerprint(unverified_payload(split(document)[0])) == self._fingerprint
        except SealError as error:
            raise TrustError("not-a-release", "not a signed document") from error

    def _take_root(self, document: bytes) -> Accepted | None:
        if self._chains.root is not None:
            return None
        root = read_root(document, expected=self._fingerprint)
        self._chains.keep_root(document, root)
        return Accepted(type="root", number=1, hash=bytes.fromhex(root.fingerprint.partition(":")[2]))

    def require_root(self, now: datetime) -> Root:
        """Return the root while it is good.

        Raises:
            TrustError: `no-root`, `root-expired`.
        """
        root = self._chains.root
        if root is None:
            raise TrustError("no-root", "the root of this exchange has not arrived yet")
        if root.expires <= now:
            raise TrustError("root-expired", "the root of this exchange has expired")
        return root
