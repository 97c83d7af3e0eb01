"""Names people and foreign systems use for bulletins, turned into ids."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Final

from adapters.bulletin import Bulletin
from adapters.client import GatewayClient
from adapters.errors import DocumentRefusedError
from adapters.files import read_json_file, write_json

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_MAX_PAGES: Final = 200
_PAGE: Final = 100


class References:
    """Looks in what this adapter sent (`keys`), then in the gateway's boxes."""

    def __init__(self, client: GatewayClient, keys: Path) -> None:
        self._client, self._keys = client, keys

    def remember(self, identity: str, bulletin_id: str) -> None:
        """Keep that a foreign identity became this bulletin. Blocking."""
        write_json(self._alias(identity), {"id": bulletin_id})

    async def own(self, names: Iterable[str]) -> list[str]:
        """Return the ids of those names that mean a bulletin of this agency."""
        found = []
        for name in names:
            if ":" in name:
                alias = await asyncio.to_thread(read_json_file, self._alias(name))
                identifier = None if alias is None else str(alias["id"])
            else:
                identifier = await self._identifier(name, self._client.outbox)
            if identifier is not None:
                found.append(identifier)
        return found

    async def received(self, name: str) -> str:
        """Return the id of a received bulletin.

        Raises:
            DocumentRefusedError: `unknown-reference`.
        """
        identifier = await self._identifier(name, self._client.inbox)
        if identifier is None:
            raise DocumentRefusedError("unknown-reference", "", "no received bulletin is known by that name")
        return identifier

    async def in_body(self, body: Bulletin) -> Bulletin:
        """Return the bulletin with an id where it names what it answers by control number."""
        references = body.get("references")
        name = references.get("in_reply_to") if isinstance(references, dict) else None
        if not isinstance(name, str) or _UUID.fullmatch(name):
            return body
        return body | {"references": {**body["references"], "in_reply_to": await self.received(name)}}

    async def _identifier(self, name: str, box: Callable[..., Awaitable[dict[str, Any]]]) -> str | None:
        if _UUID.fullmatch(name):
            return name.lower()
        cursor = None
        for _ in range(_MAX_PAGES):
            page = await box(limit=_PAGE, cursor=cursor)
            for item in page.get("items", []):
                if item.get("control_number") == name:
                    return str(item["id"])
            cursor = page.get("next_cursor")
            if not cursor:
                break
        return None

    def _alias(self, identity: str) -> Path:
        return self._keys / f"{hashlib.sha256(identity.encode()).hexdigest()}.alias.json"
