"""Reads the cases of a rules file, and the attributes that cases and agency records are written with."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from policy.agreements import parse_start
from policy.hints import for_id, for_value
from policy.obligations import Obligations, parse_obligations
from policy.reading import Reading
from policy.rules import Case, Rule
from policy.strict_yaml import Fields, Items, Node, Text
from policy.vocabulary import Attributes, Property, Value, Vocabulary, is_agency_id

_REQUIRED = ("test", "bulletin")
_OPTIONAL = ("at", "reaches exactly", "reaches nobody because of", "with", "tearline reaches", "withheld from")
# What people write where a list of agencies belongs; as ids they would quietly wait for such a member for ever.
_NOT_AN_AGENCY = ("nobody", "none", "no-one", "everyone", "everybody", "all", "anyone")
_WHOSE_DUTIES = "'with' of a case says whose duties: {springfield-pd: {onward: own agency}}"
_BY_WHICH_RULES = "'withheld from' of a case says by which never rules: {peoria-pd: [R10]}"
VERSION = "version"
TEARLINE = "tearline"


def parse_cases(read: Reading, node: Node, vocabulary: Vocabulary, rules: Sequence[Rule]) -> tuple[Case, ...]:
    """Read `tests:`; names must be unique so that a failure points at one case.

    Raises:
        PolicyError: on anything that is not exactly a case.
    """
    nevers = sorted(rule.id for rule in rules if rule.effect == "never")
    cases: dict[str, Case] = {}
    for item in read.items(node, "'tests'").items:
        with read.apart():
            case = _case(read, item, vocabulary, nevers)
            if case.name in cases:
                read.refuse("duplicate-case", f"two cases are named '{case.name}'", case.line)
            cases[case.name] = case
    return tuple(cases.values())


def _case(read: Reading, node: Node, vocabulary: Vocabulary, nevers: Collection[str]) -> Case:
    parts = read.known(node, "a case", required=_REQUIRED, optional=_OPTIONAL)
    name = read.text(parts["test"], "'test'")
    if ("reaches exactly" in parts) == ("reaches nobody because of" in parts):
        read.refuse(
            "case-expectation", "a case says either 'reaches exactly' or 'reaches nobody because of'", name.line
        )
    portion = parse_attributes(
        read, parts["bulletin"], vocabulary.bulletin, vocabulary.keys, what="a property of a bulletin"
    )
    tearline = parts.get("tearline reaches")
    version = vocabulary.bulletin.get(VERSION)
    if tearline is not None and (version is None or TEARLINE not in version.values):
        read.refuse("no-tearline", "the vocabulary has no 'version: tearline'", tearline.line)
    because = parts.get("reaches nobody because of")
    return Case(
        name=name.text,
        line=name.line,
        portion=portion,
        at=parse_start(read, read.text(parts["at"], "'at'")) if "at" in parts else None,
        reaches=_agencies(read, parts.get("reaches exactly"), "'reaches exactly'"),
        nobody_because=None if because is None else _nevers(read, because, nevers),
        obligations=_expected(read, parts["with"], vocabulary) if "with" in parts else {},
        tearline_reaches=_agencies(read, tearline, "'tearline reaches'"),
        withheld_from=_withheld(read, parts["withheld from"], nevers) if "withheld from" in parts else None,
    )


def _agencies(read: Reading, node: Node | None, what: str) -> frozenset[str] | None:
    """Agencies named by a case; the empty list is 'nobody', the one place where it has a meaning."""
    if node is None:
        return None
    texts = read.texts(node, what, empty=True)
    for text in texts:
        if text.text in _NOT_AN_AGENCY:
            read.refuse(
                "agency-id", f"'{text.text}' is not an agency id; a case lists agencies, [] is nobody", text.line
            )
    return frozenset(_agency(read, text) for text in texts)


def _agency(read: Reading, text: Text) -> str:
    if not is_agency_id(text.text):
        read.refuse("agency-id", f"'{text.text}' is not an agency id (lower-case words and hyphens)", text.line)
    return text.text


def _nevers(read: Reading, node: Node, nevers: Collection[str]) -> frozenset[str]:
    texts = read.texts(node, "the list of never rules")
    return frozenset(
        read.one_of(text, "the id of a never rule", nevers, code="unknown-rule", hint=partial(for_id, known=nevers))
        for text in texts
    )


def _expected(read: Reading, node: Node, vocabulary: Vocabulary) -> Mapping[str, Obligations]:
    expected: dict[str, Obligations] = {}
    for key, value in _by_agency(read, node, _WHOSE_DUTIES):
        if not isinstance(value, Fields):
            read.refuse("not-a-mapping", _WHOSE_DUTIES, value.line)
        expected[_agency(read, key)] = parse_obligations(read, value, vocabulary)
    return MappingProxyType(expected)


def _withheld(read: Reading, node: Node, nevers: Collection[str]) -> Mapping[str, frozenset[str]]:
    entries = _by_agency(read, node, _BY_WHICH_RULES)
    return MappingProxyType({_agency(read, key): _nevers(read, value, nevers) for key, value in entries})


def _by_agency(read: Reading, node: Node, wanted: str) -> list[tuple[Text, Node]]:
    if not isinstance(node, Fields):
        read.refuse("not-a-mapping", wanted, node.line)
    return list(read.fields(node, "a list by agency").entries.values())


def parse_attributes(
    read: Reading,
    node: Node,
    properties: Mapping[str, Property],
    lookups: Mapping[str, frozenset[str] | None],
    *,
    what: str,
) -> Attributes:
    """Read attributes as they are written by hand: a word outside the vocabulary is a slip here, not an unknown.

    An attribute that is left out is unknown; `[]` on a set is known to be empty.
    """
    known = (*properties, *(name for name in lookups if name not in properties))
    attributes: dict[str, Value] = {}
    for key, value in read.fields(node, "a record").entries.values():
        read.one_of(key, what, known, code="unknown-property")
        single = key.text in properties and properties[key.text].kind != "set of"
        values = properties[key.text].values if key.text in properties else lookups[key.text]
        texts = (read.text(value, f"'{key.text}'"),) if single else read.texts(value, f"'{key.text}'", empty=True)
        typed = properties.get(key.text)
        meant = partial(for_value, known=typed, in_list=isinstance(value, Items)) if typed is not None else None
        for text in texts if values is not None else ():
            read.one_of(text, f"a value of {key.text}", values or (), hint=meant)
        if isinstance(value, Text) and (key.text not in properties or single):
            attributes[key.text] = value.text
        else:
            attributes[key.text] = frozenset(text.text for text in texts)
    return MappingProxyType(attributes)
