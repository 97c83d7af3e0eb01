"""Reads agency records; a half-filled record is allowed, a mistyped one is not."""

from collections.abc import Mapping
from types import MappingProxyType

from policy.errors import PolicyError, not_one_of
from policy.parse_cases import parse_attributes
from policy.reading import Reading
from policy.truth import known_members
from policy.vocabulary import Attributes, Vocabulary, is_agency_id


def parse_agencies(text: str, vocabulary: Vocabulary, *, source: str) -> Mapping[str, Attributes]:
    """Read a directory of agencies and their attributes.

    Raises:
        PolicyError: on an unknown attribute or value, one fault of each agency; what is left out stays unknown.
    """
    read = Reading(source)
    agencies: dict[str, Attributes] = {}
    for key, value in read.document(text).entries.values():
        with read.apart():
            if not is_agency_id(key.text):
                read.refuse("agency-id", f"'{key.text}' is not an agency id (lower-case words and hyphens)", key.line)
            agencies[key.text] = parse_attributes(
                read, value, vocabulary.agency, vocabulary.indexes, what="a property of an agency"
            )
    read.settle()
    return MappingProxyType(agencies)


def check_agency(agency: str, attributes: Attributes, vocabulary: Vocabulary) -> None:
    """Refuse a record that the vocabulary does not fully understand: for those who sign a directory.

    Deciding never needs this: an unknown attribute is ignored and an unknown value is unknown, both of which close.

    Raises:
        PolicyError: naming the agency, the attribute and the value.
    """
    if not is_agency_id(agency):
        raise PolicyError("agency-id", f"'{agency}' is not an agency id (lower-case words and hyphens)")
    known = (*vocabulary.agency, *vocabulary.indexes)
    for name, value in attributes.items():
        if name not in known:
            raise PolicyError("unknown-property", f"{agency}: " + not_one_of(name, "a property of an agency", known))
        typed = vocabulary.agency.get(name)
        domain = frozenset(typed.values) if typed is not None else vocabulary.indexes[name]
        if typed is not None and typed.kind != "set of" and not isinstance(value, str):
            raise PolicyError("unknown-value", f"{agency}: {name} has one value, not a set")
        meant, complete = known_members(value, domain)
        if not complete:
            odd = min((frozenset((value,)) if isinstance(value, str) else value) - meant)
            listed = typed.values if typed is not None else sorted(domain or ())
            raise PolicyError("unknown-value", f"{agency}: " + not_one_of(odd, f"a value of {name}", listed))
