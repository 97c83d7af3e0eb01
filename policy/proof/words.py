"""Which words matter: for two vocabularies side by side, the values of attributes and how keys are looked up."""

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from policy.errors import PolicyError
from policy.vocabulary import AGENCY_ID, Attributes, Obligation, Property, Relation, Vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A portion attribute that relations look up, with the indexes it is looked up in.

    Attributes:
        names: members that are told apart by name; for an `open` key with a closed list, that list.
        open: nothing but "shares a member with this index" and "has members" can ever be told of its members: free
            names, or a closed list long enough to give every index a member of its own.
        free: whether any word that is not blank means something.
        other: a member that means something and that no index has, beyond `names` where they are told apart; None if
            there can be none.
    """

    name: str
    indexes: tuple[str, ...]
    names: tuple[str, ...]
    open: bool
    free: bool
    other: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Everything that either vocabulary can speak of."""

    bulletin: Mapping[str, Property]
    agency: Mapping[str, Property]
    keys: Mapping[str, Key]
    indexes: tuple[str, ...]


def words_of(vocabularies: Sequence[Vocabulary], records: Sequence[tuple[str, Attributes]] | None = None) -> Words:
    """The words of one vocabulary, or of two that mean the same by the same name.

    With `records` only those agencies are possible, and what they list is told apart by name.

    Raises:
        PolicyError: if one name means two things, so that no portion can be read by both; or if any agency is possible
            and a relation looks ids up in a closed list, which no exchange has a use for.
    """
    _refuse_clashes(vocabularies)
    bulletin = _united(vocabularies, lambda vocabulary: vocabulary.bulletin)
    relations = [relation for vocabulary in vocabularies for relation in vocabulary.relation.values()]
    names = sorted({relation.key for relation in relations})
    keys = {name: _key(name, relations, vocabularies, bulletin, records) for name in names}
    return Words(
        bulletin=bulletin,
        agency=_united(vocabularies, lambda vocabulary: vocabulary.agency),
        keys=keys,
        indexes=tuple(sorted({relation.index for relation in relations} - {AGENCY_ID})),
    )


def _united(
    vocabularies: Iterable[Vocabulary], section: Callable[[Vocabulary], Mapping[str, Property]]
) -> dict[str, Property]:
    united: dict[str, Property] = {}
    for vocabulary in vocabularies:
        for name, known in section(vocabulary).items():
            values = (*(united[name].values if name in united else ()), *known.values)
            united[name] = Property(name=name, kind=known.kind, values=tuple(dict.fromkeys(values)), dated=known.dated)
    return united


def _key(
    name: str,
    relations: Sequence[Relation],
    vocabularies: Sequence[Vocabulary],
    bulletin: Mapping[str, Property],
    records: Sequence[tuple[str, Attributes]] | None,
) -> Key:
    indexes = tuple(sorted({relation.index for relation in relations if relation.key == name}))
    domains = {vocabulary.keys[name] for vocabulary in vocabularies if name in vocabulary.keys}
    finite = frozenset[str]().union(*(domain for domain in domains if domain is not None))
    free = domains == {None}
    if records is not None:
        listed = _listed(indexes, records) - {""}
        alike = not free and len(domains) == 1 and name not in bulletin
        told = listed if free else listed & finite if alike else finite
        other = _unlike(f"another {name}", told) if free else min(finite - told, default=None)
        return Key(name=name, indexes=indexes, names=tuple(sorted(told)), open=False, free=free, other=other)
    if free:
        return Key(name=name, indexes=indexes, names=(), open=True, free=True, other=f"another {name}")
    if AGENCY_ID in indexes:
        raise PolicyError("not-provable", f"'{name}' looks ids of agencies up in a closed list of words")
    names = tuple(sorted(finite))
    shared = any(relation.key != name and relation.index in indexes for relation in relations)
    roomy = len(domains) == 1 and len(names) > len(indexes) and not shared
    if roomy and name not in bulletin:
        return Key(name=name, indexes=indexes, names=names, open=True, free=False, other=names[len(indexes)])
    return Key(name=name, indexes=indexes, names=names, open=False, free=False, other=None)


def _unlike(word: str, names: Collection[str]) -> str:
    while word in names:
        word = f"yet {word}"
    return word


def _listed(indexes: Sequence[str], records: Sequence[tuple[str, Attributes]]) -> frozenset[str]:
    found: set[str] = set()
    for agency, record in records:
        for index in indexes:
            value = agency if index == AGENCY_ID else record.get(index, frozenset())
            found |= {value} if isinstance(value, str) else value
    return frozenset(found)


def _refuse_clashes(vocabularies: Sequence[Vocabulary]) -> None:
    meanings: dict[tuple[str, str], tuple[object, ...]] = {}
    for vocabulary in vocabularies:
        for (place, name), meaning in _meanings(vocabulary):
            if meanings.setdefault((place, name), meaning) != meaning:
                raise PolicyError(
                    "incomparable-vocabularies",
                    f"'{name}' is another kind of word than before, so no bulletin means the same by both vocabularies",
                )
    orders = [vocabulary.obligation for vocabulary in vocabularies]
    for name in set(orders[0]).intersection(*orders[1:]):
        for one, other in itertools.pairwise(orders):
            common_order(one[name], other[name])


def _meanings(vocabulary: Vocabulary) -> Iterable[tuple[tuple[str, str], tuple[object, ...]]]:
    for name, known in vocabulary.bulletin.items():
        yield ("portion", name), ("property", known.kind)
    for name, domain in vocabulary.keys.items():
        if name not in vocabulary.bulletin:
            yield ("portion", name), ("key", domain is None)
    for name, known in vocabulary.agency.items():
        yield ("agency", name), ("property", known.kind, known.dated)
    for name, domain in vocabulary.indexes.items():
        yield ("agency", name), ("index", domain is None)
    for name, relation in vocabulary.relation.items():
        yield ("relation", name), (relation.key, relation.index)
    for name, obligation in vocabulary.obligation.items():
        yield ("obligation", name), (obligation.kind, bool(obligation.values))


def common_order(one: Obligation, other: Obligation) -> tuple[str, ...]:
    """The ranks of a duty, weakest first, where one vocabulary has all ranks of the other in the same order.

    Raises:
        PolicyError: if the two orders do not fit into each other: nothing then says which of two duties is stricter.
    """
    longer, shorter = sorted((one.values, other.values), key=len, reverse=True)
    if one.kind != "union" and tuple(value for value in longer if value in shorter) != shorter:
        raise PolicyError(
            "incomparable-vocabularies", f"the values of the duty '{one.name}' have another order than before"
        )
    return longer
