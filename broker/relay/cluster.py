"""A NATS cluster that others run: the hub owns its accounts file and asks each server to load it."""

import asyncio
import contextlib
import json
import ssl
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from broker.relay.config import ACCOUNTS_FILE, ServerSettings, render_server_config
from broker.relay.connection import Connection
from broker.relay.errors import RelayError
from broker.relay.files import write_private
from broker.relay.nkeys import Nkey
from broker.relay.process import check_config

log = structlog.get_logger()

# How long servers are given to answer a call for all of them, and to load a file.
_CALL_WITHIN: Final = 1.0
_RELOAD_WITHIN: Final = 10.0
_SYSTEM_INBOX: Final = "_INBOX_hub_system"


class ExternalCluster:
    """The servers at `urls`, whose configurations all include `accounts_file`.

    While no server can be reached the file is written all the same: servers read it when they start.
    """

    def __init__(
        self, *, urls: Sequence[str], accounts_file: Path, system: Nkey, tls: ssl.SSLContext | None = None
    ) -> None:
        self.urls = tuple(urls)
        self._file = accounts_file
        self._connection = Connection(
            servers=urls, nkey=system, inbox_prefix=_SYSTEM_INBOX, name="hub-system", on_up=self._load, tls=tls
        )

    async def start(self, accounts: str) -> None:
        """Write the accounts file and begin connecting; each new connection asks the servers to load it."""
        await self._write(accounts)
        self._connection.open()

    async def apply(self, accounts: str) -> None:
        """Put another accounts file in force on every server that can be reached.

        Raises:
            RelayError: `bad-server-config` (the old file stays) or `reload-failed`.
        """
        await self._write(accounts)
        client = self._connection.client
        if client is None:
            return
        try:
            await self._load(client)
        except NatsError as error:
            # The next connection loads it: `on_up` does that first.
            raise RelayError("reload-failed", "the connection ended while the accounts were being loaded") from error

    async def stop(self) -> None:
        await self._connection.close()

    async def _write(self, accounts: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            trial = Path(folder)
            write_private(trial / ACCOUNTS_FILE, accounts)
            settings = ServerSettings(
                name="trial", listen="127.0.0.1:4222", monitor="127.0.0.1:8222", store=trial / "store"
            )
            write_private(trial / "server.conf", render_server_config(settings))
            await check_config(trial / "server.conf")
        write_private(self._file, accounts)
        # The servers run as other users; what stands here is public keys and permissions.
        self._file.chmod(0o644)

    async def _load(self, client: Client) -> None:
        servers = await _call(client, "$SYS.REQ.SERVER.PING", None)
        # Twice: an account that is new to a server gets its service imports only at the reload after (seen on 2.15.1).
        for server in (*servers, *servers):
            identity = str(server.get("server", {}).get("id", ""))
            answers = await _call(client, f"$SYS.REQ.SERVER.{identity}.RELOAD", 1)
            if not answers:
                raise RelayError("reload-failed", "a server did not answer the request to load the accounts")
            if error := answers[0].get("error"):
                raise RelayError("reload-failed", f"a server refused the accounts: {error.get('description', '')}")
        log.info("accounts loaded", servers=len(servers))


async def _call(client: Client, subject: str, expected: int | None) -> list[dict[str, dict[str, object]]]:
    """Ask a system service; gather `expected` answers, or all that come within a second."""
    answers: asyncio.Queue[Msg] = asyncio.Queue()
    subscription = await client.subscribe(client.new_inbox(), cb=answers.put)
    gathered: list[dict[str, dict[str, object]]] = []
    try:
        await client.publish(subject, b"", reply=subscription.subject)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_RELOAD_WITHIN if expected else _CALL_WITHIN):
                while expected is None or len(gathered) < expected:
                    message = await answers.get()
                    if message.data:
                        gathered.append(json.loads(message.data))
    finally:
        if not client.is_closed:
            await subscription.unsubscribe()
    return gathered
