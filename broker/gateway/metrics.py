"""The gateway's Prometheus metrics. Labels never carry a bulletin's id or a person (DESIGN 11)."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600)


class Metrics:
    """Every metric a gateway exports, in one registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.submitted = self._counter("bulletins_submitted", "Submissions by outcome", "agency", "outcome")
        self.refused = self._counter("refused", "Refusals by place and code", "where", "code")
        self.withheld = self._counter("portions_withheld", "Portions a never rule held back", "rule")
        self.received = self._counter("bulletins_received", "Accepted into an inbox", "agency", "precedence")
        self.receipts = self._counter("receipts", "Receipts entered", "rung")
        self.escalations = self._counter("escalations", "For want of an acknowledgement", "recipient")
        self.alarms = self._counter("alarms", "Things that must not happen", "code")
        self.resent = self._counter("deliveries_resent", "Sent again for want of a receipt")
        self.trial = self._counter("trial_portions", "Portions that rules on trial decided, too", "outcome")
        self.trial_skipped = self._counter("trial_skipped", "Bulletins that rules on trial did not decide")
        self.delivery = self._histogram("delivery_seconds", "From acceptance to stored", "precedence")
        self.submit = self._histogram("submit_seconds", "From request to answer")
        self.waiting = self._gauge("waiting_deliveries", "Deliveries without any receipt")
        self.oldest = self._gauge("oldest_waiting_timestamp_seconds", "When the oldest of them was accepted")
        self.connected = self._gauge("relay_connected", "Whether the relay is connected")
        self.release = self._gauge("release_number", "The release in force", "type")
        self.staged = self._gauge("release_staged_number", "The newest release, in force or not", "type")
        self.beat = self._gauge("beat_age_seconds", "Since the last believed beat; 120 is an alarm, 900 is cut off")

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"tearline_{name}", meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"tearline_{name}", meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, *labels: str) -> Histogram:
        return Histogram(f"tearline_{name}", meaning, labels, buckets=LATENCY, registry=self.registry)
