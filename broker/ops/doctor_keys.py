"""The doctor's questions about keys, releases and the library under the seal."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from broker.gateway.settings import Settings, SettingsError, load
from broker.ops.clock import now
from broker.trust import TrustError, TrustStore, load_agency_keys, load_gateway_keys

Verdict = Literal["ok", "warn", "fail"]

# DESIGN 7: KEM keys rotate within thirty days.
_KEM_ROTATES: Final = timedelta(days=30)
# Two officers of two agencies need days to meet; a week's notice is the least.
_EXPIRES_SOON: Final = timedelta(days=7)
_OTHERS: Final = 0o077


def relays(config: Path, environ: Mapping[str, str]) -> list[str]:
    """The relays that a gateway will use; none when its settings are refused (`key_findings` says so)."""
    try:
        return list(load(config, environ).relay)
    except SettingsError:
        return []


def key_findings(config: Path, environ: Mapping[str, str]) -> Iterator[tuple[str, Verdict, str]]:
    """What a gateway's keys, tokens and cached releases are like."""
    try:
        settings = load(config, environ)
    except SettingsError as error:
        yield "settings", "fail", str(error)
        return
    yield "settings", "ok", f"gateway {settings.name}: {', '.join(settings.agencies)}"
    for agency in settings.agencies:
        yield from _agency(settings, agency)
    path = settings.keys / f"{settings.name}.nkey.json"
    try:
        load_gateway_keys(path, allow_example=settings.unsafe_example_keys)
    except TrustError as error:
        yield f"NATS key of {settings.name}", "fail", f"{error.code}: {error}"
    yield from _tokens(settings)
    yield from _releases(settings)


def _agency(settings: Settings, agency: str) -> Iterator[tuple[str, Verdict, str]]:
    check = f"keys of {agency}"
    path = settings.keys / f"{agency}.json"
    try:
        load_agency_keys(path, allow_example=settings.unsafe_example_keys)
    except TrustError as error:
        yield check, "fail", f"{error.code}: {error}"
        return
    age = now() - _created(path)
    if settings.unsafe_example_keys:
        yield check, "warn", "published example keys: for the demo and for nothing else"
    elif age > _KEM_ROTATES:
        yield check, "warn", f"{age.days} days old: the KEM key should have been rotated after {_KEM_ROTATES.days}"
    else:
        yield check, "ok", f"{age.days} days old, rotate within {(_KEM_ROTATES - age).days} days"


def _created(path: Path) -> datetime:
    return datetime.fromisoformat(json.loads(path.read_text(encoding="utf-8"))["created"])


def _tokens(settings: Settings) -> Iterator[tuple[str, Verdict, str]]:
    if not settings.tokens.exists():
        yield "tokens", "warn", "none yet: `tearline token new` makes one"
    elif stat.S_IMODE(settings.tokens.stat().st_mode) & _OTHERS:
        yield "tokens", "fail", f"`{settings.tokens.name}` can be read by others: chmod 600"
    else:
        yield "tokens", "ok", "only hashes, mode 0600"


def _releases(settings: Settings) -> Iterator[tuple[str, Verdict, str]]:
    try:
        store = TrustStore(settings.data / "releases", settings.root)
    except TrustError as error:
        yield "releases", "fail", f"{error.code}: {error}"
        return
    if store.root is None:
        yield "releases", "warn", "none cached yet: the gateway is not ready before the hub has sent some"
        return
    yield "root", *_expiry(store.root.expires, "")
    for name, release in (("directory", store.directory), ("rules", store.rules)):
        if release is None:
            yield name, "warn", "none cached yet"
        else:
            yield name, *_expiry(release.expires, f"number {release.number}, ")


def _expiry(expires: datetime, words: str) -> tuple[Verdict, str]:
    left = expires - now()
    if left <= timedelta(0):
        return "fail", f"{words}EXPIRED on {expires:%Y-%m-%d}: nothing is decided any more"
    return ("warn" if left < _EXPIRES_SOON else "ok"), f"{words}expires on {expires:%Y-%m-%d}, in {left.days} days"
