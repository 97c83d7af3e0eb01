"""The releases a gateway trusts: takes what the relay brings, keeps what verifies, and says what is in force.

A release that was accepted is *staged*; a beat puts it *in force* (`activate`). Officers and the hub keep such a folder
too and only ever look at what is staged.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from broker.seal import AgencyPublic, encrypt_release
from broker.trust.activation import Activation
from broker.trust.beat import Beat, Named, read_beat
from broker.trust.chain import Chains
from broker.trust.deciders import Deciders
from broker.trust.directory import Directory
from broker.trust.emergency import Coming, coming
from broker.trust.errors import TrustError
from broker.trust.force import Force, ForceType
from broker.trust.release import Release, ReleaseType
from broker.trust.root import Root
from broker.trust.rules import Rules, read_rules
from broker.trust.shelf import Shelf
from broker.trust.staging import Accepted, AcceptedType, Retried, Staging
from policy import Decider


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
        self._shelf = Shelf(self._chains)
        self._staging = Staging(root_fingerprint, self._chains, self._shelf)
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
        """Take a release as it lies in the stream; see `Staging.offer`, whose steps and codes these are."""
        accepted = self._staging.offer(raw, now=now)
        if accepted is not None and accepted.confirmed:
            self._take_up()
        return accepted

    def retry(self, now: datetime) -> Retried:
        """Offer again what was refused for a reason that may have passed; see `Staging.retry`."""
        again = self._staging.retry(now)
        self._take_up()
        return again

    @property
    def waiting(self) -> int:
        """How many refused releases `retry` would offer again."""
        return self._staging.waiting

    def verified(self, raw: bytes, *, now: datetime) -> Beat:
        """Return a beat that the root's beat key signed for now; what comes of it is for `activate`.

        Raises:
            TrustError: those of `read_beat`, `other-exchange`, `no-root`, `root-expired`.
        """
        document = self._staging.opened(raw)
        if self._chains.root is None:
            self.activation.pending = raw  # the root is on its way, and the next beat half a minute away
        return read_beat(document, self._staging.require_root(now), now=now)

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
        return self._shelf.directory_at(number)

    def rules_at(self, number: int) -> Rules | None:
        """Return past, present or staged rules; None when they were never accepted here."""
        return self._shelf.rules_at(number)

    def effective(self, rules: Rules, at: datetime) -> Rules:
        """Return what these rules come to at a moment: themselves, or what an emergency added to, once it lapsed."""
        return self._shelf.effective(rules, at)

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
        self._staging.require_root(now)
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
