"""server_names.py: a certificate that is trusted, but for nobody or for another, is refused. Real TLS."""

from __future__ import annotations

from ipaddress import ip_address

from cryptography import x509

from hunchensocket_tx import CertificateRejected, ClientTLS
from tests.client_support import ClientCase, switching
from tests.harness import Issued, PemFolder

ADDRESS = "127.0.0.1"


class NameVerifierTests(ClientCase):
    """Of certificates by an authority that is trusted."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = Issued("authority")
        self.roots = PemFolder(self.mktemp()).write("roots", self.authority.pem)

    async def url(self, issued: Issued, host: str) -> str:
        """Serve with a certificate; return the server's address."""
        options, _ = self.tls_options(issued)
        site = await self.scripted(switching, tls=options)
        return f"wss://{host}:{site.port}"

    async def test_one_that_is_for_nobody_is_refused(self) -> None:
        """Twisted's own check logs an error for these, and lets them pass."""
        nobody: list[list[str | x509.GeneralName]] = [
            [],
            [x509.RFC822Name("somebody@example.com")],
            [x509.UniformResourceIdentifier("urn:somebody")],
            [x509.DNSName("*.*.example")],
        ]
        for names in nobody:
            for host in ("localhost", ADDRESS):
                with self.subTest(names=names, host=host):
                    url = await self.url(Issued("localhost", self.authority, names), host)
                    connecting = self.connect(url, tls=ClientTLS(self.roots))
                    error = await self.assertFailure(connecting, CertificateRejected)
                    self.assertIn(host, str(error))

    async def test_one_for_the_name_is_taken(self) -> None:
        url = await self.url(Issued("localhost", self.authority), "localhost")
        await self.connect(url, tls=ClientTLS(self.roots))

    async def test_one_for_the_address_is_taken(self) -> None:
        names = [x509.IPAddress(ip_address(ADDRESS))]
        url = await self.url(Issued("somebody", self.authority, names), ADDRESS)
        await self.connect(url, tls=ClientTLS(self.roots))

    async def test_a_server_s_own_may_be_the_one_to_trust_though_another_has_signed_it(self) -> None:
        issued = Issued("localhost", self.authority)
        own = PemFolder(self.mktemp()).write("own", issued.pem)
        await self.connect(await self.url(issued, "localhost"), tls=ClientTLS(own))
