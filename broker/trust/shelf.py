"""Verified directories and rules as read, a few of each in memory; the chains on disk have all."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

from broker.trust.chain import Chains
from broker.trust.directory import Directory, read_directory
from broker.trust.errors import TrustError
from broker.trust.release import Release, ReleaseType
from broker.trust.rules import Rules, read_rules

#: Those in force, those staged, and those that bulletins still under way name.
_KEPT: Final = 8

_Held = TypeVar("_Held")


class Shelf:
    """Reads each release once while it is asked for."""

    def __init__(self, chains: Chains) -> None:
        self._chains = chains
        self._directories: OrderedDict[int, Directory] = OrderedDict()
        self._rules: OrderedDict[int, Rules] = OrderedDict()

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

    def put_directory(self, directory: Directory) -> None:
        """Take over a directory that was just read."""
        _keep(self._directories, directory.number, directory)

    def put_rules(self, rules: Rules) -> None:
        """Take over rules that were just read, in place of what stood under their number."""
        _keep(self._rules, rules.number, rules)

    def _read(self, release_type: ReleaseType, number: int, read: Callable[[Release], _Held]) -> _Held | None:
        release = self._chains.read(release_type, number)
        return None if release is None else read(release)


def _keep(kept: OrderedDict[int, _Held], number: int, held: _Held) -> _Held:
    kept[number] = held
    kept.move_to_end(number)
    while len(kept) > _KEPT:
        kept.popitem(last=False)
    return held


def _recall(kept: OrderedDict[int, _Held], number: int, read: Callable[[], _Held | None]) -> _Held | None:
    if number not in kept:
        held = read()
        return None if held is None else _keep(kept, number, held)
    kept.move_to_end(number)
    return kept[number]
