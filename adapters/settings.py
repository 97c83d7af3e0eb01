"""An adapter's settings: one TOML file; whatever it does not know stops the start."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from adapters.access import check_url
from adapters.errors import SettingsError
from broker.model import Tlp

_STRICT: Final = ConfigDict(extra="forbid", str_strip_whitespace=True)
Text = Annotated[str, Field(min_length=1, max_length=200)]
Seconds = Annotated[float, Field(ge=0, le=3600)]
TlpName = Literal["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"]


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class MarkingSetting:
    """The marking a person decided for what arrives without one."""

    tlp: TlpName
    cui: tuple[Text, ...] = ()
    dissemination: tuple[Text, ...] = ()
    caveats: tuple[Text, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the marking of a portion as the gateway's API spells it."""
        lists = {name: list(getattr(self, name)) for name in ("cui", "dissemination", "caveats")}
        return {"classification": "U", "tlp": self.tlp, **lists}


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a foreign document does not say about itself; absent means that nobody decided it."""

    control_official: Text | None = None
    purpose: Text | None = None
    info_class: Text | None = None
    content_basis: Text | None = None
    product: Text | None = None
    category: Text | None = None
    precedence: Literal["FLASH", "IMMEDIATE", "PRIORITY", "ROUTINE"] | None = None
    counties: tuple[Text, ...] | None = None
    expires_hours: Annotated[int, Field(ge=1, le=719)] | None = None

    def over(self, other: Words) -> Words:
        """Return these words, and where they are silent the other ones."""
        return Words(**{name: getattr(self, name) or getattr(other, name) for name in WORDS})


WORDS: Final = tuple(item.name for item in dataclasses.fields(Words))


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class EidoSetting:
    marking: MarkingSetting
    words: Words = field(default_factory=Words)
    categories: dict[str, Text] = field(default_factory=dict)


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class CapSetting:
    """`public`, `restricted` and `private` are the markings of alerts with that scope; without one they are refused."""

    public: MarkingSetting | None = None
    restricted: MarkingSetting | None = None
    private: MarkingSetting | None = None
    words: Words = field(default_factory=Words)
    categories: dict[str, Text] = field(default_factory=dict)


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSetting:
    agency: Text
    person: Text


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class StixSetting:
    unmarked: MarkingSetting | None = None
    known_extensions: tuple[Text, ...] = ()
    named: tuple[NamedSetting, ...] = ()
    words: Words = field(default_factory=Words)
    categories: dict[str, Text] = field(default_factory=dict)


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinates:
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectedSite:
    """A place whose mention makes a call a threat to somebody, and the text that may then go to their office."""

    name: Text
    protectee: Text
    counties: Annotated[tuple[Text, ...], Field(min_length=1)]
    civic: dict[str, Text] = field(default_factory=dict)
    point: Coordinates | None = None
    metres: Annotated[int, Field(ge=1, le=5000)] = 100
    phones: tuple[Text, ...] = ()
    tearline: Annotated[str, Field(min_length=1, max_length=4000)]
    tearline_approved_by: Text
    tearline_marking: MarkingSetting = field(default_factory=lambda: MarkingSetting(tlp="GREEN"))


@with_config(_STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything an adapter is told; relative paths start at the settings file's folder."""

    agency: Text
    gateway: Text
    token_file: Path
    folder: Path
    ca_file: Path | None = None
    write: tuple[Literal["json", "eido", "cap", "stix"], ...] | None = None
    settle_seconds: Seconds = 0.1
    patience_seconds: Seconds = 10.0
    defaults: Words = field(default_factory=Words)
    eido: EidoSetting | None = None
    cap: CapSetting | None = None
    stix: StixSetting | None = None
    protected_sites: tuple[ProtectedSite, ...] = ()


#: Sections that only make sense for an adapter that reads the format.
_SECTION_OF: Final = {"eido": "eido", "cap": "cap", "stix": "stix", "protected_sites": "eido"}
_WIDEST: Final = {"restricted": Tlp.AMBER, "private": Tlp.AMBER_STRICT}


def load(path: Path, *, reads: frozenset[str], writes: frozenset[str]) -> Settings:
    """Load and check the settings of an adapter that reads and writes these formats.

    Raises:
        SettingsError: `settings-missing`, `settings-malformed`, `unknown-setting`, `bad-setting`, `gateway-url`,
            `plaintext-gateway`, `cap-marking-too-wide`, `site-without-place`.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError("settings-missing", f"cannot read `{path.name}` ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError("settings-malformed", f"`{path.name}` is not TOML: {error}") from error
    try:
        settings = TypeAdapter(Settings).validate_python(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        code = "unknown-setting" if first["type"] == "unexpected_keyword_argument" else "bad-setting"
        raise SettingsError(code, f"`{where}`: {first['msg']}") from None
    for section, needed in _SECTION_OF.items():
        if section in raw and needed not in reads:
            raise SettingsError("unknown-setting", f"`{section}`: this kind of adapter does not read {needed}")
    if unknown := sorted(set(settings.write or ()) - writes):
        raise SettingsError("bad-setting", f"`write`: this kind of adapter does not write {unknown[0]}")
    check_url(settings.gateway)
    _check_cap(settings.cap)
    for site in settings.protected_sites:
        if not ({"HNO", "RD", "A3"} <= site.civic.keys() or site.point or site.phones):
            raise SettingsError(
                "site-without-place", f"`{site.name}` needs an address (HNO, RD, A3), a point or a phone"
            )
    base = path.resolve().parent
    return dataclasses.replace(
        settings,
        token_file=base / settings.token_file,
        folder=base / settings.folder,
        ca_file=None if settings.ca_file is None else base / settings.ca_file,
    )


def _check_cap(cap: CapSetting | None) -> None:
    """A scope that CAP limits must not become wider here (CAP 1.2 §3.2.1, `scope`)."""
    for scope, floor in _WIDEST.items():
        marking: MarkingSetting | None = getattr(cap, scope, None)
        if marking is not None and Tlp(marking.tlp) < floor:
            raise SettingsError("cap-marking-too-wide", f"`cap.{scope}`: at least TLP:{floor}")
