"""What is in force at a gateway, on disk: one small file, replaced at one stroke before anything is decided by it.

    <folder>/force.json

After a crash the gateway is where this file says: on the old pair of releases or on the new one, never between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from broker.model import JsonLike, Refusal, canonical_json, parse_json
from broker.model.times import from_ms, to_ms
from broker.trust.beat import Beat, Named
from broker.trust.errors import TrustError
from broker.trust.files import replace_private

ForceType: TypeAlias = Literal["directory", "rules"]
FORCE_TYPES: Final[tuple[ForceType, ...]] = ("directory", "rules")
_FILE: Final = "force.json"
#: When releases came into force here is asked about what is under way, thirty days at most.
_REMEMBERED: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Force:
    """The pair of releases in force, and the beat that said so.

    Attributes:
        since: when each release came into force here, by number; the newest only.
        sequence: of the last beat that was believed.
        heard: when that was, by this gateway's clock.
        silence: for how long nothing had been heard when that was last noted; a restart does not end it, a beat does.
    """

    rules: Named | None = None
    directory: Named | None = None
    since: Mapping[ForceType, Mapping[int, datetime]] = field(
        default_factory=lambda: MappingProxyType({name: MappingProxyType({}) for name in FORCE_TYPES})
    )
    sequence: int = 0
    heard: datetime | None = None
    silence: timedelta = timedelta(0)

    def named(self, release_type: ForceType) -> Named | None:
        return self.rules if release_type == "rules" else self.directory

    def replaced(self, release_type: ForceType, number: int) -> datetime | None:
        """When a newer release than `number` came into force here; None when none has."""
        return min((at for other, at in self.since[release_type].items() if other > number), default=None)

    def after(self, beat: Beat, *, now: datetime) -> Force:
        """What is in force once this beat is believed."""
        return replace(
            self,
            rules=beat.rules,
            directory=beat.directory,
            since=MappingProxyType(
                {
                    "rules": _remember(self.since["rules"], self.rules, beat.rules, now),
                    "directory": _remember(self.since["directory"], self.directory, beat.directory, now),
                }
            ),
            sequence=beat.sequence,
            heard=now,
            silence=timedelta(0),
        )


def _remember(
    known: Mapping[int, datetime], before: Named | None, after: Named, now: datetime
) -> Mapping[int, datetime]:
    if before == after:
        return known
    return MappingProxyType(dict(sorted({**known, after[0]: now}.items())[-_REMEMBERED:]))


def load_force(folder: Path) -> Force:
    """Read what was in force; nothing when there is no file.

    Raises:
        TrustError: `store-damaged`.
    """
    path = folder / _FILE
    if not path.exists():
        return Force()
    try:
        value = parse_json(path.read_bytes())
    except Refusal:
        raise _damaged() from None
    match value:
        case {
            "rules": rules, "directory": directory, "since": {"rules": by_rules, "directory": by_directory},
            "sequence": int(sequence), "heard": heard, "silence": int(silence), **rest,
        } if not rest and (heard is None or isinstance(heard, int)):  # fmt: skip
            return Force(
                rules=_named(rules),
                directory=_named(directory),
                since=MappingProxyType({"rules": _moments(by_rules), "directory": _moments(by_directory)}),
                sequence=sequence,
                heard=None if heard is None else from_ms(heard),
                silence=timedelta(seconds=silence),
            )
        case _:
            raise _damaged()


def keep_force(folder: Path, force: Force) -> None:
    """Write what is in force, durably."""
    since: dict[str, JsonLike] = {
        name: {str(number): to_ms(at) for number, at in force.since[name].items()} for name in FORCE_TYPES
    }
    written: dict[str, JsonLike] = {
        "rules": _written(force.rules),
        "directory": _written(force.directory),
        "since": since,
        "sequence": force.sequence,
        "heard": None if force.heard is None else to_ms(force.heard),
        "silence": int(force.silence.total_seconds()),
    }
    replace_private(folder / _FILE, canonical_json(written))


def _written(named: Named | None) -> list[JsonLike] | None:
    return None if named is None else [named[0], named[1].hex()]


def _named(value: object) -> Named | None:
    match value:
        case None:
            return None
        case [int(number), str(digest)] if number > 0:
            try:
                return number, bytes.fromhex(digest)
            except ValueError:
                raise _damaged() from None
        case _:
            raise _damaged()


def _moments(value: object) -> Mapping[int, datetime]:
    if not isinstance(value, dict) or not all(text.isdecimal() and isinstance(at, int) for text, at in value.items()):
        raise _damaged()
    return MappingProxyType({int(text): from_ms(at) for text, at in value.items()})


def _damaged() -> TrustError:
    return TrustError("store-damaged", "what was in force here is not readable")
