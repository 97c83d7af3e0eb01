"""The other way round: what would have to be otherwise for an agency to get a portion, rule by rule.

For each share and always rule the fewest changes of the portion, the agency's record and the agreements after which it
surely matches and no never rule possibly does. A change is named only where somebody may legitimately make it: it is
said what *would* be needed, never that a bulletin should be called what it is not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, final

from policy.needed import WEIGHT, Change, agency_change, agreement_change, bulletin_change
from policy.own import AnyDecider
from policy.rules import Item, Rule
from policy.supposing import Choices, Ground, Supposed
from policy.truth import Line, Truth
from policy.vocabulary import Attributes
from policy.wording import both

# More changes than this describe another bulletin, or another agency.
MAX_CHANGES = 4
# Ways of one rule that need equally few changes; more of them tell an officer nothing.
_WAYS_OF_A_RULE = 4
# Bounds the search on hostile or enormous rules: a quarter of a second. What was not looked at is said.
_MAX_STEPS = 1000

# What an originator judges, and what a directory records. Left out is what nobody chooses: whose bulletin it is and
# where it comes from, what it rests on and which law that puts it under, and what kind of agency somebody is.
CHOICES = Choices(
    bulletin=frozenset({
        "version", "TLP", "caveats", "dissemination", "product", "category", "purpose", "named", "approved",
        "requester",
    }),
    agency=frozenset({"status", "28 CFR 23 agreement", "agreement", "serves", "protects", "purposes"}),
    only={"version": frozenset({"tearline"})},
    subject=frozenset({"product", "category", "purpose"}),
    facts=frozenset({"JUVENILE", "US-PERSON", "SOURCE"}),
)  # fmt: skip

_Changed: TypeAlias = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A never rule that forbids the portion now, and the lines by which it would no longer match."""

    rule: str
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to share by a rule: what would have to be otherwise, and which never rules then give way.

    With the portion and the record in `supposed`, and the agreements in it in force, the decision is to share.
    """

    rule: str
    title: str
    changes: tuple[Change, ...]
    released: tuple[Released, ...]
    supposed: Supposed

    def sentences(self) -> list[str]:
        """The way in plain sentences."""
        said = [f"To share it by {self.rule} ({self.title}): {both([change.words for change in self.changes])}."]
        for one in self.released:
            lines = both([f"'{line}'" for line in one.lines])
            said.append(f"{one.rule} ({one.title}) would then no longer forbid it: {lines} would not hold.")
        return said


@dataclass(frozen=True, slots=True, kw_only=True)
class Shareable:
    """The ways, fewest changes first; `complete` is whether every rule was looked at to the end.

    `out_of_reach` are rules without a way: for other bulletins or agencies, or too much would have to be otherwise.
    """

    ways: tuple[Way, ...]
    out_of_reach: tuple[str, ...]
    complete: bool


def shareable(decider: AnyDecider, portion: Attributes, agency: str, *, choices: Choices = CHOICES) -> Shareable:
    """What would make a portion shareable with an agency of the directory that does not get it."""
    start = Supposed(portion=portion, record=decider.agencies[agency])
    ground = Ground(decider, agency=agency, start=start, choices=choices)
    nevers = [rule for rule in decider.ruleset.rules if rule.effect == "never"]
    forbidding = [rule for rule in nevers if ground.rule_truth(rule, start) is not Truth.NO]
    # What is forbidden for its subject is not made shareable by calling it something else.
    named = frozenset(line.name for rule in forbidding for line in rule.when) & choices.subject
    if named:
        ground = Ground(decider, agency=agency, start=start, choices=choices.without(named, decider.vocabulary))
    search = _Search(ground, decider, nevers=nevers, forbidding=forbidding)
    ways: list[Way] = []
    closed: list[str] = []
    for rule in sorted(decider.ruleset.rules, key=lambda rule: rule.id):
        if rule.effect in {"share", "always"}:
            found = search.ways(rule)
            ways += found
            closed += [] if found else [rule.id]
    return Shareable(ways=tuple(sorted(ways, key=_order)), out_of_reach=tuple(closed), complete=search.complete)


def _order(way: Way) -> tuple[int, int, str, list[str]]:
    weight = sum(WEIGHT[change.kind] for change in way.changes)
    return len(way.changes), weight, way.rule, [change.words for change in way.changes]


@final
class _Search:
    """Looks for the fewest changes by trying one, then two …: what stands in the way first is changed first."""

    def __init__(self, ground: Ground, decider: AnyDecider, *, nevers: list[Rule], forbidding: list[Rule]) -> None:
        self._ground = ground
        self._decider = decider
        self._nevers = nevers
        self._forbidding = forbidding
        self._left = _MAX_STEPS

    @property
    def complete(self) -> bool:
        """Whether nothing was left out for want of steps."""
        return self._left > 0

    def ways(self, rule: Rule) -> list[Way]:
        """The ways of one rule that need the fewest changes, each changing other attributes."""
        for limit in range(1, MAX_CHANGES + 1):
            found: dict[_Changed, tuple[Item, Supposed]] = {}
            for item in rule.to:
                lines = (*rule.when, *item)
                reached: dict[_Changed, Supposed] = {}
                self._explore(lines, self._ground.start, limit, reached, seen=set())
                for changed, supposed in reached.items():
                    found.setdefault(changed, (lines, supposed))
            if found:
                ways = [self._way(rule, lines, changed, supposed) for changed, (lines, supposed) in found.items()]
                return sorted(ways, key=_order)[:_WAYS_OF_A_RULE]
        return []

    def _explore(
        self, lines: Item, supposed: Supposed, limit: int, found: dict[_Changed, Supposed], *, seen: set[object]
    ) -> None:
        changed = self._ground.changed(supposed)
        key = (frozenset(supposed.portion.items()), frozenset(supposed.record.items()), supposed.forced)
        if len(changed) > limit or key in seen or self._left <= 0:
            return
        seen.add(key)
        self._left -= 1
        steps = self._steps(lines, supposed)
        if steps is None:
            found.setdefault(changed, supposed)
            return
        for further in steps:
            self._explore(lines, further, limit, found, seen=seen)

    def _steps(self, lines: Item, supposed: Supposed) -> Iterator[Supposed] | None:
        """The ways past what stands in the way first, or None when nothing does."""
        for line in lines:
            if self._ground.truth(line, supposed) is not Truth.YES:
                return self._ground.steps(line, Truth.YES, supposed)
        for rule in self._nevers:
            if self._ground.rule_truth(rule, supposed) is not Truth.NO:
                return self._past(rule, supposed)
        return None

    def _past(self, rule: Rule, supposed: Supposed) -> Iterator[Supposed]:
        """A never rule gives way when one line about the bulletin surely fails, or one of each item."""
        for line in rule.when:
            yield from self._ground.steps(line, Truth.NO, supposed)
        for item in rule.to:
            if all(self._ground.truth(line, supposed) is not Truth.NO for line in item):
                for line in item:
                    yield from self._ground.steps(line, Truth.NO, supposed)
                return

    def _way(self, rule: Rule, lines: Item, changed: _Changed, supposed: Supposed) -> Way:
        return Way(
            rule=rule.id,
            title=rule.title,
            changes=tuple(self._change(lines, side, name, supposed) for side, name in sorted(changed)),
            released=tuple(
                Released(rule=never.id, title=never.title, lines=self._failing(never, supposed))
                for never in self._forbidding
            ),
            supposed=supposed,
        )

    def _change(self, lines: Item, side: str, name: str, supposed: Supposed) -> Change:
        if side == "agreement":
            return agreement_change(self._decider, name)
        vocabulary = self._ground.vocabulary
        known = (vocabulary.bulletin if side == "bulletin" else vocabulary.agency).get(name)
        values = known.values if known is not None and known.kind != "set of" else ()
        admitted = [
            value
            for value in values
            if self._ground.possible(side, name, value)
            and self._steps(lines, supposed.having(side, name, value)) is None
        ]
        told = bulletin_change if side == "bulletin" else agency_change
        return told(self._ground, supposed, name, admitted)

    def _failing(self, never: Rule, supposed: Supposed) -> tuple[str, ...]:
        """The lines by which a never rule no longer matches, and did before."""
        when = [line.text for line in never.when if self._gives_way(line, supposed)]
        if when:
            return tuple(when)
        return tuple(line.text for item in never.to for line in item if self._gives_way(line, supposed))

    def _gives_way(self, line: Line, supposed: Supposed) -> bool:
        before = self._ground.truth(line, self._ground.start)
        return before is not Truth.NO and self._ground.truth(line, supposed) is Truth.NO
