"""The child process: one per store, the same ports for ever, gone with its parent."""

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from broker.relay.config import Accounts, render_accounts
from broker.relay.errors import RelayError
from broker.relay.server import EmbeddedServer, EmbeddedSettings
from tests.relay.conftest import Exchange, eventually, new_nkey


def accounts() -> str:
    return render_accounts(Accounts(hub=new_nkey().public, system=new_nkey().public, gateways={}))


def alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def listeners(pid: int, ports: set[int]) -> set[str]:
    """Read from the kernel's table which addresses listen on these ports."""
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    return {row[1] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) in ports}


async def test_two_servers_on_one_store_folder_are_refused(exchange: Exchange, monkeypatch) -> None:
    monkeypatch.setattr("broker.relay.server._LOCK_WITHIN", 0.2)
    with pytest.raises(RelayError) as caught:
        await EmbeddedServer(exchange.folder).start(accounts())
    assert caught.value.code == "store-in-use"
    assert await exchange.server.healthy()


async def test_the_ports_are_the_same_after_a_crash_and_after_a_new_start(tmp_path) -> None:
    server = EmbeddedServer(tmp_path)
    await server.start(accounts())
    url, pid = server.url, server.pid
    os.kill(pid, signal.SIGKILL)

    async def back() -> bool:
        return server.pid != pid and await server.healthy()

    await eventually(back)
    await server.stop()
    again = EmbeddedServer(tmp_path)
    await again.start(accounts())
    assert again.url == url
    await again.stop()
    assert again.pid is None


async def test_a_stopped_server_is_gone_and_does_not_come_back(tmp_path) -> None:
    server = EmbeddedServer(tmp_path)
    await server.start(accounts())
    pid = server.pid
    await server.stop()
    assert not alive(pid)
    await server.stop()


def test_the_server_dies_with_its_killed_parent_and_its_store_is_free(tmp_path) -> None:
    program = textwrap.dedent("""
        import asyncio, sys
        from pathlib import Path
        from broker.relay.server import EmbeddedServer
        async def main():
            server = EmbeddedServer(Path(sys.argv[1]))
            await server.start(sys.stdin.read())
            print(server.pid, flush=True)
            await asyncio.Event().wait()
        asyncio.run(main())
    """)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        parent.stdin.write(accounts())
        parent.stdin.close()
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
        parent.wait()

    async def successor() -> None:
        await eventually(lambda: not alive(pid), within=5)
        server = EmbeddedServer(tmp_path)
        await server.start(accounts())
        await server.stop()

    asyncio.run(successor())


def test_a_start_from_another_thread_is_refused_since_the_server_would_die_with_the_thread(tmp_path) -> None:
    codes = []

    def run() -> None:
        try:
            asyncio.run(EmbeddedServer(tmp_path).start(accounts()))
        except RelayError as error:
            codes.append(error.code)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert codes == ["not-main-thread"]


async def test_a_configuration_that_nats_server_refuses_does_not_start_and_leaves_the_store_free(tmp_path) -> None:
    server = EmbeddedServer(tmp_path)
    with pytest.raises(RelayError) as caught:
        await server.start(accounts() + "no_such_setting: 1\n")
    assert caught.value.code == "bad-server-config"
    await server.start(accounts())
    await server.stop()


async def test_a_reload_that_nats_server_would_refuse_leaves_the_accounts_as_they_were(exchange: Exchange) -> None:
    kept = (exchange.folder / "accounts.conf").read_text()
    with pytest.raises(RelayError) as caught:
        await exchange.server.apply("accounts {")
    assert caught.value.code == "bad-server-config"
    assert (exchange.folder / "accounts.conf").read_text() == kept
    await exchange.link("a")


async def test_a_taken_port_is_an_error_with_a_reason(tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = EmbeddedServer(tmp_path, EmbeddedSettings(port=taken.getsockname()[1]))
        with pytest.raises(RelayError) as caught:
            await server.start(accounts())
    assert caught.value.code == "server-failed"
    assert "address already in use" in caught.value.message


async def test_a_server_that_cannot_restart_is_tried_again_until_it_can(tmp_path, monkeypatch) -> None:
    server = EmbeddedServer(tmp_path)
    await server.start(accounts())
    config = tmp_path / "server.conf"
    kept = config.read_text()
    config.write_text("broken {")
    os.kill(server.pid, signal.SIGKILL)
    await eventually(lambda: server.restarts >= 2)
    assert not await server.healthy()
    # At once, as the product writes it: a server that read half a file would run with the defaults for the rest.
    mended = tmp_path / "mended.conf"
    mended.write_text(kept)
    mended.replace(config)
    await eventually(server.healthy)
    await server.stop()


async def test_a_server_that_lives_but_serves_nobody_is_replaced(tmp_path, monkeypatch) -> None:
    """As after a full disk, when JetStream stays frozen until a new start."""
    monkeypatch.setattr("broker.relay.server._LOOK_EVERY", 0.1)
    monkeypatch.setattr("broker.relay.server._UNHEALTHY_LOOKS", 2)
    monkeypatch.setattr("broker.relay.process._STOP_WITHIN", 0.1)
    server = EmbeddedServer(tmp_path)
    await server.start(accounts())
    frozen = server.pid
    os.kill(frozen, signal.SIGSTOP)
    await eventually(lambda: server.restarts == 1)
    await eventually(server.healthy)
    assert server.pid != frozen
    assert not alive(frozen)
    await server.stop()


async def test_nothing_listens_but_on_loopback_and_files_are_private(exchange: Exchange) -> None:
    ports = json.loads((exchange.folder / "ports.json").read_text())
    listening = listeners(exchange.server.pid, set(ports.values()))
    assert {address.partition(":")[0] for address in listening} == {"0100007F"}
    for name in ("server.conf", "accounts.conf", "ports.json", "lock"):
        assert stat.S_IMODE((exchange.folder / name).stat().st_mode) == 0o600
