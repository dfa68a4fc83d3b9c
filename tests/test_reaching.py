"""The way to a server: endpoints, and what is said when there is none."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet import error, reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.interfaces import IHostnameResolver
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from hunchensocket_tx import (
    CannotConnect,
    CertificateRejected,
    ConnectTimeout,
    HandshakeFailed,
    NameNotFound,
    NotListening,
    Proxy,
)
from hunchensocket_tx.proxy_endpoint import ProxyEndpoint
from hunchensocket_tx.reaching import endpoint_to, explain
from hunchensocket_tx.tls import ClientTLS
from hunchensocket_tx.urls import WebSocketURL
from tests.client_support import ClientCase

URL = WebSocketURL.parse("wss://h.example:81/")


class EndpointTests(SynchronousTestCase):
    """Which endpoint leads there."""

    def endpoint(self, url: str, **changes: Any) -> Any:
        """Return the one to a URL."""
        parameters: dict[str, Any] = {"endpoint": None, "proxy": None, "tls": None, "timeout": 3, **changes}
        return endpoint_to(reactor, WebSocketURL.parse(url), **parameters)

    def test_a_host_a_unix_socket_and_a_proxy(self) -> None:
        proxy = Proxy.parse("http://127.0.0.1:3128")
        self.assertIsInstance(self.endpoint("ws://h/"), HostnameEndpoint)
        self.assertIsInstance(self.endpoint("ws+unix:///run/a.sock"), UNIXClientEndpoint)
        self.assertIsInstance(self.endpoint("ws://h/", proxy=proxy), ProxyEndpoint)

    def test_one_s_own_is_taken_before_all_others(self) -> None:
        own = object()
        self.assertIs(self.endpoint("ws+unix:///run/a.sock", endpoint=own), own)

    def test_tls_is_put_around_it(self) -> None:
        creator = ClientTLS().creator("h")
        self.assertNotIsInstance(self.endpoint("wss://h/", tls=creator), HostnameEndpoint)


class ExplanationTests(SynchronousTestCase):
    """Errors of Twisted's, TLS and the system in our words."""

    def check(self, found: BaseException, kind: type[Exception], *words: str) -> None:
        """Check what is made of an error."""
        explained = explain(found, URL, 3)
        self.assertIs(type(explained), kind)
        for word in words:
            self.assertIn(word, str(explained))

    def test_our_own_stay_as_they_are(self) -> None:
        own = HandshakeFailed("x")
        self.assertIs(explain(own, URL, 3), own)

    def test_those_of_the_network(self) -> None:
        for found, kind, word in (
            (error.DNSLookupError("x"), NameNotFound, "name h.example"),
            (error.UnknownHostError(), NameNotFound, "name h.example"),
            (error.ConnectionRefusedError(), NotListening, "h.example, port 81"),
            (error.TimeoutError(), ConnectTimeout, "3 seconds"),
            (error.TCPTimedOutError(), ConnectTimeout, "3 seconds"),
            (DeferredTimeout(), ConnectTimeout, "3 seconds"),
            (error.ConnectionLost(), CertificateRejected, "is this a TLS port"),
            (error.NoRouteError(), CannotConnect, "h.example, port 81"),
            (OSError(24, "Too many open files"), CannotConnect, "Too many open files"),
        ):
            with self.subTest(found=found):
                self.check(found, kind, word)

    def test_those_of_tls(self) -> None:
        for found, words in (
            (VerificationError(errors=[]), ("not for h.example", "server_name")),
            (SSL.Error([("SSL routines", "", "certificate verify failed")]), ("trust_roots", "expired")),
            (SSL.Error([("SSL routines", "", "tlsv13 alert certificate required")]), ("certificate=...",)),
            (SSL.Error([("SSL routines", "", "wrong version number")]), ("is this a TLS port", "ws:")),
            (SSL.Error([]), ("without a word", "is this a TLS port")),
            (SSL.Error(), ("is this a TLS port",)),
            (SSL.SysCallError(-1, "Unexpected EOF"), ("is this a TLS port",)),
        ):
            with self.subTest(found=found):
                self.check(found, CertificateRejected, *words)

    def test_others_are_left_alone(self) -> None:
        for found in (CancelledError(), KeyError("x"), error.ConnectingCancelledError(None)):
            self.assertIsNone(explain(found, URL, 3))

    def test_a_unix_socket_is_named_by_its_path(self) -> None:
        url = WebSocketURL.parse("ws+unix:///run/a.sock")
        self.assertIn("/run/a.sock", str(explain(error.ConnectionRefusedError(), url, 3)))


@implementer(IHostnameResolver)
class Resolver:
    """Knows the same addresses for all names."""

    def __init__(self, *hosts: str) -> None:
        self._hosts = hosts

    def resolveHostName(self, receiver: Any, name: str, portNumber: int = 0, *_: Any) -> Any:  # noqa: N803
        """Tell the addresses (IHostnameResolver)."""
        receiver.resolutionBegan(None)
        for host in self._hosts:
            receiver.addressResolved(IPv4Address("TCP", host, portNumber))
        receiver.resolutionComplete()
        return receiver


class AddressesTests(ClientCase):
    """A name may have several addresses (RFC 8305, as Twisted does it)."""

    async def test_one_that_does_not_work_is_passed_over(self) -> None:
        real: Any = reactor
        previous = real.installNameResolver(Resolver("127.0.0.9", "127.0.0.1"))
        self.addCleanup(real.installNameResolver, previous)
        url = await self.serve_websockets()
        stream = await self.connect(url.replace("127.0.0.1", "two.example"))
        stream.send("hello")
        self.assertEqual(await stream.receive(), "hello")
