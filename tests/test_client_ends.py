"""connect(): what becomes of the connection that it was given, in the end."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory

from tests.client_support import LANES, ClientCase
from tests.harness import turns


class CountingFactory(ClientFactory):
    """An endpoint of the simplest kind, which counts the ends that it is told of."""

    noisy = False

    def __init__(self, port: int) -> None:
        self.port = port
        self.lost = 0

    def connect(self, factory: Any) -> Deferred[Any]:
        """Connect (IStreamClientEndpoint)."""
        self.factory, self.connected = factory, Deferred[Any]()
        tcp: Any = reactor
        tcp.connectTCP("127.0.0.1", self.port, self)
        return self.connected

    def buildProtocol(self, addr: Any) -> Any:
        protocol = self.factory.buildProtocol(addr)
        tcp: Any = reactor
        tcp.callLater(0, self.connected.callback, protocol)
        return protocol

    def clientConnectionLost(self, connector: Any, reason: Any) -> None:
        self.lost += 1


class EndTests(ClientCase):
    """On the lane the connection has left Twisted's transport, which else tells its end."""

    async def test_who_made_the_connection_is_told_its_end_once(self) -> None:
        url = await self.serve_websockets()
        for lane in LANES:
            with self.subTest(lane=lane):
                counting: Any = CountingFactory(int(url.rstrip("/").rpartition(":")[2]))
                stream = await self.connect(url, endpoint=counting, fast_lane=lane)
                stream.close()
                await stream.when_closed()
                await turns(5)
                self.assertEqual(counting.lost, 1)
