"""Acceptors: services that listen, serve and stop."""

from __future__ import annotations

import socket
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP6ClientEndpoint, UNIXClientEndpoint, serverFromString
from twisted.internet.error import CannotListenError, ConnectError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, TestCase
from twisted.web.server import Site
from twisted.web.static import Data
from zope.interface import implementer
from zope.interface.verify import verifyObject

from hunchensocket_tx import (
    CloseReason,
    EndpointAcceptor,
    InvalidSetting,
    MisuseError,
    WebSocketAcceptor,
    WebSocketFactory,
    WebSocketResource,
    WebSocketSSLAcceptor,
)
from hunchensocket_tx import connect as connect_ours
from tests.harness import Issued, PemFolder, complete_76, echo, tls_client, turns
from tests.support import RawClient, connect, frame_76, open_76, request_76

LOCALHOST = "127.0.0.1"


@implementer(IStreamServerEndpoint)
class SlowEndpoint:
    """An endpoint that takes its time to listen."""

    def __init__(self) -> None:
        self.cancelled = False
        self.listening: Deferred[IListeningPort] = Deferred(self._cancel)

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen (IStreamServerEndpoint)."""
        return self.listening

    def _cancel(self, _: object) -> None:
        self.cancelled = True


class AcceptorCase(TestCase):
    """Starts acceptors, and stops them after the test."""

    def start(self, acceptor: EndpointAcceptor) -> Any:
        """Start an acceptor; return its address."""
        acceptor.privilegedStartService()
        acceptor.startService()
        self.addCleanup(lambda: acceptor.stopService() if acceptor.running else None)
        return acceptor.address

    async def check_echo(self, client: RawClient) -> None:
        """Have a client hear itself."""
        client.write(frame_76("hello"))
        await client.until(frame_76("hello"))


class WebSocketAcceptorTests(AcceptorCase):
    """A TCP port with WebSockets."""

    async def test_it_is_a_service(self) -> None:
        verifyObject(IService, WebSocketAcceptor(0, echo, interface=LOCALHOST))

    async def test_it_serves_websockets(self) -> None:
        address = self.start(WebSocketAcceptor(0, echo, interface=LOCALHOST))
        await self.check_echo(await open_76(self, address, "/any/path"))

    async def test_its_address_is_where_it_listens(self) -> None:
        address = self.start(WebSocketAcceptor(0, echo, interface=LOCALHOST))
        self.assertEqual(address, IPv4Address("TCP", LOCALHOST, address.port))
        self.assertGreater(address.port, 0)

    async def test_it_has_no_address_before_it_is_started(self) -> None:
        acceptor = WebSocketAcceptor(0, echo, interface=LOCALHOST)
        self.assertRaises(MisuseError, lambda: acceptor.address)

    async def test_it_has_no_address_after_it_was_stopped(self) -> None:
        acceptor = WebSocketAcceptor(0, echo, interface=LOCALHOST)
        self.start(acceptor)
        await acceptor.stopService()
        self.assertRaises(MisuseError, lambda: acceptor.address)

    async def test_it_listens_as_early_as_privileges_allow(self) -> None:
        acceptor = WebSocketAcceptor(0, echo, interface=LOCALHOST)
        acceptor.privilegedStartService()
        self.addCleanup(acceptor.stopService)
        await open_76(self, acceptor.address)

    async def test_it_listens_if_only_started(self) -> None:
        acceptor = WebSocketAcceptor(0, echo, interface=LOCALHOST)
        acceptor.startService()
        self.addCleanup(acceptor.stopService)
        await open_76(self, acceptor.address)

    async def test_it_can_be_a_part_of_another_service(self) -> None:
        parent = MultiService()
        acceptor = WebSocketAcceptor(0, echo, interface=LOCALHOST)
        parent.addService(acceptor)
        parent.startService()
        self.addCleanup(parent.stopService)
        await self.check_echo(await open_76(self, acceptor.address))

    async def test_other_requests_reach_the_root(self) -> None:
        page = Data(b"a page", "text/plain")
        page.isLeaf = True
        address = self.start(WebSocketAcceptor(0, echo, interface=LOCALHOST, root=page))
        client = await connect(self, address)
        client.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await client.closed
        self.assertEqual(client.body, b"a page")

    async def test_it_takes_settings(self) -> None:
        acceptor = WebSocketAcceptor(
            0, echo, interface=LOCALHOST, websocket_timeout=7, origins=["http://a.example"]
        )
        await open_76(self, self.start(acceptor), origin="http://a.example")
        assert isinstance(acceptor.factory, WebSocketFactory)
        self.assertEqual(acceptor.factory.websockets.settings.websocket_timeout, 7)

    async def test_a_setting_that_makes_no_sense_is_refused(self) -> None:
        self.assertRaises(InvalidSetting, WebSocketAcceptor, 0, echo, websocket_timeout=-1)

    async def test_a_port_that_is_taken_is_an_exception_at_once(self) -> None:
        address = self.start(WebSocketAcceptor(0, echo, interface=LOCALHOST))
        for start in ("privilegedStartService", "startService"):
            with self.subTest(start=start):
                second = WebSocketAcceptor(address.port, echo, interface=LOCALHOST)
                self.assertRaises(CannotListenError, getattr(second, start))

    async def test_it_can_be_started_once_the_port_is_free(self) -> None:
        first = WebSocketAcceptor(0, echo, interface=LOCALHOST)
        address = self.start(first)
        second = WebSocketAcceptor(address.port, echo, interface=LOCALHOST)
        self.assertRaises(CannotListenError, second.startService)
        await first.stopService()
        second.startService()
        self.addCleanup(second.stopService)
        await self.check_echo(await open_76(self, second.address))

    async def test_it_listens_on_ipv6(self) -> None:
        if not _has_ipv6():
            raise SkipTest("this machine has no IPv6 loopback")
        address = self.start(WebSocketAcceptor(0, echo, interface="::1"))
        self.assertIsInstance(address, IPv6Address)
        client = await connect(self, address, TCP6ClientEndpoint(reactor, "::1", address.port))
        host = f"[::1]:{address.port}"
        await complete_76(client, request_76(address, host=host, origin=f"http://{host}"))
        await self.check_echo(client)


class StoppingTests(AcceptorCase):
    """The end of an acceptor, and its second life."""

    async def start_with_clock(self) -> Any:
        """Start an acceptor whose timers are on a clock."""
        self.clock = Clock()
        factory = WebSocketFactory(echo, reactor=self.clock, closing_timeout=3)
        endpoint = serverFromString(reactor, "tcp:0:interface=127.0.0.1")
        self.acceptor = EndpointAcceptor(endpoint, factory, factory.websockets)
        return self.start(self.acceptor)

    async def test_it_closes_websockets_cleanly(self) -> None:
        client = await open_76(self, await self.start_with_clock())
        stopped = self.acceptor.stopService()
        await client.until(b"\xff\x00")
        self.assertNoResult(stopped)
        client.write(b"\xff\x00")
        await stopped
        await client.closed

    async def test_its_clients_are_told_why(self) -> None:
        for reason in ("going away", "see you later"):
            with self.subTest(reason=reason):
                address = await self.start_with_clock()
                stream = await connect_ours(f"ws://127.0.0.1:{address.port}/")
                self.acceptor.stop_reason = reason
                await self.acceptor.stopService()
                self.assertEqual(await stream.when_closed(), CloseReason(1001, reason, True))

    async def test_what_was_said_before_is_still_sent(self) -> None:
        client = await open_76(self, await self.start_with_clock())
        client.write(frame_76("last words"))
        await turns()
        stopped = self.acceptor.stopService()
        await client.until(b"\xff\x00")
        client.write(b"\xff\x00")
        await stopped
        self.assertEqual(client.data, frame_76("last words") + b"\xff\x00")

    async def test_a_peer_that_does_not_answer_is_waited_for_no_longer_than_the_timeout(self) -> None:
        client = await open_76(self, await self.start_with_clock())
        stopped = self.acceptor.stopService()
        await client.until(b"\xff\x00")
        self.clock.advance(2.9)
        await turns()
        self.assertNoResult(stopped)
        self.clock.advance(0.2)
        await stopped
        await client.closed

    async def test_nobody_can_connect_any_more(self) -> None:
        acceptor = WebSocketAcceptor(0, echo, interface=LOCALHOST)
        address = self.start(acceptor)
        await acceptor.stopService()
        await self.assertFailure(Deferred.fromCoroutine(connect(self, address)), ConnectError)

    async def test_it_can_be_started_again(self) -> None:
        acceptor = WebSocketAcceptor(0, echo, interface=LOCALHOST)
        for _ in range(3):
            client = await open_76(self, self.start(acceptor))
            await self.check_echo(client)
            stopped = acceptor.stopService()
            client.write(b"\xff\x00")
            await stopped

    async def test_stopping_what_was_not_started_is_nothing(self) -> None:
        await WebSocketAcceptor(0, echo, interface=LOCALHOST).stopService()

    async def test_it_tells_whether_it_runs(self) -> None:
        acceptor = WebSocketAcceptor(0, echo, interface=LOCALHOST)
        self.start(acceptor)
        self.assertTrue(acceptor.running)
        await acceptor.stopService()
        self.assertFalse(acceptor.running)

    async def test_no_websocket_opens_after_it_was_stopped(self) -> None:
        """A dispatcher that is being asked meanwhile has nowhere to accept to."""
        decision: Deferred[Any] = Deferred()
        acceptor = WebSocketAcceptor(0, lambda request: decision, interface=LOCALHOST)
        address = self.start(acceptor)
        client = await connect(self, address)
        client.write(request_76(address))
        await turns()
        await acceptor.stopService()
        if not decision.called:
            decision.callback(lambda stream, mutex: stream.send)
        await turns()
        self.assertNotIn(b"HTTP/1.1 101 ", client.data)


class EndpointAcceptorTests(AcceptorCase):
    """A service for any endpoint and any site."""

    async def test_it_serves_on_a_unix_socket(self) -> None:
        path = "socket"  # in trial's folder: longer ones do not fit into a unix socket's name
        acceptor = EndpointAcceptor(serverFromString(reactor, f"unix:{path}"), WebSocketFactory(echo))
        self.start(acceptor)
        client = await connect(self, None, UNIXClientEndpoint(reactor, path))
        await complete_76(client, request_76(IPv4Address("TCP", "127.0.0.1", 80)))
        await self.check_echo(client)

    async def test_it_closes_the_websockets_of_the_resources_it_is_given(self) -> None:
        resource = WebSocketResource(echo)
        endpoint = serverFromString(reactor, "tcp:0:interface=127.0.0.1")
        acceptor = EndpointAcceptor(endpoint, Site(resource, reactor=reactor), resource)
        client = await open_76(self, self.start(acceptor))
        stopped = acceptor.stopService()
        await client.until(b"\xff\x00")
        client.write(b"\xff\x00")
        await stopped
        self.assertEqual(resource.streams, set())

    async def test_an_endpoint_may_take_its_time(self) -> None:
        endpoint = SlowEndpoint()
        acceptor = EndpointAcceptor(endpoint, WebSocketFactory(echo))
        acceptor.startService()
        self.assertRaises(MisuseError, lambda: acceptor.address)
        real = serverFromString(reactor, "tcp:0:interface=127.0.0.1")
        endpoint.listening.callback(await real.listen(acceptor.factory))
        self.addCleanup(acceptor.stopService)
        await open_76(self, acceptor.address)

    async def test_an_endpoint_that_takes_its_time_can_be_stopped(self) -> None:
        endpoint = SlowEndpoint()
        acceptor = EndpointAcceptor(endpoint, WebSocketFactory(echo))
        acceptor.startService()
        await acceptor.stopService()
        self.assertTrue(endpoint.cancelled)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_an_endpoint_that_fails_later_is_logged(self) -> None:
        endpoint = SlowEndpoint()
        acceptor = EndpointAcceptor(endpoint, WebSocketFactory(echo))
        acceptor.startService()
        endpoint.listening.errback(CannotListenError("eth7", 80, OSError("no")))
        self.assertEqual(len(self.flushLoggedErrors(CannotListenError)), 1)
        await acceptor.stopService()


class WebSocketSSLAcceptorTests(AcceptorCase):
    """A TLS port with WebSockets."""

    def setUp(self) -> None:
        self.issued, self.folder = Issued(), PemFolder(self.mktemp())
        self.certificate = self.folder.write("certificate", self.issued.pem)
        self.key = self.folder.write("key", self.issued.key_pem())

    async def check(self, acceptor: WebSocketSSLAcceptor, host: str = LOCALHOST) -> RawClient:
        """Open a WebSocket over TLS, with the certificate checked, and use it."""
        address = self.start(acceptor)
        client = await connect(self, address, tls_client(address.port, self.issued, host))
        shown = f"[{host}]:{address.port}" if ":" in host else f"{host}:{address.port}"
        await complete_76(client, request_76(address, host=shown, origin=f"https://{shown}"))
        await self.check_echo(client)
        return client

    async def test_it_serves_websockets_over_tls(self) -> None:
        await self.check(WebSocketSSLAcceptor(0, self.certificate, self.key, echo, interface=LOCALHOST))

    async def test_certificate_and_key_may_share_a_file(self) -> None:
        both = self.folder.write("both", self.issued.pem, self.issued.key_pem())
        await self.check(WebSocketSSLAcceptor(0, both, None, echo, interface=LOCALHOST))

    async def test_it_serves_over_ipv6(self) -> None:
        if not _has_ipv6():
            raise SkipTest("this machine has no IPv6 loopback")
        await self.check(WebSocketSSLAcceptor(0, self.certificate, self.key, echo, interface="::1"), "::1")

    async def test_hixie_is_accepted_where_it_has_to_come_over_tls(self) -> None:
        options: Any = {"interface": LOCALHOST, "legacy_over_tls_only": True}
        await self.check(WebSocketSSLAcceptor(0, self.certificate, self.key, echo, **options))

    async def test_other_requests_reach_the_root(self) -> None:
        page = Data(b"a page", "text/plain")
        page.isLeaf = True
        options: Any = {"interface": LOCALHOST, "root": page}
        address = self.start(WebSocketSSLAcceptor(0, self.certificate, self.key, echo, **options))
        client = await connect(self, address, tls_client(address.port, self.issued))
        client.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await client.closed
        self.assertEqual(client.body, b"a page")

    async def test_a_file_that_cannot_be_used_is_refused_at_once(self) -> None:
        error = self.assertRaises(InvalidSetting, WebSocketSSLAcceptor, 0, "/not/there.pem", None, echo)
        self.assertIn("/not/there.pem", str(error))

    async def test_plain_http_is_not_answered(self) -> None:
        address = self.start(WebSocketSSLAcceptor(0, self.certificate, self.key, echo, interface=LOCALHOST))
        client = await connect(self, address)
        client.write(request_76(address))
        await client.closed
        self.assertNotIn(b"HTTP/1.1", client.data)

    async def test_stopping_closes_websockets_cleanly(self) -> None:
        acceptor = WebSocketSSLAcceptor(0, self.certificate, self.key, echo, interface=LOCALHOST)
        client = await self.check(acceptor)
        stopped = acceptor.stopService()
        await client.until(b"\xff\x00")
        client.write(b"\xff\x00")
        await stopped
        await client.closed


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
