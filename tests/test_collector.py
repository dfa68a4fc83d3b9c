"""Tests of what Prometheus is told (hunchensocket_tx.service.collector)."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.service import collector
from hunchensocket_tx.service.collector import TallyCollector
from hunchensocket_tx.tally import Tally
from hunchensocket_tx.wire.events import CloseReason
from tests.test_tally import Stream


class CollectorTests(SynchronousTestCase):
    """What a tally has counted, under the names that are documented."""

    def setUp(self) -> None:
        self.tally = Tally()
        self.registry = CollectorRegistry()
        self.registry.register(TallyCollector(self.tally))

    def value(self, name: str, **labels: str) -> float | None:
        """Return the value of a metric; None if there is none."""
        return self.registry.get_sample_value(f"hunchensocket_{name}", labels)

    def test_all_is_told(self) -> None:
        gone, there = Stream(13), Stream(76)
        for stream in (gone, there):
            self.tally.begin(stream)
        self.tally.opened(gone, 10.02)
        self.tally.end(gone, CloseReason(1001, "", True), 11.0)
        self.tally.refused[503, "max_connections"] += 2
        self.tally.slow["drop"] += 3
        self.tally.ping_seconds.add(0.5)
        for expected, value in (
            (0, self.value("connections", version="13")),
            (1, self.value("connections", version="76")),
            (1, self.value("accepted_total", version="13")),
            (1, self.value("closed_total", code="1001")),
            (2, self.value("refused_total", code="503", cause="max_connections")),
            (1, self.value("handshakes")),
            (0, self.value("handshake_seconds_bucket", le="0.01")),
            (1, self.value("handshake_seconds_bucket", le="0.025")),
            (1, self.value("handshake_seconds_count")),
            (0.5, self.value("ping_seconds_sum")),
            (600, self.value("messages_total", way="received")),
            (8000, self.value("messages_total", way="sent")),
            (2, self.value("bytes_total", way="received")),
            (40, self.value("bytes_total", way="sent")),
            (50000, self.value("send_buffer_bytes")),
            (50000, self.value("send_buffer_max_bytes")),
            (3, self.value("slow_peers_total", action="drop")),
        ):
            self.assertEqual(value, expected)

    def test_each_metric_is_documented(self) -> None:
        names = {
            line.split()[2] for line in generate_latest(self.registry).decode().splitlines() if "# TYPE" in line
        }
        self.assertEqual(len(names), 12)
        for name in names:
            self.assertIn(f"``{name}``", collector.__doc__ or "")
            self.assertTrue(name.startswith("hunchensocket_"))
