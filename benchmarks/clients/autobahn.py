"""Autobahn on Twisted: ``python -m benchmarks.clients.autobahn PORT SIZE DEPTH SECONDS``."""

from __future__ import annotations

from typing import Any

import twisted.internet.reactor
from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol

from benchmarks.clients.run import Run

reactor: Any = twisted.internet.reactor
run = Run()


class Client(WebSocketClientProtocol):
    """Is called with each message."""

    def onOpen(self) -> None:
        """The handshake is done."""
        for _ in range(run.depth):
            self.sendMessage(run.message.encode())

    def onMessage(self, payload: bytes, is_binary: bool) -> None:
        """A message came."""
        if run.goes_on(payload.decode()):
            self.sendMessage(run.message.encode())
        else:
            self.sendClose(1000)

    def onClose(self, was_clean: bool, code: int, reason: str) -> None:
        """The connection is gone."""
        reactor.stop()


factory = WebSocketClientFactory(run.url)
factory.protocol = Client
reactor.connectTCP("127.0.0.1", run.port, factory)
reactor.run()
