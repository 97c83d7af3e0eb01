"""The one error of this room, and the help it gives to the person who mistyped a word."""

import difflib
from collections.abc import Collection

# Long vocabularies (3,144 counties) would bury the sentence that matters.
_LISTED_AT_MOST = 24


class PolicyError(Exception):
    """A vocabulary, rules or agencies text that is refused as a whole.

    Nothing is repaired or skipped: a file with one wrong line has no meaning at all.

    Attributes:
        code: kebab-case reason, stable for machines.
        message: one sentence for the officer who edits the file.
        source: name of the text, as given by the caller.
        line: line of the fault, counted from 1; None where no line applies.
        more: further faults of the same text, each by itself, in the order of the text.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        source: str = "",
        line: int | None = None,
        more: tuple["PolicyError", ...] = (),
    ) -> None:
        place = ":".join(part for part in (source, str(line) if line else "") if part)
        super().__init__(f"{place}: {message}" if place else message)
        self.code = code
        self.message = message
        self.source = source
        self.line = line
        self.more = more


def not_one_of(word: str, what: str, known: Collection[str], hint: str | None = None) -> str:
    """Say that `word` is not a `what`, what the words are, and which one was probably meant."""
    listed = list(known)
    shown = ", ".join(listed[:_LISTED_AT_MOST]) + (" …" if len(listed) > _LISTED_AT_MOST else "")
    meant = did_you_mean(word, listed) if hint is None else hint
    return f"'{word}' is not {what}; {f'use one of {shown}' if listed else 'there is none'}{meant}"


def did_you_mean(word: str, known: Collection[str]) -> str:
    """The end of a sentence that names the one of `known` that was probably meant, or nothing."""
    folded = {entry.casefold(): entry for entry in known}
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return f"; did you mean {folded[close[0]]}?" if close else ""
