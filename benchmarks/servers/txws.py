"""txWS, for hixie-76: ``python -m benchmarks.servers.txws PORT echo|broadcast``.

Its RFC 6455 side calls what Python 3.9 removed, and is not measured.
"""

import sys
from typing import Any

import twisted.internet.reactor
from twisted.internet.protocol import Factory, Protocol
from txws import WebSocketFactory

reactor: Any = twisted.internet.reactor
members: set[Any] = set()


class Echo(Protocol):
    """Sends everything back; txWS gives it whole messages."""

    transport: Any

    def dataReceived(self, data: bytes) -> None:
        """A message came."""
        self.transport.write(data)


class Broadcast(Echo):
    """Sends everything to all."""

    def connectionMade(self) -> None:
        """The connection is there."""
        members.add(self.transport)

    def connectionLost(self, reason: Any = None) -> None:
        """The connection is gone."""
        members.discard(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """A message came."""
        for member in members:
            member.write(data)


factory = Factory.forProtocol(Broadcast if sys.argv[2] == "broadcast" else Echo)
reactor.listenTCP(int(sys.argv[1]), WebSocketFactory(factory), 1024, "127.0.0.1")
reactor.run()
