"""What stands in nats-server's configuration, and what can never get into it."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.relay.config import (
    Accounts,
    Cluster,
    ServerSettings,
    acks_of,
    render_accounts,
    render_server_config,
    requests_of,
    streams_of,
)
from broker.relay.errors import RelayError
from broker.relay.nkeys import user_nkey
from broker.relay.process import check_config
from tests.relay.conftest import gateway_nkey, new_nkey

HUB, SYSTEM = gateway_nkey("hub").public, gateway_nkey("system").public


def render(**gateways: str) -> str:
    return render_accounts(Accounts(hub=HUB, system=SYSTEM, gateways=gateways))


def test_a_gateway_is_granted_exactly_this() -> None:
    assert requests_of("x") == [
        "env.x.>",
        "report.x",
        "$JS.API.CONSUMER.INFO.HOT.x_FLASH",
        "$JS.API.CONSUMER.INFO.HOT.x",
        "$JS.API.CONSUMER.INFO.RECEIPTS.x",
        "$JS.API.CONSUMER.INFO.COLD.x",
        "$JS.API.CONSUMER.INFO.RELEASES.x",
        "$JS.API.CONSUMER.INFO.BEATS.x",
    ]
    assert streams_of("x") == [
        "$JS.API.CONSUMER.MSG.NEXT.HOT.x_FLASH",
        "$JS.API.CONSUMER.MSG.NEXT.HOT.x",
        "$JS.API.CONSUMER.MSG.NEXT.RECEIPTS.x",
        "$JS.API.CONSUMER.MSG.NEXT.COLD.x",
        "$JS.API.CONSUMER.MSG.NEXT.RELEASES.x",
        "$JS.API.CONSUMER.MSG.NEXT.BEATS.x",
        "$JS.API.DIRECT.GET.RELEASES",
        "$JS.API.DIRECT.GET.REPORTS",
    ]
    assert acks_of("x") == [
        "$JS.ACK.HOT.x_FLASH.>",
        "$JS.ACK._.*.HOT.x_FLASH.>",
        "$JS.ACK.HOT.x.>",
        "$JS.ACK._.*.HOT.x.>",
        "$JS.ACK.RECEIPTS.x.>",
        "$JS.ACK._.*.RECEIPTS.x.>",
        "$JS.ACK.COLD.x.>",
        "$JS.ACK._.*.COLD.x.>",
        "$JS.ACK.RELEASES.x.>",
        "$JS.ACK._.*.RELEASES.x.>",
        "$JS.ACK.BEATS.x.>",
        "$JS.ACK._.*.BEATS.x.>",
    ]


def test_every_export_is_for_one_account_and_names_only_its_own_gateway() -> None:
    exports = re.findall(r"\{ service: \"([^\"]+)\".* accounts: \[GW_([a-z]+)\] \}", render(ann=HUB, bob=SYSTEM))
    assert len(exports) == render(ann=HUB, bob=SYSTEM).count('{ service: "') == 2 * 28
    for subject, gateway in exports:
        shared = subject in {"$JS.API.DIRECT.GET.RELEASES", "$JS.API.DIRECT.GET.REPORTS"}
        assert shared or re.search(rf"\.{gateway}(_FLASH)?(\.>)?$", subject)


@pytest.mark.parametrize(
    "name", ['a" } exports: [ { service: ">" } ] {', "a\nb", "HUB", "a.b", "*", "", "a b", "$x", "a_FLASH", "42"]
)
def test_a_name_cannot_write_configuration(name) -> None:
    with pytest.raises(RelayError) as caught:
        render(**{name: HUB})
    assert caught.value.code == "bad-gateway-name"


@pytest.mark.parametrize(
    "key", ["", "U" + "A" * 55, HUB.lower(), HUB[:-1], HUB + "A", HUB[:-1] + "\n", "A" + HUB[1:], '" } ]']
)
def test_what_is_no_public_user_nkey_cannot_get_in(key) -> None:
    with pytest.raises(RelayError) as caught:
        render(a=key)
    assert caught.value.code == "bad-nkey"


@given(position=st.integers(min_value=1, max_value=54), letter=st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
def test_a_mistyped_nkey_is_refused_by_its_checksum(position, letter) -> None:
    if HUB[position] == letter:
        assert user_nkey(HUB) == HUB
        return
    with pytest.raises(RelayError):
        user_nkey(HUB[:position] + letter + HUB[position + 1 :])


async def test_nats_server_takes_a_node_of_a_cluster_with_many_gateways(tmp_path: Path) -> None:
    settings = ServerSettings(
        name="n1",
        listen="127.0.0.1:4222",
        monitor="127.0.0.1:8222",
        store=tmp_path / "store",
        cluster=Cluster(name="tearline", listen="127.0.0.1:6222", routes=("nats://127.0.0.1:6223",)),
    )
    (tmp_path / "server.conf").write_text(render_server_config(settings))
    gateways = {f"gateway-{n}": new_nkey().public for n in range(50)}
    (tmp_path / "accounts.conf").write_text(render(**gateways))
    assert (await check_config(tmp_path / "server.conf")).startswith("sha256:")


def test_nothing_listens_that_is_not_asked_for() -> None:
    text = render_server_config(
        ServerSettings(name="n", listen="127.0.0.1:4222", monitor="127.0.0.1:8222", store=Path("store"))
    )
    assert not re.search(r"websocket|mqtt|leafnodes|gateway|cluster|https|no_auth_user", text)
    assert "sync_interval: always" in text
