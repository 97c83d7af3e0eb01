"""Reports as they lie at the relay: each gateway writes its own, and none can keep the others' from being read."""

import pytest
from nats.aio.client import Client

from tests.relay.conftest import Exchange, eventually

INLINE = b"NATS/1.0 204 No Messages\r\n\r\n"


async def written(client: Client, headers: dict[str, str] | bytes) -> None:
    """Publish a report of gateway `a` with headers that no gateway of ours would write."""
    if isinstance(headers, bytes):
        body = b"poison"
        command = b"HPUB report.a %d %d\r\n%b%b\r\n" % (len(headers), len(headers) + len(body), headers, body)
        await client._send_command(command)
    else:
        await client.publish("report.a", b"poison", headers=headers)
    await client.flush()


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Status": "204"}, id="an end of the batch"),
        pytest.param({"Status": "404"}, id="nothing there"),
        pytest.param({"Status": "503"}, id="nobody there"),
        pytest.param(INLINE, id="an end in the first line"),
        pytest.param({"Nats-Sequence": "999999999999"}, id="a number far ahead"),
        pytest.param({"Nats-Subject": "report.b"}, id="another's address"),
        pytest.param(b"NATS/1.0\r\n\xff\xfe: \xff\r\n\r\n", id="no text at all"),
        pytest.param(b"NATS/1.0\r\n\r\nA: b\r\n\r\n", id="an empty line between"),
        pytest.param(b"NATS/1.0\r\n\r\n\r\n", id="empty lines"),
        pytest.param(b"NATS/1.0\r\nno colon\r\n\r\n", id="a line without a name"),
        pytest.param(b"NATS/1.0 \r\n\r\n", id="a blank first line"),
        pytest.param(b"NATS/1.0 204 \xff\xfe\r\nA: b\r\n\r\n", id="a first line that is no text"),
        pytest.param(b"NATS/1.0 204 \xff\xfe\r\n\r\n", id="nothing but a first line that is no text"),
        pytest.param(b"NATS/1.0 \xff\xfe\xff\r\n\r\n", id="a status that is no text"),
        pytest.param(b"NATS/9.9\n\n", id="no header at all"),
    ],
)
async def test_a_bought_member_cannot_hide_what_others_report(
    exchange: Exchange, headers: dict[str, str] | bytes
) -> None:
    attacker, b, c = await exchange.attacker("a"), await exchange.link("b"), await exchange.link("c")
    await written(attacker, headers)
    await b.report(b"of b")

    async def all_there() -> bool:
        found, following = await exchange.hub.reports(1)
        return found.get("b") == b"of b" and following == 3

    await eventually(all_there)
    assert (await c.reports())["b"] == b"of b"


async def test_what_was_read_once_is_not_read_again_and_the_newest_of_each_counts(exchange: Exchange) -> None:
    a, b = await exchange.link("a"), await exchange.link("b")
    for raw in (b"first", b"second"):
        await a.report(raw)
    await b.report(b"of b")

    async def stored() -> bool:
        return (await exchange.hub.reports(1))[0] == {"a": b"second", "b": b"of b"}

    await eventually(stored)
    _, following = await exchange.hub.reports(1)
    assert await exchange.hub.reports(following) == ({}, following)
    assert await b.reports() == {"a": b"second", "b": b"of b"}
