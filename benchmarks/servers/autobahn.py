"""Autobahn on Twisted: ``python -m benchmarks.servers.autobahn PORT echo|broadcast``."""

import sys
from typing import Any

import twisted.internet.reactor
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol

reactor: Any = twisted.internet.reactor
members: set[Any] = set()


class Echo(WebSocketServerProtocol):
    """Sends everything back."""

    def onMessage(self, payload: bytes, is_binary: bool) -> None:
        """A message came."""
        self.sendMessage(payload, is_binary)


class Broadcast(WebSocketServerProtocol):
    """Sends everything to all."""

    def onOpen(self) -> None:
        """The handshake is done."""
        members.add(self)

    def onClose(self, was_clean: bool, code: int, reason: str) -> None:
        """The connection is gone."""
        members.discard(self)

    def onMessage(self, payload: bytes, is_binary: bool) -> None:
        """A message came."""
        message = self.factory.prepareMessage(payload, is_binary)
        for member in members:
            member.sendPreparedMessage(message)


factory = WebSocketServerFactory()
factory.protocol = Broadcast if sys.argv[2] == "broadcast" else Echo
reactor.listenTCP(int(sys.argv[1]), factory, 1024, "127.0.0.1")
reactor.run()
