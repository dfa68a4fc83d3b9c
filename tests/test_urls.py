"""URLs of WebSockets: what is in them, what is none, and where redirections lead."""

from __future__ import annotations

import contextlib

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx import InvalidURL
from hunchensocket_tx.urls import WebSocketURL
from tests.wire_support import properties

parse = WebSocketURL.parse


class PartsTests(SynchronousTestCase):
    """What is in a URL."""

    def test_the_default_ports_are_those_of_http(self) -> None:
        self.assertEqual((parse("ws://h/").port, parse("wss://h/").port), (80, 443))

    def test_the_host_field_has_the_port_if_it_is_another_one(self) -> None:
        for text, expected in (
            ("ws://h:80/", "h"),
            ("wss://h:443/", "h"),
            ("ws://h:443/", "h:443"),
            ("wss://h:80/", "h:80"),
            ("ws://[::1]/", "[::1]"),
            ("ws://[::1]:81/", "[::1]:81"),
        ):
            with self.subTest(text):
                self.assertEqual(parse(text).host_field, expected)

    def test_scheme_and_host_are_lower_cased_and_the_path_is_not(self) -> None:
        self.assertEqual(str(parse("WSS://WWW.Example.COM/Path")), "wss://www.example.com/Path")

    def test_a_path_is_there_always(self) -> None:
        self.assertEqual(parse("ws://h").target, "/")
        self.assertEqual(parse("ws://h?x=1").target, "/?x=1")

    def test_path_and_query_stay_as_they_are(self) -> None:
        for target in ("//a", "/../a", "/a;b?c=%26&d", "/%2f%41", "/?a==b&&c", "/?&", "/a?b?c", "/@me"):
            with self.subTest(target):
                self.assertEqual(parse(f"ws://h{target}").target, target)

    def test_what_is_not_ascii_is_encoded(self) -> None:
        url = parse("ws://bücher.example/ü b?ä=ö")
        self.assertEqual(url.host, "xn--bcher-kva.example")
        self.assertEqual(url.target, "/%C3%BC%20b?%C3%A4=%C3%B6")

    def test_an_ipv6_address_has_no_brackets_as_host(self) -> None:
        self.assertEqual(parse("ws://[::1]:8080/").host, "::1")

    def test_user_name_and_password_become_basic_authentication(self) -> None:
        url = parse("ws://Aladdin:open%20sesame@h/")
        self.assertEqual(url.credentials, ("Aladdin", "open sesame"))
        self.assertEqual(url.authorization, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        self.assertIsNone(parse("ws://h/").authorization)

    def test_a_password_may_have_colons_and_be_missing(self) -> None:
        self.assertEqual(parse("ws://u:a:b@h/").credentials, ("u", "a:b"))
        self.assertEqual(parse("ws://u@h/").credentials, ("u", ""))

    def test_credentials_are_not_shown(self) -> None:
        self.assertEqual(str(parse("ws://u:secret@h/")), "ws://h/")

    def test_a_unix_socket_has_a_path_behind_a_colon(self) -> None:
        for text, secure, path, target in (
            ("ws+unix:///run/ws.sock:/p?q", False, "/run/ws.sock", "/p?q"),
            ("ws+unix:/run/ws.sock", False, "/run/ws.sock", "/"),
            ("wss+unix:///run/ws.sock", True, "/run/ws.sock", "/"),
        ):
            with self.subTest(text):
                url = parse(text)
                self.assertEqual((url.secure, url.unix_path, url.target), (secure, path, target))
                self.assertEqual(url.host, "localhost")

    def test_the_origin_is_that_of_a_page_of_the_server(self) -> None:
        self.assertEqual(parse("ws://h:81/x").origin, "http://h:81")
        self.assertEqual(parse("wss://h/x").origin, "https://h")


class InvalidTests(SynchronousTestCase):
    """What is no URL of a WebSocket, and what is said then."""

    def check(self, text: str, *words: str) -> None:
        """Check that a text is refused with these words."""
        said = str(self.assertRaises(InvalidURL, parse, text))
        for word in words:
            self.assertIn(word, said)

    def test_each_error_says_what_would_be_right(self) -> None:
        for text in (
            "",
            "foo",
            "ws:foo",
            "ws:///x",
            "ftp://h/",
            "ws://a b/",
            "ws://h:x/",
            "ws://[::1/",
            "ws://a..b/",
        ):
            with self.subTest(text):
                self.check(text, "ws://www.example.com")

    def test_http_is_told_apart(self) -> None:
        self.check("https://h/", "write ws in place of http")

    def test_a_fragment(self) -> None:
        self.check("ws://h/#", "fragment", "%23")
        self.check("ws://h/a#b", "fragment", "%23")

    def test_a_port_that_there_is_not(self) -> None:
        self.check("ws://h:0/", "65535")
        self.check("ws://h:65536/", "65535")

    def test_no_part_of_a_password_is_shown(self) -> None:
        for text in (
            "http://u:sesame@h/",
            "ws://u:sesame@h:0/",
            "ws://u:sesame@h/#",
            "ws://u:open@sesame@h/",
            "ws://u:open/sesame@h/",
            "ws://u:open#sesame@h/",
        ):
            with self.subTest(text):
                said = str(self.assertRaises(InvalidURL, parse, text))
                self.assertNotIn("open", said)
                self.assertNotIn("sesame", said)

    @properties
    @given(st.one_of(st.text(), st.text().map("ws://".__add__), st.text().map("ws://h/".__add__)))
    @example("ws://h/\r\nX-Evil: 1")
    @example("ws://h\r\nX-Evil: 1/")
    @example("ws+unix:a:?\r\n")
    def test_any_text_is_a_url_or_an_invalid_one(self, text: str) -> None:
        with contextlib.suppress(InvalidURL):
            url = parse(text)
            self.assertTrue(all("!" <= char <= "~" for char in url.host_field + url.target), url)
            self.assertTrue(url.target.startswith("/"), url)


class RedirectionTests(SynchronousTestCase):
    """Where a Location points to."""

    def test_relative_ones_are_as_on_the_web(self) -> None:
        url = parse("ws://h:81/a/b?q")
        for location, expected in (
            ("c", "ws://h:81/a/c"),
            ("../c", "ws://h:81/c"),
            ("/c?d", "ws://h:81/c?d"),
            ("?d", "ws://h:81/a/b?d"),
            ("//o/x", "ws://o/x"),
            ("/c#fragment", "ws://h:81/c"),
        ):
            with self.subTest(location):
                self.assertEqual(str(url.redirected(location)), expected)

    def test_a_relative_one_stays_on_tls(self) -> None:
        self.assertEqual(str(parse("wss://h/").redirected("//o/x")), "wss://o/x")

    def test_http_stands_for_ws(self) -> None:
        for location, expected in (
            ("http://o/x", "ws://o/x"),
            ("https://o/x", "wss://o/x"),
            ("HTTPS://o/x", "wss://o/x"),
            ("ws://o/x", "ws://o/x"),
            ("wss://o/x", "wss://o/x"),
        ):
            with self.subTest(location):
                self.assertEqual(str(parse("wss://h/").redirected(location)), expected)

    def test_what_is_no_place_for_a_websocket(self) -> None:
        for location in ("mailto:x", "javascript:x", "ftp://h/", "http://[bad", "ws://h:0/"):
            with self.subTest(location):
                self.assertRaises(InvalidURL, parse("ws://h/").redirected, location)

    def test_no_server_can_point_to_a_unix_socket(self) -> None:
        for text in ("ws://localhost/", "ws+unix:///run/a.sock"):
            for location in ("ws+unix:///run/b.sock:/", "wss+unix:/run/b.sock"):
                with self.subTest(text, location=location):
                    self.assertRaises(InvalidURL, parse(text).redirected, location)

    def test_one_on_a_unix_socket_can_point_to_itself(self) -> None:
        url = parse("ws+unix:///run/a.sock:/x")
        for location in ("/y", "http://localhost/y", "ws://localhost/y"):
            with self.subTest(location):
                target = url.redirected(location)
                self.assertEqual((target.unix_path, target.target), ("/run/a.sock", "/y"))
        self.assertIsNone(url.redirected("http://other/").unix_path)

    @properties
    @given(st.text(alphabet=st.characters(max_codepoint=255)))
    def test_any_location_is_a_place_or_an_invalid_url(self, location: str) -> None:
        with contextlib.suppress(InvalidURL):
            self.assertIsNone(parse("ws://h/a").redirected(location).unix_path)
