"""Where it matters and how far it can be believed: the bulletin-level blocks that travel with every portion."""

from __future__ import annotations

import re
from typing import Final

from broker.model.geometry import MAX_SHAPE, check_circle, check_polygon
from broker.model.members import Members
from broker.model.refusal import Refusal
from broker.model.strictjson import JsonValue
from broker.model.values import Area, Grading
from policy.vocabulary import Vocabulary

_COUNTY: Final = re.compile(r"[0-9]{5}", re.ASCII)  # INCITS 31
_SOURCE_GRADES: Final = frozenset("ABCDEF")
_INFORMATION_GRADES: Final = range(1, 7)


def read_area(members: Members, vocabulary: Vocabulary | None) -> Area | None:
    area = members.object("area")
    if area is None:
        return None
    counties = [_county(value, place, vocabulary) for value, place in area.items("counties")]
    if len(set(counties)) != len(counties):
        raise Refusal("duplicate-value", area.at("counties"), "a county stands twice")
    polygon, circle = area.optional_line("polygon", limit=MAX_SHAPE), area.optional_line("circle")
    area.done()
    read = Area(
        counties=tuple(counties),
        polygon=None if polygon is None else check_polygon(polygon, area.at("polygon")),
        circle=None if circle is None else check_circle(circle, area.at("circle")),
    )
    return read if read.counties or read.polygon or read.circle else None


def _county(value: JsonValue, pointer: str, vocabulary: Vocabulary | None) -> str:
    """Return the INCITS 31 code; a code without a name in the vocabulary is kept, it is a real place."""
    if isinstance(value, str):
        if vocabulary is not None and value in vocabulary.area:
            return vocabulary.area[value]
        if _COUNTY.fullmatch(value):
            return value
    raise Refusal("not-in-vocabulary", pointer, "a county is a code of INCITS 31 or a name of the vocabulary")


def read_grading(members: Members) -> Grading | None:
    grading = members.object("grading")
    if grading is None:
        return None
    source = grading.word("source", _SOURCE_GRADES)
    information = grading.need("information")
    grading.done()
    if isinstance(information, bool) or not isinstance(information, int) or information not in _INFORMATION_GRADES:
        raise Refusal("not-in-vocabulary", grading.at("information"), "the credibility is a number from 1 to 6")
    return Grading(source=source, information=information)
