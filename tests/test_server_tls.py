"""server_tls.py in memory: which certificate a client gets, which clients are let in, and renewal."""

from __future__ import annotations

import gc
import os
from types import SimpleNamespace
from typing import Any

from OpenSSL import SSL
from twisted.logger import LogLevel, capturedLogs

from hunchensocket_tx import InvalidSetting
from tests.harness import Issued
from tests.tls_support import Meeting, ServerTLSCase


class NameTests(ServerTLSCase):
    """Which certificate a client gets."""

    def setUp(self) -> None:
        super().setUp()
        self.wild = Issued("wild", names=("*.Example.com", "example.org"))
        self.exact = Issued("exact", names=("chat.example.com",))
        others = [(self.write("wild", self.wild), None), (self.write("exact", self.exact), None)]
        self.server = self.tls(other_certificates=others)

    def assert_gets(self, name: str | None, issued: Issued) -> None:
        """Check whose certificate is shown to whom asks for a name, in both versions of TLS."""
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            with self.subTest(name=name, version=version):
                meeting = Meeting(self.server, issued, name=name, versions=(version, version))
                self.assertEqual(meeting.shown, issued.certificate)

    def test_the_first_is_for_those_who_ask_for_none(self) -> None:
        self.assert_gets(None, self.issued)

    def test_the_first_is_for_those_who_ask_for_an_unknown_one(self) -> None:
        for name in ("elsewhere.example", "example.com", "a.b.example.com", "localhost", "com"):
            self.assert_gets(name, self.issued)

    def test_a_name_leads_to_its_certificate(self) -> None:
        self.assert_gets("example.org", self.wild)

    def test_a_wildcard_is_for_one_label(self) -> None:
        self.assert_gets("www.example.com", self.wild)

    def test_a_name_goes_before_a_wildcard(self) -> None:
        self.assert_gets("chat.example.com", self.exact)

    def test_the_case_of_letters_does_not_matter(self) -> None:
        self.assert_gets("Example.ORG", self.wild)
        self.assert_gets("WWW.example.com", self.wild)

    def test_of_two_for_a_name_the_first_is_shown(self) -> None:
        self.server = self.tls(other_certificates=[(self.write("second", Issued()), None)])
        self.assert_gets("localhost", self.issued)

    def test_the_chain_goes_with_its_certificate(self) -> None:
        root = Issued("root")
        middle = Issued("middle", root)
        own = Issued("deep.example", middle)
        server = self.tls(other_certificates=[(self.write("deep", own, middle), None)])
        meeting = Meeting(server, root, name="deep.example")
        self.assertEqual(meeting.shown, own.certificate)


class VersionTests(ServerTLSCase):
    """Versions of TLS, and what is spoken within."""

    def test_tls_1_2_is_spoken_and_1_1_is_not(self) -> None:
        old = (SSL.TLS1_2_VERSION, SSL.TLS1_2_VERSION)
        self.assertEqual(Meeting(self.tls(), versions=old).client.get_protocol_version_name(), "TLSv1.2")
        older = (SSL.TLS1_1_VERSION, SSL.TLS1_1_VERSION)
        self.assert_refused("unsupported protocol", self.tls(), versions=older)

    def test_the_oldest_may_be_1_3(self) -> None:
        server = self.tls(tls_version="1.3")
        self.assertEqual(Meeting(server).client.get_protocol_version_name(), "TLSv1.3")
        self.assert_refused("unsupported protocol", server, versions=(SSL.TLS1_2_VERSION, SSL.TLS1_2_VERSION))

    def test_http_1_1_is_agreed_upon(self) -> None:
        meeting = Meeting(self.tls(), protocols=[b"h2", b"http/1.1"])
        self.assertEqual(meeting.client.get_alpn_proto_negotiated(), b"http/1.1")

    def test_so_it_is_with_a_certificate_that_was_chosen_by_name(self) -> None:
        other = Issued("other.example")
        server = self.tls(other_certificates=[(self.write("other", other), None)])
        meeting = Meeting(server, other, name="other.example", protocols=[b"h2", b"http/1.1"])
        self.assertEqual(meeting.client.get_alpn_proto_negotiated(), b"http/1.1")

    def test_who_offers_no_protocol_is_let_in(self) -> None:
        self.assertEqual(Meeting(self.tls()).client.get_alpn_proto_negotiated(), b"")

    def test_who_speaks_http_2_only_is_refused(self) -> None:
        self.assert_refused("h2", self.tls(), protocols=[b"h2"])

    def test_a_client_that_does_not_trust_us_is_told_of(self) -> None:
        self.assert_refused("unknown ca", self.tls(), Issued("other"))


class ClientTests(ServerTLSCase):
    """Which clients are let in."""

    def setUp(self) -> None:
        super().setUp()
        self.root = Issued("root")
        self.middle = Issued("middle", self.root)
        self.roots = self.folder.write("roots", Issued("another").pem, self.root.pem)
        self.required = self.tls(client_ca=self.roots)
        self.optional = self.tls(client_ca=self.roots, client_certificates="optional")

    def test_one_that_an_authority_has_signed_is_seen(self) -> None:
        own = Issued("client", self.root)
        for server in (self.required, self.optional):
            meeting = Meeting(server, own=own)
            self.assertEqual(meeting.server.get_peer_certificate(as_cryptography=True), own.certificate)

    def test_without_one_a_client_is_refused(self) -> None:
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            self.assert_refused("did not return a certificate", self.required, versions=(version, version))

    def test_without_one_a_client_is_let_in_where_it_has_the_choice(self) -> None:
        self.assertIsNone(Meeting(self.optional).server.get_peer_certificate())

    def test_one_of_another_authority_is_refused(self) -> None:
        for server in (self.required, self.optional):
            self.assert_refused("CN=stranger: ", server, own=Issued("stranger", Issued("nobody")))

    def test_one_that_says_it_is_of_ours_is_refused(self) -> None:
        self.assert_refused("CN=liar: ", self.required, own=Issued("liar", Issued("root")))

    def test_one_that_has_expired_is_refused(self) -> None:
        own = Issued("late", self.root, days=-1)
        for server in (self.required, self.optional):
            self.assert_refused("CN=late: cert has expired", server, own=own)

    def test_an_intermediate_authority_is_enough(self) -> None:
        server = self.tls(client_ca=self.folder.write("middle", self.middle.pem))
        Meeting(server, own=Issued("client", self.middle))
        self.assert_refused("CN=client", server, own=Issued("client", self.root))

    def test_the_client_is_told_whom_we_trust(self) -> None:
        names = [name.CN for name in Meeting(self.optional).client.get_client_ca_list()]
        self.assertEqual(names, ["another", "root"])

    def test_so_it_is_with_a_certificate_that_was_chosen_by_name(self) -> None:
        others = [(self.write("other", Issued("other.example")), None)]
        server = self.tls(client_ca=self.roots, other_certificates=others)
        Meeting(server, name="other.example", own=Issued("client", self.root))
        self.assert_refused("did not return a certificate", server, name="other.example")
        self.assert_refused("CN=stranger", server, name="other.example", own=Issued("stranger"))


class PassphraseTests(ServerTLSCase):
    """Keys that are encrypted."""

    def setUp(self) -> None:
        super().setUp()
        self.certificate = self.folder.write("certificate", self.issued.pem)
        self.locked = self.folder.write("locked", self.issued.key_pem(b"sesame"))

    def test_a_passphrase_of_the_file_opens_the_key(self) -> None:
        for lines in (b"sesame", b"sesame\n", b"other\r\n\r\nsesame\r\n"):
            file = self.folder.write("passphrases", lines)
            server = self.tls(self.certificate, self.locked, private_key_passphrase=file)
            self.assertEqual(Meeting(server).shown, self.issued.certificate)

    def test_keys_may_have_one_each_or_none(self) -> None:
        other, open_one = Issued("other.example"), Issued("open.example")
        key = self.folder.write("other key", other.key_pem(b"open up"))
        others = [(self.folder.write("other", other.pem), key), (self.write("open", open_one), None)]
        file = self.folder.write("passphrases", b"sesame\nopen up\n")
        options: Any = {"other_certificates": others, "private_key_passphrase": file}
        server = self.tls(self.certificate, self.locked, **options)
        for name, issued in (("localhost", self.issued), ("other.example", other), ("open.example", open_one)):
            self.assertEqual(Meeting(server, name=name).shown, issued.certificate)

    def test_what_is_wrong_is_told(self) -> None:
        for contents, words in (
            (
                b"simsim\n",
                f"private_key: there is no PEM private key that one of the passphrases opens in {self.locked}",
            ),
            (b"\n\n", "private_key_passphrase: there is none in "),
        ):
            file = self.folder.write("passphrases", contents)
            options: Any = {"private_key_passphrase": file}
            error = self.assertRaises(InvalidSetting, self.tls, self.certificate, self.locked, **options)
            self.assertIn(words, str(error))
            self.assertNotIn("simsim", str(error))


class WrongTests(ServerTLSCase):
    """What cannot be used is told at once."""

    def test_files_are_told_by_parameter_and_name(self) -> None:
        for name in ("client_ca", "private_key_passphrase"):
            error = self.assertRaises(InvalidSetting, self.tls, **{name: "/not/there.pem"})
            self.assertEqual(str(error), f"{name}: /not/there.pem cannot be read: No such file or directory")

    def test_authorities_that_are_no_certificates(self) -> None:
        key = self.folder.write("key", self.issued.key_pem())
        error = self.assertRaises(InvalidSetting, self.tls, client_ca=key)
        self.assertIn("client_ca: there is no PEM certificate in", str(error))

    def test_versions_that_are_none(self) -> None:
        for version in ("1.1", "1", "TLSv1.3", ""):
            error = self.assertRaises(InvalidSetting, self.tls, tls_version=version)
            self.assertIn(f"tls_version: give 1.2 or 1.3, the oldest to speak, not {version!r}", str(error))

    def test_a_choice_that_is_none(self) -> None:
        error = self.assertRaises(InvalidSetting, self.tls, client_certificates="maybe")
        self.assertIn("client_certificates: give required or optional, not 'maybe'", str(error))


class RenewalTests(ServerTLSCase):
    """Files that change while the server runs."""

    def setUp(self) -> None:
        super().setUp()
        self.server = self.tls(check_interval=2)
        self.renewed = Issued()

    def test_a_new_file_is_read_when_somebody_connects(self) -> None:
        self.assertEqual(Meeting(self.server).shown, self.issued.certificate)
        self.write("both.pem", self.renewed)
        self.clock.advance(2)
        with capturedLogs() as events:
            self.assertEqual(Meeting(self.server).shown, self.renewed.certificate)
        self.assertEqual([event["log_level"] for event in events], [LogLevel.info])

    def test_files_are_not_looked_at_for_each_connection(self) -> None:
        self.clock.advance(2)
        Meeting(self.server)
        self.write("both.pem", self.renewed)
        self.clock.advance(1.5)
        self.assertEqual(Meeting(self.server).shown, self.issued.certificate)
        self.clock.advance(0.5)
        self.assertEqual(Meeting(self.server).shown, self.renewed.certificate)

    def test_they_are_when_told(self) -> None:
        self.write("both.pem", self.renewed)
        self.server.reload()
        self.assertEqual(Meeting(self.server).shown, self.renewed.certificate)

    def test_a_broken_one_changes_nothing_and_is_told_of_once(self) -> None:
        for contents in (b"", b"not PEM", self.renewed.pem, self.renewed.pem + self.issued.key_pem()):
            with capturedLogs() as events:
                os.replace(self.folder.write("new", contents), self.both)
                for _ in range(3):
                    self.clock.advance(2)
                    self.assertEqual(Meeting(self.server).shown, self.issued.certificate)
            [event] = events
            self.assertEqual(event["log_level"], LogLevel.error)
            self.assertIn(self.both, event["log_format"].format(**event))
        self.write("both.pem", self.renewed)
        self.clock.advance(2)
        self.assertEqual(Meeting(self.server).shown, self.renewed.certificate)

    def test_one_that_is_gone_for_a_while_changes_nothing(self) -> None:
        os.remove(self.both)
        self.clock.advance(2)
        with capturedLogs() as events:
            self.assertEqual(Meeting(self.server).shown, self.issued.certificate)
        self.assertIn("No such file", events[0]["log_format"].format(**events[0]))
        self.write("both.pem", self.renewed)
        self.clock.advance(2)
        self.assertEqual(Meeting(self.server).shown, self.renewed.certificate)

    def test_a_link_that_leads_elsewhere_now_is_a_change(self) -> None:
        """So renews certbot."""
        link = os.path.join(self.folder.path, "live.pem")
        os.symlink("both.pem", link)
        server = self.tls(link)
        self.write("both2.pem", self.renewed)
        os.symlink("both2.pem", link + ".new")
        os.replace(link + ".new", link)
        self.clock.advance(1)
        self.assertEqual(Meeting(server).shown, self.renewed.certificate)

    def test_authorities_and_other_names_are_renewed_too(self) -> None:
        first, second, other = Issued("first"), Issued("second"), Issued("other.example")
        roots = self.folder.write("roots", first.pem)
        server = self.tls(client_ca=roots, other_certificates=[(self.write("other", other), None)])
        Meeting(server, own=first)
        renewed = Issued("other.example")
        self.write("other", renewed)
        self.clock.advance(1)
        self.assertEqual(Meeting(server, name="other.example", own=first).shown, renewed.certificate)
        os.replace(self.folder.write("new", second.pem), roots)
        self.clock.advance(1)
        Meeting(server, own=second)
        self.assert_refused("CN=first", server, own=first)

    def test_who_is_connected_stays_so(self) -> None:
        meeting = Meeting(self.server)
        self.write("both.pem", self.renewed)
        self.server.reload()
        meeting.server.send(b"hello")
        meeting.client.bio_write(meeting.server.bio_read(65536))
        self.assertEqual(meeting.client.recv(5), b"hello")

    def test_a_handshake_that_has_begun_goes_on_with_the_former(self) -> None:
        other = Issued("other.example")
        pair = (self.write("other", other), None)
        server = self.tls(client_ca=self.both, client_certificates="optional", other_certificates=[pair])
        begun = server.serverConnectionForTLS(None)
        self.write("both.pem", self.renewed)
        self.write("other", self.renewed)
        server.reload()
        gc.collect()
        former: Any = SimpleNamespace(serverConnectionForTLS=lambda protocol: begun)
        self.assertEqual(Meeting(former, name="other.example", own=self.issued).shown, other.certificate)
