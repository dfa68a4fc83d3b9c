"""tls_options.py in this process: what is made of the options, and what is said if one is wrong."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.harness import Issued, PemFolder
from tests.test_service import NAME, parse
from tests.tls_support import Meeting


class TLSOptionsCase(SynchronousTestCase):
    """A certificate in a file."""

    def setUp(self) -> None:
        self.folder = PemFolder(self.mktemp())
        self.issued = Issued()
        self.both = self.folder.write("both", self.issued.pem, self.issued.key_pem())


class TLSOptionsTests(TLSOptionsCase):
    """Options that will do."""

    def test_without_a_port_there_is_no_tls(self) -> None:
        self.assertIsNone(parse("--port", "0").tls)

    def test_certificates_and_keys_belong_together_by_their_order(self) -> None:
        other = Issued("other.example")
        certificate, key = self.folder.write("own", other.pem), self.folder.write("key", other.key_pem())
        for options in (
            ["-c", self.both, "-k", self.both, "-c", certificate, "-k", key],
            ["-k", self.both, "--private-key", key, "-c", self.both, "--certificate", certificate],
        ):
            tls = parse("--ssl-port", "0", *options).tls
            assert tls is not None
            self.assertEqual(Meeting(tls).shown, self.issued.certificate)
            self.assertEqual(Meeting(tls, name="other.example").shown, other.certificate)

    def test_without_keys_each_certificate_has_its_own(self) -> None:
        other = Issued("other.example")
        second = self.folder.write("second", other.pem, other.key_pem())
        tls = parse("--ssl-port", "0", "-c", self.both, "-c", second).tls
        assert tls is not None
        self.assertEqual(Meeting(tls, name="other.example").shown, other.certificate)


class WrongTLSOptionTests(TLSOptionsCase):
    """Options that will not do are told in one line each."""

    def assert_told(self, *words: str, options: list[str]) -> None:
        """Check what is said."""
        with self.assertRaises(SystemExit) as raised:
            parse(*options)
        line = str(raised.exception.code)
        self.assertTrue(line.startswith(NAME + words[0]), line)
        self.assertNotIn("\n", line)
        for word in words:
            self.assertIn(word, line)

    def test_each_is_for_tls(self) -> None:
        for option in ("--private-key-passphrase", "--client-ca", "--client-certificates", "--tls-version"):
            self.assert_told(f"{option}: ", "--ssl-port", options=[option, "x"])

    def test_there_is_a_key_for_each_certificate(self) -> None:
        options = ["--ssl-port", "0", "-c", self.both, "-c", self.both, "-k", self.both]
        self.assert_told("--private-key: ", "2 certificates and 1 keys", "in their order", options=options)

    def test_files_are_named(self) -> None:
        for option in ("--private-key-passphrase", "--client-ca"):
            options = ["--ssl-port", "0", "-c", self.both, option, "/no/such.pem"]
            self.assert_told(f"{option}: /no/such.pem cannot be read", options=options)

    def test_a_passphrase_that_does_not_open_the_key(self) -> None:
        locked = self.folder.write("locked", self.issued.key_pem(b"sesame"))
        words = self.folder.write("words", b"simsim\n")
        options = ["--ssl-port", "0", "-c", self.both, "-k", locked, "--private-key-passphrase", words]
        self.assert_told("--private-key: ", locked, "passphrase", options=options)

    def test_client_certificates_need_an_authority(self) -> None:
        options = ["--ssl-port", "0", "-c", self.both, "--client-certificates", "required"]
        self.assert_told("--client-certificates: ", "--client-ca", options=options)

    def test_they_are_required_or_optional(self) -> None:
        options = ["--ssl-port", "0", "-c", self.both, "--client-ca", self.both, "--client-certificates", "no"]
        self.assert_told("--client-certificates: ", "required or optional", "'no'", options=options)

    def test_versions_are_1_2_or_1_3(self) -> None:
        options = ["--ssl-port", "0", "-c", self.both, "--tls-version", "1.1"]
        self.assert_told("--tls-version: ", "1.2 or 1.3", "'1.1'", options=options)
