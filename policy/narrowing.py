"""What a gateway can say of a narrowing change by itself, without a solver: which rules it adds, and whom they may meet.

Sound, not complete: what these functions let through only narrows and blocks no `always` rule; they may refuse what a
proof would let through.
"""

from itertools import product

from policy.errors import PolicyError
from policy.rules import Item, Rule, Ruleset
from policy.truth import Line
from policy.vocabulary import Vocabulary


def only_adds_nevers(before: Ruleset, after: Ruleset) -> tuple[Rule, ...]:
    """Return the never rules that `after` adds to `before`, in order of their ids.

    Cases may be added, removed or changed: they decide nothing. Everything else must mean literally the same.

    Raises:
        PolicyError: `not-only-nevers`, also when nothing is added.
    """
    known = {rule.id: rule for rule in before.rules}
    kept = {rule.id: rule for rule in after.rules if rule.id in known}
    added = tuple(sorted((rule for rule in after.rules if rule.id not in known), key=lambda rule: rule.id))
    for identity, rule in known.items():
        if identity not in kept or _meaning(kept[identity]) != _meaning(rule):
            raise PolicyError("not-only-nevers", f"rule {identity} is changed or gone")
    if dict(before.agreements) != dict(after.agreements):
        raise PolicyError("not-only-nevers", "an agreement is changed")
    for rule in added:
        if rule.effect != "never":
            raise PolicyError("not-only-nevers", f"rule {rule.id} is a {rule.effect} rule", line=rule.line)
    if not added:
        raise PolicyError("not-only-nevers", "no rule is added")
    return added


def may_block_always(ruleset: Ruleset, vocabulary: Vocabulary, never: Rule) -> tuple[str, ...]:
    """Return the ids of the always rules one of whose recipients `never` could hold back; sorted.

    An always rule matches surely, a never rule possibly; both are conjunctions of lines. They can meet unless some line
    of the one rules out a line of the other. Relations count as independent of everything but themselves, so this may
    name a rule that the never rule cannot really block, and never misses one.
    """
    return tuple(
        sorted(
            rule.id
            for rule in ruleset.rules
            if rule.effect == "always" and not _disjoint(vocabulary, rule.when, never.when)
            and any(not _disjoint(vocabulary, mine, theirs) for mine, theirs in product(rule.to, never.to))
        )
    )  # fmt: skip


def _meaning(rule: Rule) -> tuple[object, ...]:
    return (rule.effect, rule.when, rule.to, dict(rule.obligations), rule.yields_to, rule.because, rule.name)


def _disjoint(vocabulary: Vocabulary, surely: Item, possibly: Item) -> bool:
    """Whether no portion and no agency satisfies every line of `surely` surely and every line of `possibly` possibly."""
    return any(
        _excludes(vocabulary, mine, theirs)
        for mine, theirs in product(surely, possibly)
        if mine.side == theirs.side and mine.name == theirs.name
    )


def _excludes(vocabulary: Vocabulary, mine: Line, theirs: Line) -> bool:
    """Whether `mine` being sure makes `theirs` surely false: its one value is known and is none of the others."""
    if mine.side == "relation":
        return mine.values.isdisjoint(theirs.values)
    known = vocabulary.bulletin[mine.name] if mine.side == "portion" else vocabulary.agency[mine.name]
    return known.kind != "set of" and mine.values.isdisjoint(theirs.values)
