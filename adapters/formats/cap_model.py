"""The Common Alerting Protocol 1.2 as values: what an alert consists of, in the order of the OASIS schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NAMESPACE: Final = "urn:oasis:names:tc:emergency:cap:1.2"

STATUSES: Final = frozenset({"Actual", "Exercise", "System", "Test", "Draft"})
MESSAGE_TYPES: Final = frozenset({"Alert", "Update", "Cancel", "Ack", "Error"})
SCOPES: Final = frozenset({"Public", "Restricted", "Private"})
CATEGORIES: Final = frozenset(
    {
        "Geo",
        "Met",
        "Safety",
        "Security",
        "Rescue",
        "Fire",
        "Health",
        "Env",
        "Transport",
        "Infra",
        "CBRNE",
        "Other",
    }
)
RESPONSES: Final = frozenset(
    {"Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None"}
)
URGENCIES: Final = frozenset({"Immediate", "Expected", "Future", "Past", "Unknown"})
SEVERITIES: Final = frozenset({"Extreme", "Severe", "Moderate", "Minor", "Unknown"})
CERTAINTIES: Final = frozenset({"Observed", "Likely", "Possible", "Unlikely", "Unknown"})

Pair = tuple[str, str]  # valueName, value


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    description: str
    mime_type: str
    size: str = ""
    uri: str = ""
    deref_uri: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    description: str
    polygons: tuple[str, ...] = ()
    circles: tuple[str, ...] = ()
    geocodes: tuple[Pair, ...] = ()
    altitude: str = ""
    ceiling: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    language: str = "en-US"
    categories: tuple[str, ...]
    event: str
    responses: tuple[str, ...] = ()
    urgency: str
    severity: str
    certainty: str
    audience: str = ""
    event_codes: tuple[Pair, ...] = ()
    effective: str = ""
    onset: str = ""
    expires: str = ""
    sender_name: str = ""
    headline: str = ""
    description: str = ""
    instruction: str = ""
    web: str = ""
    contact: str = ""
    parameters: tuple[Pair, ...] = ()
    resources: tuple[Resource, ...] = ()
    areas: tuple[Area, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    identifier: str
    sender: str
    sent: str
    status: str
    message_type: str
    source: str = ""
    scope: str
    restriction: str = ""
    addresses: str = ""
    codes: tuple[str, ...] = ()
    note: str = ""
    references: str = ""
    incidents: str = ""
    infos: tuple[Info, ...] = ()
    signed: bool = False

    @property
    def identity(self) -> str:
        """How other messages refer to this one (CAP 1.2 §3.2.1, `references`)."""
        return f"{self.sender},{self.identifier},{self.sent}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One child element: its name in the schema and in ours, how often it may stand."""

    tag: str
    name: str
    required: bool = False
    many: bool = False
    values: frozenset[str] | None = None


def one(tag: str, name: str = "", *, required: bool = False, values: frozenset[str] | None = None) -> Field:
    return Field(tag=tag, name=name or tag, required=required, values=values)


def many(tag: str, name: str, *, required: bool = False, values: frozenset[str] | None = None) -> Field:
    return Field(tag=tag, name=name, required=required, many=True, values=values)


ALERT_FIELDS: Final = (
    one("identifier", required=True),
    one("sender", required=True),
    one("sent", required=True),
    one("status", required=True, values=STATUSES),
    one("msgType", "message_type", required=True, values=MESSAGE_TYPES),
    one("source"),
    one("scope", required=True, values=SCOPES),
    one("restriction"),
    one("addresses"),
    many("code", "codes"),
    one("note"),
    one("references"),
    one("incidents"),
    many("info", "infos"),
)
INFO_FIELDS: Final = (
    one("language"),
    many("category", "categories", required=True, values=CATEGORIES),
    one("event", required=True),
    many("responseType", "responses", values=RESPONSES),
    one("urgency", required=True, values=URGENCIES),
    one("severity", required=True, values=SEVERITIES),
    one("certainty", required=True, values=CERTAINTIES),
    one("audience"),
    many("eventCode", "event_codes"),
    one("effective"),
    one("onset"),
    one("expires"),
    one("senderName", "sender_name"),
    one("headline"),
    one("description"),
    one("instruction"),
    one("web"),
    one("contact"),
    many("parameter", "parameters"),
    many("resource", "resources"),
    many("area", "areas"),
)
RESOURCE_FIELDS: Final = (
    one("resourceDesc", "description", required=True),
    one("mimeType", "mime_type", required=True),
    one("size"),
    one("uri"),
    one("derefUri", "deref_uri"),
    one("digest"),
)
AREA_FIELDS: Final = (
    one("areaDesc", "description", required=True),
    many("polygon", "polygons"),
    many("circle", "circles"),
    many("geocode", "geocodes"),
    one("altitude"),
    one("ceiling"),
)
