"""What a gateway forgets, and that accepting or receiving a bulletin forgets nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from broker.gateway import housekeeping
from broker.store import bulletins
from broker.store.rows import insert
from tests.gateway.documents import threat
from tests.gateway.exchange import exchange

DAY = 24 * 3600 * 1000


async def test_old_keys_are_forgotten_by_the_housekeeping_and_by_nothing_else(tmp_path: Path) -> None:
    async with exchange(tmp_path, "chicago-pd") as running:
        node, desk = running.nodes["chicago-pd"], running.desks["chicago-pd"]
        now = node.now_ms()

        def fill(connection: sqlite3.Connection) -> None:
            for age in (2 * DAY, DAY // 2):
                values = {"agency": "chicago-pd", "key": str(age), "request": b"", "status": 202, "answer": "{}"}
                insert(connection, "idempotency", {**values, "at": now - age})
            for forget in (now - 1, now + DAY):
                key = {"sender": "il-fusion", "envelope": forget.to_bytes(16), "recipient": "chicago-pd"}
                bulletins.remember(connection, **key, body_digest=b"d", bulletin=b"b", forget=forget)  # type: ignore[arg-type]

        await node.store.write(fill)
        await desk.accepted(threat())
        assert len(node.store.read("SELECT 1 FROM idempotency")) == 3

        await housekeeping.tidy(node)

        assert str(2 * DAY) not in {row["key"] for row in node.store.read("SELECT key FROM idempotency")}
        assert len(node.store.read("SELECT 1 FROM idempotency")) == 2
        assert [row["forget"] for row in node.store.read("SELECT forget FROM replay")] == [now + DAY]
