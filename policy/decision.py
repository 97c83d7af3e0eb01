"""The outcome of one portion over the whole directory; everything costly is worked out when first asked for."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import final

from policy.duties import DutyTable, Found, Matched, classes, divide
from policy.errors import PolicyError
from policy.index import AgencyIndex, Members
from policy.obligations import Obligations, ObligationValue, join_obligations
from policy.vocabulary import Obligation


@final
class Decision:
    """Audience, duties and reasons of one portion. Sets of agencies stay big integers until somebody reads them."""

    def __init__(
        self, *, index: AgencyIndex, duties: DutyTable, granted: int, blocked: int, grants: Sequence[Matched],
        nevers: Sequence[Matched], requires: Callable[[], Sequence[Matched]],
    ) -> None:  # fmt: skip
        self._index = index
        self._duties = duties
        self._withheld = granted & blocked
        # Granted and not blocked; `& ~` of Python's integers takes ten times as long.
        self._audience = granted ^ self._withheld
        self._grants = grants
        self._nevers = nevers
        self._find_requires = requires

    @cached_property
    def audience(self) -> tuple[str, ...]:
        """The agencies that get the portion, sorted."""
        return self._index.expand(self._audience)

    @property
    def recipients(self) -> int:
        """The audience as a set over the seats of the index, for comparing it with another decision's."""
        return self._audience

    @property
    def size(self) -> int:
        """How many agencies get the portion, without listing them."""
        return self._audience.bit_count()

    def reaches(self, agency: str) -> bool:
        """Whether one agency gets the portion."""
        return self._has(self._audience, agency)

    def granted_by(self, agency: str) -> tuple[str, ...]:
        """Share and always rules that surely match, blocked or not; sorted."""
        return tuple(sorted(rule.id for rule, bits in self._grants if self._has(bits, agency)))

    def shared_by(self, rule: str) -> tuple[str, ...]:
        """The recipients whom one share or always rule shares with, sorted."""
        return self._index.expand(self._audience & next((bits for one, bits in self._grants if one.id == rule), 0))

    def blocked_by(self, agency: str) -> tuple[str, ...]:
        """Never rules that possibly match; sorted."""
        return tuple(sorted(rule.id for rule, bits in self._nevers if self._has(bits, agency)))

    def obligations(self, agency: str) -> Obligations:
        """The duties of one recipient: the join over every matching share, always and require rule.

        Raises:
            PolicyError: if the agency does not get the portion.
        """
        if not self.reaches(agency):
            raise PolicyError("not-in-audience", f"`{agency}` does not get this portion")
        matching = (rule.obligations for rule, bits in self.obliging if self._has(bits, agency))
        return join_obligations(self._index.vocabulary, *matching)

    @cached_property
    def withheld(self) -> Mapping[str, tuple[str, ...]]:
        """Agencies that some rule would share with, each with the never rules that forbid it."""
        return self._blockers(self._withheld)

    @cached_property
    def blocked_always(self) -> Mapping[str, tuple[str, ...]]:
        """The part of `withheld` that an always rule meant to reach: somebody must phone them."""
        return self._blockers(self._withheld & self._meant)

    @property
    def _meant(self) -> int:
        meant = 0
        for rule, bits in self._grants:
            if rule.effect == "always":
                meant |= bits
        return meant

    def narrowed(self, own: "Decision", duties: DutyTable) -> "Decision":
        """This decision with the never and require rules of the portion's originator added; see `policy.own`.

        Args:
            own: what the originator's own rules alone say of the portion, over the same index.
            duties: the table of both rule sets.
        """
        meant = self._meant
        nevers: list[Matched] = []
        blocked = self._withheld
        for rule, bits in own._nevers:  # noqa: SLF001 - of the same class
            # Whoever an always rule means to reach is not the originator's to leave out.
            if rest := bits ^ (bits & meant):
                nevers.append((rule, rest))
                blocked |= rest
        return Decision(
            index=self._index,
            duties=duties,
            granted=self._audience | self._withheld,
            blocked=blocked,
            grants=self._grants,
            nevers=(*self._nevers, *nevers),
            requires=lambda: (*self._find_requires(), *own.obliging),
        )

    def _blockers(self, bits: int) -> Mapping[str, tuple[str, ...]]:
        blockers: dict[str, list[str]] = {agency: [] for agency in self._index.expand(bits)}
        for rule, reached in sorted(self._nevers, key=lambda matched: matched[0].id):
            for agency in self._index.expand(reached & bits):
                blockers[agency].append(rule.id)
        return MappingProxyType({agency: tuple(rules) for agency, rules in blockers.items()})

    @cached_property
    def touched(self) -> frozenset[str]:
        """Ids of all rules that had a say about anyone."""
        return frozenset(rule.id for rule, _ in (*self.obliging, *self._nevers))

    def groups(self) -> list[tuple[Obligations, Members]]:
        """The audience divided by equal duties, ordered by first member; every recipient is in exactly one group."""
        if not self._audience:
            return []
        divided = divide(self._audience, self._reached, self._index.vocabulary)
        return [(duties, Members(self._index, bits)) for duties, bits in divided]

    @cached_property
    def obliging(self) -> tuple[Matched, ...]:
        """The rules whose duties bind somebody in the directory, each with whom it reaches, recipient or not."""
        return (*self._grants, *self._find_requires())

    def classes(self, obligation: Obligation) -> list[tuple[ObligationValue, int]]:
        """Per value of one duty, strictest first, the recipients that have it; words of a union are apart.

        A recipient is in one class, or for a union in one for each of its words; who is in none has no such duty.
        """
        return classes(obligation, self._reached.get(obligation.name, []))

    @cached_property
    def _reached(self) -> Mapping[str, Found]:
        return self._duties.reached(self._audience, self.obliging)

    def _has(self, bits: int, agency: str) -> bool:
        place = self._index.position.get(agency)
        return place is not None and bool(bits >> place & 1)
