"""Typed reads from a strict YAML tree, so that every parser of this room refuses in the same words."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import NoReturn

from policy.errors import PolicyError, not_one_of
from policy.strict_yaml import Fields, Items, Node, Text, load

# Who has made more mistakes than this wants to mend these first.
_FAULTS_AT_MOST = 50


class Reading:
    """One text being parsed: knows its source for every error, and collects the faults of parts that stand apart."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._faults: list[PolicyError] = []

    @contextmanager
    def apart(self) -> Iterator[None]:
        """A part of the text that is refused by itself: the rest is still looked at, until `settle`."""
        try:
            yield
        except PolicyError as fault:
            self._faults.append(fault)
            if len(self._faults) >= _FAULTS_AT_MOST:
                self.settle()

    def settle(self) -> None:
        """Refuse the text for all faults so far.

        Raises:
            PolicyError: the first one in the text, with the others as `more`.
        """
        if self._faults:
            first, *others = sorted(self._faults, key=lambda fault: fault.line or 0)
            first.more = tuple(others)
            raise first

    def document(self, text: str) -> Fields:
        return self.fields(load(text, source=self.source), "the file")

    def refuse(self, code: str, message: str, line: int | None) -> NoReturn:
        raise PolicyError(code, message, source=self.source, line=line)

    def fields(self, node: Node, what: str) -> Fields:
        """A mapping with at least one entry."""
        if not isinstance(node, Fields):
            but = " without '-'" if isinstance(node, Items) else ""
            self.refuse("not-a-mapping", f"{what} must be written as 'name: value' lines{but}", node.line)
        if not node.entries:
            self.refuse("empty", f"{what} is empty: write a line or remove it", node.line)
        return node

    def known(self, node: Node, what: str, *, required: Collection[str], optional: Collection[str]) -> dict[str, Node]:
        """A mapping with all `required` keys and none beyond `required` and `optional`."""
        fields = self.fields(node, what)
        allowed = [*required, *optional]
        for key, _ in fields.entries.values():
            if key.text not in allowed:
                self.refuse("unknown-key", not_one_of(key.text, f"a part of {what}", allowed), key.line)
        for name in required:
            if name not in fields.entries:
                self.refuse(f"missing-{name.replace(' ', '-')}", f"{what} has no '{name}:'", fields.line)
        return {name: value for name, (_, value) in fields.entries.items()}

    def text(self, node: Node, what: str) -> Text:
        if not isinstance(node, Text):
            written = "a list" if isinstance(node, Items) else "lines"
            self.refuse("not-text", f"{what} must be a single value, not {written}", node.line)
        return node

    def items(self, node: Node, what: str) -> Items:
        """A list with at least one item."""
        if not isinstance(node, Items):
            self.refuse("not-a-list", f"{what} must be a list, each item after '- '", node.line)
        if not node.items:
            self.refuse("empty", f"{what} is an empty list, which means nothing here", node.line)
        return node

    def texts(self, node: Node, what: str, *, empty: bool = False) -> tuple[Text, ...]:
        """One value or a list of distinct values; `empty` admits the empty list where it has a meaning."""
        if isinstance(node, Text):
            return (node,)
        if isinstance(node, Items) and not node.items and empty:
            return ()
        texts = tuple(self.text(item, f"each value of {what}") for item in self.items(node, what).items)
        seen: set[str] = set()
        for text in texts:
            if text.text in seen:
                self.refuse("duplicate-value", f"'{text.text}' is written twice in {what}", text.line)
            seen.add(text.text)
        return texts

    def one_of(
        self,
        text: Text,
        what: str,
        known: Collection[str],
        *,
        code: str = "unknown-value",
        hint: Callable[[str], str] | None = None,
    ) -> str:
        """A word out of `known`; `hint` in place of the nearest word, where more is known of what people write."""
        if text.text not in known:
            self.refuse(code, not_one_of(text.text, what, known, hint(text.text) if hint else None), text.line)
        return text.text
