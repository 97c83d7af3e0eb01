"""nats-server's configuration, rendered from values: who may connect, and the little that each may do.

Every gateway has its own account (DESIGN 8). In a shared account the reply subject of a request is not checked against
permissions, and a confined user had a message stored under another's subject; across an account border replies come
back to the asker's own account only. What a gateway may do reaches the hub's account through service imports, each
exported to that one account. User permissions repeat the same list as a second wall.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker.relay.lanes import BEATS, LANES, RELEASES, REPORTS
from broker.relay.nkeys import user_nkey
from broker.relay.subjects import gateway_name, report_subject

HUB_ACCOUNT: Final = "HUB"
SYSTEM_ACCOUNT: Final = "SYS"
ACCOUNTS_FILE: Final = "accounts.conf"

# An envelope is split above 900 KB (DESIGN 6); 1 MiB leaves room for NATS headers.
MAX_PAYLOAD: Final = 1024 * 1024

# nats-server remembers each pull's way back for this long, some 750 bytes each, and by default for two minutes. A pull
# lives two seconds, reading RELEASES at most ten.
_ANSWERS_WITHIN: Final = "30s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """Who may connect: the hub's two nkeys and one public nkey per gateway."""

    hub: str
    system: str
    gateways: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTls:
    """Certificate and key of the server; with `ca`, clients must show a certificate from it (mTLS)."""

    certificate: Path
    key: Path
    ca: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Membership of a cluster: its name, where routes listen, and the peers' route URLs."""

    name: str
    listen: str
    routes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """One nats-server: addresses, store folder, optional TLS and cluster."""

    name: str
    listen: str
    monitor: str
    store: Path
    log: Path | None = None
    tls: ServerTls | None = None
    cluster: Cluster | None = None


def render_server_config(settings: ServerSettings, *, accounts_file: str = ACCOUNTS_FILE) -> str:
    """Render the node's own file; the accounts stand in a second file that is included, so that the hub owns only that.

    `sync_interval: always` makes an acknowledgement mean "on disk": with the default of two minutes a power cut lost
    131,418 of 930,005 acknowledged writes (Jepsen, NATS 2.12.1). WebSocket, MQTT, leaf nodes and gateways stay off:
    nothing is listened on that is not written here.
    """
    lines = [
        f"server_name: {_text(settings.name)}",
        f"listen: {_text(settings.listen)}",
        f"http: {_text(settings.monitor)}",
        f"max_payload: {MAX_PAYLOAD}",
        # A vanished peer is noticed within half a minute; the client pings on its own as well.
        'ping_interval: "10s"',
        "ping_max: 2",
        'write_deadline: "10s"',
        "jetstream {",
        f"  store_dir: {_text(str(settings.store))}",
        "  sync_interval: always",
        "}",
    ]
    if settings.log is not None:
        # Bounded: refused log-ins are logged, and anyone who reaches the port can cause them.
        lines += [f"log_file: {_text(str(settings.log))}", "logfile_size_limit: 8MB", "logfile_max_num: 2"]
    if settings.tls is not None:
        lines += _tls(settings.tls)
    if settings.cluster is not None:
        routes = ", ".join(_text(route) for route in settings.cluster.routes)
        lines += [
            "cluster {",
            f"  name: {_text(settings.cluster.name)}",
            f"  listen: {_text(settings.cluster.listen)}",
            f"  routes: [{routes}]",
            "}",
        ]
    lines.append(f"include {_text(accounts_file)}")
    return "\n".join(lines) + "\n"


def render_accounts(accounts: Accounts) -> str:
    """Render the accounts file: HUB (owner of JetStream), SYS, and one account per gateway.

    Raises:
        RelayError: `bad-gateway-name` or `bad-nkey`; nothing unchecked enters a configuration file.
    """
    gateways = [(gateway_name(name), user_nkey(public)) for name, public in sorted(accounts.gateways.items())]
    exports = [line for name, _ in gateways for line in _exports(name)]
    return "\n".join(
        [
            f"system_account: {SYSTEM_ACCOUNT}",
            "accounts {",
            f"  {SYSTEM_ACCOUNT} {{ users: [ {{ nkey: {user_nkey(accounts.system)} }} ] }}",
            f"  {HUB_ACCOUNT} {{",
            "    jetstream: enabled",
            f"    users: [ {{ nkey: {user_nkey(accounts.hub)} }} ]",
            "    exports: [",
            *exports,
            "    ]",
            "  }",
            *[line for name, public in gateways for line in _gateway_account(name, public)],
            "}",
            "",
        ]
    )


def account_of(gateway: str) -> str:
    """Name a gateway's account; the prefix keeps it apart from HUB and SYS."""
    return f"GW_{gateway}"


def inbox_prefix(gateway: str) -> str:
    """Name the only subjects a gateway may subscribe to."""
    return f"_INBOX_{gateway}"


def requests_of(gateway: str) -> list[str]:
    """List the requests of a gateway that are answered once: publishing, and INFO about its own consumers."""
    return [
        f"env.{gateway}.>",
        report_subject(gateway),
        *[f"$JS.API.CONSUMER.INFO.{stream}.{consumer}" for stream, consumer in _consumers(gateway)],
    ]


def streams_of(gateway: str) -> list[str]:
    """List the requests of a gateway that are answered by many messages: its own pulls, RELEASES and REPORTS."""
    return [
        *[f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}" for stream, consumer in _consumers(gateway)],
        # Exactly this subject, without the `.<subject>` form that takes wildcards; these are for every member.
        f"$JS.API.DIRECT.GET.{RELEASES}",
        f"$JS.API.DIRECT.GET.{REPORTS}",
    ]


def acks_of(gateway: str) -> list[str]:
    """List the acknowledgements of a gateway, in both forms of NATS ADR-15.

    v1 is `$JS.ACK.<stream>.<consumer>.…`, v2 `$JS.ACK.<domain>.<account hash>.<stream>.<consumer>.…`. The domain is
    written out: this exchange has none, which is `_`. Were it a wildcard, `$JS.ACK.HOT.<victim>.HOT.<me>.…` would be
    granted as v2 and obeyed as v1: another gateway's messages could be drawn and deleted. No stream is called `_`.
    """
    return [
        subject
        for stream, consumer in _consumers(gateway)
        for subject in (f"$JS.ACK.{stream}.{consumer}.>", f"$JS.ACK._.*.{stream}.{consumer}.>")
    ]


def _consumers(gateway: str) -> list[tuple[str, str]]:
    return [*[(lane.stream, lane.consumer(gateway)) for lane in LANES], (RELEASES, gateway), (BEATS, gateway)]


def _exports(gateway: str) -> list[str]:
    to = f"accounts: [{account_of(gateway)}]"
    many = f"response_type: stream, response_threshold: {_text(_ANSWERS_WITHIN)}"
    once = [*requests_of(gateway), *acks_of(gateway)]
    return [
        *[f"      {{ service: {_text(subject)}, {to} }}" for subject in once],
        *[f"      {{ service: {_text(subject)}, {many}, {to} }}" for subject in streams_of(gateway)],
    ]


def _gateway_account(gateway: str, public: str) -> Iterable[str]:
    allowed = [*requests_of(gateway), *streams_of(gateway), *acks_of(gateway)]
    return [
        f"  {account_of(gateway)} {{",
        "    users: [ {",
        f"      nkey: {public}",
        "      permissions {",
        f"        publish {{ allow: {_array(allowed)} }}",
        f"        subscribe {{ allow: {_array([inbox_prefix(gateway) + '.>'])} }}",
        "      }",
        "    } ]",
        "    imports: [",
        *[f"      {{ service: {{ account: {HUB_ACCOUNT}, subject: {_text(subject)} }} }}" for subject in allowed],
        "    ]",
        "  }",
    ]


def _tls(tls: ServerTls) -> list[str]:
    lines = ["tls {", f"  cert_file: {_text(str(tls.certificate))}", f"  key_file: {_text(str(tls.key))}"]
    if tls.ca is not None:
        lines += [f"  ca_file: {_text(str(tls.ca))}", "  verify: true"]
    return [*lines, "  timeout: 5", "}"]


def _array(subjects: Sequence[str]) -> str:
    return "[" + ", ".join(_text(subject) for subject in subjects) + "]"


def _text(value: str) -> str:
    # A JSON string is a valid quoted string of nats-server's configuration language.
    return json.dumps(value)
