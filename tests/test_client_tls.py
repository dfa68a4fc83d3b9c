"""connect() over TLS: whom it trusts, who it is, and what it says when TLS fails."""

from __future__ import annotations

import datetime
from http.cookiejar import CookieJar
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates

from hunchensocket_tx import (
    Accept,
    CannotConnect,
    CertificateRejected,
    ClientTLS,
    ConnectTimeout,
    HandshakeFailed,
    HandshakeRefused,
    InvalidSetting,
)
from tests.client_support import LANES, VERSIONS, ClientCase, ScriptedSite, http_answer, switching
from tests.harness import Issued, PemFolder, turns_until


def expired() -> Issued:
    """Return a certificate for ``localhost`` whose time is over."""
    issued = Issued()
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(extensions=list(issued.certificate.extensions))
    issued.certificate = (
        builder.subject_name(issued.name)
        .issuer_name(issued.name)
        .public_key(issued.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now - datetime.timedelta(days=1))
        .sign(issued.key, hashes.SHA256())
    )
    return issued


class TrustTests(ClientCase):
    """Whom a client trusts."""

    async def test_every_version_echoes_over_tls(self) -> None:
        url, roots = await self.serve_tls()
        for version in VERSIONS:
            for lane in LANES:
                with self.subTest(version=version, lane=lane):
                    tls = ClientTLS(roots)
                    stream = await self.connect(url, version=version, tls=tls, fast_lane=lane)
                    self.assertTrue(stream.secure)
                    stream.send("x" * 100000)
                    self.assertEqual(await stream.receive(), "x" * 100000)
                    stream.close()
                    self.assertTrue((await stream.when_closed()).clean)

    async def test_the_authority_is_enough(self) -> None:
        root = Issued("root")
        url, _ = await self.serve_tls(issued=Issued("localhost", root))
        roots = PemFolder(self.mktemp()).write("roots", Issued("other").pem, root.pem)
        await self.connect(url, tls=ClientTLS(roots))

    async def test_what_twisted_s_own_function_makes_may_be_given(self) -> None:
        issued = Issued()
        url, _ = await self.serve_tls(issued=issued)
        trusted: Any = trustRootFromCertificates([Certificate.loadPEM(issued.pem)])
        await self.connect(url, tls=optionsForClientTLS("localhost", trusted))

    async def test_another_name_may_be_wanted(self) -> None:
        url, roots = await self.serve_tls(issued=Issued("other.example"))
        await self.connect(url, tls=ClientTLS(roots, server_name="other.example"))

    async def test_secure_cookies_are_sent(self) -> None:
        def server(request: Any) -> Accept:
            return Accept(
                lambda stream, mutex: stream.send(repr(request.received_cookies)),
                headers={"Set-Cookie": "a=1; Secure; HttpOnly"},
            )

        url, roots = await self.serve_tls(server)
        jar = CookieJar()
        for expected in ("{}", "{b'a': b'1'}"):
            stream = await self.connect(url, tls=ClientTLS(roots), cookies=jar)
            self.assertEqual(await stream.receive(), expected)

    async def test_http_1_1_is_agreed_upon_with_a_server_that_speaks_2_too(self) -> None:
        site, roots = await self.speaking(b"h2", b"http/1.1")
        await self.connect(f"wss://localhost:{site.port}", tls=ClientTLS(roots))
        self.assertEqual(site.servers[0].transport.negotiatedProtocol, b"http/1.1")

    async def test_a_server_that_speaks_http_2_only(self) -> None:
        site, roots = await self.speaking(b"h2")
        connecting = self.connect(f"wss://localhost:{site.port}", tls=ClientTLS(roots), handshake_timeout=1)
        await self.assertFailure(connecting, HandshakeFailed, CannotConnect)

    async def speaking(self, *protocols: bytes) -> tuple[ScriptedSite, str]:
        """Serve WebSockets with a choice by ALPN; such that only HTTP/1.1 gets an answer."""
        options, roots = self.tls_options(Issued(), protocols)
        settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
        answer = switching if b"http/1.1" in protocols else lambda request: settings
        return await self.scripted(answer, tls=options), roots


class ClientCertificateTests(ClientCase):
    """Who a client is."""

    async def setUp(self) -> None:  # type: ignore[override]
        self.own, self.folder = Issued("client"), PemFolder(self.mktemp())
        options, self.roots = self.tls_options(Issued(), trusted=self.own)
        self.site = await self.scripted(switching, tls=options)
        self.url = f"wss://localhost:{self.site.port}"

    async def test_it_shows_its_certificate(self) -> None:
        both = self.folder.write("own", self.own.pem, self.own.key_pem())
        own, key = self.folder.write("pem", self.own.pem), self.folder.write("key", self.own.key_pem())
        for tls in (ClientTLS(self.roots, both), ClientTLS(self.roots, own, key)):
            await self.connect(self.url, tls=tls)
            shown = self.site.servers[-1].transport.getPeerCertificate()
            self.assertEqual(shown.to_cryptography(), self.own.certificate)

    async def test_without_one_the_error_says_so(self) -> None:
        connecting = self.connect(self.url, tls=ClientTLS(self.roots))
        await self.refused(connecting, CertificateRejected, "ClientTLS(certificate=...)")

    async def test_one_that_is_not_trusted(self) -> None:
        other = Issued("other")
        tls = ClientTLS(self.roots, self.folder.write("other", other.pem, other.key_pem()))
        await self.refused(self.connect(self.url, tls=tls), CertificateRejected, "certificate")

    async def test_files_that_will_not_do(self) -> None:
        own = self.folder.write("own", self.own.pem)
        for tls, word in (
            (ClientTLS("/not/there.pem"), "trust_roots: /not/there.pem"),
            (ClientTLS(self.roots, "/not/there.pem"), "certificate: /not/there.pem"),
            (ClientTLS(self.roots, own), "private_key"),
            (ClientTLS(self.roots, private_key=own), "private_key"),
        ):
            with self.subTest(tls=tls):
                await self.refused(self.connect(self.url, tls=tls), InvalidSetting, word)
        self.assertEqual(self.site.servers, [])


class FailureTests(ClientCase):
    """TLS fails."""

    async def test_a_certificate_that_nobody_knows(self) -> None:
        url, _ = await self.serve_tls()
        await self.refused(self.connect(url), CertificateRejected, "localhost", "trust_roots")

    async def test_a_certificate_that_has_expired(self) -> None:
        url, roots = await self.serve_tls(issued=expired())
        await self.refused(self.connect(url, tls=ClientTLS(roots)), CertificateRejected, "expired")

    async def test_a_certificate_for_another_name(self) -> None:
        url, roots = await self.serve_tls(issued=Issued("other.example"))
        connecting = self.connect(url, tls=ClientTLS(roots))
        await self.refused(connecting, CertificateRejected, "not for localhost", "server_name")

    async def test_a_certificate_for_a_name_instead_of_an_address(self) -> None:
        url, roots = await self.serve_tls()
        connecting = self.connect(url.replace("localhost", "127.0.0.1"), tls=ClientTLS(roots))
        await self.refused(connecting, CertificateRejected, "not for 127.0.0.1", "server_name")

    async def test_no_tls_at_all(self) -> None:
        for answer in (http_answer("400 Bad Request"), b"SSH-2.0-OpenSSH\r\n"):
            with self.subTest(answer):
                site = await self.scripted(lambda request: None)
                connecting = self.connect(f"wss://localhost:{site.port}")
                await turns_until(lambda site=site: bool(site.servers and site.servers[0].data))  # type: ignore[misc]
                site.servers[0].transport.write(answer)
                await self.refused(connecting, CertificateRejected, "is this a TLS port", "ws:")

    async def test_tls_where_none_is_spoken(self) -> None:
        """With ws: at a TLS port."""
        url, _ = await self.serve_tls()
        connecting = self.connect(url.replace("wss", "ws"))
        await self.assertFailure(connecting, HandshakeFailed)

    async def test_tls_never_answers(self) -> None:
        site = await self.scripted(lambda request: None)
        connecting = self.connect(f"wss://localhost:{site.port}", connect_timeout=0.05)
        await self.refused(connecting, ConnectTimeout, "TLS", "connect_timeout")
        for server in site.servers:
            await server.lost

    async def test_the_server_ends_tcp_in_the_midst_of_the_tls_handshake(self) -> None:
        for end in ("loseConnection", "abortConnection"):
            with self.subTest(end):
                site = await self.scripted(lambda request: None)
                connecting = self.connect(f"wss://localhost:{site.port}")
                await turns_until(lambda site=site: bool(site.servers and site.servers[0].data))  # type: ignore[misc]
                getattr(site.servers[0].transport, end)()
                await self.assertFailure(connecting, CannotConnect)

    async def test_the_server_ends_tcp_without_a_word_after_the_request(self) -> None:
        options, roots = self.tls_options(Issued())
        for partial in (None, b"HTTP/1.1 10"):
            site = await self.scripted(
                lambda request, partial=partial: partial,  # type: ignore[misc]
                lambda server: server.transport.abortConnection(),
                options,
            )
            connecting = self.connect(f"wss://localhost:{site.port}", tls=ClientTLS(roots))
            await self.refused(connecting, HandshakeFailed, "closed the connection")

    async def test_a_refusal_over_tls(self) -> None:
        options, roots = self.tls_options(Issued())
        site = await self.scripted(lambda request: http_answer("404 Not Found"), tls=options)
        connecting = self.connect(f"wss://localhost:{site.port}", tls=ClientTLS(roots))
        await self.refused(connecting, HandshakeRefused, "404")
