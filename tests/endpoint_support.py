"""What the tests of endpoints share: protocols that keep what they are told, a server and its clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from hunchensocket_tx.endpoints import WebSocketClientEndpoint, WebSocketServerEndpoint

VERSIONS = (13, 8, 7, 76)


class Recorder(Protocol):
    """A protocol that keeps what it is told."""

    transport: Any

    def __init__(self) -> None:
        self.data = b""
        self.lost: Deferred[BaseException | None] = Deferred()
        """Fires with the reason's exception."""

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.callback(reason.value)


class Echo(Recorder):
    """Says what it is told."""

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.transport.write(data)


class Keeping(Factory):
    """Keeps the protocols that it builds.

    :ivar told: ``start`` and ``stop``, as they come.
    """

    def __init__(self, build: Callable[[], Protocol | None]) -> None:
        self.protocols: list[Any] = []
        self.told: list[str] = []
        self._build = build

    def startFactory(self) -> None:
        self.told.append("start")

    def stopFactory(self) -> None:
        self.told.append("stop")

    def buildProtocol(self, addr: object) -> Protocol | None:
        protocol = self._build()
        self.protocols.append(protocol)
        return protocol


def loopback(port: int = 0) -> TCP4ServerEndpoint:
    """Return the endpoint for a port of this machine, by default a free one."""
    return TCP4ServerEndpoint(reactor, port, interface="127.0.0.1")


class EndpointCase(TestCase):
    """A server endpoint with echo, and clients."""

    async def listen(self, path: str = "/", factory: Any = None, port: int = 0, **options: Any) -> str:
        """Listen at a path; return its URL. The port is ``self.port``."""
        self.echo = Keeping(Echo)
        endpoint = WebSocketServerEndpoint(reactor, loopback(port), path, **options)
        self.path = path
        self.port: Any = await endpoint.listen(factory or self.echo)
        self.addCleanup(self.port.stopListening)
        return self.url()

    def url(self) -> str:
        """Return the URL of the server."""
        return f"ws://127.0.0.1:{self.port.getHost().port}{self.path}"

    async def connect(self, url: str, **options: Any) -> Any:
        """Connect a recorder, which is dropped in the end."""
        endpoint = WebSocketClientEndpoint(reactor, url, **options)
        protocol: Any = await endpoint.connect(Factory.forProtocol(Recorder))

        async def drop() -> None:
            protocol.transport.abortConnection()
            await protocol.lost

        self.addCleanup(lambda: protocol.lost.called or Deferred.fromCoroutine(drop()))
        return protocol
