"""Rules over a directory, compiled once and re-folded when an agreement begins or ends."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from typing import Final, TypeAlias

from broker.trust.directory import Directory
from broker.trust.rules import Rules
from policy import Decider, compile_rules

#: Those in force, the ones staged, those a rollback may bring back, and those that bulletins still under way name.
_KEPT: Final = 8
# A rollback has the same texts under another number: it finds what was compiled before.
_Key: TypeAlias = tuple[bytes, int]


class Deciders:
    """A few of them, the least recently used dropped first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, Decider] = OrderedDict()

    def compiled(self, rules: Rules, directory: Directory) -> bool:
        """Tell whether `get` would only look it up."""
        return (rules.files, directory.number) in self._kept

    def get(self, rules: Rules, directory: Directory, now: datetime) -> Decider:
        """Return the rules of one release over one directory, as their dates stand at `now`."""
        key = (rules.files, directory.number)
        decider = self._kept.get(key)
        if decider is None:
            decider = compile_rules(rules.ruleset, rules.vocabulary, directory.agencies, at=now)
        elif not still(decider, now):
            decider = decider.at(now)
        return self.keep(rules, directory, decider)

    def keep(self, rules: Rules, directory: Directory, decider: Decider) -> Decider:
        """Take over what was compiled elsewhere, say in a thread."""
        key = (rules.files, directory.number)
        self._kept[key] = decider
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return decider


def still(decider: Decider, now: datetime) -> bool:
    """Tell whether a decider's dates hold at `now`; a clock that went back needs its own folding, too."""
    boundary = decider.valid_until
    return (boundary is None or now < boundary) and (decider.moment is None or decider.moment <= now)
