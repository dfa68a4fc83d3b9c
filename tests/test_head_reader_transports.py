"""HeadReader on every transport that Twisted has: the tests of taking a connection over, on a site of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import SSL4ClientEndpoint
from twisted.internet.ssl import CertificateOptions
from twisted.trial.unittest import TestCase
from twisted.web.server import Request

from hunchensocket_tx import Settings, WebSocketResource
from hunchensocket_tx.factory import GuardedSite
from hunchensocket_tx.head_reader import MAX_EARLY, HeadReader
from tests import test_takeover_transports as transports
from tests.harness import answered_76, complete_76, echo, serve_tls, tls_agreed, turns
from tests.support import RawClient, connect, frame_76, request_76


class Lean:
    """Those tests, with another site."""

    class Tests(transports.Transports.Tests):
        async def connect_to(self, *dispatchers: Callable[[Request], Any]) -> RawClient:
            self.resource = WebSocketResource(*dispatchers)
            self.addCleanup(self.check_that_no_stream_is_left)
            self.site = GuardedSite(self.resource, Settings())
            client = await connect(self, transports.ADDRESS, await self.listen(self.site))
            await self.prepare(client)
            return client

        async def test_so_many_frames_may_come_meanwhile_that_twisted_web_stops_reading(self) -> None:
            decision: Deferred[Any] = Deferred()
            asked: Deferred[Any] = Deferred()
            channels: list[Any] = []

            def dispatcher(request: Request) -> Deferred[Any]:
                channels.append(request.channel)
                asked.callback(None)
                return decision

            client = await self.connect_to(dispatcher)
            frames = b"".join(map(frame_76, transports.MANY * 4))
            self.assertGreater(len(frames), 2 * MAX_EARLY)
            client.write(self.request())
            await asked
            self.assertIsInstance(channels[0], HeadReader)
            client.write(frames)
            await turns(20)
            decision.callback(lambda stream, mutex: stream.send)
            await answered_76(client)
            await client.until(lambda data: len(data) >= len(frames))
            self.assertEqual(client.data, frames)
            await self.check_echo(client)

        async def test_plain_requests_are_left_to_twisted_web(self) -> None:
            client = await self.connect_to(echo)
            client.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
            await client.until(lambda data: data.count(b"HTTP/1.1 426 ") == 2)
            client.write(b"no HTTP\r\n\r\n")
            await client.closed


class LeanTcpTests(Lean.Tests, transports.TcpTests):
    """TCP."""


class LeanTlsTests(Lean.Tests, transports.TlsTests):
    """TLS."""


class LeanUnixTests(Lean.Tests, transports.UnixTests):
    """A unix socket."""


class LeanProxyProtocolTests(Lean.Tests, transports.ProxyProtocolTests):
    """TCP behind a proxy."""


class AlpnTests(TestCase):
    """TLS with a choice of protocols."""

    async def test_a_client_that_offers_http_1_1_is_served(self) -> None:
        for protocols in ([b"http/1.1"], [b"spdy/1", b"http/1.1"]):
            client, negotiated = await self.connect_offering(*protocols)
            self.assertEqual(negotiated, b"http/1.1")
            await complete_76(client, request_76(transports.ADDRESS, secure=True))

    async def connect_offering(self, *protocols: bytes) -> tuple[RawClient, bytes | None]:
        """Connect with ALPN; return the client and what was agreed upon."""
        address, _ = await serve_tls(self, GuardedSite(WebSocketResource(echo), Settings()))
        options = CertificateOptions(acceptableProtocols=list(protocols))
        endpoint = SSL4ClientEndpoint(reactor, "127.0.0.1", address.port, options)
        client = await connect(self, address, endpoint)
        await tls_agreed(client)
        transport: Any = client.transport
        return client, transport.negotiatedProtocol
