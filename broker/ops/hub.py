"""The hub as a process: follows a folder of signed releases and keeps NATS as the newest directory says.

The folder is a `TrustStore`: officers put the next release there (`tearline agency add`), every release in it is
verified before anything follows it, and NATS is given the sealed bytes. The hub is trusted by nobody for any of it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import ssl
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from broker.ops import clock
from broker.ops.conductor import Conductor
from broker.relay import (
    EmbeddedServer,
    EmbeddedSettings,
    ExternalCluster,
    Hub,
    HubKeys,
    Nkey,
    RelayError,
    ServerTls,
    load_or_make_hub_keys,
)
from broker.seal import nkey_public, nkey_sign
from broker.trust import BEAT_KEY, TrustError, TrustStore, load_beat_keys
from broker.trust.files import replace_private

log = structlog.get_logger()

PREFIX: Final = "TEARLINE_"
# An emergency has five seconds to be in force and a rollback two; a look costs a few stats of files.
_LOOK_SECONDS: Final = 0.2
_PATHS: Final = ("data", "releases", "accounts_file", "relay_certificate", "relay_key", "relay_ca")


class HubError(Exception):
    """The hub cannot start; `code` is kebab-case."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class HubSettings(BaseModel):
    """`[hub]`: paths are relative to the settings file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Path = Field(description="folder of the hub's own NATS keys and, when it runs the relay, of its store")
    releases: Path = Field(description="folder of the signed releases; `tearline agency add` puts the next one there")
    root: str = Field(pattern=r"^sha256:[0-9a-f]{64}$", description="fingerprint of the exchange's root")
    port: int | None = Field(
        default=None, ge=1, le=65535, description="relay's port; free ones are chosen once and kept"
    )
    monitor_port: int | None = Field(default=None, ge=1, le=65535, description="relay's monitoring port, loopback only")
    host: str = Field(default="127.0.0.1", description="IP address the relay listens on; others than loopback need TLS")
    relay_certificate: Path | None = Field(default=None, description="certificate chain of the relay it runs, PEM")
    relay_key: Path | None = Field(default=None, description="private key of the relay it runs, PEM, mode 0600")
    servers: tuple[str, ...] = Field(
        default=(), description="nats:// or tls:// addresses of a relay that others run; empty: own one"
    )
    relay_ca: Path | None = Field(default=None, description="certificate authority of those servers' TLS")
    accounts_file: Path | None = Field(default=None, description="accounts file that those servers include")
    replicas: int = Field(default=1, ge=1, le=5, description="copies of each stream, 3 in a cluster")

    @field_validator("host")
    @classmethod
    def _address(cls, value: str) -> str:
        ipaddress.ip_address(value)
        return value

    @model_validator(mode="after")
    def _contradictions(self) -> HubSettings:
        if bool(self.servers) != (self.accounts_file is not None):
            raise ValueError("`servers` and `accounts_file` go together")
        if (self.relay_certificate is None) != (self.relay_key is None):
            raise ValueError("`relay_certificate` and `relay_key` go together")
        if self.servers and self.relay_certificate is not None:
            raise ValueError("`relay_certificate` is for a relay of its own; give `relay_ca` for `servers`")
        if self.relay_ca is not None and not self.servers:
            raise ValueError("`relay_ca` is for `servers`; a relay of its own is known by `relay_certificate`")
        # Nothing private is readable on the way, but who sends to whom is.
        if not self.servers and self.relay_certificate is None and not ipaddress.ip_address(self.host).is_loopback:
            raise ValueError(f"`{self.host}` is reachable by others: set `relay_certificate` and `relay_key`")
        return self


def load_hub_settings(path: Path, environ: Mapping[str, str]) -> HubSettings:
    """Read the `[hub]` table, then `TEARLINE_<SETTING>` over it.

    Raises:
        HubError: `settings`, for anything unknown, missing or contradictory.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise HubError("settings", f"{path.name}: {error}") from error
    if set(document) != {"hub"} or not isinstance(document["hub"], dict):
        raise HubError("settings", f"{path.name}: a hub's settings stand in [hub] and nothing else does")
    table: dict[str, Any] = {**document["hub"], **_from_environment(environ)}
    try:
        settings = HubSettings.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "hub"
        raise HubError("settings", f"`{where}`: {first['msg']}") from error
    folder = path.resolve().parent
    named = {name: getattr(settings, name) for name in _PATHS}
    return settings.model_copy(update={name: folder / value for name, value in named.items() if value is not None})


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for variable, value in environ.items():
        if not variable.startswith(PREFIX):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in HubSettings.model_fields:
            raise HubError("settings", f"unknown variable `{variable}`")
        found[name] = [item.strip() for item in value.split(",")] if name == "servers" else value
    return found


async def run(settings: HubSettings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        HubError, RelayError, TrustError: it cannot start.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    trust = TrustStore(settings.releases, settings.root)
    if trust.staged("directory") is None:
        raise HubError("no-directory", "there is no signed directory in the folder of releases yet")
    keys = load_or_make_hub_keys(settings.data / "hub.json", nkey_of=_nkey)
    tls = _trusted(settings)
    hub = Hub(keys=keys, servers=_servers(settings, keys, tls), replicas=settings.replicas, tls=tls)
    beating = load_beat_keys(settings.releases / BEAT_KEY)
    async with hub:
        await hub.start(_gateways(trust))
        log.info("hub ready", gateways=len(_gateways(trust)))
        follower = _Follower(hub, settings, trust)
        conductor = Conductor(settings.data, hub, beating, now=clock.now)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(follower.run()),
                group.create_task(conductor.run(lambda: follower.trust, lambda: follower.changed)),
            ]
            await stop.wait()
            for task in tasks:
                task.cancel()
    log.info("hub ended")


class _Follower:
    """Publishes what is in the folder, then whatever comes; a relay that is away is tried again for ever."""

    def __init__(self, hub: Hub, settings: HubSettings, trust: TrustStore) -> None:
        self.trust = trust
        self.changed = asyncio.Event()
        self._hub = hub
        self._settings = settings
        self._seen: frozenset[tuple[str, int, int]] | None = None
        self._applied = _newest(trust)

    async def run(self) -> None:
        while True:
            try:
                changed = _changed(self._settings.releases)
                if changed != self._seen:
                    self.trust = TrustStore(self._settings.releases, self._settings.root)
                    await self._apply()
                    await _publish(self._hub, self.trust, self._settings.data / "sealed")
                    self._seen = changed
                    rung, self.changed = self.changed, asyncio.Event()
                    rung.set()
            except (RelayError, TrustError) as error:
                log.warning("releases not published, trying again", code=error.code)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _apply(self) -> None:
        """Follow the newest directory, also before it is in force: who joins must be able to connect to get it."""
        newest = _newest(self.trust)
        if newest == self._applied:
            return
        await self._hub.apply(_gateways(self.trust))
        self._applied = newest
        log.info("directory applied", number=newest)


def _newest(trust: TrustStore) -> int:
    head = trust.staged("directory")
    return head.number if head else 0


def _gateways(trust: TrustStore) -> Mapping[str, str]:
    directory = trust.staged_directory
    return directory.gateways if directory else {}


async def _publish(hub: Hub, trust: TrustStore, folder: Path) -> None:
    """Put the root and every release into the stream, in order; what is there already is left alone."""
    await hub.publish_release("root", 1, _sealed(folder / "root-000001", lambda: trust.sealed("root")))
    # Rules before the directory: only both together let a gateway decide, and rules are the larger part of trust.
    for kind in ("rules", "directory", "trial"):
        newest = trust.staged(kind)
        for number in range(1, (newest.number if newest else 0) + 1):
            name = f"{kind}-{number:06d}"
            release = trust.release(kind, number) if kind == "rules" else None
            if release is not None and release.lapses is not None and release.confirmed:
                # Also when the next one has come meanwhile: without the second signature it would lapse.
                name += "-confirmed"
            raw = _sealed(folder / name, lambda kind=kind, number=number: trust.sealed(kind, number))
            await hub.publish_release(kind, number, raw)


def _sealed(path: Path, make: Any) -> bytes:
    """A release as it travels, sealed once: sealing again would make other bytes, and the stream would hold both."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_private(path, make())
    return path.read_bytes()


def _changed(releases: Path) -> frozenset[tuple[str, int, int]]:
    """What tells that a file came or was replaced, whatever the clock says: each is written anew, under its name."""
    found = ((path.name, path.stat()) for path in releases.glob("*.cose"))
    return frozenset((name, status.st_ino, status.st_mtime_ns) for name, status in found)


def _trusted(settings: HubSettings) -> ssl.SSLContext | None:
    """Which relay the hub itself talks to; None without TLS.

    Its own one is known by its very certificate, whoever issued it and whatever address it names.
    """
    try:
        if settings.relay_ca is not None:
            return ssl.create_default_context(cafile=settings.relay_ca)
        if settings.relay_certificate is None or settings.relay_key is None:
            return None
        if settings.relay_key.stat().st_mode & 0o077:
            raise HubError("keys-too-open", f"`{settings.relay_key.name}` can be read by others; chmod 600")
        text = settings.relay_certificate.read_text(encoding="ascii")
        own, ending, _ = text.partition("-----END CERTIFICATE-----")
        context = ssl.create_default_context(cadata=own + ending)
    except (OSError, ValueError) as error:
        raise HubError("settings", f"the relay's certificates cannot be used: {error}") from error
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False
    return context


def _servers(settings: HubSettings, keys: HubKeys, trusted: ssl.SSLContext | None) -> EmbeddedServer | ExternalCluster:
    if settings.accounts_file is not None:
        return ExternalCluster(
            urls=settings.servers, accounts_file=settings.accounts_file, system=keys.system, tls=trusted
        )
    tls = None
    if settings.relay_certificate is not None and settings.relay_key is not None:
        # nats-server reads them from its own folder's point of view.
        tls = ServerTls(certificate=settings.relay_certificate.absolute(), key=settings.relay_key.absolute())
    embedded = EmbeddedSettings(host=settings.host, port=settings.port, monitor_port=settings.monitor_port, tls=tls)
    return EmbeddedServer(settings.data / "nats", embedded)


def _nkey(seed: bytes) -> Nkey:
    return Nkey(public=nkey_public(seed), sign=lambda nonce: nkey_sign(seed, nonce))
