"""Dialogues with proxies: HTTP CONNECT and SOCKS5, whole and cut, with good proxies and bad ones."""

from __future__ import annotations

from base64 import b64decode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.errors import InvalidURL, ProxyFailed
from hunchensocket_tx.wire.tunnel import ConnectTunnel, Credentials, SocksTunnel, Tunnel
from tests.wire_support import cut, cuts, parse_head, properties, single_bytes

HTTP = "http://proxy.example:3128"
SOCKS = "socks5://proxy.example:1080"
ADA: Credentials = ("ada", "sécret")

BOUND = b"\x00\x01\x7f\x00\x00\x01\x12\x34"
"""The end of a SOCKS5 reply: the address from which the proxy has connected."""


def feed(tunnel: Tunnel, pieces: list[bytes]) -> bytes:
    """Feed a tunnel, and put what arrives once it is open to its rest; return what it sent."""
    sent = b""
    for piece in pieces:
        if tunnel.is_open:
            tunnel.rest += piece
        else:
            sent += tunnel.receive(piece)
    return sent


class TunnelCase(SynchronousTestCase):
    """Compares what proxies say whole and byte by byte."""

    def connect(self, credentials: Credentials | None = None, host: str = "server.example") -> ConnectTunnel:
        return ConnectTunnel(HTTP, host, 443, credentials)

    def socks(self, credentials: Credentials | None = None, host: str = "server.example") -> SocksTunnel:
        return SocksTunnel(SOCKS, host, 443, credentials)

    def fails(self, tunnels: list[Tunnel], said: bytes) -> str:
        """Check that what a proxy says is the end for two equal tunnels, however it is cut; return the text."""
        whole, single = tunnels
        text = str(self.assertRaises(ProxyFailed, whole.receive, said))
        self.assertRaises(ProxyFailed, feed, single, single_bytes(said))
        self.assertFalse(whole.is_open or single.is_open)
        self.assertIn("proxy.example", text)
        return text


class ConnectTests(TunnelCase):
    """HTTP CONNECT."""

    def test_the_request_names_the_server_and_its_port(self) -> None:
        first, fields = parse_head(self.connect().start())
        self.assertEqual(first, "CONNECT server.example:443 HTTP/1.1")
        self.assertEqual(fields, {"host": ["server.example:443"]})

    def test_an_ipv6_address_is_in_brackets(self) -> None:
        first, fields = parse_head(self.connect(host="2001:db8::1").start())
        self.assertEqual(first, "CONNECT [2001:db8::1]:443 HTTP/1.1")
        self.assertEqual(fields["host"], ["[2001:db8::1]:443"])

    def test_credentials_are_sent_without_being_asked_for(self) -> None:
        [value] = parse_head(self.connect(ADA).start())[1]["proxy-authorization"]
        kind, token = value.split(" ")
        self.assertEqual((kind, b64decode(token).decode()), ("Basic", "ada:sécret"))

    def test_any_2xx_opens_the_tunnel_and_what_is_behind_belongs_to_it(self) -> None:
        for head in (
            b"HTTP/1.1 200 Connection established\r\n\r\n",
            b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",  # to be ignored
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204\r\n\r\n",
        ):
            for pieces in ([head + b"hello"], single_bytes(head + b"hello")):
                with self.subTest(head=head):
                    tunnel = self.connect()
                    self.assertEqual(feed(tunnel, pieces), b"")
                    self.assertTrue(tunnel.is_open)
                    self.assertEqual(tunnel.rest, b"hello")

    def test_407_tells_where_to_put_credentials(self) -> None:
        said = b'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n'
        text = self.fails([self.connect(), self.connect()], said)
        self.assertIn(
            "wants credentials: put them into its URL, as http://user:password@proxy.example:3128 (407", text
        )
        self.assertNotIn("Basic is known", text)

    def test_407_to_credentials_says_that_they_are_wrong_and_does_not_show_them(self) -> None:
        for status in (407, 401):
            said = b"HTTP/1.1 %d No\r\n\r\n" % status
            text = self.fails([self.connect(ADA), self.connect(ADA)], said)
            self.assertIn("does not accept the username and password", text)
            self.assertNotIn("ada", text)
            self.assertNotIn("cret", text)

    def test_a_proxy_that_wants_more_than_basic_is_named(self) -> None:
        said = b"HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n"
        self.assertIn("'Negotiate, NTLM', but only Basic", self.fails([self.connect(), self.connect()], said))

    def test_other_refusals_say_what_the_proxy_said(self) -> None:
        for status, words in (
            (403, "does not allow CONNECT to server.example:443 (403 'Because')"),
            (502, "cannot reach server.example:443 (502 'Because')"),
            (500, "cannot reach server.example:443"),
            (503, "cannot reach server.example:443"),
            (504, "cannot reach server.example:443"),
            (405, "did not do CONNECT to server.example:443: it answered 405 'Because'"),
            (302, "it answered 302 'Because'"),
        ):
            with self.subTest(status=status):
                said = b"HTTP/1.1 %d Because\r\nContent-Length: 100\r\n\r\n" % status
                self.assertIn(words, self.fails([self.connect(), self.connect()], said))

    def test_what_the_proxy_said_cannot_break_a_line_of_a_log(self) -> None:
        text = self.fails([self.connect(), self.connect()], b"HTTP/1.1 418 a\x1b[2J\nb" + b"c" * 900 + b"\r\n\r\n")
        self.assertTrue(text.isprintable(), text)
        self.assertLess(len(text), 300)

    def test_what_is_not_http_fails(self) -> None:
        for said in (
            b"\x05\x00",
            b"SSH-2.0-OpenSSH\r\n",
            b"HTTP/1.1 abc\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n:\r\n\r\n",
        ):
            with self.subTest(said=said):
                self.assertIn("as an HTTP proxy should", self.fails([self.connect(), self.connect()], said))

    def test_a_head_without_end_fails(self) -> None:
        self.assertRaises(ProxyFailed, self.connect().receive, b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000)

    def test_an_end_before_the_answer_fails(self) -> None:
        self.assertIn("without an answer", str(self.assertRaises(ProxyFailed, self.connect().end)))

    def test_a_host_that_would_break_out_of_its_line_is_misuse(self) -> None:
        for host in ("", "a b", "a\r\nEvil: 1", "bücher.example", "a/b", "a@b", "a" * 256):
            with self.subTest(host=host):
                self.assertRaises(InvalidURL, self.connect, None, host)
                self.assertRaises(InvalidURL, self.socks, None, host)

    @properties
    @given(st.binary(max_size=60), cuts)
    def test_any_answer_opens_fails_or_waits(self, noise: bytes, places: list[int]) -> None:
        for said in (noise, b"HTTP/1.1 200 " + noise, b"HTTP/1.1 200 OK\r\n" + noise + b"\r\n\r\n"):
            tunnel = self.connect()
            try:
                feed(tunnel, cut(said, places))
            except ProxyFailed:
                self.assertFalse(tunnel.is_open)


class SocksTests(TunnelCase):
    """SOCKS5."""

    def test_without_credentials_none_are_offered(self) -> None:
        self.assertEqual(self.socks().start(), b"\x05\x01\x00")

    def test_with_credentials_both_ways_are_offered(self) -> None:
        self.assertEqual(self.socks(ADA).start(), b"\x05\x02\x00\x02")

    def test_a_name_is_sent_as_a_name_and_addresses_as_addresses(self) -> None:
        for host, address in (
            ("server.example", b"\x03\x0eserver.example"),
            ("192.0.2.1", b"\x01\xc0\x00\x02\x01"),
            ("2001:db8::1", b"\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x01"),
        ):
            with self.subTest(host=host):
                self.assertEqual(
                    self.socks(host=host).receive(b"\x05\x00"), b"\x05\x01\x00" + address + b"\x01\xbb"
                )

    def test_replies_with_any_kind_of_address_open_the_tunnel(self) -> None:
        for address in (b"\x01" + bytes(4), b"\x03\x05proxy", b"\x03\x00", b"\x04" + bytes(16)):
            said = b"\x05\x00" + b"\x05\x00\x00" + address + b"\x12\x34" + b"hello"
            for pieces in ([said], single_bytes(said)):
                with self.subTest(address=address):
                    tunnel = self.socks()
                    feed(tunnel, pieces)
                    self.assertTrue(tunnel.is_open)
                    self.assertEqual(tunnel.rest, b"hello")

    def test_credentials_are_sent_if_the_proxy_wants_them(self) -> None:
        tunnel = self.socks(ADA)
        self.assertEqual(tunnel.receive(b"\x05\x02"), b"\x01\x03ada\x07" + "sécret".encode())
        self.assertEqual(tunnel.receive(b"\x01\x00")[:5], b"\x05\x01\x00\x03\x0e")
        self.assertEqual(tunnel.receive(b"\x05\x00" + BOUND), b"")
        self.assertTrue(tunnel.is_open)

    def test_credentials_are_not_sent_if_it_does_not(self) -> None:
        self.assertEqual(self.socks(ADA).receive(b"\x05\x00")[:4], b"\x05\x01\x00\x03")

    def test_a_proxy_that_wants_credentials_tells_where_to_put_them(self) -> None:
        text = self.fails([self.socks(), self.socks()], b"\x05\xff")
        self.assertIn("put them into its URL, as socks5://user:password@proxy.example:1080", text)

    def test_wrong_credentials_are_named_and_not_shown(self) -> None:
        for said in (b"\x05\xff", b"\x05\x02\x01\x01", b"\x05\x02\x05\xff"):
            with self.subTest(said=said):
                text = self.fails([self.socks(ADA), self.socks(ADA)], said)
                self.assertIn("does not accept the username and password", text)
                self.assertNotIn("cret", text)

    def test_a_way_of_authentication_that_was_not_offered_fails(self) -> None:
        self.assertIn("authentication 2", self.fails([self.socks(), self.socks()], b"\x05\x02"))
        self.assertIn("authentication 1", self.fails([self.socks(ADA), self.socks(ADA)], b"\x05\x01"))

    def test_reply_codes_are_told_in_words(self) -> None:
        for code, words in (
            (1, "it failed"),
            (2, "do not allow"),
            (3, "network"),
            (4, "host cannot be reached"),
            (5, "nobody listens"),
            (6, "too long"),
            (7, "CONNECT"),
            (8, "address"),
            (99, "99"),
        ):
            with self.subTest(code=code):
                text = self.fails([self.socks(), self.socks()], b"\x05\x00" + bytes([5, code]) + BOUND)
                self.assertIn(words, text.partition("did not connect to server.example:443: ")[2])

    def test_a_failing_reply_may_be_cut_short(self) -> None:
        self.assertIn("nobody listens", self.fails([self.socks(), self.socks()], b"\x05\x00\x05\x05"))

    def test_an_http_proxy_is_recognised(self) -> None:
        text = self.fails([self.socks(), self.socks()], b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.assertIn("it may be an HTTP proxy, whose URL begins with http://", text)

    def test_nonsense_fails(self) -> None:
        for said in (b"\x04", b"\x00\x5a", b"\x05\x00\x04", b"\x05\x00\x05\x00\x00\x02" + bytes(9)):
            with self.subTest(said=said):
                self.fails([self.socks(), self.socks()], said)

    def test_an_end_before_the_reply_fails(self) -> None:
        tunnel = self.socks()
        tunnel.receive(b"\x05\x00\x05")
        self.assertIn("is it a SOCKS5 proxy", str(self.assertRaises(ProxyFailed, tunnel.end)))

    @properties
    @given(st.binary(max_size=30), cuts)
    def test_any_cut_of_any_answer_comes_to_the_same(self, noise: bytes, places: list[int]) -> None:
        for said in (noise, b"\x05\x00\x05\x00\x00" + noise, b"\x05\x02\x01\x00\x05\x00\x00\x03" + noise):
            outcomes = set()
            for pieces in ([said], cut(said, places), single_bytes(said)):
                tunnel = self.socks(ADA)
                try:
                    sent: bytes | None = feed(tunnel, pieces)
                except ProxyFailed:
                    sent = None
                outcomes.add((tunnel.is_open, tunnel.rest, sent))
            self.assertEqual(len(outcomes), 1, outcomes)
