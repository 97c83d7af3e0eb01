"""The releases a gateway trusts: takes what the relay brings, keeps what verifies, and says what is in force."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal, TypeAlias, TypeVar

from broker.seal import AgencyPublic, SealError, decrypt_release, encrypt_release, fingerprint, unverified_payload
from broker.trust.chain import Chains
from broker.trust.directory import Directory, read_directory
from broker.trust.errors import TrustError
from broker.trust.release import Release, ReleaseType, check_follows, read_release
from broker.trust.root import Root, read_root
from broker.trust.rules import Rules, read_rules
from broker.trust.waiting import PASSING, Waiting
from policy import Decider, compile_rules

#: DESIGN 7: how far clocks may differ.
SKEW: Final = timedelta(minutes=5)
#: Deciders and past releases kept in memory: those in force, and those that bulletins still under way name.
_KEPT: Final = 8

_Key = TypeVar("_Key")
_Held = TypeVar("_Held")
AcceptedType: TypeAlias = Literal["root", "directory", "rules"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What `offer` put in force."""

    type: AcceptedType
    number: int
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """What `retry` put in force, and what it refused for good."""

    accepted: tuple[Accepted, ...]
    refused: tuple[TrustError, ...]


class TrustStore:
    """The verified releases of one exchange, on disk and in memory.

    Everything it returns was signed by two persons of two agencies. What is newest in the chain is in force, also
    when it has expired: then nothing is decided any more (`decider`), rather than by what was replaced.

    Args:
        folder: where accepted releases are kept.
        fingerprint: of the exchange's root, given to the gateway by hand.

    Raises:
        TrustError: `store-damaged`, or any code of a release, when what is on disk is not what was accepted.
    """

    def __init__(self, folder: Path, root_fingerprint: str) -> None:
        self._fingerprint = root_fingerprint
        self._chains = Chains(folder, root_fingerprint)
        self._directories: OrderedDict[int, Directory] = OrderedDict()
        self._rules: OrderedDict[int, Rules] = OrderedDict()
        self._deciders: OrderedDict[tuple[int, int], Decider] = OrderedDict()
        self._waiting = Waiting()
        head = self._chains.head
        self.directory: Directory | None = self.directory_at(newest.number) if (newest := head("directory")) else None
        self.rules: Rules | None = self.rules_at(newest.number) if (newest := head("rules")) else None

    @property
    def root(self) -> Root | None:
        return self._chains.root

    def offer(self, raw: bytes, *, now: datetime) -> Accepted | None:
        """Take a release as it lies in the stream (encrypted); return what came into force, None for a known one.

        1. It opens under this exchange's key.
        2. A root is the one whose fingerprint was given.
        3. The root has not expired; signatures, persons and agencies are enough (`read_release`).
        4. A known release changes nothing; another one of a known number is an alarm.
        5. It is the very next one.
        6. It was not made in the future.
        7. What it says is well-formed.
        8. It is kept, durably; and only then in force.
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

        Each acceptance may be what another one waited for, so this goes on until nothing more comes into force.
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
        try:
            document = decrypt_release(self._fingerprint, raw)  # 1
        except SealError as error:
            raise TrustError("other-exchange", "it does not open under this exchange's root") from error
        if self._is_root(document):  # 2
            return self._take_root(document)
        root = self._require_root(now)  # 3
        release = read_release(document, root)
        if self._chains.knows(release):  # 4
            return None
        if self._chains.contradicts(release):
            raise TrustError("equivocation", f"{release.type} {release.number} exists twice, with different content")
        check_follows(release, self._chains.head(release.type))  # 5
        if release.created > now + SKEW:  # 6
            raise TrustError("release-from-the-future", f"{release.type} {release.number} was made after now")
        read = read_directory(release) if release.type == "directory" else read_rules(release)  # 7
        self._chains.append(document, release)  # 8
        if isinstance(read, Directory):
            self.directory = _keep(self._directories, read.number, read)
        else:
            self.rules = _keep(self._rules, read.number, read)
        if release.expires <= now:  # 9
            raise TrustError("release-expired", f"{release.type} {release.number} has expired")
        return Accepted(type=release.type, number=release.number, hash=release.hash)

    def directory_at(self, number: int) -> Directory | None:
        """Return a past or present directory; None when it was never accepted here."""
        return _recall(self._directories, number, lambda: self._read("directory", number, read_directory))

    def rules_at(self, number: int) -> Rules | None:
        """Return past or present rules; None when they were never accepted here."""
        return _recall(self._rules, number, lambda: self._read("rules", number, read_rules))

    def signer(self, agency: str) -> AgencyPublic:
        """Return an agency's keys by the newest directory, whatever release a message names: a revocation counts now.

        Raises:
            TrustError: `no-directory`.
            UnknownAgencyError: it is not in the newest directory.
        """
        if self.directory is None:
            raise TrustError("no-directory", "no directory has been accepted yet")
        return self.directory.signer(agency)

    def decider(self, now: datetime) -> Decider:
        """Return the rules in force over the directory in force.

        Raises:
            TrustError: `no-rules`, `no-directory`; `root-expired` or `release-expired` when what is in force has
                expired: somebody may be keeping its successor back.
        """
        self._require_root(now)
        if self.rules is None:
            raise TrustError("no-rules", "no rules have been accepted yet")
        if self.directory is None:
            raise TrustError("no-directory", "no directory has been accepted yet")
        for release in (self.rules.release, self.directory.release):
            if release.expires <= now:
                raise TrustError("release-expired", f"{release.type} {release.number} has expired")
        return self.decider_at(self.rules.number, self.directory.number, now)

    def decider_at(self, rules: int, directory: int, now: datetime) -> Decider:
        """Return some rules over some directory, as they stand at `now`; compiled once, re-folded at a date boundary.

        Raises:
            TrustError: `unknown-release`.
        """
        key = (rules, directory)
        decider = self._deciders.get(key)
        if decider is None:
            known_rules, known_directory = self.rules_at(rules), self.directory_at(directory)
            if known_rules is None or known_directory is None:
                raise TrustError("unknown-release", "a release was never accepted here")
            decider = compile_rules(known_rules.ruleset, known_rules.vocabulary, known_directory.agencies, at=now)
        elif not _still(decider, now):
            decider = decider.at(now)
        return _keep(self._deciders, key, decider)

    def sealed(self, release_type: AcceptedType, number: int = 1) -> bytes:
        """Return the root or an accepted release as it travels: what a hub or an officer publishes again.

        Raises:
            TrustError: `unknown-release`.
        """
        if self._chains.root is None:
            raise TrustError("unknown-release", "the root of this exchange has not arrived yet")
        if release_type == "root":
            return encrypt_release(self._fingerprint, self._chains.root_document())
        head = self._chains.head(release_type)
        if head is None or not 0 < number <= head.number:
            raise TrustError("unknown-release", f"{release_type} {number} was never accepted here")
        return encrypt_release(self._fingerprint, self._chains.document(release_type, number))

    def _is_root(self, document: bytes) -> bool:
        try:
            return fingerprint(unverified_payload(document)) == self._fingerprint
        except SealError as error:
            raise TrustError("not-a-release", "not a signed document") from error

    def _take_root(self, document: bytes) -> Accepted | None:
        if self._chains.root is not None:
            return None
        root = read_root(document, expected=self._fingerprint)
        self._chains.keep_root(document, root)
        return Accepted(type="root", number=1, hash=bytes.fromhex(root.fingerprint.partition(":")[2]))

    def _require_root(self, now: datetime) -> Root:
        root = self._chains.root
        if root is None:
            raise TrustError("no-root", "the root of this exchange has not arrived yet")
        if root.expires <= now:
            raise TrustError("root-expired", "the root of this exchange has expired")
        return root

    def _read(self, release_type: ReleaseType, number: int, read: Callable[[Release], _Held]) -> _Held | None:
        release = self._chains.read(release_type, number)
        return None if release is None else read(release)


def _still(decider: Decider, now: datetime) -> bool:
    """Tell whether a decider's dates hold at `now`; a clock that went back needs its own folding, too."""
    boundary = decider.valid_until
    return (boundary is None or now < boundary) and (decider.moment is None or decider.moment <= now)


def _keep(kept: OrderedDict[_Key, _Held], key: _Key, held: _Held) -> _Held:
    kept[key] = held
    kept.move_to_end(key)
    while len(kept) > _KEPT:
        kept.popitem(last=False)
    return held


def _recall(kept: OrderedDict[_Key, _Held], key: _Key, read: Callable[[], _Held | None]) -> _Held | None:
    if key not in kept:
        held = read()
        return None if held is None else _keep(kept, key, held)
    kept.move_to_end(key)
    return kept[key]
