"""Is this call about a protected site? By address, by distance, or by the telephone that calls."""

from __future__ import annotations

from collections.abc import Iterable

from adapters.formats.eido import Incident, phone_digits
from adapters.formats.pidf import Place, Point, street_of
from adapters.settings import ProtectedSite


def protected_site(incident: Incident, sites: Iterable[ProtectedSite]) -> ProtectedSite | None:
    """Return the first site that the incident matches; any one of the three ways is enough."""
    return next((site for site in sites if _matches(incident, site)), None)


def _matches(incident: Incident, site: ProtectedSite) -> bool:
    if incident.phones & {phone_digits(phone) for phone in site.phones}:
        return True
    return any(_same_address(place, site) or _near(place, site) for place in incident.places)


def _same_address(place: Place, site: ProtectedSite) -> bool:
    """Compare house, street and city; the state only where both name one (many call systems leave it out)."""
    if not {"HNO", "RD", "A3"} <= site.civic.keys():
        return False
    if street_of(place.civic) != street_of(site.civic):
        return False
    if _plain(place.civic.get("A3", "")) != _plain(site.civic["A3"]):
        return False
    states = {_plain(civic["A1"]) for civic in (place.civic, site.civic) if civic.get("A1")}
    return len(states) <= 1


def _near(place: Place, site: ProtectedSite) -> bool:
    if site.point is None:
        return False
    centre = Point(site.point.latitude, site.point.longitude)
    return any(centre.metres_to(point) <= site.metres for point in place.points)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
