"""EIDO 1.0 out: a received bulletin as an incident that a dispatch system can load."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from adapters.errors import DocumentRefusedError
from adapters.formats import eido, pidf
from adapters.formats.portion_text import portion_text

_PRIORITIES: Final = {"FLASH": 10, "IMMEDIATE": 9, "PRIORITY": 5, "ROUTINE": 2}
_TYPES: Final = {"THREAT": "THREATS", "BOLO": "ATL", "OSB": "ATL", "SAR": "SUSP", "ISE-SAR": "SUSP", "TIP": "SUSP"}


def write(bulletin: Mapping[str, Any]) -> bytes:
    """Write an incident that `eido.parse` accepts; the same bulletin gives the same bytes."""
    agency = str(bulletin["from"])
    stamp = {"lastUpdateTimeStamp": bulletin["created"], "updatedByAgencyReference": {"$ref": agency}}
    portions = bulletin.get("portions") or []
    incidents = [found for portion in portions if (found := _incident(portion)) is not None]
    types = [code for incident in incidents for code in incident.types] or [_TYPES.get(bulletin["product"], "INFO")]
    places = [place for incident in incidents for place in incident.places]
    number = str(bulletin.get("control_number", bulletin["id"]))
    locations = [
        {
            "$id": f"location-{index}",
            **stamp,
            "locationTypeDescriptionRegistryText": "Incident",
            "locationByValue": pidf.write(place, f"pres:{number.lower()}@{agency}"),
        }
        for index, place in enumerate(places, 1)
    ]
    incident: dict[str, Any] = {
        "$id": f"incident-{bulletin['id']}",
        **stamp,
        "incidentTypeCommonRegistryText": list(dict.fromkeys(types)),
        "incidentTypeInternalText": f"{bulletin['product']} {number}",
        "incidentStatusCommonRegistryText": "Active",
        "incidentCommonPriorityNumber": _PRIORITIES.get(bulletin["precedence"], 0),
    }
    if locations:
        incident["locationReference"] = [{"$ref": location["$id"]} for location in locations]
    document: dict[str, Any] = {
        "$id": f"urn:emergency:uid:incidentid:{bulletin['id']}:{agency}",
        **stamp,
        "eidoVersion": "1.0",
        "issuingElementIdentification": agency,
        "agencyComponent": [{"$id": agency, **stamp, "agencyRoleDescriptionRegistryText": ["Dispatch"]}],
        "incidentComponent": [incident],
        "notesComponent": [
            {"$id": f"note-{portion['id']}", **stamp, "notesActionComments": portion_text(portion)}
            for portion in portions
        ],
    }
    if locations:
        document["locationComponent"] = locations
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def _incident(portion: Mapping[str, Any]) -> eido.Incident | None:
    if portion.get("media_type") != eido.MEDIA_TYPE:
        return None
    try:
        return eido.parse(str(portion.get("content", "")).encode())
    except DocumentRefusedError:
        return None
