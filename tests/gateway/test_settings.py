"""What stops the start: an unknown setting, a public address without TLS, keys that others can read, published keys."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from broker.gateway import service
from broker.gateway.settings import SettingsError, load
from broker.gateway.tokens import TokenError, create, read
from broker.trust import new_agency_keys, new_gateway_keys, write_agency_keys, write_gateway_keys
from tests.gateway.exchange import free_port

ROOT = "sha256:" + "0" * 64
KEYS_EXAMPLE = Path(__file__).parents[2] / "keys.example"


def write(folder: Path, **changes: str) -> Path:
    lines = {
        "name": '"springfield-pd"',
        "agencies": '["springfield-pd"]',
        "listen": '"127.0.0.1:7443"',
        "data": '"data"',
        "keys": '"keys"',
        "tokens": '"tokens.json"',
        "root": f'"{ROOT}"',
        "relay": '["nats://127.0.0.1:4222"]',
    } | changes
    path = folder / "gateway.toml"
    path.write_text("[gateway]\n" + "".join(f"{name} = {value}\n" for name, value in lines.items()))
    return path


def test_paths_are_relative_to_the_settings_file(tmp_path: Path) -> None:
    assert load(write(tmp_path), {}).data == tmp_path / "data"


def test_a_variable_overrides_the_file(tmp_path: Path) -> None:
    settings = load(write(tmp_path), {"TEARLINE_LISTEN": "127.0.0.1:9", "TEARLINE_RETRY_SECONDS": "1, 2.5"})

    assert (settings.port, settings.retry_seconds) == (9, (1.0, 2.5))


@pytest.mark.parametrize(
    ("changes", "environ", "word"),
    [
        ({"reqire_tls": "true"}, {}, "reqire_tls"),
        ({}, {"TEARLINE_REQIRE_TLS": "1"}, "TEARLINE_REQIRE_TLS"),
        ({"listen": '"0.0.0.0:7443"'}, {}, "reachable by others"),
        ({"listen": '"192.0.2.7:7443"'}, {}, "reachable by others"),
        ({"listen": '"localhost"'}, {}, "listen"),
        ({"root": '"sha256:zz"'}, {}, "root"),
        ({"agencies": "[]"}, {}, "agencies"),
        ({"skew_seconds": "900"}, {}, "skew_seconds"),
        ({"tls_key": '"key.pem"'}, {}, "tls_certificate and tls_key go together"),
        ({"name": '"Spring.field"'}, {}, "name"),
        ({"name": '"1042"'}, {}, "only digits"),
    ],
)
def test_what_does_not_fit_stops_the_start_by_name(
    tmp_path: Path, changes: dict[str, str], environ: dict[str, str], word: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        load(write(tmp_path, **changes), environ)

    assert word in str(refused.value)


def test_another_table_stops_the_start(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_text(path.read_text() + "\n[gatway]\nname = 'x'\n")

    with pytest.raises(SettingsError, match="gatway"):
        load(path, {})


def _keys(folder: Path) -> Path:
    keys = folder / "keys"
    keys.mkdir()
    now = datetime.now(UTC)  # noqa: TID251
    write_agency_keys(new_agency_keys("springfield-pd"), keys / "springfield-pd.json", created=now)
    write_gateway_keys(new_gateway_keys("springfield-pd"), keys / "springfield-pd.nkey.json", created=now)
    return keys


async def _start(path: Path) -> None:
    async with service.gateway(load(path, {})):
        pass


async def test_a_gateway_with_its_own_keys_starts_without_hub_or_relay(tmp_path: Path) -> None:
    _keys(tmp_path)

    await _start(write(tmp_path))

    assert (tmp_path / "data" / "gateway.sqlite").exists()


@pytest.mark.parametrize("file", ["springfield-pd.json", "springfield-pd.nkey.json"])
async def test_key_files_that_others_can_read_stop_the_start(tmp_path: Path, file: str) -> None:
    (_keys(tmp_path) / file).chmod(0o640)

    with pytest.raises(service.StartError, match="keys-too-open"):
        await _start(write(tmp_path))


async def test_example_keys_are_refused_unless_it_is_the_demo(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    for name in ("springfield-pd.json", "springfield-pd.nkey.json"):
        (keys / name).write_bytes((KEYS_EXAMPLE / "springfield-pd" / name).read_bytes())
        (keys / name).chmod(0o600)

    with pytest.raises(service.StartError, match="example-keys"):
        await _start(write(tmp_path))
    await _start(write(tmp_path, unsafe_example_keys="true"))


async def test_keys_of_another_agency_stop_the_start(tmp_path: Path) -> None:
    keys = _keys(tmp_path)
    (keys / "springfield-pd.json").rename(keys / "chicago-pd.json")

    with pytest.raises(service.StartError, match="wrong-agency"):
        await _start(write(tmp_path, agencies='["chicago-pd"]'))


def test_a_token_file_holds_no_token_and_is_private(tmp_path: Path) -> None:
    token, grant = create(tmp_path / "tokens.json", agency="springfield-pd", scopes=("read",), name="adapter")

    assert token not in (tmp_path / "tokens.json").read_text()
    assert (tmp_path / "tokens.json").stat().st_mode & 0o077 == 0
    assert list(read(tmp_path / "tokens.json").values()) == [grant]


def test_a_token_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    create(tmp_path / "tokens.json", agency="springfield-pd", scopes=("read",), name="adapter")
    (tmp_path / "tokens.json").chmod(0o644)

    with pytest.raises(TokenError) as refused:
        read(tmp_path / "tokens.json")

    assert refused.value.code == "tokens-too-open"


def _certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    now = datetime.now(UTC)  # noqa: TID251
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA384())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(pem)
    (folder / "key.pem").chmod(0o600)


async def test_with_a_certificate_the_api_speaks_tls_and_nothing_else(tmp_path: Path) -> None:
    _keys(tmp_path)
    _certificate(tmp_path)
    port = free_port()
    tls = {"tls_certificate": '"cert.pem"', "tls_key": '"key.pem"', "listen": f'"127.0.0.1:{port}"'}
    settings = load(write(tmp_path, **tls), {})
    context = ssl.create_default_context(cafile=tmp_path / "cert.pem")

    async with service.gateway(settings) as node, service.serving(node), aiohttp.ClientSession() as session:
        async with session.get(f"https://127.0.0.1:{port}/healthz", ssl=context) as answer:
            assert answer.status == 200
        with pytest.raises(aiohttp.ClientError):
            await session.get(f"http://127.0.0.1:{port}/healthz")


async def test_a_tls_key_that_others_can_read_stops_the_start(tmp_path: Path) -> None:
    _keys(tmp_path)
    _certificate(tmp_path)
    (tmp_path / "key.pem").chmod(0o644)
    settings = load(write(tmp_path, tls_certificate='"cert.pem"', tls_key='"key.pem"'), {})

    with pytest.raises(service.StartError, match="can be read by others"):
        await service.run(settings)


async def test_an_address_that_is_taken_stops_the_start(tmp_path: Path) -> None:
    _keys(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = load(write(tmp_path, listen=f'"127.0.0.1:{taken.getsockname()[1]}"'), {})

        with pytest.raises(service.StartError, match="cannot listen"):
            await service.run(settings)


async def test_readyz_is_503_until_there_are_verified_releases(tmp_path: Path) -> None:
    _keys(tmp_path)
    port = free_port()
    settings = load(write(tmp_path, listen=f'"127.0.0.1:{port}"'), {})

    async with (
        service.gateway(settings) as node,
        service.serving(node),
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/readyz") as answer,
    ):
        assert answer.status == 503
        assert (await answer.json())["code"] == "not-ready"
