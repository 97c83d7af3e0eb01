"""From a STIX 2.1 bundle to a bulletin with one portion per marking level."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from adapters.bulletin import Intent, Publish, Source, compose
from adapters.formats import bulletin_json, stix
from adapters.formats.stix_marking import Level
from adapters.formats.strict import read_object
from adapters.process import Translate
from adapters.settings import Settings, StixSetting
from broker.model import Tlp

# STIX 2.1 appendix A: the lower bounds of the ranges for Admiralty credibility 1 to 5.
_CREDIBILITY: Final = ((80, 1), (60, 2), (40, 3), (20, 4), (1, 5))
_CANNOT_BE_JUDGED: Final = "F"


def translator(settings: Settings) -> Translate:
    """Return the translation of this agency's files; the content decides the format, never the file's name."""
    setting = settings.stix or StixSetting()

    def translate(raw: bytes, now: datetime) -> Intent:
        document = read_object(raw)
        if "type" in document and "kind" not in document:
            return from_stix(raw, settings, setting, now)
        return bulletin_json.parse_object(document, raw, agency=settings.agency, words=settings.defaults, now=now)

    return translate


def from_stix(raw: bytes, settings: Settings, setting: StixSetting, now: datetime) -> Publish:
    """Share a bundle; what its author stated in `x_tearline` wins over the settings."""
    unmarked = setting.unmarked
    reading = stix.parse(
        raw,
        known_extensions=frozenset(setting.known_extensions),
        unmarked=None if unmarked is None else _level(unmarked.to_json()),
    )
    words = setting.words.over(settings.defaults)
    stated: dict[str, Any] = dict(reading.stated)
    basis = stated.pop("content_basis", None)
    kinds = (*reading.labels, *reading.report_types)
    category = next((setting.categories[name] for name in kinds if name in setting.categories), None)
    if "named" not in stated and any(portion.level.tlp is Tlp.RED for portion in reading.portions):
        stated["named"] = [{"agency": item.agency, "person": item.person} for item in setting.named]
    portions = [
        {
            "id": f"p{place}",
            "version": "full",
            "marking": portion.level.to_marking(),
            **({"content_basis": basis} if basis is not None else {}),
            "media_type": stix.MEDIA_TYPE,
            "content": portion.content,
        }
        for place, portion in enumerate(reading.portions, 1)
    ]
    fields = {"category": category, "grading": _grading(reading.confidence), **stated}
    source = Source(format="STIX 2.1", raw=raw, lost=reading.lost)
    return Publish(body=compose(settings.agency, words, source, portions, now=now, **fields))


def _level(marking: dict[str, Any]) -> Level:
    sets = (frozenset(marking[name]) for name in ("cui", "dissemination", "caveats"))
    return Level(Tlp(marking["tlp"]), *sets)


def _grading(confidence: int | None) -> dict[str, object] | None:
    """STIX grades the information only; the source, of which it says nothing, cannot be judged."""
    if confidence is None:
        return None
    information = next((grade for bound, grade in _CREDIBILITY if confidence >= bound), 6)
    return {"source": _CANNOT_BE_JUDGED, "information": information}
