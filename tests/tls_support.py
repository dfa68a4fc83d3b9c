"""A client and a server that shake hands in memory, with certificates from files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from cryptography import x509
from OpenSSL import SSL, crypto
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx import ServerTLS
from tests.harness import Issued, PemFolder


class Meeting:
    """A client and a server that have shaken hands in memory.

    :param tls: the server's.
    :param trusted: the only certificate that the client trusts; without one it trusts all.
    :param name: what it asks for.
    :param own: what it shows.
    :param versions: of TLS, the oldest and the newest that it speaks.
    :param protocols: that it offers.
    :raises SSL.Error: if one of them will not have the other; if both, what the server says.
    """

    def __init__(
        self,
        tls: ServerTLS,
        trusted: Issued | None = None,
        *,
        name: str | None = None,
        own: Issued | None = None,
        versions: tuple[int, int] = (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION),
        protocols: Sequence[bytes] = (),
    ) -> None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(versions[0])
        context.set_max_proto_version(versions[1])
        context.set_cipher_list(b"ALL:@SECLEVEL=0")
        if trusted is not None:
            context.set_verify(SSL.VERIFY_PEER, lambda *seen: bool(seen[-1]))
            store: Any = context.get_cert_store()
            store.add_cert(crypto.X509.from_cryptography(trusted.certificate))
        if own is not None:
            context.use_certificate(crypto.X509.from_cryptography(own.certificate))
            context.use_privatekey(crypto.PKey.from_cryptography_key(own.key))
        if protocols:
            context.set_alpn_protos(list(protocols))
        self.client = SSL.Connection(context, None)
        self.client.set_connect_state()
        if name is not None:
            self.client.set_tlsext_host_name(name.encode())
        self.server = tls.serverConnectionForTLS(None)
        self.server.set_accept_state()
        self.server.set_app_data(SimpleNamespace(transport=SimpleNamespace(getPeer=lambda: "somebody")))
        self._shake_hands()

    def _shake_hands(self) -> None:
        failures = []
        for _ in range(6):
            for one, other in ((self.client, self.server), (self.server, self.client)):
                try:
                    one.do_handshake()
                except SSL.WantReadError:
                    pass
                except SSL.Error as error:
                    failures.append((one is self.server, error))
                try:
                    other.bio_write(one.bio_read(65536))
                except SSL.WantReadError:
                    continue
            if failures:
                raise max(failures, key=lambda failure: failure[0])[1]

    @property
    def shown(self) -> x509.Certificate | None:
        """The certificate that the client got."""
        return self.client.get_peer_certificate(as_cryptography=True)


class ServerTLSCase(SynchronousTestCase):
    """A folder for certificates, and a clock."""

    def setUp(self) -> None:
        self.folder = PemFolder(self.mktemp())
        self.clock = Clock()
        self.issued = Issued()
        self.both = self.write("both.pem", self.issued)

    def write(self, name: str, issued: Issued, *chain: Issued) -> str:
        """Write a certificate, its chain and its key into a file, in one go; return its path."""
        parts = (issued.pem, *(one.pem for one in chain), issued.key_pem())
        new = self.folder.write(f"{name}.new", *parts)
        path = new.removesuffix(".new")
        os.replace(new, path)
        return path

    def tls(self, *files: Any, **options: Any) -> ServerTLS:
        """Return a server's TLS, with this file if no other is named."""
        return ServerTLS(*files or (self.both,), seconds=self.clock.seconds, **options)

    def assert_refused(self, words: str, tls: ServerTLS, *arguments: Any, **options: Any) -> str:
        """Check that a handshake fails, which the log says in one line with these words; return the line."""
        with capturedLogs() as events:
            self.assertRaises(SSL.Error, Meeting, tls, *arguments, **options)
        [event] = events
        line = str(event["log_format"].format(**event))
        self.assertEqual(event["log_level"], LogLevel.info)
        self.assertIn("somebody", line)
        self.assertIn(words, line)
        return line
