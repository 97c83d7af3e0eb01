"""The one error of this room: an input that will not be taken, with a code, a place and a reason."""

from __future__ import annotations


class Refusal(ValueError):  # noqa: N818 - the domain's word; a refusal is an answer, not a fault of the program
    """An input was refused at the border.

    `code` is stable and kebab-case, `pointer` is an RFC 6901 JSON pointer into what was submitted ("" is the whole
    document). `detail` is written for the person who submitted it and never repeats a value of the document: it may
    be logged and answered (DESIGN 5).
    """

    def __init__(self, code: str, pointer: str = "", detail: str = "") -> None:
        super().__init__(f"{code} at `{pointer}`: {detail}")
        self.code = code
        self.pointer = pointer
        self.detail = detail

    def below(self, pointer: str) -> Refusal:
        """Return the same refusal, its place being inside `pointer`."""
        return Refusal(self.code, pointer + self.pointer, self.detail)


def pointer_token(name: str) -> str:
    """Escape one reference token (RFC 6901 section 3)."""
    return name.replace("~", "~0").replace("/", "~1")
