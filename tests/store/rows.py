"""Rows for the store's tests."""

from __future__ import annotations

import sqlite3
from typing import Any
from uuid import UUID

from broker.store import bulletins, claims, deliveries

ID = UUID(int=7)


def copy(**changes: Any) -> bulletins.Copy:
    values = {
        "agency": "a-pd", "id": ID.bytes, "role": "recipient", "sender": "b-pd", "envelope": bytes(16),
        "header_hash": bytes(32), "body_digest": bytes(32), "control_number": "B-PD-2026-000001", "kind": "bulletin",
        "product": "BOLO", "precedence": "FLASH", "status": "Actual", "portions": '["p1"]', "created": 1, "arrived": 2,
        "expires": 3, "due": None, "rules": 1, "directory": 1, "header": b"h", "body": b"b", "keyring_sealed": b"k",
        "record_sealed": b"r", "storage_key": "s",
    }  # fmt: skip
    return bulletins.Copy(**(values | changes))


def delivery(recipient: str = "c-pd", **changes: Any) -> deliveries.NewDelivery:
    values = {
        "agency": "a-pd", "id": ID.bytes, "recipient": recipient, "gateway": recipient, "rank": 0, "portions": '["p1"]',
        "rules": '["R01"]', "created": 1, "due": None,
    }  # fmt: skip
    return deliveries.NewDelivery(**(values | changes))


def claim(connection: sqlite3.Connection, **changes: Any) -> None:
    values = {
        "agency": "a-pd", "originator": "b-pd", "bulletin": ID.bytes, "rung": "stored", "seq": 1, "at": 1,
        "urgent": False, "words_sealed": None, "storage_key": "s", "payload": None,
    }  # fmt: skip
    claims.add(connection, **(values | changes))
