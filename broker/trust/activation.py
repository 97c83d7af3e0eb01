"""Which staged releases are in force: taken from beats, kept on disk, never backwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from broker.trust.beat import Beat, Named
from broker.trust.chain import Chains
from broker.trust.emergency import check_alone
from broker.trust.errors import TrustError
from broker.trust.force import FORCE_TYPES, Force, ForceType, keep_force, load_force
from broker.trust.release import Release

_NOTED_EVERY: Final = timedelta(minutes=1)


class Activation:
    """The pair in force. `force` is what is on disk; everything is decided by it and by nothing else."""

    def __init__(self, folder: Path, chains: Chains) -> None:
        self._folder = folder
        self._chains = chains
        #: Numbers that others have in force: a gateway that lost its state goes back to none older.
        self._elsewhere: dict[ForceType, int] = dict.fromkeys(FORCE_TYPES, 0)
        self.force: Force = load_force(folder)
        #: The last beat that named a release which is not staged here; to be tried again when one is.
        self.pending: bytes | None = None
        for name in FORCE_TYPES:
            self._require_held(name, self.force.named(name))

    def believe(self, beat: Beat, raw: bytes, *, now: datetime) -> bool:
        """Put in force what a verified beat names; False for the last one once more. The steps are `activate`'s.

        Raises:
            TrustError: `beat-replayed`, `beat-rollback`, `beat-unstaged`, `beat-equivocation`, `release-expired`,
                `emergency-not-narrow`, `emergency-prolonged`.
        """
        if beat.sequence <= self.force.sequence:  # 2
            if beat.sequence == self.force.sequence and all(
                beat.of(name) == self.force.named(name) for name in FORCE_TYPES
            ):
                return False
            raise TrustError("beat-replayed", f"beat {beat.sequence} came again, or after a newer one")
        for name in FORCE_TYPES:
            self._check_not_older(name, beat.of(name)[0])  # 3
        for name in FORCE_TYPES:
            self._check_staged(name, beat, raw, now)  # 4, 5
        force = self.force.after(beat, now=now)
        keep_force(self._folder, force)  # 6
        self.force = force
        self.pending = None
        return True

    def silent_for(self, age: timedelta) -> None:
        """Note, durably and once a minute, for how long nothing was heard: neither a restart nor a clock ends that."""
        if age >= self.force.silence + _NOTED_EVERY:
            force = replace(self.force, silence=age)
            keep_force(self._folder, force)
            self.force = force

    def seen_elsewhere(self, release_type: ForceType, number: int) -> None:
        """Note that others have this release in force; each gateway asks them before it believes its first beat."""
        self._elsewhere[release_type] = number

    def _check_not_older(self, release_type: ForceType, number: int) -> None:
        present = self.force.named(release_type)
        if number < max(present[0] if present else 0, self._elsewhere[release_type]):
            raise TrustError("beat-rollback", f"a beat names {release_type} {number}, which was replaced")

    def _check_staged(self, release_type: ForceType, beat: Beat, raw: bytes, now: datetime) -> None:
        number, digest = beat.of(release_type)
        head = self._chains.head(release_type)
        if head is None or number > head.number:
            self.pending = raw
            raise TrustError("beat-unstaged", f"a beat names {release_type} {number}, which has not arrived")
        if release_type == "directory" and beat.directory == self.force.directory:
            return  # it was looked at when it came into force, and may be large
        release = self._chains.read(release_type, number)
        if release is None or release.hash != digest:
            raise TrustError("beat-equivocation", f"a beat names another {release_type} {number} than is known here")
        if release_type == "rules" and beat.confirmed and not release.confirmed:
            # It would lapse here and nowhere else.
            self.pending = raw
            raise TrustError("beat-unstaged", f"rules {number} were confirmed, which has not arrived")
        if beat.of(release_type) == self.force.named(release_type):
            return
        if release.expires <= now:
            raise TrustError("release-expired", f"{release_type} {number} has expired")
        if release_type == "rules":
            check_alone(release, self._standing_rules(), self._read_rules, now=now)

    def _standing_rules(self) -> Release | None:
        """The rules in force here; for a gateway that has none, those that others have in force, as far as known."""
        named = self.force.rules
        return self._read_rules(named[0] if named else self._elsewhere["rules"])

    def _read_rules(self, number: int) -> Release | None:
        return self._chains.read("rules", number)

    def _require_held(self, release_type: ForceType, named: Named | None) -> None:
        if named is None:
            return
        release = self._chains.read(release_type, named[0])
        if release is None or release.hash != named[1]:
            raise TrustError("store-damaged", f"{release_type} {named[0]} was in force here and is gone")
