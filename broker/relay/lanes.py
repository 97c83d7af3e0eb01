"""Streams, and the lanes in which a gateway draws from them: the one table that hub, accounts and link share.

A lane is one durable pull consumer per gateway, made by the hub. HOT has two, because FLASH must overtake IMMEDIATE
too (DESIGN 3, guarantee 5); a stream and its consumer always see messages in order of arrival.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from broker.relay.subjects import BEAT_SUBJECT

StreamName: TypeAlias = Literal["HOT", "COLD", "RECEIPTS", "RELEASES", "BEATS", "REPORTS"]

HOT: Final = "HOT"
COLD: Final = "COLD"
RECEIPTS: Final = "RECEIPTS"
RELEASES: Final = "RELEASES"
# The last beat of the hub, and the last report of each gateway: one message each, the newest.
BEATS: Final = "BEATS"
REPORTS: Final = "REPORTS"

STREAMS: Final[tuple[StreamName, ...]] = (HOT, COLD, RECEIPTS, RELEASES, BEATS, REPORTS)
#: What every gateway reads from, and nobody deletes from.
NEWEST_ONLY: Final = (BEATS, REPORTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One durable of a gateway.

    Attributes:
        rank: lower is handed out first.
        kinds: last tokens of the subjects it filters.
        suffix: what follows the gateway's name in the consumer's name (`_` occurs in no gateway name).
        ack_wait: seconds until an unacknowledged delivery comes again.
        prefetch: most messages held here unhandled; times the time to handle one it must stay far below `ack_wait`.
    """

    rank: int
    stream: StreamName
    kinds: tuple[str, ...]
    suffix: str
    ack_wait: float
    prefetch: int

    def consumer(self, gateway: str) -> str:
        return gateway + self.suffix

    def filters(self, gateway: str) -> list[str]:
        return [f"env.*.{gateway}.{kind}" for kind in self.kinds]


# nats-py can lose a dequeued message (nats.py#392) and a killed gateway leaves deliveries unacknowledged: FLASH comes
# again after 5 s, its delivery goal; the rest can wait, and a longer wait means fewer needless copies.
LANES: Final = (
    Lane(rank=0, stream="HOT", kinds=("FLASH",), suffix="_FLASH", ack_wait=5.0, prefetch=128),
    Lane(rank=1, stream="HOT", kinds=("IMMEDIATE",), suffix="", ack_wait=15.0, prefetch=64),
    Lane(rank=2, stream="RECEIPTS", kinds=("RECEIPT",), suffix="", ack_wait=30.0, prefetch=64),
    Lane(rank=3, stream="COLD", kinds=("PRIORITY", "ROUTINE"), suffix="", ack_wait=30.0, prefetch=64),
)


def subjects_of(stream: StreamName, gateways: Iterable[str]) -> list[str]:
    """List what a stream stores: what is addressed to a gateway that there is, and to no other.

    With a wildcard for the recipient, a gateway could fill the store with what nobody will ever draw.
    """
    if stream == RELEASES:
        return ["release.*.*"]
    if stream == BEATS:
        return [BEAT_SUBJECT]
    if stream == REPORTS:
        return [f"report.{gateway}" for gateway in sorted(gateways) or ["-"]]
    kinds = [kind for lane in LANES if lane.stream == stream for kind in lane.kinds]
    # A stream without subjects would get its own name for one; no gateway is called `-`.
    return [f"env.*.{gateway}.{kind}" for gateway in sorted(gateways) or ["-"] for kind in kinds]


def stream_of(kind: str) -> StreamName:
    """Name the stream that stores subjects ending in `kind`."""
    for lane in LANES:
        if kind in lane.kinds:
            return lane.stream
    return RELEASES
