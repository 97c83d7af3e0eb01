"""The gateway's Prometheus metrics. Labels never carry a bulletin's id or a person (DESIGN 11)."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600)


class Metrics:
    """Every metric a gateway exports, in one registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.submitted = Counter("tearline_bulletins_submitted", "Submissions by outcome", ["agency", "outcome"], registry=self.registry)
        self.refused = Counter("tearline_bulletins_refused", "Refusals by code and place", ["where", "code"], registry=self.registry)
        self.withheld = Counter("tearline_portions_withheld", "Portions a never rule held back", ["rule"], registry=self.registry)
        self.received = Counter(
            "tearline_bulletins_received", "Bulletins accepted into an inbox", ["agency", "precedence"], registry=self.registry
        )
        self.receipts = Counter("tearline_receipts", "Receipts entered, by rung", ["rung"], registry=self.registry)
        self.escalations = Counter(
            "tearline_escalations", "Escalations for want of an acknowledgement", ["recipient"], registry=self.registry
        )
        self.alarms = Counter("tearline_alarms", "Things that must not happen, by code", ["code"], registry=self.registry)
        self.resent = Counter("tearline_deliveries_resent", "Envelopes sent again for want of a receipt", registry=self.registry)
        self.delivery = Histogram(
            "tearline_delivery_seconds",
            "From acceptance to the recipient's stored receipt",
            ["precedence"],
            buckets=LATENCY,
            registry=self.registry,
        )
        self.submit = Histogram("tearline_submit_seconds", "From request to 202", buckets=LATENCY, registry=self.registry)
        self.waiting = Gauge("tearline_waiting_deliveries", "Deliveries without any receipt", registry=self.registry)
        self.oldest = Gauge("tearline_oldest_waiting_timestamp_seconds", "When the oldest of them was accepted", registry=self.registry)
        self.connected = Gauge("tearline_relay_connected", "Whether the relay is connected", registry=self.registry)
        self.release = Gauge("tearline_release_number", "The release in force", ["type"], registry=self.registry)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
