"""The releases a gateway trusts: takes what the relay brings, keeps what verifies, and says what is in force.

A release that was accepted is *staged*; a beat puts it *in force* (`activate`). Officers and the hub keep such a folder
too and only ever look at what is staged.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, TypeAlias, TypeVar

from broker.seal import AgencyPublic, SealError, decrypt_release, encrypt_release, fingerprint, unverified_payload
from broker.trust.activation import Activation
from broker.trust.basis import check_basis, check_directory_basis
from broker.trust.beat import SKEW, Beat, Named, read_beat
from broker.trust.chain import Chains
from broker.trust.deciders import Deciders
from broker.trust.directory import Directory, read_directory
from broker.trust.emergency import Coming, coming
from broker.trust.endorsement import split
from broker.trust.errors import TrustError
from broker.trust.force import Force, ForceType
from broker.trust.release import Release, ReleaseType, check_follows, read_release
from broker.trust.root import Root, read_root
from broker.trust.rules import Rules, read_rules
from broker.trust.waiting import PASSING, Waiting
from policy import Decider

#: Deciders and past releases kept in memory: those in force, and those that bulletins still under way name.
_KEPT: Final = 8

_Key = TypeVar("_Key")
_Held = TypeVar("_Held")
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


class TrustStore:
    """The verified releases of one exchange, on disk and in memory.

    Everything it returns was signed by two persons of two agencies (an emergency by one). `rules` and `directory` are
    in force, also when they have expired: then nothing is decided any more (`decider`), rather than by what was
    replaced. `staged` is the newest of a chain, in force or not.

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
        self._waiting = Waiting()
        self.deciders = Deciders()
        self.activation = Activation(folder, self._chains)
        self.directory: Directory | None = None
        self.rules: Rules | None = None
        self._take_up()

    @property
    def root(self) -> Root | None:
        return self._chains.root

    def staged(self, release_type: ReleaseType) -> Release | None:
        """Return the newest release of a chain that was accepted, in force or not."""
        return self._chains.head(release_type)

    @property
    def staged_rules(self) -> Rules | None:
        head = self._chains.head("rules")
        return None if head is None else self.rules_at(head.number)

    @property
    def staged_directory(self) -> Directory | None:
        head = self._chains.head("directory")
        return None if head is None else self.directory_at(head.number)

    def release(self, release_type: ReleaseType, number: int) -> Release | None:
        """Return an accepted release, in force or not; None when there is none of that number."""
        return self._chains.read(release_type, number)

    def holds(self, release_type: ReleaseType, named: Named) -> bool:
        """Tell whether this very release was accepted here."""
        return self._chains.hash_of(release_type, named[0]) == named[1]

    def coming(self, release_type: ForceType, present: Named | None, now: datetime) -> tuple[Coming, ...]:
        """Return what may replace `present`, the newest first, each with the quorum that it needs."""
        head = self._chains.head(release_type)
        return () if head is None else coming(head, present, lambda at: self._chains.read(release_type, at), now=now)

    def trial(self, now: datetime) -> Rules | None:
        """Return the rules that are on trial: they decide beside those in force and deliver nothing."""
        head = self._chains.head("trial")
        return None if head is None or head.expires <= now else read_rules(head)

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
        document = self._opened(raw)  # 1
        if self._is_root(document):  # 2
            return self._take_root(document)
        root = self._require_root(now)  # 3
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
            _keep(self._directories, read.number, read)
        elif release.type == "rules":
            _keep(self._rules, read.number, read)
        if release.expires <= now:  # 9
            raise TrustError("release-expired", f"{release.type} {release.number} has expired")
        return Accepted(type=release.type, number=release.number, hash=release.hash)

    def _read_new(self, release: Release) -> Rules | Directory:
        if release.type == "directory":
            return check_directory_basis(read_directory(release), self.directory_at(release.basis))
        rules = read_rules(release)
        if release.type == "rules" and release.basis:
            check_basis(rules, self.rules_at(release.basis))
        return rules

    def _confirm(self, document: bytes, release: Release) -> Accepted | None:
        known = self._chains.read(release.type, release.number)
        if known is None or known.confirmed or not release.confirmed:
            return None
        self._chains.confirm(document, release)
        rules = _keep(self._rules, release.number, read_rules(release))
        if self.rules is not None and self.rules.number == release.number:
            self.rules = rules
        return Accepted(type=release.type, number=release.number, hash=release.hash, confirmed=True)

    def verified(self, raw: bytes, *, now: datetime) -> Beat:
        """Return a beat that the root's beat key signed for now; what comes of it is for `activate`.

        Raises:
            TrustError: those of `read_beat`, `other-exchange`, `no-root`, `root-expired`.
        """
        document = self._opened(raw)
        if self._chains.root is None:
            self.activation.pending = raw  # the root is on its way, and the next beat half a minute away
        return read_beat(document, self._require_root(now), now=now)

    def activate(self, raw: bytes, *, now: datetime) -> Beat | None:
        """Take a beat as it comes from the relay (encrypted); return it when it is believed, None for the last one.

        1. It opens under this exchange's key, and the root's beat key signed it for now (`read_beat`).
        2. It is newer than the last one that was believed.
        3. It names nothing older than what is in force, here or at others.
        4. It names releases that are staged here. One that is not may come: then `activation.pending` is tried again.
        5. They are the very ones, and have not expired; one officer alone widens nothing (`emergency.check_alone`).
        6. What is in force is on disk; and only then decided by.

        Raises:
            TrustError: with the code of the step: those of `read_beat`, `beat-replayed`, `beat-rollback`,
                `beat-unstaged`, `beat-equivocation`, `release-expired`, `emergency-not-narrow`,
                `emergency-prolonged`; what is in force has not changed.
        """
        beat = self.verified(raw, now=now)  # 1
        if not self.activation.believe(beat, raw, now=now):  # 2 to 6
            return None
        self._take_up()
        return beat

    @property
    def force(self) -> Force:
        """What is in force, since when, and when that was last confirmed."""
        return self.activation.force

    def _take_up(self) -> None:
        """Decide by these from now on: the pair changes between two decisions, never within one."""
        force = self.activation.force
        rules = self.rules_at(force.rules[0]) if force.rules else None
        directory = self.directory_at(force.directory[0]) if force.directory else None
        self.rules, self.directory = rules, directory

    def directory_at(self, number: int) -> Directory | None:
        """Return a past, present or staged directory; None when it was never accepted here."""
        return _recall(self._directories, number, lambda: self._read("directory", number, read_directory))

    def rules_at(self, number: int) -> Rules | None:
        """Return past, present or staged rules; None when they were never accepted here."""
        return _recall(self._rules, number, lambda: self._read("rules", number, read_rules))

    def effective(self, rules: Rules, at: datetime) -> Rules:
        """Return what these rules come to at a moment: themselves, or what an emergency added to, once it lapsed."""
        while rules.release.lapsed(at):
            basis = self.rules_at(rules.release.basis)
            if basis is None:
                raise TrustError("unknown-release", "the basis of an emergency was never accepted here")
            rules = basis
        return rules

    def signer(self, agency: str) -> AgencyPublic:
        """Return an agency's keys by the newest directory, whatever release a message names: a revocation counts now.

        Also before that directory is in force: what two officers revoked is believed by nobody who has heard of it.

        Raises:
            TrustError: `no-directory`.
            UnknownAgencyError: it is not in the newest directory.
        """
        newest = self.staged_directory
        if newest is None:
            raise TrustError("no-directory", "no directory has been accepted yet")
        return newest.signer(agency)

    def decider(self, now: datetime) -> Decider:
        """Return the rules in force over the directory in force.

        Raises:
            TrustError: `no-rules`, `no-directory`; `root-expired` or `release-expired` when what is in force has
                expired: somebody may be keeping its successor back.
        """
        self._require_root(now)
        if self.rules is None:
            raise TrustError("no-rules", "no rules are in force yet")
        if self.directory is None:
            raise TrustError("no-directory", "no directory is in force yet")
        for release in (self.rules.release, self.directory.release):
            if release.expires <= now:
                raise TrustError("release-expired", f"{release.type} {release.number} has expired")
        return self.deciders.get(self.effective(self.rules, now), self.directory, now)

    def decider_at(self, rules: int, directory: int, now: datetime, *, decided: datetime) -> Decider:
        """Return some rules over some directory, with agreements as they stand at `now`.

        `decided`: when the bulletin was decided, by which a lapsed emergency is told from one that still counted.

        Raises:
            TrustError: `unknown-release`.
        """
        known_rules, known_directory = self.rules_at(rules), self.directory_at(directory)
        if known_rules is None or known_directory is None:
            raise TrustError("unknown-release", "a release was never accepted here")
        return self.deciders.get(self.effective(known_rules, decided), known_directory, now)

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

    def document(self, release_type: ReleaseType, number: int) -> bytes:
        """Return an accepted release as it was signed, for a second officer to sign, too."""
        return self._chains.document(release_type, number)

    def _opened(self, raw: bytes) -> bytes:
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
