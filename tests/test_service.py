"""service.py in this process: where it listens, and what is said if an option is wrong."""

from __future__ import annotations

import sys
from typing import Any, cast

import twisted.internet
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.service import Options, makeService
from tests.harness import Issued, PemFolder

NAME = "twistd hunchensocket: "


NOT_CALLABLE = "no dispatcher"

HERE = __name__


def parse(*arguments: str) -> Options:
    """Return the options that a command line gives."""
    options = Options()
    options.parseOptions(arguments)
    return options


class WrongOptionTests(SynchronousTestCase):
    """Whoever gets an option wrong is told in one line which one, and what would be right."""

    def setUp(self) -> None:
        # --handler puts the current folder there
        self.patch(sys, "path", list(sys.path))

    def complaint(self, *arguments: str) -> str:
        """Return what is said about a wrong command line."""
        with self.assertRaises(SystemExit) as raised:
            parse(*arguments)
        line = raised.exception.code
        assert isinstance(line, str), f"{arguments} end the program with {line!r}"
        self.assertTrue(line.startswith(NAME), line)
        self.assertNotIn("\n", line)
        return line[len(NAME) :]

    def assert_told(self, arguments: list[str], *words: str) -> None:
        """Check that a complaint has these words in it, among them the option."""
        complaint = self.complaint(*arguments)
        for word in words:
            self.assertIn(word, complaint)

    def test_an_unknown_option_is_named(self) -> None:
        self.assert_told(["--ports", "80"], "--ports")

    def test_a_missing_value_is_told(self) -> None:
        self.assert_told(["--port"], "--port", "argument")

    def test_an_argument_that_is_no_option_is_told(self) -> None:
        self.assert_told(["8080"], "'8080'", "--help")

    def test_ports_are_numbers_from_0_to_65535(self) -> None:
        for option in ("--port", "--ssl-port"):
            for value in ("http", "-1", "65536", "80.0", ""):
                with self.subTest(option=option, value=value):
                    self.assert_told([option, value], f"{option}:", "0 to 65535", value)

    def test_tls_needs_a_certificate(self) -> None:
        self.assert_told(["--ssl-port", "0"], "--ssl-port:", "--certificate")

    def test_a_certificate_without_tls_is_told(self) -> None:
        for option in ("--certificate", "--private-key"):
            with self.subTest(option=option):
                self.assert_told([option, "some.pem"], option, "--ssl-port")

    def test_a_handler_that_cannot_be_imported_is_told(self) -> None:
        for name in ("no_such_module.dispatcher", "no_such_module", f"{HERE}.no_such_name", ".x", "", "a b"):
            with self.subTest(name=name):
                self.assert_told(["--handler", name], "--handler:", repr(name))

    def test_a_handler_that_is_no_function_is_told(self) -> None:
        self.assert_told(["--handler", f"{HERE}.NOT_CALLABLE"], "--handler:", "NOT_CALLABLE", "dispatcher")

    def test_a_module_in_place_of_a_handler_is_told(self) -> None:
        self.assert_told(["--handler", HERE], "--handler:", "dispatcher")

    def test_a_path_without_its_slash_is_told(self) -> None:
        for path in ("chat", ""):
            with self.subTest(path=path):
                self.assert_told(["--handler", "os.getcwd", "--path", path], "--path:", "/", repr(path))

    def test_a_path_without_a_handler_is_told(self) -> None:
        self.assert_told(["--path", "/chat"], "--path:", "--handler")

    def test_a_root_that_is_no_folder_is_told(self) -> None:
        for path in ("/no/such/folder", __file__, ""):
            with self.subTest(path=path):
                self.assert_told(["--root", path], "--root:", repr(path), "folder")

    def test_what_is_no_endpoint_is_told(self) -> None:
        for endpoint in ("nonsense:1", "tcp:http", "", "unix", "ssl:0:privateKey=/no/such/file"):
            with self.subTest(endpoint=endpoint):
                self.assert_told(["--listen", endpoint], "--listen:", repr(endpoint))

    def test_a_timeout_is_a_number_of_seconds(self) -> None:
        for value in ("5s", "", "-1", "nan"):
            with self.subTest(value=value):
                self.assert_told(["--timeout", value], "--timeout:", "seconds")

    def test_a_largest_message_is_a_number_of_bytes(self) -> None:
        for value in ("1MB", "", "0", "-1", "1.5"):
            with self.subTest(value=value):
                self.assert_told(["--max-message-size", value], "--max-message-size:", "bytes", value)

    def test_an_external_url_is_one_of_a_websocket_server(self) -> None:
        for value in ("https://www.example.com", "www.example.com", ""):
            with self.subTest(value=value):
                self.assert_told(["--external-url", value], "--external-url:", "wss://", repr(value))

    def test_an_external_url_has_a_host(self) -> None:
        self.assert_told(["--external-url", "wss://"], "--external-url:", "wss://")

    def test_a_trusted_proxy_is_an_address_or_a_network(self) -> None:
        for value in ("proxy.example.com", "10.0.0.0/33", ""):
            with self.subTest(value=value):
                self.assert_told(["--trusted-proxy", value], "--trusted-proxy:", repr(value))

    def test_an_origin_has_a_scheme(self) -> None:
        """Without one it would never equal what a browser sends, and nobody could connect."""
        for value in ("www.example.com", "", "https:/www.example.com"):
            with self.subTest(value=value):
                self.assert_told(["--origin", value], "--origin:", repr(value))


class WrongCertificateTests(SynchronousTestCase):
    """PEM files that cannot be used are told by option and file, each once."""

    def setUp(self) -> None:
        self.pem = PemFolder(self.mktemp())
        self.issued = Issued()
        self.certificate = self.pem.write("certificate", self.issued.pem)
        self.key = self.pem.write("key", self.issued.key_pem())
        self.text = self.pem.write("text", b"not PEM\n")

    def complaint(self, certificate: str, key: str | None = None) -> str:
        with self.assertRaises(SystemExit) as raised:
            parse("--ssl-port", "0", "--certificate", certificate, *(["--private-key", key] if key else []))
        line = raised.exception.code
        assert isinstance(line, str)
        self.assertNotIn("\n", line)
        return line

    def test_a_certificate_file_that_is_missing_is_told(self) -> None:
        line = self.complaint("/no/such.pem")
        self.assertEqual(line, f"{NAME}--certificate: /no/such.pem cannot be read: No such file or directory")

    def test_a_key_file_that_is_missing_is_told(self) -> None:
        line = self.complaint(self.certificate, "/no/such.pem")
        self.assertEqual(line, f"{NAME}--private-key: /no/such.pem cannot be read: No such file or directory")

    def test_a_file_without_a_certificate_is_told(self) -> None:
        for wrong in (self.text, self.key):
            with self.subTest(wrong=wrong):
                line = self.complaint(wrong, self.key)
                self.assertTrue(line.startswith(f"{NAME}--certificate: "), line)
                self.assertIn(wrong, line)

    def test_a_file_without_a_key_is_told(self) -> None:
        for wrong in (self.text, self.certificate):
            with self.subTest(wrong=wrong):
                line = self.complaint(self.certificate, wrong)
                self.assertTrue(line.startswith(f"{NAME}--private-key: "), line)
                self.assertIn(wrong, line)

    def test_a_missing_key_in_the_certificate_s_file_is_told(self) -> None:
        line = self.complaint(self.certificate)
        self.assertIn("--private-key", line)
        self.assertIn(self.certificate, line)

    def test_a_key_with_a_passphrase_is_told(self) -> None:
        locked = self.pem.write("locked", self.issued.key_pem(b"secret"))
        line = self.complaint(self.certificate, locked)
        self.assertIn("--private-key: ", line)
        self.assertIn("passphrase", line)

    def test_the_key_of_another_certificate_is_told(self) -> None:
        other = self.pem.write("other", Issued().key_pem())
        line = self.complaint(self.certificate, other)
        self.assertTrue(line.startswith(f"{NAME}--private-key: "), line)
        self.assertIn(other, line)
        self.assertIn(self.certificate, line)


class EndpointTests(SynchronousTestCase):
    """Where the service listens."""

    def started(self, *arguments: str) -> MemoryReactorClock:
        """Start the service that a command line gives, on a reactor without sockets."""
        reactor = MemoryReactorClock()
        self.patch(twisted.internet, "reactor", reactor)
        service = makeService(parse(*arguments))
        service.privilegedStartService()
        service.startService()
        self.addCleanup(service.stopService)
        return reactor

    def tcp(self, *arguments: str) -> list[tuple[int, str]]:
        """Return the ports and interfaces it listens on."""
        return [(port, interface) for port, _, _, interface in self.started(*arguments).tcpServers]

    def test_without_options_it_listens_on_port_8080_of_all_interfaces(self) -> None:
        self.assertEqual(self.tcp(), [(8080, "")])

    def test_a_port_is_where_it_listens(self) -> None:
        self.assertEqual(self.tcp("--port", "8081"), [(8081, "")])
        self.assertEqual(self.tcp("-p", "8081"), [(8081, "")])

    def test_an_interface_is_where_it_listens(self) -> None:
        for interface in ("127.0.0.1", "::1"):
            with self.subTest(interface=interface):
                self.assertEqual(self.tcp("--interface", interface), [(8080, interface)])

    def test_endpoints_are_where_it_listens_and_nowhere_else(self) -> None:
        reactor = self.started("--listen", "tcp:8081", "--listen", "unix:/no/such/socket")
        self.assertEqual([server[0] for server in reactor.tcpServers], [8081])
        self.assertEqual([server[0] for server in reactor.unixServers], ["/no/such/socket"])

    def test_a_port_is_one_more_beside_endpoints(self) -> None:
        ports = self.tcp("--listen", "tcp:8081", "--port", "8082")
        self.assertEqual(sorted(ports), [(8081, ""), (8082, "")])

    def test_tls_is_where_it_listens_and_nowhere_else(self) -> None:
        pem, issued = PemFolder(self.mktemp()), Issued()
        both = pem.write("both", issued.pem, issued.key_pem())
        for interface in ("127.0.0.1", "::1"):
            with self.subTest(interface=interface):
                reactor = self.started("--ssl-port", "8443", "-c", both, "-i", interface)
                self.assertEqual([(server[0], server[4]) for server in reactor.sslServers], [(8443, interface)])
                self.assertEqual(reactor.tcpServers, [])

    def test_all_endpoints_serve_one_site(self) -> None:
        reactor = self.started("--listen", "tcp:8081", "--port", "8082")
        first, second = (cast(Any, server[1]).resource for server in reactor.tcpServers)
        self.assertIs(first, second)


class HelpTests(SynchronousTestCase):
    """The help's text."""

    def setUp(self) -> None:
        self.help = " ".join(str(Options()).split())

    def test_each_option_is_there(self) -> None:
        for option in (
            *("port", "interface", "listen", "ssl-port", "certificate", "private-key", "handler", "path", "root"),
            *("origin", "timeout", "max-message-size", "external-url", "trusted-proxy", "legacy-over-tls-only"),
            *("private-key-passphrase", "client-ca", "client-certificates", "tls-version"),
        ):
            with self.subTest(option=option):
                self.assertIn(f"--{option}", self.help)

    def test_no_default_is_shown_that_is_nothing(self) -> None:
        self.assertNotIn("[default: ]", self.help)

    def test_the_lines_of_a_docstring_are_joined(self) -> None:
        self.assertNotIn("          [default: only", str(Options()))
        self.assertNotIn("repeated.  ", str(Options()))
