"""What the tests of the client share: servers of ours, servers that do as told, clients that go with the test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.ssl import Certificate, CertificateOptions, trustRootFromCertificates
from twisted.trial.unittest import TestCase

from hunchensocket_tx import CloseReason, Connecting, WebSocketFactory, WebSocketStream, connect
from hunchensocket_tx.cascade import Dispatcher
from hunchensocket_tx.tls import server_options
from hunchensocket_tx.wire.hybi_handshake import accept_value
from tests.harness import Issued, PemFolder, echo
from tests.proxy_support import Listener, listen
from tests.support import serve

VERSIONS = (13, 8, 7, 76)

LANES = (True, False)


def field(request: bytes, name: str) -> str | None:
    """Return the value of the first field of a name in a request's head, None if there is none."""
    for line in request.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")[1:]:
        found, _, value = line.partition(": ")
        if found.lower() == name.lower():
            return value
    return None


def switching(request: bytes, *fields: str) -> bytes:
    """Return the head of a 101 to a request of version 13, 8 or 7."""
    accept = accept_value(field(request, "sec-websocket-key") or "")
    lines = ["Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}", *fields]
    return "\r\n".join(["HTTP/1.1 101 Switching Protocols", *lines, "", ""]).encode()


def hixie_head(request: bytes) -> bytes:
    """Return the head of a hixie-76 answer, without the sixteen bytes behind it."""
    host, origin = field(request, "host"), field(request, "origin")
    lines = [
        "HTTP/1.1 101 WebSocket Protocol Handshake",
        "Upgrade: WebSocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Location: ws://{host}/",
        f"Sec-WebSocket-Origin: {origin}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def http_answer(status: str, *fields: str, body: bytes = b"") -> bytes:
    """Return an HTTP answer with a body of known length."""
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}", "", ""]).encode() + body


def tell_end(ended: Deferred[CloseReason]) -> Dispatcher:
    """Return a dispatcher that takes WebSockets, says nothing, and tells how the first one ends."""

    def opened(stream: WebSocketStream, mutex: object) -> None:
        stream.when_closed().chainDeferred(ended)

    return lambda request: opened


class ScriptedServer(Listener):
    """A server that answers a request as a function of it says.

    :param answer: gets the head of the request, and returns what to send; None sends nothing.
    :param then: called with this when that is sent.
    """

    def __init__(
        self,
        answer: Callable[[bytes], bytes | None],
        then: Callable[[ScriptedServer], object] = lambda server: None,
    ) -> None:
        super().__init__()
        self.request = b""
        self._answer = answer
        self._then = then

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        if not self.request and b"\r\n\r\n" in self.data:
            self.request = self.data
            answer = self._answer(self.request)
            if answer is not None:
                self.transport.write(answer)
            self._then(self)


class ScriptedSite:
    """Scripted servers on a port of their own.

    :ivar servers: one for each connection that was made.
    :ivar port: number of the port, once it listens.
    """

    def __init__(
        self,
        answer: Callable[[bytes], bytes | None],
        then: Callable[[ScriptedServer], object] = lambda server: None,
    ) -> None:
        self.servers: list[ScriptedServer] = []
        self.port = 0
        self._answer = answer
        self._then = then

    def _build(self) -> ScriptedServer:
        self.servers.append(ScriptedServer(self._answer, self._then))
        return self.servers[-1]

    async def listen(self, case: TestCase, tls: CertificateOptions | None = None) -> ScriptedSite:
        """Listen until the test ends; drop the connections then."""
        self.port = await listen(case, self._build, tls)
        case.addCleanup(self._end)
        return self

    async def _end(self) -> None:
        for server in self.servers:
            if not server.lost.called:
                server.transport.abortConnection()
                await server.lost

    @property
    def requests(self) -> list[bytes]:
        """What was asked, in order."""
        return [server.request for server in self.servers if server.request]


class ClientCase(TestCase):
    """A test with clients, which are dropped in the end, and servers on 127.0.0.1."""

    timeout = 8

    def connect(self, url: str, handler: Any = None, **changes: Any) -> Connecting:
        """Connect without a proxy, whatever the environment says."""
        connecting = connect(url, handler, **{"proxy": None, **changes})
        streams: list[WebSocketStream] = []

        def keep(stream: WebSocketStream) -> WebSocketStream:
            streams.append(stream)
            return stream

        def drop() -> Any:
            if not connecting.called:
                connecting.addErrback(lambda failure: None)
                connecting.cancel()
            for stream in streams:
                stream.abort()
                return stream.when_closed()
            return None

        connecting.addCallback(keep)
        self.addCleanup(drop)
        return connecting

    async def serve_websockets(self, *dispatchers: Dispatcher, **settings: Any) -> str:
        """Serve dispatchers, or an echo, of any origin; return the URL without a path."""
        address = await serve(self, WebSocketFactory(*dispatchers or (echo,), **{"origins": "*", **settings}))
        return f"ws://127.0.0.1:{address.port}"

    async def serve_tls(
        self, *dispatchers: Dispatcher, issued: Issued | None = None, **settings: Any
    ) -> tuple[str, str]:
        """Serve them over TLS; return the URL with the name ``localhost``, and the file with the certificate."""
        issued, folder = issued or Issued(), PemFolder(self.mktemp())
        both = folder.write("both", issued.pem, issued.key_pem())
        factory = WebSocketFactory(*dispatchers or (echo,), **{"origins": "*", **settings})
        address = await serve(self, factory, f"ssl:0:interface=127.0.0.1:privateKey={both}:certKey={both}")
        return f"wss://localhost:{address.port}", folder.write("roots", issued.pem)

    async def scripted(
        self,
        answer: Callable[[bytes], bytes | None],
        then: Callable[[ScriptedServer], object] = lambda server: None,
        tls: CertificateOptions | None = None,
    ) -> ScriptedSite:
        """Serve what a function answers, and return the site."""
        return await ScriptedSite(answer, then).listen(self, tls)

    def tls_options(
        self, issued: Issued, protocols: tuple[bytes, ...] = (b"http/1.1",), trusted: Issued | None = None
    ) -> tuple[CertificateOptions, str]:
        """Return a server's TLS options and the file with the certificate.

        :param protocols: to choose from; without any, Twisted's servers fail if a client wants one.
        :param trusted: signs for clients, which have to have a certificate then.
        """
        folder = PemFolder(self.mktemp())
        plain = server_options(folder.write("both", issued.pem, issued.key_pem()))
        own: Any = {"privateKey": plain.privateKey, "certificate": plain.certificate}
        if trusted is not None:
            own["trustRoot"] = trustRootFromCertificates([Certificate.loadPEM(trusted.pem)])
        options = CertificateOptions(acceptableProtocols=list(protocols), **own)
        return options, folder.write("roots", issued.pem)

    async def refused(self, connecting: Deferred[Any], kind: type[Exception], *words: str) -> Any:
        """Await an exception of exactly this kind, with these words in its text; return it."""
        error = await self.assertFailure(connecting, kind)
        self.assertIs(type(error), kind)
        for word in words:
            self.assertIn(word, str(error))
        return error
