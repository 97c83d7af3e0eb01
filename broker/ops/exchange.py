"""One exchange on one machine: the hub, the gateways and the adapters that one TOML file names.

The file says which processes there are; what each one does stands in its own settings file, the same file that
`tearline gateway` or `tearline adapter` would be given by hand. Relative paths are resolved from the TOML's folder.
"""

import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Final

from pydantic import ConfigDict, StringConstraints, TypeAdapter, ValidationError, with_config

from broker.ops.supervise import Child

# The command line's own variables: they say how a person reaches a gateway and mean nothing to a child.
CLIENT_VARIABLES: Final = frozenset(
    {"TEARLINE_GATEWAY", "TEARLINE_TOKEN_FILE", "TEARLINE_AGENCY", "TEARLINE_RUN", "TEARLINE_SAMPLES"}
)

_Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class ExchangeError(Exception):
    """The exchange file is refused; `code` is kebab-case."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSettings:
    """`[exchange]`."""

    name: _Name
    """Shown in messages."""
    logs: Path = Path("log")
    """Folder that gets one log file per process."""
    ready_seconds: float = 60.0
    """How long the start may take before `up` gives up."""


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True)
class HubSettings:
    """`[hub]`; leave the table out when the hub runs elsewhere."""

    config: Path
    """Settings file of the hub."""


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayEntry:
    """`[[gateway]]`, once for each gateway on this machine."""

    config: Path
    """Settings file of the gateway."""


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterEntry:
    """`[[adapter]]`, once for each adapter on this machine."""

    kind: _Name
    """`city-police`, `fusion-center`, `jttf` or `state-police`."""
    config: Path
    """Settings file of the adapter."""


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """An exchange file, parsed: every path absolute."""

    exchange: ExchangeSettings
    hub: HubSettings | None = None
    gateway: tuple[GatewayEntry, ...] = ()
    adapter: tuple[AdapterEntry, ...] = ()


# For the README's settings table, which a test compares with these classes.
TABLES: Final[Mapping[str, type]] = {
    "exchange": ExchangeSettings,
    "hub": HubSettings,
    "gateway": GatewayEntry,
    "adapter": AdapterEntry,
}


def settings_names() -> list[str]:
    """Every setting of the exchange file, as `table.field`."""
    return [f"{table}.{one.name}" for table, kind in TABLES.items() for one in fields(kind)]


def load_exchange(path: Path) -> Exchange:
    """Read an exchange file.

    Raises:
        ExchangeError: `no-file`, `not-toml`, `settings` (unknown or missing setting) or `nothing-to-run`.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ExchangeError("no-file", f"cannot read `{path}`: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ExchangeError("not-toml", f"`{path}` is not TOML: {error}") from error
    try:
        exchange = TypeAdapter(Exchange).validate_python(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise ExchangeError("settings", f"`{path}`: `{where}`: {first['msg'].lower()}") from error
    if exchange.hub is None and not exchange.gateway and not exchange.adapter:
        raise ExchangeError("nothing-to-run", f"`{path}` names no hub, no gateway and no adapter")
    return exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The processes of an exchange in the order in which they start."""

    name: str
    ready_seconds: float
    hub: Child | None
    gateways: tuple[Child, ...]
    adapters: tuple[Child, ...]

    @property
    def children(self) -> tuple[Child, ...]:
        """Hub, gateways, adapters."""
        return (*((self.hub,) if self.hub else ()), *self.gateways, *self.adapters)


def plan(path: Path, *, environ: Mapping[str, str], command: tuple[str, ...] = ()) -> Plan:
    """The processes that the exchange file at `path` asks for.

    Raises:
        ExchangeError: as `load_exchange`, `environment` for a `TEARLINE_` variable (it would bind every child at once),
            `duplicate` when two children have the same name.
    """
    stray = sorted(name for name in environ if name.startswith("TEARLINE_") and name not in CLIENT_VARIABLES)
    if stray:
        raise ExchangeError(
            "environment", f"`{stray[0]}` would bind every process; write it into the process's own file"
        )
    exchange = load_exchange(path)
    folder = path.resolve().parent
    logs = folder / exchange.exchange.logs
    program = command or (sys.executable, "-m", "broker.cli")
    inherited = {name: value for name, value in environ.items() if name not in CLIENT_VARIABLES}

    def child(name: str, *arguments: str, ready: str | None = None) -> Child:
        return Child(
            name=name,
            command=(*program, *arguments),
            folder=folder,
            log=logs / f"{name}.log",
            ready=ready,
            environ=inherited,
        )

    hub = None
    if exchange.hub is not None:
        hub = child("hub", "hub", str(folder / exchange.hub.config))
    gateways = []
    for gateway in exchange.gateway:
        config = folder / gateway.config
        name, ready = _gateway(config)
        gateways.append(child(f"gateway-{name}", "gateway", str(config), ready=ready))
    adapters = [
        child(f"adapter-{entry.config.stem}", "adapter", entry.kind, str(folder / entry.config))
        for entry in exchange.adapter
    ]
    result = Plan(
        name=exchange.exchange.name,
        ready_seconds=exchange.exchange.ready_seconds,
        hub=hub,
        gateways=tuple(gateways),
        adapters=tuple(adapters),
    )
    names = [one.name for one in result.children]
    for name in names:
        if names.count(name) > 1:
            raise ExchangeError("duplicate", f"two processes are named `{name}`")
    return result


def _gateway(config: Path) -> tuple[str, str]:
    """Name and ready URL from a gateway's own settings, which the gateway itself checks in full."""
    try:
        table = tomllib.loads(config.read_text(encoding="utf-8"))["gateway"]
        scheme = "https" if table.get("tls_certificate") else "http"
        return str(table["name"]), f"{scheme}://{table['listen']}/readyz"
    except OSError as error:
        raise ExchangeError("no-file", f"cannot read `{config}`: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ExchangeError("not-toml", f"`{config}` is not TOML: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ExchangeError("settings", f"`{config}` has no `gateway.name` and `gateway.listen`") from error
