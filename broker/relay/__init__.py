"""NATS: the untrusted relay between gateways. The only importer of `nats`; bytes in, bytes out."""

from broker.relay.cluster import ExternalCluster
from broker.relay.config import ServerTls
from broker.relay.errors import RelayError
from broker.relay.hub import Hub
from broker.relay.hubkeys import HubKeys, load_or_make_hub_keys
from broker.relay.link import Incoming, Link
from broker.relay.nkeys import Nkey
from broker.relay.publisher import Outcome, Outgoing
from broker.relay.server import EmbeddedServer, EmbeddedSettings
from broker.relay.subjects import envelope_subject, gateway_name, parse_subject, receipt_subject, release_subject

__all__ = [
    "EmbeddedServer",
    "EmbeddedSettings",
    "ExternalCluster",
    "Hub",
    "HubKeys",
    "Incoming",
    "Link",
    "Nkey",
    "Outcome",
    "Outgoing",
    "RelayError",
    "ServerTls",
    "envelope_subject",
    "gateway_name",
    "load_or_make_hub_keys",
    "parse_subject",
    "receipt_subject",
    "release_subject",
]
