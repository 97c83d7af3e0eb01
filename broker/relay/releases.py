"""Releases of the directory and the rules, as they lie in the stream RELEASES: cut to size, read from the beginning.

The bytes are encrypted and signed; neither hub nor relay is trusted with them. A release is one atomic batch of chunks
on one subject, so that it may be larger than one message; each chunk names the digest of the whole.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from broker.relay.batch import read_batch
from broker.relay.errors import RelayError
from broker.relay.lanes import RELEASES

log = structlog.get_logger()

CHUNK_BYTES: Final = 512 * 1024
CHUNK_HEADER: Final = "Tearline-Chunk"
# A directory of 18,000 agencies is some 90 MB; what a hostile relay can make a gateway hold is bounded by this.
MAX_RELEASE_BYTES: Final = 256 * 1024 * 1024
_CHUNK: Final = re.compile(r"([0-9a-f]{64}) ([0-9]{1,4})/([0-9]{1,4})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One piece of a release: `number` of `count`, of the release with this digest."""

    digest: str
    number: int
    count: int
    data: bytes

    @property
    def header(self) -> str:
        return f"{self.digest} {self.number}/{self.count}"


def cut(raw: bytes) -> list[Chunk]:
    """Cut a release into chunks. Refuses an empty or an oversized one (`bad-release`)."""
    if not 0 < len(raw) <= MAX_RELEASE_BYTES:
        raise RelayError("bad-release", "a release is empty or too large")
    digest = hashlib.sha256(raw).hexdigest()
    count = -(-len(raw) // CHUNK_BYTES)
    return [
        Chunk(digest=digest, number=n + 1, count=count, data=raw[n * CHUNK_BYTES : (n + 1) * CHUNK_BYTES])
        for n in range(count)
    ]


def parse_chunk(header: str | None, data: bytes) -> Chunk | None:
    """Read a stored message as a chunk; None if it is none."""
    found = _CHUNK.fullmatch(header or "")
    if found is None:
        return None
    number, count = int(found[2]), int(found[3])
    if not 1 <= number <= count or count * CHUNK_BYTES > MAX_RELEASE_BYTES + CHUNK_BYTES:
        return None
    return Chunk(digest=found[1], number=number, count=count, data=data)


@dataclass(slots=True)
class Assembly:
    """Puts chunks together in stream order; a release that was yielded once is not yielded again."""

    _parts: list[bytes] = field(default_factory=list)
    _digest: str = ""
    _seen: set[str] = field(default_factory=set)

    def add(self, chunk: Chunk) -> bytes | None:
        """Take the next chunk; return the release it completes, if it is a new one."""
        if chunk.number == 1:
            self._parts, self._digest = [], chunk.digest
        if chunk.digest != self._digest or chunk.number != len(self._parts) + 1:
            return None
        self._parts.append(chunk.data)
        if chunk.number < chunk.count:
            return None
        raw = b"".join(self._parts)
        self._parts, self._digest = [], ""
        if hashlib.sha256(raw).hexdigest() != chunk.digest or chunk.digest in self._seen:
            return None
        self._seen.add(chunk.digest)
        return raw


async def read_from(client: Client, *, inbox: str, sequence: int) -> tuple[list[Chunk], int]:
    """Read the next chunks at or after a stream sequence; return them and the next sequence.

    Raises:
        RelayError: `releases-unreadable` when the server refuses or does not answer.
        NatsError: when the connection has ended.
    """
    messages, following = await read_batch(client, RELEASES, "release.>", inbox=inbox, sequence=sequence)
    return list(_chunks(messages)), following


def _chunks(messages: Iterable[Msg]) -> Iterable[Chunk]:
    for message in messages:
        chunk = parse_chunk((message.headers or {}).get(CHUNK_HEADER), message.data)
        if chunk is None:
            log.warning("message in RELEASES is no release", sequence=(message.headers or {}).get("Nats-Sequence"))
        else:
            yield chunk
