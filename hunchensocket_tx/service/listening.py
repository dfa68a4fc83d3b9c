"""Where to listen: ports and endpoints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.internet.endpoints import SSL4ServerEndpoint, serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.python import usage

from hunchensocket_tx.acceptor import tcp_endpoint
from hunchensocket_tx.service.group import one_line
from hunchensocket_tx.service.tls_options import TLSOptions

__all__ = ["ListenOptions"]

DEFAULT_PORT = 8080


class ListenOptions(TLSOptions):
    """Options that say where to listen.

    :ivar endpoints: the endpoints, each with the option that names it.
    """

    optParameters = [  # noqa: N815
        ["port", "p", None, f"TCP port to listen on; {DEFAULT_PORT} if nothing else is named, 0 for any free one"],
        ["interface", "i", None, "Address to listen on, with --port and --ssl-port; all IPv4 ones by default"],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []
        self.endpoints: list[tuple[str, IStreamServerEndpoint]] = []

    def opt_listen(self, endpoint: str) -> None:
        """Listen on a Twisted server endpoint, say unix:/run/ws.sock; may be repeated."""
        self["listen"].append(endpoint)

    def check(self) -> None:
        """Make the endpoints."""
        super().check()
        self.endpoints = list(self._endpoints())

    def listening_reactor(self) -> Any:
        """Return the reactor that the endpoints listen with; other groups may give theirs."""
        from twisted.internet import reactor

        return reactor

    def _endpoints(self) -> Iterator[tuple[str, IStreamServerEndpoint]]:
        reactor = self.listening_reactor()
        for description in self["listen"]:
            if description.startswith("haproxy:ssl:"):  # which would wait for it within TLS
                raise usage.UsageError(
                    "--listen: proxies send the PROXY protocol in front of TLS, where haproxy:ssl: does not look; "
                    "let the proxy do TLS, and give haproxy:tcp: and --external-url"
                )
            try:
                yield f"--listen {description}", serverFromString(reactor, description)
            except Exception as error:  # each kind of endpoint raises its own; all say what is wrong
                raise usage.UsageError(
                    f"--listen: {description!r} is not an endpoint: {one_line(error)}"
                ) from error
        port, ssl_port = self.port_number("port"), self.port_number("ssl-port")
        if ssl_port is not None:
            yield "--ssl-port", SSL4ServerEndpoint(reactor, ssl_port, self.tls, interface=self["interface"] or "")
        if port is None and ssl_port is None and not self["listen"]:
            port = DEFAULT_PORT
        if port is not None:
            yield "--port", tcp_endpoint(reactor, port, self["interface"] or "")
