"""Cookies of clients: which are kept, and which are sent where."""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.cookies import cookie_field, keep_cookies
from hunchensocket_tx.urls import WebSocketURL


class CookieTests(SynchronousTestCase):
    """A jar between answers and requests."""

    def setUp(self) -> None:
        self.jar = CookieJar()

    def keep(self, url: str, *values: str) -> None:
        """Take an answer's Set-Cookie fields."""
        keep_cookies(self.jar, WebSocketURL.parse(url), {"set-cookie": values, "x": ("y",)})

    def sent(self, url: str) -> str | None:
        """Return what is sent with a request."""
        return cookie_field(self.jar, WebSocketURL.parse(url))

    def test_without_any_nothing_is_sent(self) -> None:
        keep_cookies(self.jar, WebSocketURL.parse("ws://h.example/"), {})
        self.assertIsNone(self.sent("ws://h.example/"))

    def test_each_field_is_a_cookie(self) -> None:
        self.keep("ws://h.example/", "a=1", "b=2; Expires=Wed, 01 Jan 2100 00:00:00 GMT")
        self.assertEqual(self.sent("ws://h.example/"), "a=1; b=2")

    def test_http_only_ones_are_sent(self) -> None:
        self.keep("ws://h.example/", "a=1; HttpOnly")
        self.assertEqual(self.sent("ws://h.example/"), "a=1")

    def test_secure_ones_are_sent_over_tls_only(self) -> None:
        self.keep("wss://h.example/", "a=1; Secure")
        self.assertEqual((self.sent("wss://h.example/"), self.sent("ws://h.example/")), ("a=1", None))

    def test_other_hosts_get_none(self) -> None:
        self.keep("ws://h.example/", "a=1")
        for url in ("ws://other.example/", "ws://example/", "ws://not-h.example/"):
            self.assertIsNone(self.sent(url))

    def test_with_a_strict_jar_hosts_below_get_none_either(self) -> None:
        """The standard library's default is not so strict; the jar is the application's."""
        self.jar = CookieJar(DefaultCookiePolicy(strict_ns_domain=DefaultCookiePolicy.DomainStrictNonDomain))
        self.keep("ws://h.example/", "a=1")
        self.assertIsNone(self.sent("ws://sub.h.example/"))

    def test_a_domain_s_hosts_share_them(self) -> None:
        self.keep("ws://a.h.example/", "a=1; Domain=h.example")
        self.assertEqual(self.sent("ws://b.h.example/"), "a=1")

    def test_nobody_sets_them_for_others(self) -> None:
        self.keep("ws://h.example/", "a=1; Domain=other.example")
        self.assertIsNone(self.sent("ws://other.example/"))

    def test_paths_count(self) -> None:
        self.keep("ws://h.example/a/b", "a=1", "b=2; Path=/")
        self.assertEqual(self.sent("ws://h.example/a/c"), "a=1; b=2")
        self.assertEqual(self.sent("ws://h.example/c"), "b=2")

    def test_a_newer_one_takes_the_place_of_an_older_one(self) -> None:
        self.keep("ws://h.example/", "a=1")
        self.keep("ws://h.example/", "a=2")
        self.assertEqual(self.sent("ws://h.example/"), "a=2")
        self.keep("ws://h.example/", "a=; Max-Age=0")
        self.assertIsNone(self.sent("ws://h.example/"))

    def test_addresses_and_local_names_have_them_too(self) -> None:
        for url in ("ws://127.0.0.1:81/", "ws://[::1]:81/", "ws://localhost/", "ws+unix:///run/a.sock"):
            with self.subTest(url):
                self.jar.clear()
                self.keep(url, "a=1")
                self.assertEqual(self.sent(url), "a=1")

    def test_nonsense_is_no_cookie(self) -> None:
        self.keep("ws://h.example/", "", ";", "=", "ü=ü")
        self.sent("ws://h.example/")
