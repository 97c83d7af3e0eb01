"""From a 911 incident or an alert to a bulletin."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from adapters.bulletin import Bulletin, Correct, Intent, Publish, Recall, Source, compose, latest_expiry
from adapters.city_police.sites import protected_site
from adapters.clock import write_time
from adapters.errors import DocumentRefusedError
from adapters.formats import bulletin_json, cap, eido
from adapters.formats.apco import INCIDENT_TYPES
from adapters.formats.cap_model import Alert, Info
from adapters.formats.strict import read_object
from adapters.process import Translate
from adapters.settings import CapSetting, EidoSetting, ProtectedSite, Settings, Words

_THREAT: Final = Words(
    product="THREAT", category="threat to a public official", precedence="FLASH", purpose="protection of life"
)
_IMMEDIATE_FROM, _PRIORITY_FROM = 9, 5  # of 10 = highest; FLASH is for protected sites and for the rules to give
_PRECEDENCES: Final = ("ROUTINE", "PRIORITY", "IMMEDIATE", "FLASH")
_CAP_IDENTITY: Final = "cap:"


def translator(settings: Settings) -> Translate:
    """Return the translation of this agency's files; the content decides the format, never the file's name."""

    def translate(raw: bytes, now: datetime) -> Intent:
        if raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
            if settings.cap is None:
                raise DocumentRefusedError("format-not-configured", "", "the settings have no [cap] section")
            return from_cap(raw, settings, settings.cap, now)
        document = read_object(raw)
        if "eidoVersion" in document or "event" in document:
            if settings.eido is None:
                raise DocumentRefusedError("format-not-configured", "", "the settings have no [eido] section")
            return from_eido(raw, settings, settings.eido, now)
        return bulletin_json.parse_object(document, raw, agency=settings.agency, words=settings.defaults, now=now)

    return translate


def from_eido(raw: bytes, settings: Settings, setting: EidoSetting, now: datetime) -> Publish:
    """Share an incident; one at a protected site is a threat to whom the site protects."""
    incident = eido.parse(raw)
    words = setting.words.over(settings.defaults)
    site = protected_site(incident, settings.protected_sites)
    lost = [f"incident type {code}" for code in incident.types if code not in INCIDENT_TYPES]
    content = json.dumps(incident.document, ensure_ascii=False, separators=(",", ":"))
    full: dict[str, Any] = {
        "id": "p1",
        "version": "full",
        "marking": setting.marking.to_json(),
        "media_type": eido.MEDIA_TYPE,
        "content": content,
    }
    source = Source(format="EIDO 1.0", raw=raw, lost=(*incident.lost, *lost))
    if site is not None:
        return Publish(body=_threat(site, settings.agency, words=words, source=source, full=full, now=now))
    category = next((setting.categories[code] for code in incident.types if code in setting.categories), words.category)
    precedence = words.precedence if incident.priority is None else _precedence(incident.priority)
    body = compose(
        settings.agency,
        words,
        source,
        [full],
        now=now,
        product=words.product or "SITREP",
        category=category,
        precedence=precedence,
    )
    return Publish(body=body)


def from_cap(raw: bytes, settings: Settings, setting: CapSetting, now: datetime) -> Intent:
    """Share an alert; an Update corrects and a Cancel recalls what this adapter sent before."""
    alert = cap.parse(raw)
    earlier = tuple(_CAP_IDENTITY + reference for reference in reversed(cap.parse_references(alert.references)))
    match alert.message_type:
        case "Ack" | "Error":
            raise DocumentRefusedError("cap-message-type", "/alert/msgType", "an acknowledgement is not a bulletin")
        case "Cancel" if alert.status != "Actual":
            # An exercise must not take a live bulletin back.
            raise DocumentRefusedError("exercise-on-live-exchange", "/alert/status", "only Actual cancels a bulletin")
        case "Cancel":
            return Recall(of=earlier, reason=alert.note or "cancelled by its sender")
        case _:
            body = _alert_body(alert, raw, settings, setting, now)
    identity = _CAP_IDENTITY + alert.identity
    if alert.message_type == "Update":
        return Correct(of=earlier, body=body, identity=identity, otherwise_new=True)
    return Publish(body=body, identity=identity)


def _threat(
    site: ProtectedSite, agency: str, *, words: Words, source: Source, full: dict[str, Any], now: datetime
) -> Bulletin:
    """The full text for those who protect, and the text a person approved beforehand for the office itself."""
    tearline = {
        "id": "p2",
        "version": "tearline",
        "marking": site.tearline_marking.to_json(),
        "media_type": "text/plain",
        "content": site.tearline,
    }
    words = Words(counties=site.counties).over(_THREAT.over(words))
    return compose(agency, words, source, [full, tearline], now=now, protectee=site.protectee)


def _alert_body(alert: Alert, raw: bytes, settings: Settings, setting: CapSetting, now: datetime) -> Bulletin:
    if not alert.infos:
        raise DocumentRefusedError("cap-no-info", "/alert/info", "the alert says nothing")
    marking = {"Public": setting.public, "Restricted": setting.restricted, "Private": setting.private}[alert.scope]
    if marking is None:
        raise DocumentRefusedError("missing-marking", "/alert/scope", "the settings have no marking for this scope")
    words = setting.words.over(settings.defaults)
    categories = [
        setting.categories[name] for info in alert.infos for name in info.categories if name in setting.categories
    ]
    polygons = [shape for info in alert.infos for area in info.areas for shape in area.polygons]
    circles = [shape for info in alert.infos for area in info.areas for shape in area.circles]
    counties = counties_of(alert) or list(words.counties or ())
    area = {
        "counties": counties,
        **({"polygon": " ".join(polygons[0].split())} if polygons else {}),
        **({"circle": " ".join(circles[0].split())} if circles else {}),
    }
    lost = (
        *(("/alert/Signature",) if alert.signed else ()),
        *(f"/alert/info/area/polygon[{place + 2}]" for place in range(len(polygons[1:]))),
        *(f"/alert/info/area/circle[{place + 2}]" for place in range(len(circles[1:]))),
    )
    until = max((datetime.fromisoformat(info.expires) for info in alert.infos if info.expires), default=None)
    expires = None if until is None else write_time(min(until, latest_expiry(now)))
    portion = {
        "id": "p1",
        "version": "full",
        "marking": marking.to_json(),
        "media_type": cap.MEDIA_TYPE,
        "content": cap.write(alert).decode(),
    }
    return compose(
        settings.agency,
        words,
        Source(format="CAP 1.2", raw=raw, lost=lost),
        [portion],
        now=now,
        status=alert.status,
        product="CAP-ALERT",
        precedence=max((_urgency(info) for info in alert.infos), key=_PRECEDENCES.index),
        category=categories[0] if categories else None,
        area=area,
        expires=expires,
        valid_until=None if until is None else write_time(until),
    )


def counties_of(alert: Alert) -> list[str]:
    """Return INCITS 31 codes: SAME and FIPS 6 codes are one digit (a part of the county) longer."""
    codes = [
        value[-5:]
        for info in alert.infos
        for area in info.areas
        for name, value in area.geocodes
        if name.upper().replace(" ", "") in {"SAME", "FIPS6"}
        and value.isascii()
        and value.isdecimal()
        and len(value) == 6  # noqa: PLR2004
    ]
    return list(dict.fromkeys(code for code in codes if not code.endswith("000")))  # 000 is the whole state


def _precedence(priority: int) -> str:
    if priority >= _IMMEDIATE_FROM:
        return "IMMEDIATE"
    return "PRIORITY" if priority >= _PRIORITY_FROM else "ROUTINE"


def _urgency(info: Info) -> str:
    match info.urgency, info.severity, info.certainty:
        case "Immediate", "Extreme", "Observed" | "Likely":
            return "FLASH"
        case "Immediate", "Extreme" | "Severe", _:
            return "IMMEDIATE"
        case "Immediate" | "Expected", _, _:
            return "PRIORITY"
        case _:
            return "ROUTINE"
