"""How names and values of the vocabulary stand in a sentence: in its order, and quoted where they could mislead.

A word that a sentence itself is built with (`or`, `with`, a comma …) never stands bare for a value, so that a sentence
has one reading whatever words a vocabulary brings.
"""

import re
from collections.abc import Collection, Iterable, Sequence

from policy.vocabulary import Property

_PLAIN = re.compile(r"[\w+&/.'#-]+( [\w+&/.'#-]+)*")
# Words by which a sentence of `policy.say` goes on after a name or a value: within one they would mislead.
_GOES_ON = frozenset({
    "about", "allowed", "and", "approved", "at", "because", "classed", "for", "from", "in", "includes", "is", "issued",
    "known", "marked", "named", "not", "or", "resting", "sent", "stripped", "that", "under", "which", "whose", "with",
    "without",
})  # fmt: skip
# Words that may begin what follows: a name or value that begins so would be taken for it.
_BEGINS = frozenset({"a", "agency", "any", "anyone", "each", "it", "nothing", "only", "to"})


def word(text: str) -> str:
    """A name or value, in typographic quotes unless nobody could take it for a part of the sentence."""
    words = text.split(" ")
    plain = _PLAIN.fullmatch(text) and _GOES_ON.isdisjoint(words) and words[0] not in _BEGINS
    return text if plain else quoted(text)


def quoted(text: str) -> str:
    """Foreign text between typographic quotes; a closing quote within it is doubled."""
    return "“" + text.replace("”", "””") + "”"


def either(words: Sequence[str]) -> str:
    """`A`, `A or B`, `A, B or C`."""
    return _joined(words, "or")


def both(words: Sequence[str]) -> str:
    """`A`, `A and B`, `A, B and C`."""
    return _joined(words, "and")


def _joined(words: Sequence[str], last: str) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def in_order(values: Iterable[str], known: Sequence[str]) -> tuple[str, ...]:
    """Values in the order of the vocabulary, whatever the order they were written in."""
    places = {value: place for place, value in enumerate(known)}
    return tuple(sorted(values, key=lambda value: (places.get(value, len(places)), value)))


def values_in_words(known: Property, values: Collection[str]) -> str:
    """What a line admits: `at most AMBER`, `CA, IL or WA`; the same for the same values, however they were written."""
    ordered = in_order(values, known.values)
    if known.kind == "ordered" and 1 < len(ordered) < len(known.values):
        if ordered == known.values[: len(ordered)]:
            return f"at most {word(ordered[-1])}"
        if ordered == known.values[-len(ordered) :]:
            return f"at least {word(ordered[0])}"
    return either([word(value) for value in ordered])
