"""What a gateway can see for itself of a release that one officer made alone: that it only forbids.

No solver: sound on the face of the rules. What is refused here may still be harmless, what is accepted narrows.
"""

from dataclasses import replace

from policy.errors import PolicyError
from policy.rules import Case, Item, Rule, Ruleset
from policy.truth import Line
from policy.vocabulary import Vocabulary


def only_adds_nevers(before: Ruleset, after: Ruleset) -> tuple[Rule, ...]:
    """The never rules that `after` adds to `before`, in the order of the text.

    Everything else is the same to the letter, wherever it stands in the text: rules, agreements and cases. The version
    may be another, and there may be more cases.

    Raises:
        PolicyError: `not-only-nevers`, naming what else differs.
    """
    if before.name != after.name:
        raise _refusal("the name of the rules file is another")
    if dict(before.agreements) != dict(after.agreements):
        raise _refusal("the dates of an agreement are others")
    old, new = _by_id(before), _by_id(after)
    for name, rule in old.items():
        if _lineless(new.get(name)) != _lineless(rule):
            raise _refusal(f"{name} is {'changed' if name in new else 'removed'}")
    cases = {case.name: _placeless(case) for case in after.cases}
    for case in before.cases:
        if cases.get(case.name) != _placeless(case):
            raise _refusal(f"the case '{case.name}' is {'changed' if case.name in cases else 'removed'}")
    added = tuple(rule for rule in after.rules if rule.id not in old)
    for rule in added:
        if rule.effect != "never":
            raise _refusal(f"{rule.id} is added and does not forbid")
    return added


def may_block_always(ruleset: Ruleset, vocabulary: Vocabulary, never: Rule) -> tuple[str, ...]:
    """Ids of the always rules of whose recipients `never` could block one, as far as their lines can tell; sorted.

    It misses none. It names one too many only where lines depend on each other in ways that no exchange uses (several
    relations with one key and one index, agreements whose dates never overlap).
    """
    return tuple(
        sorted(
            rule.id
            for rule in ruleset.rules
            if rule.effect == "always"
            and any(
                _together(vocabulary, (*rule.when, *item), (*never.when, *other))
                for item in rule.to
                for other in never.to
            )
        )
    )


def _together(vocabulary: Vocabulary, surely: Item, possibly: Item) -> bool:
    """Whether nothing speaks against one portion and agency for which all of `surely` hold, and `possibly` may hold."""
    return not any(_exclude(vocabulary, one, other) for one in surely for other in possibly)


def _exclude(vocabulary: Vocabulary, surely: Line, possibly: Line) -> bool:
    """Whether the first line, surely true, makes the second surely false.

    Only lines about the same thing can: what one does not state, the other takes for possible. A set that surely has
    one member may also have a word that nobody knows, so it excludes nothing.
    """
    if surely.side != possibly.side or surely.name != possibly.name:
        return False
    if surely.side != "relation":
        known = (vocabulary.bulletin if surely.side == "portion" else vocabulary.agency)[surely.name]
        return known.kind != "set of" and surely.values.isdisjoint(possibly.values)
    return surely.values.isdisjoint(possibly.values)


def _by_id(ruleset: Ruleset) -> dict[str, Rule]:
    return {rule.id: rule for rule in ruleset.rules}


def _lineless(rule: Rule | None) -> Rule | None:
    """The rule wherever it stands in the text."""
    return None if rule is None else replace(rule, line=0)


def _placeless(case: Case) -> Case:
    return replace(case, line=0)


def _refusal(what: str) -> PolicyError:
    return PolicyError("not-only-nevers", f"more than never rules is added: {what}")
