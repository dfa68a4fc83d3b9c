"""Twisted's own WebSockets: ``python -m benchmarks.servers.twisted_web PORT echo|broadcast``."""

import sys
from typing import Any

import twisted.internet.reactor
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.websocket import WebSocketResource

reactor: Any = twisted.internet.reactor
members: set[Any] = set()


class Echo:
    """Sends everything back."""

    def negotiationStarted(self, transport: Any) -> None:
        """A handshake has begun."""
        self.transport = transport

    def negotiationFinished(self) -> None:
        """The handshake is done."""

    def pongReceived(self, payload: bytearray) -> None:
        """A pong came."""

    def textMessageReceived(self, message: str) -> None:
        """A text came."""
        self.transport.sendTextMessage(message)

    def bytesMessageReceived(self, data: bytes) -> None:
        """A binary message came."""
        self.transport.sendBytesMessage(data)

    def connectionLost(self, reason: Any) -> None:
        """The connection is gone."""


class Broadcast(Echo):
    """Sends everything to all."""

    def negotiationFinished(self) -> None:
        """The handshake is done."""
        members.add(self)

    def textMessageReceived(self, message: str) -> None:
        """A text came."""
        for member in members:
            member.transport.sendTextMessage(message)

    def bytesMessageReceived(self, data: bytes) -> None:
        """A binary message came."""
        for member in members:
            member.transport.sendBytesMessage(data)

    def connectionLost(self, reason: Any) -> None:
        """The connection is gone."""
        members.discard(self)


class Factory:
    """Makes what talks on a new connection."""

    def buildProtocol(self, request: Any) -> Any:
        """A request came."""
        return Broadcast() if sys.argv[2] == "broadcast" else Echo()


class QuietSite(Site):
    """A site without an access log, as the other servers are."""

    def log(self, request: Any) -> None:
        """Say nothing (Site)."""


root = Resource()
root.putChild(b"", WebSocketResource(Factory()))
site: Any = QuietSite(root)
reactor.listenTCP(int(sys.argv[1]), site, 1024, "127.0.0.1")
reactor.run()
