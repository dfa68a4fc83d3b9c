"""The endpoint that reaches servers through a proxy: with a proxy on this machine that says what a test wants."""

from __future__ import annotations

from typing import Any

from twisted.internet import error, reactor
from twisted.internet.address import HostnameAddress
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.endpoints import wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from hunchensocket_tx.errors import InvalidURL, ProxyFailed
from hunchensocket_tx.proxies import Proxy
from hunchensocket_tx.proxy_endpoint import ProxyEndpoint, through
from tests.proxy_support import HalfListener, Listener, ScriptedProxy, TLSListener, listen, tls_pair

OK = b"HTTP/1.1 200 Connection established\r\n\r\n"


class OneFactory(Factory):
    """Has one protocol, and writes down whom it is for.

    :param made: the protocol, or None, or an exception to raise.
    """

    noisy = False

    def __init__(self, made: Any) -> None:
        self.made = made
        self.address: Any = None
        self.stopped: Deferred[None] = Deferred()

    def stopFactory(self) -> None:
        self.stopped.callback(None)

    def buildProtocol(self, addr: Any) -> Any:
        self.address = addr
        if isinstance(self.made, Exception):
            raise self.made
        return self.made


class ProxyCase(TestCase):
    """Has a proxy that says what a test wants."""

    async def start(
        self,
        script: list[tuple[bytes, bytes]],
        url: str = "http://127.0.0.1",
        *,
        tls: CertificateOptions | None = None,
        within: CertificateOptions | None = None,
    ) -> Proxy:
        """Start it; return it as the client knows it."""
        self.proxies: list[ScriptedProxy] = []

        def build() -> ScriptedProxy:
            self.proxies.append(ScriptedProxy(script, within))
            return self.proxies[-1]

        return Proxy.parse(f"{url}:{await listen(self, build, tls)}")

    async def connect(self, endpoint: IStreamClientEndpoint, made: Listener) -> OneFactory:
        """Connect a protocol, which is disconnected after the test; return its factory."""
        factory = OneFactory(made)
        connected: Any = await endpoint.connect(factory)
        self.assertIs(connected, made)
        self.addCleanup(self.hang_up, made)
        return factory

    async def hang_up(self, listener: Listener) -> None:
        """Drop a connection, and wait until both its ends know."""
        if not listener.lost.called:
            listener.transport.abortConnection()
            await listener.lost
        await self.proxies[-1].lost


class TunnelTests(ProxyCase):
    """Proxies that do as they should."""

    async def test_the_protocol_talks_through_the_tunnel_and_is_the_reader_of_the_transport_itself(self) -> None:
        proxy = await self.start([(b"\r\n\r\n", OK)])
        listener = Listener()
        factory = await self.connect(through(proxy, reactor, "server.example", 443), listener)
        self.assertEqual(self.proxies[0].heard[0].split(b"\r\n")[0], b"CONNECT server.example:443 HTTP/1.1")
        self.assertEqual(factory.address, HostnameAddress(b"server.example", 443))
        self.assertIs(listener.transport.protocol, listener)
        listener.transport.write(b"hello")
        await listener.until(lambda: listener.data == b"HELLO")
        self.assertEqual(listener.events, ["made", "data"])

    async def test_socks5_does_the_same(self) -> None:
        script = [
            (b"\x05\x02\x00\x02", b"\x05\x02"),
            (b"\x01\x03ada\x06secret", b"\x01\x00"),
            (b"\x01\xbb", b"\x05\x00\x00\x01" + bytes(6)),
        ]
        proxy = await self.start(script, "socks5://ada:secret@127.0.0.1")
        listener = Listener()
        await self.connect(through(proxy, reactor, "server.example", 443), listener)
        self.assertEqual(self.proxies[0].heard[2], b"\x05\x01\x00\x03\x0eserver.example\x01\xbb")
        listener.transport.write(b"hello")
        await listener.until(lambda: listener.data == b"HELLO")

    async def test_a_server_that_speaks_first_is_heard(self) -> None:
        proxy = await self.start([(b"\r\n\r\n", OK + b"220 hello")])
        listener = Listener()
        await self.connect(through(proxy, reactor, "server.example", 25), listener)
        await listener.until(lambda: listener.data == b"220 hello")
        self.assertEqual(listener.events, ["made", "data"])

    async def test_a_half_closed_tunnel_is_told_to_those_who_care(self) -> None:
        proxy = await self.start([(b"\r\n\r\n", OK)])
        listener = HalfListener()
        await self.connect(through(proxy, reactor, "server.example", 443), listener)
        self.proxies[0].transport.loseWriteConnection()
        await listener.until(lambda: listener.events[-1] == "read lost")
        listener.transport.write(b"more")
        await self.proxies[0].until(lambda: self.proxies[0].events[-1] == "data")

    async def test_the_end_of_the_connection_is_told(self) -> None:
        proxy = await self.start([(b"\r\n\r\n", OK)])
        listener = Listener()
        factory = await self.connect(through(proxy, reactor, "server.example", 443), listener)
        self.assertEqual(factory.numPorts, 1)
        self.proxies[0].transport.loseConnection()
        await listener.lost
        self.assertEqual(listener.events, ["made", "lost"])
        await factory.stopped

    async def test_tls_goes_around_it(self) -> None:
        server, client = tls_pair(self)
        proxy = await self.start([(b"\r\n\r\n", OK)], within=server)
        listener = TLSListener()
        await self.connect(wrapClientTLS(client, through(proxy, reactor, "localhost", 443)), listener)
        self.assertIs(listener.transport.transport.protocol, listener.transport)
        listener.transport.write(b"hello")
        await listener.until(lambda: listener.data == b"HELLO")
        self.assertEqual(listener.events, ["made", "handshake", "data"])

    async def test_an_https_proxy_is_spoken_to_in_tls(self) -> None:
        server, client = tls_pair(self)
        proxy = await self.start([(b"\r\n\r\n", OK + b"220 hello")], "https://127.0.0.1", tls=server)
        listener = TLSListener()
        await self.connect(through(proxy, reactor, "server.example", 443, tls=client), listener)
        self.assertIs(listener.transport.wrappedProtocol, listener)
        await listener.until(lambda: listener.data == b"220 hello")
        listener.transport.write(b"hello")
        await listener.until(lambda: listener.data == b"220 helloHELLO")
        self.assertEqual(listener.events, ["made", "data"], "the handshake with the proxy is none of its business")


class TLSFailureTests(ProxyCase):
    """https proxies that are not what they should be."""

    async def assert_fails(self, proxy: Proxy, tls: Any) -> None:
        """Check that connecting fails, with words on TLS, and that the connection ends."""
        endpoint = through(proxy, reactor, "server.example", 443, tls=tls)
        waiting: Any = endpoint.connect(OneFactory(Listener()))
        told = await self.assertFailure(waiting, ProxyFailed)
        self.assertIn(f"TLS with the proxy {proxy} failed", str(told))
        self.assertIsNotNone(told.__cause__)
        await self.proxies[-1].lost

    async def test_a_certificate_that_is_not_trusted_is_told(self) -> None:
        server, _ = tls_pair(self)
        await self.assert_fails(await self.start([], "https://127.0.0.1", tls=server), None)

    async def test_a_certificate_for_another_name_is_told(self) -> None:
        server, client = tls_pair(self, "other.example")
        await self.assert_fails(await self.start([], "https://127.0.0.1", tls=server), client)

    async def test_a_proxy_that_speaks_no_tls_is_told(self) -> None:
        script = [(b"\x16\x03\x01", b"HTTP/1.1 400 Bad Request\r\n\r\n")]
        await self.assert_fails(await self.start(script, "https://127.0.0.1"), None)


@implementer(IStreamClientEndpoint)
class FakeEndpoint:
    """Connects to nothing, at once; or fails, or never does."""

    def __init__(self, failure: Exception | None = None, *, waits: bool = False) -> None:
        self.transport = StringTransport()
        self.waiting: Deferred[Any] | None = Deferred() if waits else None
        self._failure = failure

    def connect(self, protocolFactory: Any) -> Deferred[Any]:  # noqa: N803
        if self.waiting is not None:
            return self.waiting
        if self._failure is not None:
            return fail(self._failure)
        self.protocol = protocolFactory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)
        return succeed(self.protocol)


class FailureTests(SynchronousTestCase):
    """What goes wrong, and what is said then."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.factory = OneFactory(Listener())
        self.fake = FakeEndpoint()

    def connect(self, url: str = "http://ada:secret@proxy.example:3128") -> Deferred[Any]:
        """Connect through a proxy with the test's endpoint."""
        clock: Any = self.clock
        return ProxyEndpoint(self.fake, Proxy.parse(url), "server.example", 443, clock=clock, timeout=5).connect(
            self.factory
        )

    def assert_told(self, connecting: Deferred[Any], *words: str) -> None:
        """Check that it failed, in some words, and that nothing is left behind."""
        told = self.failureResultOf(connecting, ProxyFailed).value
        for word in (*words, "http://proxy.example:3128"):
            self.assertIn(word, str(told))
        self.assertNotIn("secret", f"{told} {told!r} {told.__cause__!r}")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_proxy_that_cannot_be_reached_is_named_with_the_mend(self) -> None:
        for failure, words in (
            (error.ConnectionRefusedError(), "Connection was refused"),
            (error.DNSLookupError(), "no address is known for the name proxy.example"),
            (error.TimeoutError(), "timeout"),
        ):
            with self.subTest(words=words):
                self.fake = FakeEndpoint(failure)
                self.assert_told(self.connect(), "cannot be reached: ", words, "check its URL")

    def test_what_is_no_failure_of_the_proxy_is_not_called_one(self) -> None:
        self.fake = FakeEndpoint(ZeroDivisionError())
        self.failureResultOf(self.connect(), ZeroDivisionError)

    def test_a_refusal_ends_the_connection(self) -> None:
        connecting = self.connect()
        self.fake.protocol.dataReceived(b"HTTP/1.1 407 No\r\n\r\n")
        self.assertTrue(self.fake.transport.disconnected)
        self.fake.protocol.dataReceived(OK)
        self.fake.protocol.connectionLost(Failure(error.ConnectionDone()))
        self.assert_told(connecting, "does not accept the username and password")
        self.assertIsNone(self.factory.address)

    def test_a_connection_that_is_lost_in_the_dialogue_is_told(self) -> None:
        connecting = self.connect()
        self.fake.protocol.dataReceived(OK[:-1])
        self.fake.protocol.connectionLost(Failure(error.ConnectionDone()))
        self.assert_told(connecting, "closed the connection without an answer to CONNECT server.example:443")

    def test_a_proxy_that_is_not_reached_in_time_is_told(self) -> None:
        self.fake = FakeEndpoint(waits=True)
        connecting = self.connect()
        self.clock.advance(4.9)
        self.assertNoResult(connecting)
        self.clock.advance(0.1)
        self.assert_told(connecting, "did not connect to server.example port 443 within 5 s")

    def test_a_proxy_that_does_not_answer_in_time_is_told_and_dropped(self) -> None:
        connecting = self.connect()
        self.fake.protocol.dataReceived(OK[:-1])
        self.clock.advance(5)
        self.assert_told(connecting, "did not connect to server.example port 443 within 5 s")
        self.assertTrue(self.fake.transport.disconnected)

    def test_no_timer_is_left_when_the_tunnel_is_open(self) -> None:
        connecting = self.connect()
        self.fake.protocol.dataReceived(OK)
        self.assertIs(self.successResultOf(connecting), self.factory.made)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelling_drops_the_connection(self) -> None:
        connecting = self.connect()
        connecting.cancel()
        self.assertTrue(self.fake.transport.disconnected)
        self.fake.protocol.dataReceived(OK)
        self.fake.protocol.connectionLost(Failure(error.ConnectionDone()))
        self.failureResultOf(connecting, CancelledError)
        self.assertIsNone(self.factory.address)

    def test_cancelling_before_there_is_a_connection_is_no_failure_of_the_proxy(self) -> None:
        self.fake = FakeEndpoint(waits=True)
        connecting = self.connect()
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_factory_that_has_no_protocol_drops_the_connection(self) -> None:
        for made, expected in ((None, error.NoProtocol), (ZeroDivisionError(), ZeroDivisionError)):
            with self.subTest(made=made):
                self.fake, self.factory = FakeEndpoint(), OneFactory(made)
                connecting = self.connect()
                self.fake.protocol.dataReceived(OK)
                self.failureResultOf(connecting, expected)
                self.assertTrue(self.fake.transport.disconnected)

    def test_a_transport_of_another_kind_goes_on_calling_the_dialogue_which_hands_on(self) -> None:
        connecting = self.connect()
        self.fake.protocol.dataReceived(OK + b"hel")
        self.fake.protocol.dataReceived(b"lo")
        self.fake.protocol.connectionLost(Failure(error.ConnectionDone()))
        listener = self.successResultOf(connecting)
        self.assertEqual((listener.data, listener.events), (b"hello", ["made", "data", "lost"]))

    def test_who_closes_at_once_does_not_hear_what_was_behind_the_answer(self) -> None:
        connecting = self.connect().addCallback(lambda listener: listener.transport.loseConnection())
        self.fake.protocol.dataReceived(OK + b"hello")
        self.assertIsNone(self.successResultOf(connecting))
        self.assertEqual(self.factory.made.data, b"")

    def test_a_host_that_no_proxy_can_be_asked_for_is_misuse(self) -> None:
        for url in ("http://p", "socks5://p"):
            self.assertRaises(InvalidURL, through, Proxy.parse(url), self.clock, "a b", 443)
            self.assertRaises(InvalidURL, through, Proxy.parse(url), self.clock, "bücher.example", 443)
