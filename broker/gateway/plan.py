"""From a bulletin and the rules in force to who gets which portion, under what obligations, by which rule. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from broker.model import (
    ACKNOWLEDGE_WITHIN,
    Bulletin,
    Portion,
    Precedence,
    parse_portion_document,
    portion_attributes,
    portion_document,
)
from broker.seal import Addressee, Reference, Terms
from broker.trust import Directory
from policy import Attributes, Obligations, Vocabulary
from policy.own import AnyDecider

ACKNOWLEDGE = "acknowledge within"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """A portion that some rule would have shared with an agency and a never rule held back."""

    agency: str
    portion: str
    rules: tuple[str, ...]
    always: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the rules say about one bulletin. ``addressees`` never holds the originator.

    ``seen`` is what they saw of each portion, in the order of the portions.
    """

    addressees: tuple[Addressee, ...]
    documents: tuple[bytes, ...]
    seen: tuple[Attributes, ...]
    granted_by: dict[str, tuple[str, ...]]
    withheld: tuple[Withheld, ...]
    precedence: Precedence
    warnings: tuple[str, ...]

    def due(self, addressee: Addressee, bulletin: Bulletin) -> datetime:
        """When a person of that agency must have acknowledged: the earlier of rule (or goal) and ``due``."""
        limits = (obligations.get(ACKNOWLEDGE) for obligations in addressee.terms.obligations.values())
        seconds = [limit for limit in limits if isinstance(limit, int)]
        goal = bulletin.created + (timedelta(seconds=min(seconds)) if seconds else ACKNOWLEDGE_WITHIN[self.precedence])
        return min(goal, bulletin.due) if bulletin.due else goal


def plan(
    bulletin: Bulletin,
    *,
    decider: AnyDecider,
    directory: Directory,
    vocabulary: Vocabulary,
    requester: str | None,
    references: tuple[Reference, ...],
    cut_off: bool = False,
) -> Plan:
    """Decides every portion of a bulletin and gathers the outcome per recipient.

    A decision that leaves somebody out is a value, not an error: ``addressees`` may be empty. ``cut_off`` is that of
    ``Decider.decide``.
    """
    documents = tuple(portion_document(bulletin, portion) for portion in bulletin.portions)
    obligations: dict[str, dict[int, Obligations]] = {}
    rules: dict[str, set[str]] = {}
    withheld: list[Withheld] = []
    seen: list[Attributes] = []
    for number, (portion, document) in enumerate(zip(bulletin.portions, documents, strict=True), start=1):
        attributes = attributes_of(
            document,
            agency=bulletin.agency,
            named=frozenset(named.agency for named in bulletin.named),
            approved=frozenset(bulletin.approved),
            directory=directory,
            vocabulary=vocabulary,
            requester=requester,
        )
        seen.append(attributes)
        decision = decider.decide(attributes, cut_off=cut_off)
        for duties, agencies in decision.groups():
            for agency in agencies:
                if agency != bulletin.agency:
                    obligations.setdefault(agency, {})[number] = duties
                    rules.setdefault(agency, set()).update(decision.granted_by(agency))
        always = decision.blocked_always
        withheld += [
            Withheld(agency=agency, portion=portion.id, rules=blocking, always=agency in always)
            for agency, blocking in decision.withheld.items()
            if agency != bulletin.agency
        ]
    addressees = _addressees(bulletin, obligations, references)
    return Plan(
        addressees=addressees,
        documents=documents,
        seen=tuple(seen),
        granted_by={agency: tuple(sorted(names)) for agency, names in rules.items()},
        withheld=tuple(withheld),
        precedence=_highest(bulletin.precedence, addressees),
        warnings=_warnings(bulletin, addressees, withheld),
    )


def _addressees(
    bulletin: Bulletin, obligations: dict[str, dict[int, Obligations]], references: tuple[Reference, ...]
) -> tuple[Addressee, ...]:
    """Whoever has obligations has a portion. All who get the same share one value of `Terms`.

    Sealing does its work once for each value, however many the recipients are.
    """
    persons: dict[str, list[str]] = {}
    for named in bulletin.named:
        persons.setdefault(named.agency, []).append(named.person)
    shared: dict[tuple[object, ...], Terms] = {}
    found = []
    for agency, parts in sorted(obligations.items()):
        named_here, approved = tuple(persons.get(agency, ())), agency in bulletin.approved
        same = (*((number, id(duties)) for number, duties in parts.items()), named_here, approved)
        terms = shared.setdefault(same, Terms(obligations=parts, named=named_here, approved=approved, note=""))
        found.append(Addressee(agency=agency, parts=tuple(sorted(parts)), terms=terms, references=references))
    return tuple(found)


def attributes_of(
    document: bytes,
    *,
    agency: str,
    named: frozenset[str],
    approved: frozenset[str],
    directory: Directory,
    vocabulary: Vocabulary,
    requester: str | None,
) -> Attributes:
    """What the rules see of one portion: read back from the very bytes that will travel."""
    return portion_attributes(
        parse_portion_document(document),
        origin=directory.agencies.get(agency, {}),
        named=named,
        approved=approved,
        requester=requester,
        vocabulary=vocabulary,
    )


def _highest(submitted: Precedence, addressees: tuple[Addressee, ...]) -> Precedence:
    asked = [
        Precedence(str(obligations["precedence"]))
        for addressee in addressees
        for obligations in addressee.terms.obligations.values()
        if "precedence" in obligations
    ]
    return max([submitted, *asked])


def _warnings(bulletin: Bulletin, addressees: tuple[Addressee, ...], withheld: list[Withheld]) -> tuple[str, ...]:
    # The author should hear at once that somebody who would have been warned was not, and what would help.
    found = [
        f"an `always` rule granted {item.agency} portion {item.portion}, "
        f"but {', '.join(item.rules)} holds it back: phone them"
        for item in withheld
        if item.always
    ]
    reached = {addressee.agency for addressee in addressees}
    missed = {item.agency for item in withheld if item.agency not in reached}
    if missed and not any(_is_tearline(portion) for portion in bulletin.portions):
        found.append(f"the full text is held back from {len(missed)} agencies and no tearline was written for them")
    return tuple(found)


def _is_tearline(portion: Portion) -> bool:
    return portion.version == "tearline"
