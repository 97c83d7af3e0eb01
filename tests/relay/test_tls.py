"""The relay over TLS: a link that trusts the exchange's authority gets in, one that does not stays out."""

import ipaddress
import ssl
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from broker.relay import EmbeddedServer, EmbeddedSettings, Hub, HubKeys, Link, envelope_subject
from broker.relay.config import ServerTls
from tests.relay.conftest import clock, eventually, gateway_nkey, new_nkey, outgoing, take


def certificate(folder: Path) -> ServerTls:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "relay")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(clock() - timedelta(days=1))
        .not_valid_after(clock() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    tls = ServerTls(certificate=folder / "relay.pem", key=folder / "relay.key")
    tls.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    tls.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return tls


async def test_a_link_that_trusts_the_authority_gets_in_and_one_that_does_not_stays_out(tmp_path) -> None:
    tls = certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=str(tls.certificate))
    server = EmbeddedServer(tmp_path / "relay", EmbeddedSettings(tls=tls))
    assert server.url.startswith("tls://")
    keys = HubKeys(hub=new_nkey(), system=new_nkey())
    async with Hub(keys=keys, servers=server, tls=trusting) as hub:
        await hub.start({"a": gateway_nkey("a").public, "b": gateway_nkey("b").public})
        links = {
            name: Link(gateway=name, nkey=gateway_nkey(name), servers=server.urls, now=clock, tls=trusting)
            for name in ("a", "b")
        }
        doubting = Link(
            gateway="a", nkey=gateway_nkey("a"), servers=server.urls, now=clock, tls=ssl.create_default_context()
        )
        async with links["a"] as a, links["b"] as b, doubting:
            await a.wait_connected()
            await a.publish([outgoing(envelope_subject("a", "b", "FLASH"), b"x")])
            assert [incoming.payload for incoming in await take(b, 1)] == [b"x"]
            await eventually(lambda: "ERTIFICATE" in doubting.last_error.upper())
            assert not doubting.connected
