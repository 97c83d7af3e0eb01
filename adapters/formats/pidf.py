"""PIDF-LO (RFC 4119, 5139, 5491): where a call comes from, as XML inside JSON; parsed with the hardened reader."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from adapters.errors import DocumentRefusedError
from adapters.formats import xml

PIDF: Final = "urn:ietf:params:xml:ns:pidf"
CIVIC: Final = "urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr"
GML: Final = "http://www.opengis.net/gml"

#: The parts of a civic address that say which building it is; the rest (floors, names of callers …) is not compared.
CIVIC_PARTS: Final = ("country", "A1", "A2", "A3", "PRD", "RD", "STS", "POD", "HNO", "HNS", "UNIT", "PC")
_EARTH_METRES: Final = 6_371_008.8
_SPELLINGS: Final = {
    "avenue": "ave",
    "av": "ave",
    "street": "st",
    "road": "rd",
    "drive": "dr",
    "boulevard": "blvd",
    "lane": "ln",
    "court": "ct",
    "place": "pl",
    "terrace": "ter",
    "parkway": "pkwy",
    "highway": "hwy",
    "circle": "cir",
    "square": "sq",
    "north": "n",
    "south": "s",
    "east": "e",
    "west": "w",
    "northeast": "ne",
    "northwest": "nw",
    "southeast": "se",
    "southwest": "sw",
}


@dataclass(frozen=True, slots=True)
class Point:
    latitude: float
    longitude: float

    def metres_to(self, other: Point) -> float:
        """Great-circle distance; good to 0.5 %, a protected site is configured with more margin than that."""
        latitude, other_latitude = math.radians(self.latitude), math.radians(other.latitude)
        half = math.sin((other_latitude - latitude) / 2) ** 2
        turn = math.sin(math.radians(other.longitude - self.longitude) / 2) ** 2
        return (
            2
            * _EARTH_METRES
            * math.asin(math.sqrt(min(1.0, half + math.cos(latitude) * math.cos(other_latitude) * turn)))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What one location document says; either part may be missing."""

    civic: Mapping[str, str] = field(default_factory=dict)
    points: tuple[Point, ...] = ()

    @property
    def address(self) -> str:
        street = " ".join(self.civic[part] for part in ("HNO", "HNS", "PRD", "RD", "STS", "POD") if part in self.civic)
        return ", ".join(text for text in (street, *(self.civic.get(part, "") for part in ("A3", "A1"))) if text)


def street_of(civic: Mapping[str, str]) -> str:
    """House number and street in one spelling: `100 West Example Avenue` and `100 W Example Ave` are the same house."""
    words = " ".join(civic.get(part, "") for part in ("HNO", "HNS", "PRD", "RD", "STS", "POD"))
    plain = "".join(letter if letter.isalnum() else " " for letter in words.casefold())
    return " ".join(_SPELLINGS.get(word, word) for word in plain.split())


def read(raw: bytes) -> tuple[Place, xml.Element]:
    """Read a location document; also returns the tree, to be written again without comments and instructions.

    Raises:
        DocumentRefusedError: what `xml.parse` refuses, and `pidf-position` for a position that is not on earth.
    """
    root = xml.parse(raw)
    civic: dict[str, str] = {}
    points: list[Point] = []
    for element in root.walk():
        if element.namespace == CIVIC and element.local in CIVIC_PARTS and element.text:
            # The first wins, as with RFC 5491 §3: the most precise location stands first.
            civic.setdefault(element.local, element.text[:200])
        elif element.namespace == GML and element.local == "pos":
            points.append(_point(element.text))
    return Place(civic=civic, points=tuple(points)), root


def write(place: Place, entity: str) -> str:
    """Write a minimal location document for `entity`."""
    inner: list[xml.Element] = []
    if place.civic:
        parts = tuple(
            xml.Element(f"{{{CIVIC}}}{name}", place.civic[name]) for name in CIVIC_PARTS if name in place.civic
        )
        inner.append(xml.Element(f"{{{CIVIC}}}civicAddress", children=parts))
    for point in place.points[:1]:
        position = xml.Element(f"{{{GML}}}pos", f"{point.latitude!r} {point.longitude!r}")
        # RFC 5491 §5.2.1: EPSG:4326 is latitude first.
        inner.append(
            xml.Element(f"{{{GML}}}Point", children=(position,), attributes={"srsName": "urn:ogc:def:crs:EPSG::4326"})
        )
    geopriv = "urn:ietf:params:xml:ns:pidf:geopriv10"
    info = xml.Element(f"{{{geopriv}}}location-info", children=tuple(inner))
    status = xml.Element(
        f"{{{PIDF}}}status",
        children=(xml.Element(f"{{{geopriv}}}geopriv", children=(info, xml.Element(f"{{{geopriv}}}usage-rules"))),),
    )
    tuple_ = xml.Element(f"{{{PIDF}}}tuple", children=(status,), attributes={"id": "incident"})
    root = xml.Element(f"{{{PIDF}}}presence", children=(tuple_,), attributes={"entity": entity})
    return xml.serialise(root, prefixes={"gp": geopriv, "cl": CIVIC, "gml": GML}).decode()


def _point(text: str) -> Point:
    try:
        numbers = [float(part) for part in text.split()]
    except ValueError:
        numbers = []
    if len(numbers) not in {2, 3} or not (abs(numbers[0]) <= 90 and abs(numbers[1]) <= 180):  # noqa: PLR2004 - the globe
        raise DocumentRefusedError("pidf-position", detail="a position is latitude and longitude in degrees")
    return Point(numbers[0], numbers[1])
