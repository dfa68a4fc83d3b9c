"""To be seen: counters on an endpoint of their own, for Prometheus and as a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from importlib.util import find_spec
from typing import Any

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.python import usage
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import Site

from hunchensocket_tx.service.group import OptionGroup, one_line
from hunchensocket_tx.tally import Histogram, Tally
from hunchensocket_tx.version import __version__

__all__ = ["MetricsFactory", "MetricsOptions"]


class MetricsOptions(OptionGroup):
    """Options on who may look in.

    :ivar tally: what counts for all that is served.
    :ivar metrics_endpoint: where to tell it; None for nowhere.
    """

    optParameters = [  # noqa: N815
        [
            "metrics",
            None,
            None,
            "Serve counters for Prometheus at /metrics, and as a page, on this endpoint, say "
            "tcp:9090:interface=10.0.0.1; a bare port number is one of 127.0.0.1, and with --workers that of the "
            "first. Needs prometheus-client",
        ],
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tally = Tally()
        self.metrics_endpoint: IStreamServerEndpoint | None = None

    def check(self) -> None:
        """Make the endpoint, and see that the package is there."""
        super().check()
        description = self["metrics"]
        if description is None:
            return
        if find_spec("prometheus_client") is None:
            raise usage.UsageError(
                "--metrics: it needs the package prometheus-client; pip install 'hunchensocket-tx[metrics]'"
            )
        from twisted.internet import reactor

        if description.isascii() and description.isdigit():
            port = int(description) + self.process_index
            description = f"tcp:{port}:interface=127.0.0.1"  # nobody else's business, unless said so
        try:
            self.metrics_endpoint = serverFromString(reactor, description)
        except Exception as error:  # each kind of endpoint raises its own; all say what is wrong
            raise usage.UsageError(
                f"--metrics: {self['metrics']!r} is not an endpoint: {one_line(error)}"
            ) from error


class MetricsFactory(Site):
    """Serves what a tally has counted: at ``/metrics`` for Prometheus, at ``/`` as a page.

    It writes no access log, as it is asked every few seconds.

    :param tally: the counters.
    :param reactor: the global one by default.
    """

    def __init__(self, tally: Tally, reactor: Any = None) -> None:
        root = Resource()
        root.putChild(b"", _Page(tally))
        root.putChild(b"metrics", _Metrics(tally))
        super().__init__(root, reactor=reactor)  # type: ignore[no-untyped-call]

    def log(self, request: Request) -> None:
        """Write nothing (HTTPFactory)."""


class _Metrics(Resource):
    """Answers in one of Prometheus' formats, as its ``Accept`` field says."""

    isLeaf = True  # noqa: N815

    def __init__(self, tally: Tally) -> None:
        from prometheus_client import CollectorRegistry

        from hunchensocket_tx.service.collector import TallyCollector

        super().__init__()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._registry.register(TallyCollector(tally))

    def render_GET(self, request: Request) -> bytes:
        from prometheus_client.exposition import choose_encoder

        accept = (request.getHeader(b"accept") or b"").decode("latin-1")
        encode, content_type = choose_encoder(accept)
        request.setHeader(b"content-type", content_type.encode())
        return encode(self._registry)


class _Page(Resource):
    """The same for people."""

    isLeaf = True  # noqa: N815

    def __init__(self, tally: Tally) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._tally = tally

    def render_GET(self, request: Request) -> bytes:
        request.setHeader(b"content-type", b"text/html; charset=utf-8")
        request.setHeader(b"cache-control", b"no-store")
        return _page(self._tally).encode()


def _page(tally: Tally) -> str:
    totals = tally.totals()
    versions = {
        str(version): f"{totals.open[version]} open, {count} in all" for version, count in tally.accepted.items()
    }
    refused = {f"{code} {cause}": count for (code, cause), count in tally.refused.items()}
    sections = [
        _section("WebSockets", {"open": tally.connections, "being opened": len(tally.opening)}),
        _section("By version", versions),
        _section("Received", {"messages": totals.messages_received, "bytes": totals.bytes_received}),
        _section("Sent", {"messages": totals.messages_sent, "bytes": totals.bytes_sent}),
        _section("Waiting for slow peers", {"bytes": totals.send_buffer, "for one": totals.largest_send_buffer}),
        _section("Slow peers", tally.slow),
        _section("Ended, by close code", tally.closed),
        _section("Refused", refused),
        _section("Time", {"handshake": _mean(tally.handshake_seconds), "ping": _mean(tally.ping_seconds)}),
    ]
    title = f"hunchensocket_tx {__version__}"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        "<style>body {font-family: sans-serif} td {padding-right: 2em}</style></head>\n"
        f"<body><h1>{title}</h1>\n{''.join(sections)}"
        '<p>The same <a href="metrics">for Prometheus</a>.</p></body></html>\n'
    )


def _section(title: str, rows: Mapping[Any, Any]) -> str:
    cells: Iterable[str] = (
        f"<tr><td>{escape(str(name))}</td><td>{escape(str(value))}</td></tr>\n" for name, value in rows.items()
    )
    return f"<h2>{title}</h2>\n<table>\n{''.join(cells) or '<tr><td>none</td></tr>'}</table>\n"


def _mean(histogram: Histogram) -> str:
    return f"{histogram.total / histogram.count * 1000:.1f} ms on average" if histogram.count else "none yet"
