"""Reads the conditions of a rule: `when:` about the bulletin, `to:` about the agency."""

from functools import partial

from policy.hints import for_answer, for_condition, for_value
from policy.reading import Reading
from policy.rules import Item
from policy.strict_yaml import Items, Node, Text
from policy.truth import Line, Side
from policy.vocabulary import Property, Vocabulary

# Every item is two sets of agencies in memory; a rule with more kinds of recipients wants to be two rules.
MAX_ITEMS = 64
_ANYTHING = "anything"
_EVERYONE = "everyone"
_ANSWERS = ("yes", "no")


def parse_when(read: Reading, node: Node, vocabulary: Vocabulary) -> Item:
    """Read the lines about the bulletin; the empty item is `anything`.

    Raises:
        PolicyError: on a line that is not about a bulletin, or a value outside the vocabulary.
    """
    if isinstance(node, Text):
        if node.text != _ANYTHING:
            read.refuse("not-a-condition", for_condition(node.text, _ANYTHING, "lines such as 'TLP: RED'"), node.line)
        return ()
    lines: list[Line] = []
    for key, value in read.fields(node, "'when'").entries.values():
        if key.text not in vocabulary.bulletin and key.text in vocabulary.agency_attributes | set(vocabulary.relation):
            read.refuse("wrong-side", f"'{key.text}' is about the agency: move it to 'to:'", key.line)
        read.one_of(key, "a property of a bulletin", tuple(vocabulary.bulletin), code="unknown-property")
        lines.append(_line(read, key, value, "portion", vocabulary.bulletin[key.text]))
    return tuple(lines)


def parse_to(read: Reading, node: Node, vocabulary: Vocabulary) -> tuple[Item, ...]:
    """Read the kinds of recipients; the one empty item is `everyone`.

    Raises:
        PolicyError: on a line that is not about an agency, or a value outside the vocabulary.
    """
    if isinstance(node, Text):
        if node.text != _EVERYONE:
            example = "a list of lines such as '- kind: city police'"
            read.refuse("not-a-condition", for_condition(node.text, _EVERYONE, example), node.line)
        return ((),)
    if not isinstance(node, Items):
        read.refuse("not-a-list", "'to' must be a list of recipients, each starting with '- ', or everyone", node.line)
    items = read.items(node, "'to'").items
    if len(items) > MAX_ITEMS:
        read.refuse("too-many-items", f"more than {MAX_ITEMS} items in one 'to'", node.line)
    return tuple(_item(read, item, vocabulary) for item in items)


def _item(read: Reading, node: Node, vocabulary: Vocabulary) -> Item:
    lines: list[Line] = []
    known = (*vocabulary.agency, *vocabulary.relation)
    if isinstance(node, Text):
        said = (
            "write 'to: everyone', not a list"
            if node.text == _EVERYONE
            else ("say what the agency is like, such as 'kind: city police'; no rule names an agency by its id")
        )
        read.refuse("not-a-mapping", f"'{node.text}' cannot stand alone in 'to': {said}", node.line)
    for key, value in read.fields(node, "an item of 'to'").entries.values():
        if key.text not in known and key.text in vocabulary.bulletin:
            read.refuse("wrong-side", f"'{key.text}' is about the bulletin: move it to 'when:'", key.line)
        read.one_of(key, "a property or relation of an agency", known, code="unknown-property")
        if key.text in vocabulary.agency:
            lines.append(_line(read, key, value, "agency", vocabulary.agency[key.text]))
            continue
        answer = read.text(value, f"'{key.text}'")
        read.one_of(answer, f"an answer to '{key.text}'", _ANSWERS, hint=_meant_answer)
        lines.append(_make(key, "relation", frozenset((answer.text,)), answer.text))
    return tuple(lines)


def _meant_answer(text: str) -> str:
    return for_answer(text, _ANSWERS)


def _make(key: Text, side: Side, values: frozenset[str], written: str) -> Line:
    return Line(side=side, name=key.text, values=values, text=f"{key.text}: {written}", line=key.line)


def _line(read: Reading, key: Text, node: Node, side: Side, known: Property) -> Line:
    if isinstance(node, Text):
        for prefix in ("at most ", "at least "):
            if node.text.startswith(prefix):
                return _make(key, side, _bound(read, node, prefix, known), node.text)
    texts = read.texts(node, f"'{key.text}'")
    meant = partial(for_value, known=known, in_list=isinstance(node, Items))
    values = [read.one_of(text, f"a value of {known.name}", known.values, hint=meant) for text in texts]
    return _make(key, side, frozenset(values), " or ".join(values))


def _bound(read: Reading, node: Text, prefix: str, known: Property) -> frozenset[str]:
    if known.kind != "ordered":
        read.refuse(
            "not-ordered",
            f"'{known.name}' has no order: '{prefix.strip()}' means nothing here; list the values",
            node.line,
        )
    bound = Text(node.text.removeprefix(prefix).strip(), node.line)
    place = known.values.index(read.one_of(bound, f"a value of {known.name}", known.values))
    return frozenset(known.values[: place + 1] if prefix == "at most " else known.values[place:])
