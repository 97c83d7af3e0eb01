"""CAP 1.2 in and out, with the rules that stand only in the prose of the standard.

The XSD accepts an Update without references; CAP 1.2 §3.2.1 does not, and neither do we.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from adapters.errors import DocumentRefusedError
from adapters.formats import xml
from adapters.formats.cap_model import (
    ALERT_FIELDS,
    AREA_FIELDS,
    INFO_FIELDS,
    NAMESPACE,
    RESOURCE_FIELDS,
    Alert,
    Area,
    Field,
    Info,
    Pair,
    Resource,
)

MEDIA_TYPE: Final = "application/cap+xml"

_TAG: Final = f"{{{NAMESPACE}}}"
_SIGNATURE: Final = "http://www.w3.org/2000/09/xmldsig#"
_WORD: Final = re.compile(r"[^\s,<&]+")
# CAP 1.2 §3.3.2: an offset always, "-00:00" for UTC, "Z" never. (The schema's pattern also lets a comma pass.)
_DATETIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d", re.ASCII)
_NUMBER: Final = re.compile(r"[-+]?\d{1,12}(?:\.\d{1,12})?", re.ASCII)
_MIN_RING = 4  # WGS 84 polygon: at least three corners, and the first again


def parse(raw: bytes) -> Alert:
    """Read an alert; every must of the standard holds for what is returned.

    Raises:
        DocumentRefusedError: what `xml.parse` refuses, `not-cap`, `cap-version`, `cap-schema`, `cap-value`,
            `cap-datetime`, `cap-identifier`, `cap-references`, `cap-restriction`, `cap-addresses`, `cap-area`.
    """
    root = xml.parse(raw)
    if root.local != "alert":
        raise DocumentRefusedError("not-cap", "/", "the root element is not a CAP alert")
    if root.namespace != NAMESPACE:
        raise DocumentRefusedError("cap-version", "/alert", "only CAP 1.2 is taken")
    signed = any(child.namespace == _SIGNATURE for child in root.children)
    children = tuple(child for child in root.children if child.namespace != _SIGNATURE)
    fields = _read(children, ALERT_FIELDS, "/alert", {"info": _info})
    alert = Alert(**fields, signed=signed)
    _check_alert(alert)
    return alert


def write(alert: Alert) -> bytes:
    """Write an alert that `parse` and the OASIS schema accept.

    Raises:
        DocumentRefusedError: the values break a rule of the standard, so nobody could read them back.
    """
    _check_alert(alert)
    return xml.serialise(xml.Element(_TAG + "alert", children=tuple(_written(alert, ALERT_FIELDS))))


def parse_references(text: str) -> tuple[str, ...]:
    """Split `sender,identifier,sent` triples; white space separates them."""
    return tuple(text.split())


def timestamp(at: datetime) -> str:
    """Format an aware time as CAP wants it: whole seconds, an offset, `-00:00` for UTC."""
    text = at.replace(microsecond=0).isoformat()
    return text.removesuffix("+00:00") + "-00:00" if text.endswith("+00:00") else text


def text_of(alert: Alert) -> str:
    """Render the alert for a person, in the order a duty desk reads it."""
    lines = [f"CAP {alert.message_type} ({alert.status}) from {alert.sender}, sent {alert.sent}"]
    for info in alert.infos:
        areas = "; ".join(area.description for area in info.areas)
        lines += [
            info.headline or info.event,
            f"{info.urgency} / {info.severity} / {info.certainty}: {', '.join(info.categories)}",
            *(line for line in (info.description, info.instruction, areas, info.contact) if line),
        ]
    return "\n".join(lines)


# ---------------------------------------------------------------------- elements


def _read(
    children: Iterable[xml.Element],
    fields: tuple[Field, ...],
    path: str,
    readers: Mapping[str, Callable[[xml.Element, str], object]],
) -> dict[str, Any]:
    """Read the children of one element: known names, in the schema's order, as often as it allows."""
    order = {field.tag: place for place, field in enumerate(fields)}
    found: dict[str, list[Any]] = {}
    last = 0
    for child in children:
        if child.namespace != NAMESPACE or child.local not in order:
            raise DocumentRefusedError("cap-schema", path, "an element that CAP 1.2 does not know")
        place = order[child.local]
        if place < last:
            raise DocumentRefusedError("cap-schema", f"{path}/{child.local}", "the elements are out of order")
        last = place
        field, where = fields[place], f"{path}/{child.local}"
        values = found.setdefault(field.name, [])
        if values and not field.many:
            raise DocumentRefusedError("cap-schema", where, "the element may stand once")
        reader = readers.get(field.tag)
        value = reader(child, f"{where}[{len(values) + 1}]") if reader else _leaf(child, where)
        if field.values is not None and value not in field.values:
            raise DocumentRefusedError("cap-value", where, "the value is not one of the standard's")
        # An empty optional element says nothing; keeping it apart from a missing one would make two alerts of one.
        if value != "" or field.required:
            values.append(value)
    for field in fields:
        if field.required and not any(found.get(field.name, [])):
            raise DocumentRefusedError("cap-schema", f"{path}/{field.tag}", "a required element is missing")
    many = {field.name for field in fields if field.many}
    return {name: tuple(values) if name in many else values[0] for name, values in found.items() if values}


def _leaf(element: xml.Element, where: str) -> str:
    if element.children:
        raise DocumentRefusedError("cap-schema", where, "the element holds text only")
    return element.text


def _pair(element: xml.Element, where: str) -> Pair:
    names = [child.tag for child in element.children]
    if names != [_TAG + "valueName", _TAG + "value"]:
        raise DocumentRefusedError("cap-schema", where, "a valueName and a value are expected")
    return (_leaf(element.children[0], where), _leaf(element.children[1], where))


def _resource(element: xml.Element, where: str) -> Resource:
    return Resource(**_read(element.children, RESOURCE_FIELDS, where, {}))


def _area(element: xml.Element, where: str) -> Area:
    area = Area(**_read(element.children, AREA_FIELDS, where, {"geocode": _pair}))
    _check_area(area, where)
    return area


def _info(element: xml.Element, where: str) -> Info:
    readers = {"eventCode": _pair, "parameter": _pair, "resource": _resource, "area": _area}
    info = Info(**_read(element.children, INFO_FIELDS, where, readers))
    _check_info(info, where)
    return info


def _written(value: Any, fields: tuple[Field, ...]) -> list[xml.Element]:
    elements: list[xml.Element] = []
    for field in fields:
        content = getattr(value, field.name)
        items = content if field.many else (content,) if content else ()
        elements.extend(_element(field.tag, item) for item in items)
    return elements


def _element(tag: str, item: Any) -> xml.Element:
    match item:
        case str():
            return xml.Element(_TAG + tag, item)
        case (name, value):
            pair = (xml.Element(_TAG + "valueName", name), xml.Element(_TAG + "value", value))
            return xml.Element(_TAG + tag, children=pair)
        case Info():
            return xml.Element(_TAG + tag, children=tuple(_written(item, INFO_FIELDS)))
        case Resource():
            return xml.Element(_TAG + tag, children=tuple(_written(item, RESOURCE_FIELDS)))
        case Area():
            return xml.Element(_TAG + tag, children=tuple(_written(item, AREA_FIELDS)))
        case _:
            raise TypeError(f"`{tag}` cannot hold a {type(item).__name__}")


# ---------------------------------------------------------------------- rules of the prose


def _check_alert(alert: Alert) -> None:
    for name, value in (("identifier", alert.identifier), ("sender", alert.sender)):
        if not _WORD.fullmatch(value):
            raise DocumentRefusedError("cap-identifier", f"/alert/{name}", "no space, comma, `<` or `&` may stand here")
    _check_datetime(alert.sent, "/alert/sent")
    for name, value, allowed in (
        ("status", alert.status, ALERT_FIELDS[3].values),
        ("msgType", alert.message_type, ALERT_FIELDS[4].values),
        ("scope", alert.scope, ALERT_FIELDS[6].values),
    ):
        if value not in (allowed or ()):
            raise DocumentRefusedError("cap-value", f"/alert/{name}", "the value is not one of the standard's")
    if bool(alert.restriction) != (alert.scope == "Restricted"):
        raise DocumentRefusedError(
            "cap-restriction", "/alert/restriction", "it stands if and only if scope is Restricted"
        )
    # CAP 1.2 §3.2.1: required when Private, optional otherwise.
    if alert.scope == "Private" and not alert.addresses:
        raise DocumentRefusedError("cap-addresses", "/alert/addresses", "a Private alert names its addressees")
    _check_references(alert)
    for place, info in enumerate(alert.infos, 1):
        _check_info(info, f"/alert/info[{place}]")


def _check_references(alert: Alert) -> None:
    references = parse_references(alert.references)
    if alert.message_type != "Alert" and not references:
        raise DocumentRefusedError(
            "cap-references", "/alert/references", "Update, Cancel, Ack and Error refer to an earlier message"
        )
    for reference in references:
        parts = reference.split(",")
        if len(parts) != 3 or not all(_WORD.fullmatch(part) for part in parts[:2]):  # noqa: PLR2004 - the triple
            raise DocumentRefusedError("cap-references", "/alert/references", "expected sender,identifier,sent")
        _check_datetime(parts[2], "/alert/references")


def _check_info(info: Info, where: str) -> None:
    for name in ("effective", "onset", "expires"):
        value = getattr(info, name)
        if value:
            _check_datetime(value, f"{where}/{name}")
    for place, area in enumerate(info.areas, 1):
        _check_area(area, f"{where}/area[{place}]")


def _check_datetime(text: str, where: str) -> None:
    try:
        valid = _DATETIME.fullmatch(text) is not None and datetime.fromisoformat(text) is not None
    except ValueError:
        valid = False
    if not valid:
        raise DocumentRefusedError("cap-datetime", where, "expected a date and time with an offset, never Z")


def _check_area(area: Area, where: str) -> None:
    for polygon in area.polygons:
        points = polygon.split()
        if len(points) < _MIN_RING or points[0] != points[-1] or not all(map(_is_point, points)):
            raise DocumentRefusedError("cap-area", f"{where}/polygon", "expected a closed ring of lat,lon points")
    for circle in area.circles:
        match circle.split():
            case [centre, radius] if _is_point(centre) and _NUMBER.fullmatch(radius) and not radius.startswith("-"):
                pass
            case _:
                raise DocumentRefusedError("cap-area", f"{where}/circle", "expected lat,lon and a radius in km")
    for name, number in (("altitude", area.altitude), ("ceiling", area.ceiling)):
        if number and not _NUMBER.fullmatch(number):
            raise DocumentRefusedError("cap-area", f"{where}/{name}", "expected a number of feet")
    if area.ceiling and not area.altitude:
        raise DocumentRefusedError("cap-area", f"{where}/ceiling", "a ceiling needs an altitude")


def _is_point(text: str) -> bool:
    latitude, comma, longitude = text.partition(",")
    if not comma or not _NUMBER.fullmatch(latitude) or not _NUMBER.fullmatch(longitude):
        return False
    return abs(float(latitude)) <= 90 and abs(float(longitude)) <= 180  # noqa: PLR2004 - the globe
