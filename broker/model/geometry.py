"""CAP 1.2 shapes. They are carried and shown; only county codes mean something to the rules."""

from __future__ import annotations

import re
from typing import Final

from broker.model.refusal import Refusal

_NUMBER: Final = r"-?[0-9]{1,3}(?:\.[0-9]{1,10})?"
_POINT: Final = re.compile(rf"({_NUMBER}),({_NUMBER})", re.ASCII)
_RADIUS: Final = re.compile(r"[0-9]{1,5}(?:\.[0-9]{1,6})?", re.ASCII)
#: CAP 1.2: a closed ring of at least four points.
_MIN_RING: Final = 4
#: A polygon drawn for a warning has tens of points; a shape travels once per portion.
MAX_SHAPE: Final = 4_000
_MAX_LATITUDE: Final = 90
_MAX_LONGITUDE: Final = 180


def check_polygon(text: str, pointer: str) -> str:
    """Return `text` when it is a CAP polygon: `lat,lon lat,lon …`, closed.

    Raises:
        Refusal: `bad-shape`.
    """
    points = text.split(" ")
    if len(text) > MAX_SHAPE or len(points) < _MIN_RING or points[0] != points[-1]:
        raise Refusal("bad-shape", pointer, "a closed ring of at least four points is wanted (CAP 1.2 polygon)")
    for point in points:
        _check_point(point, pointer)
    return text


def check_circle(text: str, pointer: str) -> str:
    """Return `text` when it is a CAP circle: `lat,lon radius` in kilometres.

    Raises:
        Refusal: `bad-shape`.
    """
    centre, _, radius = text.partition(" ")
    if not _RADIUS.fullmatch(radius):
        raise Refusal("bad-shape", pointer, "a centre and a radius in kilometres are wanted (CAP 1.2 circle)")
    _check_point(centre, pointer)
    return text


def _check_point(text: str, pointer: str) -> None:
    match = _POINT.fullmatch(text)
    if match is None or abs(float(match[1])) > _MAX_LATITUDE or abs(float(match[2])) > _MAX_LONGITUDE:
        raise Refusal("bad-shape", pointer, "a point is a WGS 84 latitude and longitude: `38.47,-120.14`")
