"""What may be shown of a recorded portion: its marking and its values of the vocabulary; nothing that names anybody.

Whatever a submitter could write freely (a protected person, a word that the vocabulary does not know) is left out.
"""

from collections.abc import Mapping

from policy.truth import members
from policy.vocabulary import Attributes, Vocabulary

#: The attributes that are a portion's marking, as far as the vocabulary has them.
MARKING = ("TLP", "dissemination", "caveats")

_STRICTEST = 1000


def marking_of(vocabulary: Vocabulary, attributes: Attributes) -> str:
    """The marking in one line: `AMBER, LES, ORCON`; what is not stated or not known is said to be so."""
    parts: list[str] = []
    for name in MARKING:
        if name not in vocabulary.bulletin:
            continue
        words = _words(vocabulary, name, attributes)
        if words is None:
            parts.append(f"{name} not stated")
        elif words:
            parts.append(words)
    return ", ".join(parts)


def strictness(vocabulary: Vocabulary, marking: str) -> int:
    """The place of a marking among markings, by its TLP; what is not known stands behind RED, as it is treated."""
    tlp = vocabulary.bulletin.get(MARKING[0])
    first = marking.partition(", ")[0]
    return tlp.values.index(first) if tlp is not None and first in tlp.values else _STRICTEST


def shown_attributes(vocabulary: Vocabulary, attributes: Attributes) -> Mapping[str, str]:
    """The values of the vocabulary, each in words, without the marking; in the order of the vocabulary."""
    shown: dict[str, str] = {}
    for name in vocabulary.bulletin:
        words = None if name in MARKING else _words(vocabulary, name, attributes)
        if words:
            shown[name] = words
    return shown


def _words(vocabulary: Vocabulary, name: str, attributes: Attributes) -> str | None:
    value = attributes.get(name)
    if value is None:
        return None
    held = members(value)
    known = [word for word in vocabulary.bulletin[name].values if word in held]
    return ", ".join([*known, f"unknown {name}"] if len(known) < len(held) else known)
