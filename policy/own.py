"""An agency's own rules: never and require rules for what that agency itself sends, on top of the exchange's.

They only narrow. A portion reaches whom the exchange's rules let it reach, less whom an own never rule possibly matches
(but nobody whom an always rule means to reach), under the join of both duties. There is no way to write anything else.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import TypeAlias, final

from policy.agreements import Agreement, force_at
from policy.compile import PortionTables, plan_rules
from policy.decide import Decider
from policy.decision import Decision
from policy.duties import DutyTable
from policy.index import AgencyIndex
from policy.narrowing import may_block_always
from policy.obligations import Obligations
from policy.rules import OWN_PREFIX, Item, Rule, Ruleset
from policy.truth import Force, Line
from policy.vocabulary import Attributes, Property, Vocabulary

_NO_OBLIGATIONS: Obligations = MappingProxyType({})


@final
class Narrowed:
    """The exchange's rules and one agency's own, for deciding what that agency sends. Immutable like a `Decider`."""

    def __init__(self, exchange: Decider, own: Decider) -> None:
        self.exchange = exchange
        self.own = own
        self._duties = DutyTable((*exchange.ruleset.rules, *own.ruleset.rules), exchange.vocabulary)

    @cached_property
    def ruleset(self) -> Ruleset:
        """The rules of both, for whoever explains a decision; the cases are the agency's own."""
        ours = self.exchange.ruleset
        return replace(ours, rules=(*ours.rules, *self.own.ruleset.rules), cases=self.own.ruleset.cases)

    @property
    def index(self) -> AgencyIndex:
        return self.exchange.index

    @property
    def vocabulary(self) -> Vocabulary:
        return self.exchange.vocabulary

    @property
    def agencies(self) -> Mapping[str, Attributes]:
        return self.exchange.agencies

    @property
    def force(self) -> Force:
        return self.own.force

    @property
    def moment(self) -> datetime | None:
        return self.own.moment

    def at(self, moment: datetime) -> "Narrowed":
        """The same at another moment."""
        return Narrowed(self.exchange.at(moment), self.own.at(moment))

    def decide(self, portion: Attributes, *, cut_off: bool = False) -> Decision:
        """Decide one portion of this agency's; `cut_off` is that of `Decider.decide`."""
        shared = self.exchange.decide(portion, cut_off=cut_off)
        return shared.narrowed(self.own.decide(portion), self._duties)


AnyDecider: TypeAlias = Decider | Narrowed


def narrow(exchange: Decider, own: Ruleset, *, at: datetime | None) -> Narrowed:
    """Fold an agency's own rules over the directory of a decider, whose vocabulary they must be written in (`carried`).

    Some milliseconds for few rules, whatever the size of the exchange's: nothing of theirs is folded again.
    """
    force = force_at(own.agreements, at)
    return Narrowed(
        exchange,
        Decider(
            ruleset=own,
            index=exchange.index,
            tables=PortionTables(own.rules, exchange.vocabulary),
            duties=DutyTable(own.rules, exchange.vocabulary),
            plans=plan_rules(own.rules, exchange.index, force),
            force=force,
            moment=at,
        ),
    )


def blocks_always(exchange: Ruleset, vocabulary: Vocabulary, own: Ruleset) -> Mapping[str, tuple[str, ...]]:
    """Own never rules that may meet a recipient of an always rule, each with those rules; sound, not complete."""
    found = {
        rule.id: may_block_always(exchange, vocabulary, rule) for rule in own.rules if rule.effect == "never"
    }  # fmt: skip
    return MappingProxyType({name: always for name, always in found.items() if always})


def closed(name: str, because: str) -> Ruleset:
    """Own rules for an agency whose own rules cannot be had: nothing goes out but what always rules deliver."""
    never = Rule(
        id=f"{OWN_PREFIX}{name}",
        name=f"{OWN_PREFIX}{name} {because}",
        effect="never",
        when=(),
        to=((),),
        obligations=_NO_OBLIGATIONS,
        yields_to=(),
        because=because,
        line=1,
    )
    return Ruleset(name=never.name, version=1, rules=(never,), agreements=MappingProxyType({}), cases=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """Own rules in the words of another release than they were signed under.

    Attributes:
        ruleset: forbids and obliges wherever what was signed does.
        adapted: ids of the rules that it now reads more widely than they are written.
    """

    ruleset: Ruleset
    adapted: tuple[str, ...]


def carried(own: Ruleset, before: Vocabulary, after: Vocabulary, agreements: Mapping[str, Agreement]) -> Carried:
    """Read own rules, signed under `before`, under another vocabulary, without asking their author.

    A word that the author could not know is unknown to these rules, and what is unknown forbids and obliges: a line
    admits new values beside its own, and a line that means nothing any more holds for everybody. A duty that nobody
    can be given any more is not dropped either: its rule then forbids. Only a new signature takes that back. A relation
    stays what it was as long as it is the same relation: it is about facts of the directory, not about words.
    """
    rules = tuple(_carried(rule, before, after) for rule in own.rules)
    adapted = tuple(old.id for old, new in zip(own.rules, rules, strict=True) if _says(old) != _says(new))
    return Carried(
        ruleset=replace(own, rules=rules, agreements=MappingProxyType(dict(agreements))),
        adapted=tuple(sorted(adapted)),
    )


def _says(rule: Rule) -> tuple[object, ...]:
    return rule.effect, rule.when, rule.to, dict(rule.obligations)


def _carried(rule: Rule, before: Vocabulary, after: Vocabulary) -> Rule:
    lasting = all(before.obligation[name] == after.obligation.get(name) for name in rule.obligations)
    return replace(
        rule,
        when=_item(rule.when, before, after),
        to=tuple(_item(item, before, after) for item in rule.to),
        effect=rule.effect if lasting else "never",
        obligations=rule.obligations if lasting else _NO_OBLIGATIONS,
    )


def _item(item: Item, before: Vocabulary, after: Vocabulary) -> Item:
    return tuple(_lines(item, before, after))


def _lines(item: Item, before: Vocabulary, after: Vocabulary) -> Iterator[Line]:
    for line in item:
        values = _admitted(line, before, after)
        if values is not None:
            yield line if values == line.values else replace(line, values=values)


def _admitted(line: Line, before: Vocabulary, after: Vocabulary) -> frozenset[str] | None:
    """What the line admits now; None where it cannot be told any more."""
    match line.side:
        case "portion":
            return _values(line, before.bulletin[line.name], after.bulletin.get(line.name))
        case "agency":
            return _values(line, before.agency[line.name], after.agency.get(line.name))
        case "relation":
            return line.values if before.relation[line.name] == after.relation.get(line.name) else None


def _values(line: Line, before: Property, after: Property | None) -> frozenset[str] | None:
    if after is None or after.kind != before.kind or after.dated != before.dated:
        return None
    if not line.values <= frozenset(after.values):
        return None
    return line.values | (frozenset(after.values) - frozenset(before.values))
