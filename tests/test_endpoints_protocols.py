"""Tests of real protocols of Twisted over hunchensocket_tx.endpoints."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import connectProtocol, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import PrivateCertificate, optionsForClientTLS
from twisted.protocols import amp
from twisted.protocols.basic import LineReceiver
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.spread import pb
from twisted.web.client import Agent, HTTPConnectionPool, readBody
from twisted.web.iweb import IAgentEndpointFactory
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from twisted.web.static import Data, File
from zope.interface import implementer

from hunchensocket_tx.endpoints import WebSocketClientEndpoint
from tests.endpoint_support import VERSIONS, Echo, EndpointCase, Recorder
from tests.harness import Issued, turns, turns_until


def options_for(version: int) -> dict[str, Any]:
    """Return options of a client for any bytes in a version."""
    return {"version": version, "subprotocols": ["base64"]} if version == 76 else {"version": version}


class Add(amp.Command):
    """Adds two numbers."""

    arguments = [(b"a", amp.Integer()), (b"b", amp.Integer())]
    response = [(b"sum", amp.Integer())]


class Calculator(amp.AMP):
    """Can add."""

    @Add.responder
    def add(self, a: int, b: int) -> dict[str, int]:
        return {"sum": a + b}


class AmpTests(EndpointCase):
    """Asynchronous messaging."""

    async def test_calls_are_answered_in_any_version(self) -> None:
        url = await self.listen(factory=Factory.forProtocol(Calculator))
        for version in VERSIONS:
            endpoint = WebSocketClientEndpoint(reactor, url, **options_for(version))
            caller: Any = await connectProtocol(endpoint, amp.AMP())
            calls = [caller.callRemote(Add, a=number, b=version) for number in range(20)]
            for number, call in enumerate(calls):
                self.assertEqual((await call)["sum"], number + version)
            caller.transport.loseConnection()
            await turns_until(lambda caller=caller: not caller.connected)  # type: ignore[misc]


class Root(pb.Root):
    """Adds, and calls back."""

    def remote_add(self, a: int, b: int) -> int:
        return a + b


class PerspectiveBrokerTests(EndpointCase):
    """Remote objects."""

    async def test_methods_are_called(self) -> None:
        url = await self.listen(factory=pb.PBServerFactory(Root()))
        factory = pb.PBClientFactory()
        broker: Any = await WebSocketClientEndpoint(reactor, url).connect(factory)
        root = await factory.getRootObject()
        self.assertEqual(await root.callRemote("add", 1, 2), 3)
        ended: Deferred[None] = Deferred()
        broker.notifyOnDisconnect(lambda: ended.callback(None))
        factory.disconnect()
        await ended


class Shouter(LineReceiver):
    """Shouts lines, until it is told to stop."""

    transport: Any

    def lineReceived(self, line: bytes) -> None:
        if line == b"bye":
            self.transport.loseConnection()
        else:
            self.sendLine(line.upper())


class LineTests(EndpointCase):
    """Line protocols travel as text, too."""

    async def test_lines_are_answered_in_any_version_and_encoding(self) -> None:
        for version in VERSIONS:
            for encoding in ("utf-8", "base64"):
                url = await self.listen(factory=Factory.forProtocol(Shouter), encoding=encoding)
                client = await self.connect(url, version=version, encoding=encoding)
                client.transport.write(b"hel")
                client.transport.write(b"lo\r\nworld\r\nbye\r\nnot this\r\n")
                await client.lost
                self.assertEqual(client.data, b"HELLO\r\nWORLD\r\n")


@implementer(IAgentEndpointFactory)
class ByWebSocket:
    """Takes an agent's connections to where a WebSocket leads."""

    def __init__(self, url: str, version: int) -> None:
        self._url = url
        self._version = version

    def endpointForURI(self, uri: object) -> IStreamClientEndpoint:
        return WebSocketClientEndpoint(reactor, self._url, **options_for(self._version))


class CountingSite(Site):
    """A site that counts its connections."""

    connections = 0

    def buildProtocol(self, addr: Any) -> Any:
        self.connections += 1
        return super().buildProtocol(addr)


class Slow(Resource):
    """Never answers."""

    def render(self, request: Any) -> int:
        self.left = request.notifyFinish()
        return NOT_DONE_YET


class HTTPTests(EndpointCase):
    """HTTP over WebSockets: twisted.web at both ends."""

    async def agent(self, root: Resource, version: int = 13) -> Any:
        self.site = CountingSite(root)
        url = await self.listen(factory=self.site)
        pool = HTTPConnectionPool(reactor)
        self.addCleanup(pool.closeCachedConnections)
        return Agent.usingEndpointFactory(reactor, ByWebSocket(url, version), pool)

    async def test_pages_of_any_size_arrive_on_one_connection(self) -> None:
        path = self.mktemp()
        content = bytes(range(256)) * 10_000
        with open(path, "wb") as file:
            file.write(content)
        for version in VERSIONS:
            root = Resource()
            root.putChild(b"small", Data(b"hello", "text/plain"))
            root.putChild(b"large", Data(content, "text/plain"))
            root.putChild(b"file", File(path))  # a pull producer
            agent = await self.agent(root, version)
            for name, expected in (("small", b"hello"), ("large", content), ("file", content)):
                response = await agent.request(b"GET", f"http://anywhere/{name}".encode())
                self.assertEqual(await readBody(response), expected)
                await turns(1)  # until the connection is in the pool
            self.assertEqual(self.site.connections, 1)

    async def test_a_request_that_is_given_up_is_noticed(self) -> None:
        slow, root = Slow(), Resource()
        root.putChild(b"", slow)
        asking = (await self.agent(root)).request(b"GET", b"http://anywhere/")
        await turns_until(lambda: hasattr(slow, "left"))
        asking.cancel()
        asking.addErrback(lambda _: None)
        left: Deferred[BaseException | None] = Deferred()
        slow.left.addErrback(lambda failure: left.callback(failure.value))
        self.assertIsNotNone(await left)


class TLSTests(EndpointCase):
    """A protocol that is a transport itself."""

    async def test_tls_within_a_websocket(self) -> None:
        issued = Issued()
        pem: Any = PrivateCertificate.loadPEM(issued.pem + issued.key_pem())
        inner = Factory.forProtocol(Echo)
        url = await self.listen(factory=TLSMemoryBIOFactory(pem.options(), False, inner))
        creator = optionsForClientTLS("localhost", trustRoot=pem)
        endpoint = wrapClientTLS(creator, WebSocketClientEndpoint(reactor, url))
        protocol: Any = await endpoint.connect(Factory.forProtocol(Recorder))
        data = bytes(range(256)) * 1000
        protocol.transport.write(data)
        await turns_until(lambda: len(protocol.data) == len(data))
        self.assertEqual(protocol.data, data)
        protocol.transport.loseConnection()
        await protocol.lost
