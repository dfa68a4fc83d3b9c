"""From PEM files to TLS options: what is read, and what is said about files that will not do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL, crypto
from twisted.internet.ssl import CertificateOptions
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx import InvalidSetting
from hunchensocket_tx.tls import Path as FilePath
from hunchensocket_tx.tls import server_options
from tests.harness import Issued, PemFolder


def shake_hands(options: CertificateOptions, authority: Issued, newest: int = SSL.TLS1_3_VERSION) -> Any:
    """Let a client, which trusts one certificate only, meet a server in memory; return the client's end.

    :param newest: the newest version of TLS that the client speaks.
    :raises SSL.Error: if one of them will not have the other.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(newest)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    context.set_verify(SSL.VERIFY_PEER, lambda connection, certificate, error, depth, good: bool(good))
    store: Any = context.get_cert_store()
    store.add_cert(crypto.X509.from_cryptography(authority.certificate))
    client, server = SSL.Connection(context, None), SSL.Connection(options.getContext(), None)
    client.set_connect_state()
    server.set_accept_state()
    waiting = [client, server]
    while waiting:
        end = waiting.pop(0)
        other = server if end is client else client
        try:
            end.do_handshake()
        except SSL.WantReadError:
            waiting.append(end)
        try:
            other.bio_write(end.bio_read(65536))
        except SSL.WantReadError:
            continue
    return client


class ServerOptionsTests(SynchronousTestCase):
    """Files that will do."""

    def setUp(self) -> None:
        self.issued, self.folder = Issued(), PemFolder(self.mktemp())

    def test_certificate_and_key_may_have_a_file_each(self) -> None:
        certificate = self.folder.write("certificate", self.issued.pem)
        key = self.folder.write("key", self.issued.key_pem())
        client = shake_hands(server_options(certificate, key), self.issued)
        self.assertEqual(client.get_peer_certificate().to_cryptography(), self.issued.certificate)

    def test_they_may_share_a_file_in_either_order(self) -> None:
        for name, parts in (
            ("certificate first", (self.issued.pem, self.issued.key_pem())),
            ("key first", (self.issued.key_pem(), self.issued.pem)),
        ):
            with self.subTest(name):
                shake_hands(server_options(self.folder.write(name, *parts)), self.issued)

    def test_paths_may_be_path_objects(self) -> None:
        path = Path(self.folder.write("both", self.issued.pem, self.issued.key_pem()))
        shake_hands(server_options(path), self.issued)
        shake_hands(server_options(path, path), self.issued)

    def test_the_chain_behind_the_certificate_is_sent(self) -> None:
        root = Issued("root")
        middle = Issued("middle", root)
        own = Issued("localhost", middle)
        path = self.folder.write("chain", own.pem, middle.pem, own.key_pem())
        client = shake_hands(server_options(path), root)
        self.assertEqual(
            [certificate.to_cryptography() for certificate in client.get_peer_cert_chain()],
            [own.certificate, middle.certificate],
        )

    def test_without_the_chain_a_client_of_the_root_refuses(self) -> None:
        """So that the test before can fail."""
        root = Issued("root")
        own = Issued("localhost", Issued("middle", root))
        options = server_options(self.folder.write("no chain", own.pem, own.key_pem()))
        self.assertRaises(SSL.Error, shake_hands, options, root)

    def test_tls_1_2_and_1_3_are_spoken(self) -> None:
        options = server_options(self.folder.write("both", self.issued.pem, self.issued.key_pem()))
        for version, name in ((SSL.TLS1_2_VERSION, "TLSv1.2"), (SSL.TLS1_3_VERSION, "TLSv1.3")):
            with self.subTest(name):
                client = shake_hands(options, self.issued, version)
                self.assertEqual(client.get_protocol_version_name(), name)

    def test_tls_1_1_is_not_spoken(self) -> None:
        options = server_options(self.folder.write("both", self.issued.pem, self.issued.key_pem()))
        error = self.assertRaises(SSL.Error, shake_hands, options, self.issued, SSL.TLS1_1_VERSION)
        self.assertIn("unsupported protocol", str(error))


class RefusalTests(SynchronousTestCase):
    """Files that will not do: the exception names the file, and what is wrong with it."""

    def setUp(self) -> None:
        self.issued, self.folder = Issued(), PemFolder(self.mktemp())
        self.certificate = self.folder.write("certificate.pem", self.issued.pem)
        self.key = self.folder.write("key.pem", self.issued.key_pem())

    def check(self, setting: str, file: FilePath, certificate: FilePath, key: FilePath | None = None) -> str:
        """Check that a pair is refused, with the setting and the file named; return what is said."""
        said = str(self.assertRaises(InvalidSetting, server_options, certificate, key))
        self.assertTrue(said.startswith(f"{setting}: "), said)
        self.assertIn(str(file), said)
        return said

    def test_a_certificate_that_does_not_exist(self) -> None:
        said = self.check("certificate", "/not/there.pem", "/not/there.pem", self.key)
        self.assertIn("No such file", said)
        self.assertNotIn("PEM", said)

    def test_a_key_that_does_not_exist(self) -> None:
        said = self.check("private_key", "/not/there.pem", self.certificate, "/not/there.pem")
        self.assertIn("No such file", said)
        self.assertNotIn("PEM", said)

    def test_a_folder(self) -> None:
        self.check("certificate", self.folder.path, self.folder.path, self.key)
        self.check("private_key", self.folder.path, self.certificate, self.folder.path)

    def test_a_certificate_that_is_not_pem(self) -> None:
        der = self.folder.write("certificate.der", self.issued.certificate.public_bytes(Encoding.DER))
        self.assertIn("PEM", self.check("certificate", der, der, self.key))

    def test_a_key_that_is_not_pem(self) -> None:
        text = self.folder.write("key.txt", b"open sesame")
        self.assertIn("PEM", self.check("private_key", text, self.certificate, text))

    def test_an_empty_file(self) -> None:
        empty = self.folder.write("empty")
        self.check("certificate", empty, empty, self.key)
        self.check("private_key", empty, self.certificate, empty)

    def test_files_given_in_the_wrong_order(self) -> None:
        self.check("certificate", self.key, self.key, self.certificate)

    def test_a_certificate_without_its_key_in_the_same_file(self) -> None:
        self.check("private_key", self.certificate, self.certificate)

    def test_a_key_of_another_certificate(self) -> None:
        other = self.folder.write("other.pem", Issued().key_pem())
        said = self.check("private_key", other, self.certificate, other)
        self.assertIn(self.certificate, said)

    def test_a_chain_in_the_wrong_order(self) -> None:
        """The first certificate has to be the server's own."""
        own = Issued("localhost", self.issued)
        chain = self.folder.write("chain.pem", self.issued.pem, own.pem)
        key = self.folder.write("own.pem", own.key_pem())
        self.check("private_key", key, chain, key)

    def test_a_key_with_a_passphrase(self) -> None:
        """Nobody is asked for it: a service has no terminal."""
        locked = self.folder.write("locked.pem", self.issued.key_pem(b"sesame"))
        self.assertIn("passphrase", self.check("private_key", locked, self.certificate, locked))

    def test_a_damaged_certificate(self) -> None:
        lines = self.issued.pem.splitlines(keepends=True)
        damaged = self.folder.write("damaged.pem", *lines[:2], *lines[3:])
        self.check("certificate", damaged, damaged, self.key)
