"""Who may have a portion, and under which duties.

An agency gets a portion when some share or always rule *surely* matches and no never rule *possibly* matches. There is
no order, no priority and no first match; without rules nobody gets anything.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from itertools import compress
from types import MappingProxyType
from typing import final

from policy.agreements import force_at, next_change, require_aware
from policy.compile import POSSIBLY, SURELY, PlannedRule, PortionTables, plan_rules
from policy.decision import Decision
from policy.duties import DutyTable, Matched
from policy.index import DIGITS, AgencyIndex, Reach
from policy.obligations import Obligations
from policy.rules import Effect, Ruleset
from policy.truth import Force
from policy.vocabulary import Attributes, Vocabulary

# Polarity, DESIGN 9: what is unknown never shares, and never fails to forbid or to oblige.
GRANTS_READ = SURELY
NEVERS_READ = POSSIBLY
REQUIRES_READ = POSSIBLY

# What harms nobody when a gateway cannot tell whether its rules still count (DESIGN 9; FIRST TLP 2.0: no limit, and
# no limit within the community).
OPEN = frozenset({"CLEAR", "GREEN"})

# Above so many rules writing all digits out is faster than peeling one bit after the other (measured, 200 rules).
_MANY = 16

_NO_OBLIGATIONS: Obligations = MappingProxyType({})


@final
class Decider:
    """The rules folded over one directory at one moment. Immutable: a new release or boundary makes a new decider."""

    def __init__(
        self, *, ruleset: Ruleset, index: AgencyIndex, tables: PortionTables, duties: DutyTable,
        plans: tuple[PlannedRule, ...], force: Force, moment: datetime | None,
    ) -> None:  # fmt: skip
        self.ruleset = ruleset
        self.index = index
        self.force = force
        self.moment = moment
        self._tables = tables
        self._duties = duties
        self._plans = plans
        self._relations = tuple(index.vocabulary.relation.values())
        self._grants = self._mask("share", "always")
        self._always = self._mask("always")
        self._nevers = self._mask("never")
        self._requires = self._mask("require")

    def _mask(self, *effects: Effect) -> int:
        return sum(1 << place for place, plan in enumerate(self._plans) if plan.rule.effect in effects)

    @property
    def vocabulary(self) -> Vocabulary:
        """The words the rules were read with."""
        return self.index.vocabulary

    @property
    def agencies(self) -> Mapping[str, Attributes]:
        """The directory that is decided over."""
        return self.index.agencies

    @cached_property
    def valid_until(self) -> datetime | None:
        """When the next agreement may be judged differently; from then on ask `at` for a new decider."""
        if self.moment is None:
            return None
        used = {
            value
            for plan in self._plans if plan.dated
            for item in plan.rule.to for line in item if line.side == "agency"
            for value in line.values & self.ruleset.agreements.keys()
        }  # fmt: skip
        return next_change((self.ruleset.agreements[name] for name in used), self.moment)

    def at(self, moment: datetime) -> "Decider":
        """The same rules and directory at another moment; only rules that depend on a date are folded again."""
        require_aware(moment)
        force = force_at(self.ruleset.agreements, moment)
        plans = self._plans if force == self.force else plan_rules((), self.index, force, previous=self._plans)
        return Decider(
            ruleset=self.ruleset, index=self.index, tables=self._tables, duties=self._duties, plans=plans,
            force=force, moment=moment,
        )  # fmt: skip

    def decide(self, portion: Attributes, *, cut_off: bool = False) -> Decision:
        """Decide one portion for every agency of the directory.

        `cut_off`: nobody can say whether these rules still count, so share rules grant only what is surely CLEAR or
        GREEN; always rules grant as ever, and never rules forbid. The audience is never wider than without it.
        """
        granting = self._always if cut_off and portion.get("TLP") not in OPEN else self._grants
        speaking = self._tables.speaking(portion)
        memo: list[Reach | None] = [None] * (2 * len(self._relations))
        nevers = self._match(speaking[NEVERS_READ] & self._nevers, NEVERS_READ, portion, memo)
        grants = self._match(speaking[GRANTS_READ] & granting, GRANTS_READ, portion, memo)
        blocked = granted = 0
        for _, bits in nevers:
            blocked |= bits
        for _, bits in grants:
            granted |= bits
        requiring = speaking[REQUIRES_READ] & self._requires
        return Decision(
            index=self.index,
            duties=self._duties,
            granted=granted,
            blocked=blocked,
            grants=grants,
            nevers=nevers,
            requires=lambda: self._match(requiring, REQUIRES_READ, portion, memo),
        )

    def admits(self, portion: Attributes, agency: str, *, cut_off: bool = False) -> tuple[bool, Obligations]:
        """Whether one agency may have the portion, and its duties: the recipient's own re-check.

        An agency that is not in the directory is never admitted.
        """
        decision = self.decide(portion, cut_off=cut_off)
        return (True, decision.obligations(agency)) if decision.reaches(agency) else (False, _NO_OBLIGATIONS)

    def _match(self, mask: int, polarity: int, portion: Attributes, memo: list[Reach | None]) -> list[Matched]:
        """The rules of `mask` that reach anyone, each with the agencies it reaches under `polarity`."""
        matched: list[Matched] = []
        for plan in self._planned(mask):
            total, asking = plan.sides[polarity]
            for admitted, slots in asking:
                bits = admitted
                for slot in slots:
                    bits &= (memo[slot] or self._look_up(slot, portion, memo))[polarity]
                    if not bits:
                        break
                if bits:
                    total = total | bits if total else bits
            if total:
                matched.append((plan.rule, total))
        return matched

    def _planned(self, mask: int) -> Iterator[PlannedRule]:
        if mask.bit_count() > _MANY:
            return compress(self._plans, f"{mask:b}"[::-1].encode().translate(DIGITS))
        return self._peeled(mask)

    def _peeled(self, mask: int) -> Iterator[PlannedRule]:
        rest = mask
        while rest:
            lowest = rest & -rest
            yield self._plans[lowest.bit_length() - 1]
            rest ^= lowest

    def _look_up(self, slot: int, portion: Attributes, memo: list[Reach | None]) -> Reach:
        everyone = self.index.everyone
        sure, possible = self.index.related(self._relations[slot >> 1], portion)
        # NOT swaps what is sure with what is possible.
        memo[slot | 1] = (sure, possible)
        memo[slot & ~1] = (everyone ^ possible, everyone ^ sure)
        return memo[slot] or (0, everyone)


def compile_rules(
    ruleset: Ruleset,
    vocabulary: Vocabulary,
    agencies: Mapping[str, Attributes],
    *,
    at: datetime | None,
    seats: Collection[str] = (),
) -> Decider:
    """Fold rules over a directory at a moment (about 0.3 s for 200 rules and 18,000 agencies).

    Without a moment every dated agreement is unknown, which shares nothing by it. `seats` is for comparing what two
    directories decide (see `AgencyIndex`).

    Raises:
        PolicyError: if `at` has no time zone.
    """
    force = force_at(ruleset.agreements, at)
    index = AgencyIndex(vocabulary, agencies, seats=seats)
    return Decider(
        ruleset=ruleset,
        index=index,
        tables=PortionTables(ruleset.rules, vocabulary),
        duties=DutyTable(ruleset.rules, vocabulary),
        plans=plan_rules(ruleset.rules, index, force),
        force=force,
        moment=at,
    )
