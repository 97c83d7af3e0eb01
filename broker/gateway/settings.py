"""The gateway's settings: one TOML table and ``TEARLINE_*`` variables; whatever is unknown stops the start.

A misspelt safeguard is no safeguard (DESIGN 11), so nothing is ignored: not a key of the file, not a variable.
"""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

PREFIX = "TEARLINE_"
# Variables that belong to the command line and the test suite, not to a gateway.
FOREIGN = frozenset({"TEARLINE_GATEWAY", "TEARLINE_TOKEN_FILE", "TEARLINE_SAMPLES", "TEARLINE_RUN"})

Name = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")]


def _no_number(name: str) -> str:
    # It stands in subjects beside numbers, and must never be taken for one (broker.relay.subjects).
    if name.isdigit():
        message = "a gateway's name is not only digits"
        raise ValueError(message)
    return name


GatewayName = Annotated[Name, AfterValidator(_no_number)]


class SettingsError(Exception):
    """The settings cannot be used; the message names the setting and what would be right."""


class Settings(BaseModel):
    """Everything a gateway is told. Paths are relative to the settings file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: GatewayName = Field(description="the gateway's name on the exchange, as the directory has it")
    agencies: tuple[Name, ...] = Field(min_length=1, description="the agencies it hosts")
    listen: str = Field(default="127.0.0.1:7443", description="address:port of the HTTP API")
    data: Path = Field(description="folder of the store and the cached releases")
    keys: Path = Field(description="folder of the key files, one per agency and one for NATS")
    tokens: Path = Field(description="file of adapter tokens' hashes, made by `tearline token new`")
    root: str = Field(pattern=r"^sha256:[0-9a-f]{64}$", description="fingerprint of the exchange's root")
    relay: tuple[str, ...] = Field(min_length=1, description="nats:// or tls:// addresses of the relay")
    relay_ca: Path | None = Field(default=None, description="certificate authority of the relay's TLS")
    tls_certificate: Path | None = Field(default=None, description="the API's certificate chain, PEM")
    tls_key: Path | None = Field(default=None, description="the API's private key, PEM, mode 0600")
    retry_seconds: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        default=(30, 120, 600, 3600), min_length=1, description="waits before sending again without a receipt"
    )
    skew_seconds: int = Field(default=300, ge=0, le=300, description="clock difference tolerated between gateways")
    log: str = Field(default="info", pattern="^(debug|info|warning|error)$", description="log level")
    unsafe_example_keys: bool = Field(default=False, description="admit the published example keys: demo only")

    @field_validator("listen")
    @classmethod
    def _address(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not port.isdigit() or not host:
            message = "listen is address:port"
            raise ValueError(message)
        ipaddress.ip_address(host.strip("[]"))
        return value

    @model_validator(mode="after")
    def _public_means_tls(self) -> Settings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            message = "tls_certificate and tls_key go together"
            raise ValueError(message)
        if not ipaddress.ip_address(self.host).is_loopback and self.tls_certificate is None:
            message = f"`{self.listen}` is reachable by others: set tls_certificate and tls_key, or listen on 127.0.0.1"
            raise ValueError(message)
        return self

    @property
    def host(self) -> str:
        """The address part of ``listen``."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port part of ``listen``."""
        return int(self.listen.rpartition(":")[2])


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """Reads the ``[gateway]`` table of a TOML file, then ``TEARLINE_<SETTING>`` over it.

    Raises:
        SettingsError: unreadable file, unknown key or variable, or a value that does not fit.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"{path.name}: {error}"
        raise SettingsError(message) from error
    foreign = sorted(set(document) - {"gateway"})
    if foreign:
        message = f"{path.name}: unknown table `{foreign[0]}`; a gateway's settings stand in [gateway]"
        raise SettingsError(message)
    table: dict[str, Any] = dict(document.get("gateway", {}))
    table.update(_from_environment(environ))
    return build(table, path.parent)


def build(table: Mapping[str, Any], folder: Path) -> Settings:
    """Settings from a mapping, paths taken from ``folder``.

    Raises:
        SettingsError: an unknown setting or a value that does not fit.
    """
    try:
        settings = Settings.model_validate(dict(table))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "settings"
        message = f"`{where}`: {first['msg']}"
        raise SettingsError(message) from error
    paths = {
        name: folder / value
        for name in ("data", "keys", "tokens", "relay_ca", "tls_certificate", "tls_key")
        if (value := getattr(settings, name)) is not None
    }
    return settings.model_copy(update=paths)


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for variable, value in environ.items():
        if not variable.startswith(PREFIX) or variable in FOREIGN:
            continue
        name = variable.removeprefix(PREFIX).lower()
        field = Settings.model_fields.get(name)
        if field is None:
            message = f"unknown variable `{variable}`"
            raise SettingsError(message)
        several = name in ("agencies", "relay", "retry_seconds")
        found[name] = [item.strip() for item in value.split(",")] if several else value
    return found
