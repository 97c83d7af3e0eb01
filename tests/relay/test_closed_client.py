"""A client that has closed under us refuses at once: nothing here may spin on that, or the gateway hangs for good."""

import asyncio
import contextlib
from typing import Any

import pytest
from nats.errors import ConnectionClosedError

from broker.relay import link as link_module
from tests.relay.conftest import Exchange


async def test_reading_releases_over_a_closed_client_leaves_the_loop_to_others(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = await exchange.link("a")
    tries = 0

    async def refused(*_: Any, **__: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries > 1000:
            pytest.fail("the reader of releases spins")
        raise ConnectionClosedError

    monkeypatch.setattr(link_module, "read_from", refused)

    async def read() -> None:
        async for _ in link.releases():
            pass

    reader = asyncio.ensure_future(read())
    for _ in range(200):
        await asyncio.sleep(0)

    assert tries == 1
    reader.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reader
