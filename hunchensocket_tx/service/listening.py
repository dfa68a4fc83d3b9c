"""Where to listen: ports, endpoints, TLS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.internet.endpoints import SSL4ServerEndpoint, serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.python import usage

from hunchensocket_tx.acceptor import tcp_endpoint
from hunchensocket_tx.service.group import OptionGroup, one_line
from hunchensocket_tx.tls import server_options

__all__ = ["ListenOptions"]

DEFAULT_PORT = 8080


class ListenOptions(OptionGroup):
    """Options that say where to listen.

    :ivar endpoints: the endpoints, each with the option that names it.
    """

    optParameters = [  # noqa: N815
        ["port", "p", None, f"TCP port to listen on; {DEFAULT_PORT} if nothing else is named, 0 for any free one"],
        ["interface", "i", None, "Address to listen on, with --port and --ssl-port; all IPv4 ones by default"],
        ["ssl-port", None, None, "TCP port to listen on with TLS; needs --certificate"],
        ["certificate", "c", None, "PEM file with the certificate for --ssl-port, and its chain behind it"],
        ["private-key", "k", None, "PEM file with its key, if that is not in the certificate's file"],
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["listen"] = []
        self.endpoints: list[tuple[str, IStreamServerEndpoint]] = []

    def opt_listen(self, endpoint: str) -> None:
        """Listen on a Twisted server endpoint, say unix:/run/ws.sock; may be repeated."""
        self["listen"].append(endpoint)

    def check(self) -> None:
        """Make the endpoints."""
        super().check()
        self.endpoints = list(self._endpoints())

    def _endpoints(self) -> Iterator[tuple[str, IStreamServerEndpoint]]:
        from twisted.internet import reactor

        for description in self["listen"]:
            try:
                yield f"--listen {description}", serverFromString(reactor, description)
            except Exception as error:  # each kind of endpoint raises its own; all say what is wrong
                raise usage.UsageError(
                    f"--listen: {description!r} is not an endpoint: {one_line(error)}"
                ) from error
        port, ssl_port = self.port_number("port"), self.port_number("ssl-port")
        if ssl_port is not None:
            yield "--ssl-port", self._tls_endpoint(reactor, ssl_port)
        elif self["certificate"] is not None or self["private-key"] is not None:
            raise usage.UsageError("--certificate and --private-key are for --ssl-port; name a port for TLS, too")
        if port is None and ssl_port is None and not self["listen"]:
            port = DEFAULT_PORT
        if port is not None:
            yield "--port", tcp_endpoint(reactor, port, self["interface"] or "")

    def _tls_endpoint(self, reactor: Any, port: int) -> IStreamServerEndpoint:
        if self["certificate"] is None:
            raise usage.UsageError("--ssl-port: TLS needs a certificate; name its file with --certificate")
        options = self.named(lambda: server_options(self["certificate"], self["private-key"]))
        return SSL4ServerEndpoint(reactor, port, options, interface=self["interface"] or "")
