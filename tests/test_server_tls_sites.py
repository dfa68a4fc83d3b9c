"""server_tls.py over sockets: acceptors, sites and endpoints with it, and what dispatchers see of a client."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from typing import Any

from cryptography import x509
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint, serverFromString, wrapServerTLS
from twisted.internet.protocol import Factory, Protocol
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import Site

from hunchensocket_tx import (
    CertificateRejected,
    ClientTLS,
    ServerTLS,
    WebSocketResource,
    WebSocketSSLAcceptor,
    WebSocketStream,
    client_certificate,
)
from tests.client_support import ClientCase
from tests.harness import Issued, PemFolder, tls_client
from tests.support import connect, serve

LOCALHOST = "127.0.0.1"

VERSIONS = (13, 76)


class SiteCase(ClientCase):
    """Certificates, and what a dispatcher sees of those of clients."""

    def setUp(self) -> None:
        self.folder = PemFolder(self.mktemp())
        self.issued, self.authority = Issued(), Issued("authority")
        self.alice = Issued("alice", self.authority)
        self.certificate = self.folder.write("certificate", self.issued.pem)
        self.both = self.folder.write("both", self.issued.pem, self.issued.key_pem())
        self.client_ca = self.folder.write("authority", self.authority.pem)
        self.own = self.folder.write("alice", self.alice.pem, self.alice.key_pem())
        self.seen: list[x509.Certificate | None] = []
        self.streams: list[WebSocketStream] = []

    def look(self, request: Request) -> Any:
        """See who a client is, when it is asked for and when it is there; a dispatcher."""
        self.seen.append(client_certificate(request))

        def handshake(stream: WebSocketStream, mutex: object) -> Callable[[str], object]:
            assert stream.request is not None
            self.seen.append(client_certificate(stream.request))
            self.streams.append(stream)
            return stream.send

        return handshake

    def accept(self, *, private_key: str | None = None, **options: Any) -> int:
        """Start an acceptor; return its port."""
        certificate = self.certificate if private_key else self.both
        site: Any = {"interface": LOCALHOST, "origins": "*"}
        acceptor = WebSocketSSLAcceptor(0, certificate, private_key, self.look, **site, **options)
        acceptor.startService()
        self.addCleanup(acceptor.stopService)
        self.acceptor = acceptor
        port: int = acceptor.address.port
        return port

    async def serve_site(self, resource: Resource, **options: Any) -> int:
        """Serve a resource on a site of twisted.web; return the port."""
        tls = ServerTLS(self.both, **options)
        listening = wrapServerTLS(tls, TCP4ServerEndpoint(reactor, 0, interface=LOCALHOST))
        port: Any = await listening.listen(Site(resource))
        self.addCleanup(port.stopListening)
        number: int = port.getHost().port
        return number

    async def open(self, port: int, *, version: int = 13, **tls: Any) -> WebSocketStream:
        """Connect, and exchange a message."""
        options = ClientTLS(self.certificate, **tls)
        stream = await self.connect(f"wss://localhost:{port}/", tls=options, version=version)
        stream.send("hello")
        self.assertEqual(await stream.receive(), "hello")
        return stream


class ClientCertificateTests(SiteCase):
    """``client_certificate``, wherever a request comes from."""

    async def check(self, port: int) -> None:
        """Check what is seen of a client with a certificate and of one without."""
        for version in VERSIONS:
            self.seen, self.streams = [], []
            ours = await self.open(port, version=version, certificate=self.own)
            self.assertEqual(self.seen, [self.alice.certificate] * 2)
            self.assertEqual(ours.peer_certificate, self.issued.certificate)
            await self.open(port, version=version)
            self.assertEqual(self.seen[2:], [None, None])
            self.check_afterwards(*self.streams)

    def check_afterwards(self, known: WebSocketStream, unknown: WebSocketStream) -> None:
        """Check what is seen of streams whose request was let go."""
        gc.collect()
        for stream, certificate in ((known, self.alice.certificate), (unknown, None)):
            assert stream.request is not None
            self.assertEqual(client_certificate(stream.request), certificate)
            self.assertEqual(stream.peer_certificate, certificate)

    async def test_on_a_port_of_ours(self) -> None:
        await self.check(self.accept(client_ca=self.client_ca, client_certificates="optional"))

    async def test_on_a_site_of_twisted_s(self) -> None:
        resource = WebSocketResource(self.look, origins="*")
        options: Any = {"client_ca": self.client_ca, "client_certificates": "optional"}
        await self.check(await self.serve_site(resource, **options))

    async def test_of_a_page(self) -> None:
        class Page(Resource):
            isLeaf = True  # noqa: N815

            def render_GET(self, request: Request) -> bytes:
                """Say that there is none."""
                return repr(client_certificate(request)).encode()

        client = await connect(self, None, tls_client(await self.serve_site(Page()), self.issued))
        client.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await client.closed
        self.assertEqual(client.body, b"None")

    async def test_without_tls_there_is_none(self) -> None:
        address = await serve(self, WebSocketResource(self.look, origins="*"))
        for lane in (True, False):
            stream = await self.connect(f"ws://{LOCALHOST}:{address.port}/", fast_lane=lane)
            stream.send("hello")
            await stream.receive()
            self.assertIsNone(stream.peer_certificate)
        self.assertEqual(self.seen, [None] * 4)

    async def test_when_the_connection_is_gone_there_is_none(self) -> None:
        requests: list[Request] = []
        gone: Deferred[Any] = Deferred()

        def keep(request: Request) -> Any:
            def handshake(stream: WebSocketStream, mutex: object) -> None:
                stream.when_closed().chainDeferred(gone)

            requests.append(request)
            return handshake

        resource = WebSocketResource(keep, origins="*")
        port = await self.serve_site(resource, client_ca=self.client_ca)
        tls = ClientTLS(self.certificate, self.own)
        stream = await self.connect(f"wss://localhost:{port}/", tls=tls)
        self.assertEqual(client_certificate(requests[0]), self.alice.certificate)
        stream.abort()
        await gone
        await stream.when_closed()
        self.assertIsNone(client_certificate(requests[0]))
        self.assertIsNone(stream.peer_certificate)


class AcceptorTests(SiteCase):
    """What ``WebSocketSSLAcceptor`` and descriptions of endpoints have of it."""

    async def test_a_client_certificate_is_required_with_an_authority(self) -> None:
        port = self.accept(client_ca=self.client_ca)
        await self.open(port, certificate=self.own)
        connecting = self.connect(f"wss://localhost:{port}/", tls=ClientTLS(self.certificate))
        await self.assertFailure(connecting, CertificateRejected)

    async def test_an_encrypted_key_and_another_name(self) -> None:
        other = Issued("other.example")
        both = self.folder.write("other", other.pem, other.key_pem())
        port = self.accept(
            private_key=self.folder.write("locked", self.issued.key_pem(b"sesame")),
            private_key_passphrase=self.folder.write("passphrase", b"sesame\n"),
            other_certificates=[(both, None)],
            tls_version="1.3",
        )
        await self.open(port)
        tls = ClientTLS(both, server_name="other.example")
        stream = await self.connect(f"wss://localhost:{port}/", tls=tls)
        self.assertEqual(stream.peer_certificate, other.certificate)

    async def test_renewal(self) -> None:
        port = self.accept()
        await self.open(port)
        self.renew()
        self.acceptor.tls.reload()
        await self.open(port)

    async def test_renewal_below_a_described_endpoint(self) -> None:
        endpoint = serverFromString(reactor, f"wss:0:interface={LOCALHOST}:certificate={self.both}")
        self.renew()
        port = await endpoint.listen(Factory.forProtocol(Protocol))
        self.addCleanup(port.stopListening)
        stream = await self.connect(f"wss://localhost:{port.getHost().port}/", tls=ClientTLS(self.certificate))
        self.assertEqual(stream.peer_certificate, self.issued.certificate)

    def renew(self) -> None:
        """Put a new certificate in the place of the server's."""
        self.issued = Issued()
        self.certificate = self.folder.write("renewed", self.issued.pem)
        os.replace(self.folder.write("new", self.issued.pem, self.issued.key_pem()), self.both)
