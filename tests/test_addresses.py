"""Tests of hunchensocket_tx.addresses."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.addresses import DEFAULT_PORTS, Origin, host_with_port, normal_url, parse_origin
from tests.wire_support import properties


class OriginTests(SynchronousTestCase):
    """RFC 6454: an origin is scheme, host and port."""

    def test_the_default_port_of_a_scheme_is_filled_in(self) -> None:
        for scheme, port in DEFAULT_PORTS.items():
            with self.subTest(scheme):
                self.assertEqual(parse_origin(f"{scheme}://example.com"), Origin(scheme, "example.com", port))

    def test_a_named_port_is_kept(self) -> None:
        self.assertEqual(parse_origin("http://example.com:8080"), Origin("http", "example.com", 8080))

    def test_case_and_a_named_default_port_make_no_difference(self) -> None:
        self.assertEqual(parse_origin("HTTPS://Example.COM:443"), parse_origin("https://example.com"))

    def test_scheme_host_and_port_make_a_difference(self) -> None:
        own = parse_origin("https://example.com")
        for other in ("http://example.com", "https://www.example.com", "https://example.com:8443"):
            with self.subTest(other):
                self.assertNotEqual(parse_origin(other), own)

    def test_an_ipv6_host(self) -> None:
        self.assertEqual(parse_origin("http://[::1]:8080"), Origin("http", "[::1]", 8080))
        self.assertEqual(parse_origin("http://[2001:DB8::1]"), Origin("http", "[2001:db8::1]", 80))

    def test_an_unknown_scheme_has_no_default_port(self) -> None:
        self.assertEqual(parse_origin("chrome-extension://abcdef"), Origin("chrome-extension", "abcdef", None))

    def test_what_is_no_origin_is_none(self) -> None:
        for text in (
            "",
            "null",
            "file://",
            "example.com",
            "//example.com",
            "http:example.com",
            "http://",
            "http://:80",
            "http://example.com/",
            "http://example.com/path",
            "http://example.com?query",
            "http://example.com#fragment",
            "http://user@example.com",
            "http://user:password@example.com",
            "http://exam ple.com",
            "http://example.com:port",
            "http://example.com:-1",
            "http://example.com:123456",
            "http://a.example http://b.example",
            "http://example.com,http://evil.example",
            " http://example.com",
            "http://example.com\n",
            "http://caf\xe9.example",
            "http://[::1",
            "http://::1",
            "1http://example.com",
        ):
            with self.subTest(text):
                self.assertIsNone(parse_origin(text))

    @properties
    @given(st.text())
    def test_nothing_makes_it_raise(self, text: str) -> None:
        parse_origin(text)
        parse_origin("http://" + text)
        parse_origin("http://a:" + text)


class HostTests(SynchronousTestCase):
    """Hybi-00 section 4.1: Host is in lower case, with a port only if it is not the default one."""

    def test_the_default_port_of_the_scheme_is_left_out(self) -> None:
        for scheme, port in DEFAULT_PORTS.items():
            with self.subTest(scheme):
                self.assertEqual(host_with_port(f"example.com:{port}", scheme), "example.com")

    def test_the_default_port_of_the_other_scheme_is_kept(self) -> None:
        self.assertEqual(host_with_port("example.com:443", "ws"), "example.com:443")
        self.assertEqual(host_with_port("example.com:80", "wss"), "example.com:80")

    def test_it_is_lower_cased(self) -> None:
        self.assertEqual(host_with_port("Example.COM:8080", "ws"), "example.com:8080")

    def test_addresses_are_hosts(self) -> None:
        for host in ("127.0.0.1", "127.0.0.1:8080", "[::1]", "[2001:db8::1]:8080", "[::ffff:10.0.0.1]"):
            with self.subTest(host):
                self.assertEqual(host_with_port(host, "ws"), host)

    def test_an_ipv6_host_has_default_ports_and_upper_case_too(self) -> None:
        self.assertEqual(host_with_port("[2001:DB8::1]:443", "wss"), "[2001:db8::1]")

    def test_the_first_and_the_last_port(self) -> None:
        self.assertEqual(host_with_port("a:1", "ws"), "a:1")
        self.assertEqual(host_with_port("a:65535", "ws"), "a:65535")

    def test_what_is_no_host_is_none(self) -> None:
        for text in (
            "",
            ":80",
            "example.com:0",
            "example.com:65536",
            "example.com:http",
            "example.com:+80",
            "example.com:80:80",
            "exam ple.com",
            "example.com/path",
            "user@example.com",
            "example.com#",
            "example.com?",
            "example.com\\",
            "example.com\n",
            "caf\xe9.example",
            "[::1",
            "::1",
            "[]",
            "[::1]x",
            "[example.com]",
            '"example.com"',
            "<script>",
        ):
            with self.subTest(text):
                self.assertIsNone(host_with_port(text, "ws"))

    @properties
    @given(st.text(), st.sampled_from(["ws", "wss"]))
    def test_nothing_makes_it_raise_and_the_result_is_in_normal_form(self, text: str, scheme: str) -> None:
        for candidate in (text, f"a:{text}", f"[{text}]"):
            host = host_with_port(candidate, scheme)
            if host is not None:
                self.assertEqual(host_with_port(host, scheme), host)


class NormalUrlTests(SynchronousTestCase):
    def test_host_and_default_port_are_normalized(self) -> None:
        for given_url, wanted in (
            ("wss://Example.COM:443", "wss://example.com"),
            ("ws://example.com:80/Path", "ws://example.com/Path"),
            ("ws://[::1]:8080", "ws://[::1]:8080"),
        ):
            with self.subTest(given_url):
                self.assertEqual(normal_url(given_url), wanted)

    def test_what_is_no_such_url_is_none(self) -> None:
        for text in (
            "http://example.com",
            "wss://",
            "ws:///path",
            "wss://a?b",
            "wss://a#b",
            "wss://u@a",
            "wss://a b",
        ):
            with self.subTest(text):
                self.assertIsNone(normal_url(text))
