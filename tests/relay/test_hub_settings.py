"""The hub's settings: what contradicts itself, or would show to others who sends to whom, stops the start."""

import asyncio
import ssl
from pathlib import Path

import pytest

from broker.ops.hub import HubError, HubSettings, load_hub_settings, run
from broker.relay import Link, Nkey
from broker.relay.addresses import bracketed, reached
from broker.trust import BEAT_KEY, TrustStore, write_beat_keys
from tests.relay.conftest import clock, eventually
from tests.relay.test_tls import certificate
from tests.trust import exchange as trusted

ROOT = "sha256:" + "0" * 64


def settings(folder: Path, text: str) -> HubSettings:
    path = folder / "hub.toml"
    path.write_text(f'[hub]\ndata = "data"\nreleases = "releases"\nroot = "{ROOT}"\n{text}')
    return load_hub_settings(path, {})


CLUSTER = 'servers = ["tls://192.0.2.1:4222"]\naccounts_file = "accounts.conf"\n'
TLS = 'relay_certificate = "relay.pem"\nrelay_key = "relay.key"\n'


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('host = "0.0.0.0"', "reachable by others"),
        ('host = "192.0.2.7"', "reachable by others"),
        ('host = "::"', "reachable by others"),
        ('host = "localhost"', "host"),
        ('relay_certificate = "relay.pem"', "go together"),
        ('relay_key = "relay.key"', "go together"),
        ('relay_ca = "ca.pem"', "relay_ca"),
        (CLUSTER + TLS, "relay_certificate"),
        ('servers = ["nats://192.0.2.1:4222"]', "accounts_file"),
        ('accounts_file = "accounts.conf"', "servers"),
        ('relay_cerificate = "relay.pem"', "relay_cerificate"),
    ],
)
def test_what_contradicts_itself_stops_the_start(tmp_path, text, word) -> None:
    with pytest.raises(HubError, match=word) as refused:
        settings(tmp_path, text)
    assert refused.value.code == "settings"


@pytest.mark.parametrize(
    "text", ["", 'host = "127.0.0.2"', 'host = "::1"', 'host = "0.0.0.0"\n' + TLS, CLUSTER, CLUSTER + 'relay_ca = "c"']
)
def test_what_fits_is_taken(tmp_path, text) -> None:
    assert settings(tmp_path, text).data == tmp_path / "data"


def test_the_files_of_tls_are_relative_to_the_settings_file(tmp_path) -> None:
    found = settings(tmp_path, TLS)
    assert (found.relay_certificate, found.relay_key) == (tmp_path / "relay.pem", tmp_path / "relay.key")
    assert settings(tmp_path, CLUSTER + 'relay_ca = "ca.pem"').relay_ca == tmp_path / "ca.pem"


def test_an_address_is_written_so_that_it_can_be_connected_to() -> None:
    assert [reached(host) for host in ("0.0.0.0", "::", "::1", "127.0.0.1")] == [
        "127.0.0.1",
        "[::1]",
        "[::1]",
        "127.0.0.1",
    ]
    assert bracketed("2001:db8::1") == "[2001:db8::1]"


@pytest.fixture
def found(tmp_path: Path) -> HubSettings:
    """Releases of an exchange, and a hub that runs its relay on every address, with TLS."""
    store = TrustStore(tmp_path / "releases", trusted.root().fingerprint)
    for minted in (trusted.founded(), trusted.directory(), trusted.rules()):
        store.offer(minted.sealed, now=trusted.NOW)
    write_beat_keys(trusted.BEATING, tmp_path / "releases" / BEAT_KEY, created=trusted.NOW)
    tls = certificate(tmp_path)
    tls.key.chmod(0o600)
    found = settings(tmp_path, 'host = "0.0.0.0"\n' + TLS)
    return found.model_copy(update={"root": trusted.root().fingerprint})


async def test_a_hub_serves_the_relay_over_tls_on_every_address(found: HubSettings) -> None:
    working = asyncio.create_task(run(found))
    ports = found.data / "nats" / "ports.json"
    try:
        await eventually(lambda: ports.exists() and (found.data / "sealed" / "directory-000001").exists())
        port = ports.read_text().partition('"client": ')[2].partition(",")[0]
        keys = trusted.gateway_keys("state")
        trusting = ssl.create_default_context(cafile=str(found.relay_certificate))

        def link(scheme: str, tls: ssl.SSLContext | None) -> Link:
            return Link(
                gateway="state",
                nkey=Nkey(public=keys.public, sign=keys.sign),
                servers=[f"{scheme}://127.0.0.1:{port}"],
                now=clock,
                tls=tls,
            )

        async with link("tls", trusting) as over_tls, link("tls", ssl.create_default_context()) as doubting:
            async with asyncio.timeout(10):
                await over_tls.wait_connected()
            await eventually(lambda: "ERTIFICATE" in doubting.last_error.upper())
    finally:
        working.cancel()
        await asyncio.wait([working])


async def test_a_private_key_that_others_can_read_stops_the_start(found: HubSettings) -> None:
    assert found.relay_key is not None
    found.relay_key.chmod(0o644)
    with pytest.raises(HubError) as refused:
        await run(found)
    assert refused.value.code == "keys-too-open"
