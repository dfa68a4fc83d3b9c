"""TLS of ``twistd hunchensocket``, a process of its own, with real clients."""

from __future__ import annotations

import os
import shutil
from typing import Any

from twisted.trial.unittest import TestCase

from hunchensocket_tx import CertificateRejected, ClientTLS, WebSocketStream, connect
from tests.harness import Issued
from tests.processes import Program, TwistdCase, start, unavailable

HANDLER = """
from hunchensocket_tx import Reject, client_certificate

def whoami(request):
    certificate = client_certificate(request)
    name = "nobody" if certificate is None else certificate.subject.rfc4514_string()
    return lambda stream, mutex: stream.send(name)
"""

VERSIONS = (13, 76)


class TLSProcessCase(TwistdCase):
    """A folder with certificates, and ``twistd`` with them."""

    def setUp(self) -> None:
        super().setUp()
        self.issued = Issued()
        self.roots = self.write_issued("localhost.pem", self.issued)
        self.write("my_handlers.py", HANDLER)

    def write_issued(self, name: str, issued: Issued) -> str:
        """Write a certificate with its key into a file, in one go; return its path."""
        new = self.write(f"{name}.new", (issued.pem + issued.key_pem()).decode())
        os.replace(new, path := new.removesuffix(".new"))
        return path

    async def serve(self, *options: str, certificate: str = "localhost.pem") -> Program:
        """Start ``twistd`` with TLS, and a handler that tells clients who they are; return when it listens."""
        program = self.twistd(
            *("--ssl-port", "0", "--interface", "127.0.0.1", "--handler", "my_handlers.whoami", "--origin", "*"),
            *("--certificate", certificate, *options),
        )
        await program.until(lambda: bool(program.ports()))
        return program

    async def open(self, program: Program, *, version: int = 13, **tls: Any) -> WebSocketStream:
        """Connect; the connection is dropped after the test."""
        url = f"wss://localhost:{program.ports()[0]}/"
        options = ClientTLS(**{"trust_roots": self.roots, **tls})
        stream = await connect(url, tls=options, proxy=None, version=version)
        drop(self, stream)
        return stream


def drop(case: TestCase, stream: WebSocketStream) -> None:
    """Drop a connection after a test."""

    def ended() -> Any:
        stream.abort()
        return stream.when_closed()

    case.addCleanup(ended)


class CertificateTests(TLSProcessCase):
    """What the server shows."""

    async def test_each_name_has_its_certificate(self) -> None:
        other = Issued("other", names=("*.example.com",))
        self.write("other.pem", other.pem.decode())
        self.write("other.key", other.key_pem(b"sesame").decode())
        self.write("passphrases", "simsim\nsesame\n")
        program = await self.serve(
            *("--private-key", "localhost.pem", "--certificate", "other.pem", "--private-key", "other.key"),
            *("--private-key-passphrase", "passphrases"),
        )
        stream = await self.open(program)
        self.assertEqual(stream.peer_certificate, self.issued.certificate)
        roots = str(self.folder / "other.pem")
        stream = await self.open(program, trust_roots=roots, server_name="www.example.com")
        self.assertEqual(stream.peer_certificate, other.certificate)
        self.assertEqual(await stream.receive(), "nobody")

    async def test_openssl_s_own_client_agrees(self) -> None:
        """About the name, the version, and HTTP/1.1; and that it may not come with TLS 1.2."""
        openssl = shutil.which("openssl")
        if openssl is None:
            unavailable("the program openssl is not there")
            return
        program = await self.serve("--tls-version", "1.3")
        options = ["-connect", f"127.0.0.1:{program.ports()[0]}", "-alpn", "h2,http/1.1", "-verify_return_error"]
        options += ["-servername", "localhost", "-verify_hostname", "localhost", "-CAfile", self.roots]
        client = start(self, openssl, "s_client", *options, folder=str(self.folder))
        await client.until(lambda: b"ALPN protocol" in client.out)
        client.write(b"Q\n")
        await client.ended
        for words in ("Protocol version: TLSv1.3", "ALPN protocol: http/1.1", "Verification: OK"):
            self.assertIn(words.rpartition(": ")[2], client.said)
        old = start(self, openssl, "s_client", "-tls1_2", *options, folder=str(self.folder))
        self.assertEqual(await old.ended, 1)
        self.assertIn("alert protocol version", old.said)
        await program.until(lambda: b"unsupported protocol" in program.out)

    async def test_a_renewed_one_is_shown_without_a_restart(self) -> None:
        program = await self.serve()
        before = await self.open(program)
        renewed = Issued()
        self.write_issued("localhost.pem", renewed)
        program.signal("HUP")
        await program.until(lambda: b"TLS has read its certificates again" in program.out)
        stream = await self.open(program)
        self.assertEqual(stream.peer_certificate, renewed.certificate)
        self.assertTrue(before.is_open)

    async def test_a_broken_one_is_not_and_the_log_tells_it(self) -> None:
        program = await self.serve()
        trusted = self.write("trusted.pem", self.issued.pem.decode())
        self.write("localhost.pem", "oops")
        program.signal("HUP")
        await program.until(lambda: b"TLS goes on with its former certificates: certificate: " in program.out)
        await self.open(program, trust_roots=trusted)
        program.signal("TERM")
        await program.shut_down()

    async def test_a_renewed_one_is_found_without_a_signal(self) -> None:
        program = await self.serve()
        renewed = Issued()
        self.write_issued("localhost.pem", renewed)
        stream = await self.open(program)
        self.assertEqual(stream.peer_certificate, renewed.certificate)


class ClientCertificateTests(TLSProcessCase):
    """What clients have to show."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = Issued("authority")
        self.write("ca.pem", self.authority.pem.decode())
        self.alice = self.write_issued("alice.pem", Issued("alice", self.authority))
        self.mallory = self.write_issued("mallory.pem", Issued("mallory"))

    async def test_handlers_see_it(self) -> None:
        program = await self.serve("--client-ca", "ca.pem")
        for version in VERSIONS:
            stream = await self.open(program, version=version, certificate=self.alice)
            self.assertEqual(await stream.receive(), "CN=alice")

    async def test_without_it_nobody_is_let_in(self) -> None:
        program = await self.serve("--client-ca", "ca.pem", "--client-certificates", "required")
        await self.assertFailure(self.refusal(program), CertificateRejected)
        await program.until(lambda: b"peer did not return a certificate" in program.out)
        await self.assertFailure(self.refusal(program, certificate=self.mallory), CertificateRejected)
        await program.until(lambda: b"certificate CN=mallory: " in program.out)
        program.signal("TERM")
        await program.shut_down()
        self.assertEqual(program.said.count("TLS with "), 2, program.said)

    async def test_where_it_is_optional_only_a_wrong_one_is_refused(self) -> None:
        program = await self.serve("--client-ca", "ca.pem", "--client-certificates", "optional")
        stream = await self.open(program)
        self.assertEqual(await stream.receive(), "nobody")
        stream = await self.open(program, certificate=self.alice)
        self.assertEqual(await stream.receive(), "CN=alice")
        await self.assertFailure(self.refusal(program, certificate=self.mallory), CertificateRejected)

    def refusal(self, program: Program, **tls: Any) -> Any:
        """Return an attempt to connect."""
        url = f"wss://localhost:{program.ports()[0]}/"
        return connect(url, tls=ClientTLS(self.roots, **tls), proxy=None)
