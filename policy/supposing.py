"""A portion, a record and the agreements as they are supposed to be: one step further at a time, and what it costs.

Used by `policy.shareable` alone: every step makes one line of a rule surely hold, or surely not hold, by changing one
attribute that somebody may change. What is not stated may always be stated.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain

from policy.own import AnyDecider
from policy.rules import Rule
from policy.truth import Line, Truth, known_members, line_truth, members
from policy.vocabulary import AGENCY_ID, Attributes, Property, Relation, Value, Vocabulary

# A name that no vocabulary lists, for attributes whose values are free: only that both sides state the same matters.
SAME_NAME = "(the same)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What somebody may legitimately have otherwise although it is stated; None is everything.

    `bulletin` is for the originator to judge, `agency` for the directory to record. `only` limits what an attribute can
    become: a bulletin can get a tearline, a tearline is never completed. `subject` is what a bulletin is about: a rule
    that shares may be about another subject, but no subject is ever supposed only to get past a rule that forbids.
    `facts` are markings that say what is in the text, and that nobody takes off while it is.
    """

    bulletin: frozenset[str] | None
    agency: frozenset[str] | None
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)
    subject: frozenset[str] = frozenset()
    facts: frozenset[str] = frozenset()

    def without(self, names: frozenset[str], vocabulary: Vocabulary) -> "Choices":
        """The same, with these attributes of the bulletin as they are."""
        open_now = vocabulary.portion_attributes if self.bulletin is None else self.bulletin
        return replace(self, bulletin=open_now - names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Supposed:
    """What is supposed of one portion and one agency; agreements in `forced` are supposed to be in force."""

    portion: Attributes
    record: Attributes
    forced: frozenset[str] = frozenset()

    def having(self, side: str, name: str, value: Value) -> "Supposed":
        """The same with one attribute otherwise."""
        if side == "bulletin":
            return replace(self, portion={**self.portion, name: value})
        return replace(self, record={**self.record, name: value})


class Ground:
    """What is fixed while something is supposed: the words, the agency, the dates, and who may change what."""

    def __init__(self, decider: AnyDecider, *, agency: str, start: Supposed, choices: Choices) -> None:
        self.vocabulary = decider.vocabulary
        self.agency = agency
        self.start = start
        self.choices = choices
        self._force = decider.force
        # Without a moment no agreement is ever known to be in force, whatever its dates.
        self._timed = decider.moment is not None

    def truth(self, line: Line, supposed: Supposed) -> Truth:
        force = {**self._force, **dict.fromkeys(supposed.forced, Truth.YES)} if supposed.forced else self._force
        return line_truth(
            self.vocabulary, line, supposed.portion, agency=self.agency, record=supposed.record, force=force
        )

    def rule_truth(self, rule: Rule, supposed: Supposed) -> Truth:
        when = min((self.truth(line, supposed) for line in rule.when), default=Truth.YES)
        if when is Truth.NO:
            return when
        items = (min((self.truth(line, supposed) for line in item), default=Truth.YES) for item in rule.to)
        return min(when, max(items))

    def changed(self, supposed: Supposed) -> frozenset[tuple[str, str]]:
        """The attributes and agreements that are otherwise than they are: how many is what it costs."""
        sides = (("bulletin", self.start.portion, supposed.portion), ("agency", self.start.record, supposed.record))
        return frozenset(
            chain(
                ((side, name) for side, was, now in sides for name in now if now[name] != was.get(name)),
                (("agreement", name) for name in supposed.forced),
            )
        )

    # --- one step

    def steps(self, line: Line, wanted: Truth, supposed: Supposed) -> Iterator[Supposed]:
        """Every way to make one line surely `wanted` (or come nearer to it) by one more change.

        Only lines of never rules are wanted not to hold; no subject is changed for that.
        """
        for further in self._steps(line, wanted, supposed):
            if wanted is Truth.YES or not self._other_subject(supposed, further):
                yield further

    def _steps(self, line: Line, wanted: Truth, supposed: Supposed) -> Iterator[Supposed]:
        match line.side:
            case "portion":
                known = self.vocabulary.bulletin[line.name]
                for value in self._values(known, "bulletin", line.values, wanted, supposed.portion):
                    yield supposed.having("bulletin", line.name, value)
            case "agency":
                known = self.vocabulary.agency[line.name]
                yield from self._agreements(known, line, wanted, supposed)
                for value in self._values(known, "agency", line.values, wanted, supposed.record):
                    yield supposed.having("agency", line.name, value)
            case "relation":
                relation = self.vocabulary.relation[line.name]
                yes = (wanted is Truth.YES) is ("yes" in line.values)
                yield from self._meeting(relation, supposed) if yes else self._parting(relation, supposed)

    def _other_subject(self, supposed: Supposed, further: Supposed) -> bool:
        return any(
            further.portion.get(name) != supposed.portion.get(name)
            for name in self.choices.subject
            if self.was("bulletin", name) is not None
        )

    def _agreements(self, known: Property, line: Line, wanted: Truth, supposed: Supposed) -> Iterator[Supposed]:
        held = members(supposed.record.get(line.name, frozenset()))
        if known.dated and self._timed and wanted is Truth.YES:
            for name in sorted(held & line.values - supposed.forced):
                yield replace(supposed, forced=supposed.forced | {name})

    def _values(
        self, known: Property, side: str, listed: frozenset[str], wanted: Truth, now: Attributes
    ) -> Iterator[Value]:
        if not self._open(side, known.name, frozenset(known.values)):
            return
        value = now.get(known.name)
        if known.kind == "set of":
            domain = frozenset(known.values)
            yield from self._sets(side, known.name, value, domain=domain, listed=listed, wanted=wanted)
            return
        if value != self.was(side, known.name):
            return  # one value was chosen already
        for candidate in known.values:
            if (candidate in listed) is (wanted is Truth.YES) and self.possible(side, known.name, candidate):
                yield candidate

    def _sets(
        self,
        side: str,
        name: str,
        value: Value | None,
        *,
        domain: frozenset[str] | None,
        listed: frozenset[str],
        wanted: Truth,
    ) -> Iterator[Value]:
        """Add one of the listed values, or take all of them away with whatever nobody knows."""
        held = members(value) if value is not None else frozenset[str]()
        before = self.was(side, name)
        original = members(before) if before is not None else frozenset[str]()
        if wanted is Truth.YES:
            # What was taken away is not put back: every step goes one way.
            yield from (held | {one} for one in sorted(listed - held - original))
            return
        known = held if domain is None else held & domain
        left = known - listed
        lost = held - left
        fact = side == "bulletin" and not lost.isdisjoint(self.choices.facts)
        if (lost or value is None) and lost <= original and not fact:
            yield left

    def _meeting(self, relation: Relation, supposed: Supposed) -> Iterator[Supposed]:
        """The bulletin names something of the agency's, or the agency lists something of the bulletin's."""
        domain = self.vocabulary.keys[relation.key]
        named = known_members(supposed.portion.get(relation.key, frozenset()), domain)[0]
        listed = self._listed(relation, supposed, domain)[0]
        made_up = frozenset((min(domain) if domain else SAME_NAME,))
        for value in self._keys(relation.key, listed or (frozenset() if named else made_up), Truth.YES, supposed):
            yield supposed.having("bulletin", relation.key, value)
        if relation.index != AGENCY_ID and self._open("agency", relation.index, domain):
            listing = supposed.record.get(relation.index)
            for found in self._sets("agency", relation.index, listing, domain=domain, listed=named, wanted=Truth.YES):
                yield supposed.having("agency", relation.index, found)

    def _parting(self, relation: Relation, supposed: Supposed) -> Iterator[Supposed]:
        """The bulletin names nothing of the agency's and nothing unknown, or the agency lists nothing of it."""
        domain = self.vocabulary.keys[relation.key]
        named, named_known = known_members(supposed.portion.get(relation.key, frozenset()), domain)
        listed, listed_known = self._listed(relation, supposed, domain)
        shared = listed if listed_known else members(supposed.portion.get(relation.key, frozenset()))
        for value in self._keys(relation.key, shared, Truth.NO, supposed):
            yield supposed.having("bulletin", relation.key, value)
        stated = relation.key in supposed.portion and named_known
        if stated and relation.index != AGENCY_ID and self._open("agency", relation.index, domain):
            listing = supposed.record.get(relation.index)
            for found in self._sets("agency", relation.index, listing, domain=domain, listed=named, wanted=Truth.NO):
                yield supposed.having("agency", relation.index, found)

    def _keys(self, key: str, listed: frozenset[str], wanted: Truth, supposed: Supposed) -> Iterator[Value]:
        """Values of a portion's attribute that relations look up, which may be a property as well."""
        typed = self.vocabulary.bulletin.get(key)
        if typed is not None and typed.kind != "set of":
            yield from self._values(typed, "bulletin", listed, wanted, supposed.portion)
        elif self._open("bulletin", key, self.vocabulary.keys[key]):
            value, domain = supposed.portion.get(key), self.vocabulary.keys[key]
            yield from self._sets("bulletin", key, value, domain=domain, listed=listed, wanted=wanted)

    def _listed(
        self, relation: Relation, supposed: Supposed, domain: frozenset[str] | None
    ) -> tuple[frozenset[str], bool]:
        if relation.index == AGENCY_ID:
            return frozenset((self.agency,)), True
        listed = supposed.record.get(relation.index)
        return (frozenset(), False) if listed is None else known_members(listed, domain)

    # --- who may change what

    def was(self, side: str, name: str) -> Value | None:
        """What the bulletin or the agency's record states now."""
        return (self.start.portion if side == "bulletin" else self.start.record).get(name)

    def _open(self, side: str, name: str, domain: frozenset[str] | None) -> bool:
        was = self.was(side, name)
        if was is None or not known_members(was, domain)[1]:
            return True
        may = self.choices.bulletin if side == "bulletin" else self.choices.agency
        return may is None or name in may

    def possible(self, side: str, name: str, value: str) -> bool:
        """Whether an attribute may become this value."""
        limited = side == "bulletin" and name in self.choices.only and self.was(side, name) is not None
        return not limited or value in self.choices.only[name]
