"""Dated agreements: when a sharing agreement is in force, and how sure a clock may be of it.

Within `SKEW` of either end nobody's clock is trusted: the agreement is then *unknown*, so by polarity a share that
relies on it starts late and ends early, and a never that relies on it starts early and ends late.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta

from policy.errors import PolicyError
from policy.hints import for_date
from policy.reading import Reading
from policy.strict_yaml import Text
from policy.truth import Truth

# DESIGN 9 and the wire's tolerated clock skew are the same five minutes.
SKEW = timedelta(minutes=5)

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MINUTE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """In force from `start` (included) to `end` (excluded); both aware."""

    name: str
    start: datetime
    end: datetime

    def in_force(self, at: datetime) -> Truth:
        if any(bound - SKEW <= at < bound + SKEW for bound in (self.start, self.end)):
            return Truth.UNKNOWN
        return Truth.YES if self.start <= at < self.end else Truth.NO


def force_at(agreements: Mapping[str, Agreement], at: datetime | None) -> Mapping[str, Truth]:
    """Whether each agreement is in force; without a time nothing is known of any.

    Raises:
        PolicyError: if `at` has no time zone.
    """
    if at is None:
        return dict.fromkeys(agreements, Truth.UNKNOWN)
    require_aware(at)
    return {name: agreement.in_force(at) for name, agreement in agreements.items()}


def next_change(agreements: Iterable[Agreement], at: datetime) -> datetime | None:
    """The first moment after `at` at which some agreement may be judged differently."""
    bounds = (bound for agreement in agreements for bound in (agreement.start, agreement.end))
    return min((edge for bound in bounds for edge in (bound - SKEW, bound + SKEW) if edge > at), default=None)


def require_aware(at: datetime) -> None:
    """Refuse a time without a zone: it means another moment on every machine."""
    if at.tzinfo is None:
        raise PolicyError("naive-time", "a time without a zone cannot be compared with an agreement")


def parse_start(read: Reading, text: Text) -> datetime:
    """A date means its first moment in UTC; a minute must carry its zone."""
    return _moment(read, text)[0]


def parse_end(read: Reading, text: Text) -> datetime:
    """A date is included to its last moment in UTC; a minute is the first one outside."""
    moment, whole_day = _moment(read, text)
    return moment + timedelta(days=1) if whole_day else moment


def _moment(read: Reading, text: Text) -> tuple[datetime, bool]:
    whole_day = _DATE.fullmatch(text.text) is not None
    moment = _parsed(text.text) if whole_day or _MINUTE.fullmatch(text.text) else None
    if moment is None:
        written = "write 2026-12-31 or 2026-12-31T18:00Z"
        read.refuse("not-a-date", f"'{text.text}' is not a date; {written}{for_date(text.text)}", text.line)
    return moment, whole_day


def _parsed(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    # The ends of the calendar have no neighbours to add a day or a skew to.
    return moment if MINYEAR < moment.year < MAXYEAR else None
