"""What a tally has counted, as metrics of Prometheus.

=======================================  =======  ===============================================================
``hunchensocket_connections``            version  open WebSockets, half open ones included
``hunchensocket_accepted_total``         version  opening handshakes that were accepted
``hunchensocket_closed_total``           code     WebSockets that ended; 1006: without a closing handshake
``hunchensocket_refused_total``          code,    requests that were refused, by HTTP status; WebSockets that were
                                         cause    closed for a limit, by close code
``hunchensocket_handshakes``                      opening handshakes under way
``hunchensocket_handshake_seconds``               histogram: from the request to the open WebSocket
``hunchensocket_ping_seconds``                    histogram: from a ping to its answer
``hunchensocket_messages_total``         way      messages ``received`` and ``sent``
``hunchensocket_bytes_total``            way      bytes likewise, as on the wire, behind the head of the opening
                                                  handshake
``hunchensocket_send_buffer_bytes``               bytes that wait for slow peers
``hunchensocket_send_buffer_max_bytes``           bytes of these that wait for one peer
``hunchensocket_slow_peers_total``       action   ``close`` and ``drop``: over ``max_send_buffer``; ``stuck``:
                                                  closed after ``send_timeout``
=======================================  =======  ===============================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from hunchensocket_tx.tally import Histogram, Tally

__all__ = ["TallyCollector"]


class TallyCollector(Collector):
    """Tells a registry of Prometheus what a tally has counted, when that is asked for it."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics (Collector)."""
        tally, totals = self._tally, self._tally.totals()
        # A version that nobody speaks any more is to be told as 0, not to vanish.
        versions = {version: totals.open[version] for version in tally.accepted}
        yield _family(GaugeMetricFamily, "connections", "Open WebSockets.", "version", versions)
        yield _family(CounterMetricFamily, "accepted", "Opening handshakes accepted.", "version", tally.accepted)
        yield _family(CounterMetricFamily, "closed", "WebSockets that ended, by close code.", "code", tally.closed)
        refused = CounterMetricFamily(
            "hunchensocket_refused",
            "Requests refused, by HTTP status; WebSockets closed for a limit, by close code.",
            labels=["code", "cause"],
        )
        for (code, cause), count in tally.refused.items():
            refused.add_metric([str(code), cause], count)
        yield refused
        yield _gauge("handshakes", "Opening handshakes under way.", len(tally.opening))
        yield _histogram("handshake_seconds", "From the request to the open WebSocket.", tally.handshake_seconds)
        yield _histogram("ping_seconds", "From a ping to its answer.", tally.ping_seconds)
        messages = {"received": totals.messages_received, "sent": totals.messages_sent}
        yield _family(CounterMetricFamily, "messages", "Messages.", "way", messages)
        size = {"received": totals.bytes_received, "sent": totals.bytes_sent}
        yield _family(CounterMetricFamily, "bytes", "Bytes behind the opening handshakes.", "way", size)
        yield _gauge("send_buffer_bytes", "Bytes that wait for slow peers.", totals.send_buffer)
        yield _gauge("send_buffer_max_bytes", "Bytes of these that wait for one peer.", totals.largest_send_buffer)
        yield _family(CounterMetricFamily, "slow_peers", "What was done about slow peers.", "action", tally.slow)


def _family(kind: type[Any], name: str, what: str, label: str, counts: Mapping[Any, int]) -> Metric:
    family: Any = kind(f"hunchensocket_{name}", what, labels=[label])
    for value, count in counts.items():
        family.add_metric([str(value)], count)
    made: Metric = family
    return made


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(f"hunchensocket_{name}", what, value=value)


def _histogram(name: str, what: str, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(
        f"hunchensocket_{name}", what, buckets=histogram.buckets(), sum_value=histogram.total
    )
