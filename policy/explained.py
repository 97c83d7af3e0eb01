"""An explanation as a document for machines: the gateway's answer and that of the officers' desk are the same."""

from typing import TypeAlias

from policy.explain import Explanation

Json: TypeAlias = str | int | bool | list["Json"] | dict[str, "Json"] | None


def document(found: Explanation) -> dict[str, Json]:
    """The reasons by name, with the sentences that a person reads.

    `ways` say what would have to be otherwise for the portion to be shared, fewest changes first; `all_ways` is false
    where the rules were too many to look at every one.
    """
    return {
        "outcome": found.outcome,
        "granted_by": list(found.granted_by),
        "blocked_by": list(found.blocked_by),
        "others": [{"rule": one.rule, "count": one.count, "agencies": list(one.agencies)} for one in found.others],
        "ways": _ways(found),
        "all_ways": found.shareable is None or found.shareable.complete,
        "sentences": list(found.sentences()),
    }


def _ways(found: Explanation) -> list[Json]:
    return [
        {
            "rule": way.rule,
            "title": way.title,
            "changes": [
                {"side": one.side, "name": one.name, "kind": one.kind, "words": one.words} for one in way.changes
            ],
            "released": [{"rule": one.rule, "lines": list(one.lines)} for one in way.released],
            "sentences": list(way.sentences()),
        }
        for way in (found.shareable.ways if found.shareable is not None else ())
    ]
