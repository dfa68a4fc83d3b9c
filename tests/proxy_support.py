"""What the tests of proxies share: clients of a tunnel, servers at its end, a proxy that does as told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString, wrapServerTLS
from twisted.internet.interfaces import IHalfCloseableProtocol, IHandshakeListener
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import Certificate, CertificateOptions, optionsForClientTLS
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from hunchensocket_tx.tls import server_options
from tests.harness import Issued, PemFolder


class Listener(Protocol):
    """Writes down what happens to it."""

    transport: Any

    def __init__(self) -> None:
        self.data = b""
        self.events: list[str] = []
        self.lost: Deferred[None] = Deferred()
        self._wanted: Callable[[], bool] = lambda: False
        self._waiting: Deferred[None] = Deferred()

    def until(self, wanted: Callable[[], bool]) -> Deferred[None]:
        """Wait until a condition holds, which is asked whenever something happens."""
        self._wanted, self._waiting = wanted, Deferred()
        waiting = self._waiting
        self.happened()
        return waiting

    def happened(self, event: str = "") -> None:
        """Write an event down, but not twice in a row."""
        if event and self.events[-1:] != [event]:
            self.events.append(event)
        if self._wanted() and not self._waiting.called:
            self._waiting.callback(None)

    def connectionMade(self) -> None:
        self.happened("made")

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        self.happened("data")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.happened("lost")
        self.lost.callback(None)


@implementer(IHalfCloseableProtocol)
class HalfListener(Listener):
    """Keeps its side open when the other end has closed its own."""

    def readConnectionLost(self) -> None:
        self.happened("read lost")

    def writeConnectionLost(self) -> None:
        self.happened("write lost")


@implementer(IHandshakeListener)
class TLSListener(Listener):
    """Is told of a TLS handshake."""

    def handshakeCompleted(self) -> None:
        self.happened("handshake")


class ScriptedProxy(Listener):
    """Says one thing for each that the client says, and is an echo then.

    :param script: pairs of how the client's word ends, and what the proxy says to it.
    :param within: TLS options of the echo.
    """

    def __init__(self, script: list[tuple[bytes, bytes]], within: CertificateOptions | None = None) -> None:
        super().__init__()
        self._within = within
        self.heard: list[bytes] = []
        self._script = list(script)

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        while self._script and self._script[0][0] in self.data:
            end, answer = self._script.pop(0)
            word, _, self.data = self.data.partition(end)
            self.heard.append(word + end)
            self.transport.write(answer)
            if not self._script and self._within is not None:
                self.transport.startTLS(self._within)
        if not self._script:
            self.transport.write(self.data.upper())
            self.data = b""


class Echo(Protocol):
    """Sends back what it gets, and takes leave when the other end does."""

    transport: Any

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


def tls_pair(case: TestCase, name: str = "localhost") -> tuple[CertificateOptions, Any]:
    """Return the TLS options of a server of some name, and of a client that trusts it and wants localhost."""
    issued, folder = Issued(name), PemFolder(case.mktemp())
    trusted: Any = Certificate.loadPEM(issued.pem)
    options = server_options(folder.write("both", issued.pem, issued.key_pem()))
    return options, optionsForClientTLS("localhost", trustRoot=trusted)


async def listen(case: TestCase, build: Callable[[], Protocol], tls: CertificateOptions | None = None) -> int:
    """Serve protocols on a free port of this machine until the test ends; return the port."""
    endpoint = serverFromString(reactor, "tcp:0:interface=127.0.0.1")
    if tls is not None:
        endpoint = wrapServerTLS(tls, endpoint)
    factory = Factory()
    factory.buildProtocol = lambda address: build()  # type: ignore[method-assign, assignment]
    factory.noisy = False
    port: Any = await endpoint.listen(factory)
    case.addCleanup(port.stopListening)
    number: int = port.getHost().port
    return number
