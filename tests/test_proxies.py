"""URLs of proxies, and the environment's variables."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.errors import InvalidURL
from hunchensocket_tx.proxies import Proxy, proxy_from_environment
from tests.wire_support import properties


class ProxyTests(SynchronousTestCase):
    """URLs of proxies."""

    def test_a_url_is_taken_apart(self) -> None:
        for url, proxy in (
            ("http://proxy.example:3128", Proxy("http", "proxy.example", 3128)),
            ("http://proxy.example:80", Proxy("http", "proxy.example", 80)),
            ("HTTP://Proxy.Example:3128/", Proxy("http", "proxy.example", 3128)),
            ("https://ada:secret@proxy.example:8443", Proxy("https", "proxy.example", 8443, "ada", "secret")),
            ("socks5://[::1]:9050", Proxy("socks5", "::1", 9050)),
            ("socks5h://proxy.example:9050", Proxy("socks5", "proxy.example", 9050)),
            ("socks://proxy.example:9050/", Proxy("socks5", "proxy.example", 9050)),
            ("proxy.example:3128", Proxy("http", "proxy.example", 3128)),
            ("ada:secret@proxy.example:3128", Proxy("http", "proxy.example", 3128, "ada", "secret")),
        ):
            with self.subTest(url=url):
                self.assertEqual(Proxy.parse(url), proxy)

    def test_default_ports_are_those_of_curl(self) -> None:
        for url, port in (("http://p", 1080), ("p", 1080), ("https://p", 443), ("socks5://p", 1080)):
            with self.subTest(url=url):
                self.assertEqual(Proxy.parse(url).port, port)

    def test_credentials_are_percent_decoded(self) -> None:
        self.assertEqual(Proxy.parse("http://a%40b:%C3%A9%2F%3A%25:@p").credentials, ("a@b", "é/:%:"))
        self.assertEqual(Proxy.parse("http://ada@p").credentials, ("ada", ""))
        self.assertIsNone(Proxy.parse("http://p").credentials)

    def test_as_a_text_it_is_its_url_without_credentials(self) -> None:
        self.assertEqual(str(Proxy.parse("http://ada:secret@[::1]:3128")), "http://[::1]:3128")
        self.assertNotIn("secret", repr(Proxy.parse("http://ada:secret@p")))

    def test_what_is_no_proxy_is_told_with_the_mend_and_without_the_password(self) -> None:
        for url in (
            "",
            "http://",
            "http://:3128",
            "ftp://ada:secret@p:21",
            "socks4://ada:secret@p:1080",
            "http://ada:secret@p:0",
            "http://ada:secret@p:65536",
            "http://ada:secret@p:port",
            "http://ada:secret@p/path",
            "http://ada:secret@p?query",
            "http://ada:secret@p#fragment",
            "http://ada:sec/ret:secret@p",
            "http://ada:secret@[::1",
            "http://ada:secret@p\r\nx",
            "http://ada:secret @p",
            "http://ada%3Aada:secret@p",
            f"socks5://ada:{'secret' * 50}@p",
        ):
            with self.subTest(url=url):
                text = str(self.assertRaises(InvalidURL, Proxy.parse, url))
                self.assertNotIn("ret", text.replace("secret", "ret"))

    def test_wrong_parts_are_refused_without_a_url_too(self) -> None:
        for parts in (("ftp", "p", 21), ("http", "", 80), ("http", "a b", 80), ("http", "p", 0)):
            with self.subTest(parts=parts):
                wrong: Any = parts
                self.assertRaises(InvalidURL, Proxy, *wrong)

    @properties
    @given(st.text(max_size=30))
    def test_any_text_is_a_proxy_or_invalid(self, text: str) -> None:
        for url in (text, f"http://{text}", f"socks5://ada:{text}@p:1"):
            try:
                proxy = Proxy.parse(url)
            except InvalidURL:
                continue
            self.assertEqual(Proxy.parse(str(proxy)).host, proxy.host)

    @properties
    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
    def test_any_password_can_be_written(self, password: str) -> None:
        self.assertEqual(Proxy.parse(f"http://ada:{quote(password, safe='')}@p").password, password)


class EnvironmentTests(SynchronousTestCase):
    """Which proxy the environment names."""

    def chosen(self, scheme: Any, environ: dict[str, str], host: str = "server.example", port: int = 443) -> str:
        """Return the name of the chosen proxy's host; empty for none."""
        proxy = proxy_from_environment(scheme, host, port, environ)
        return "" if proxy is None else proxy.host

    def test_the_variable_of_the_scheme_comes_first_then_that_of_pages_then_that_of_all(self) -> None:
        for scheme, names in (
            ("ws", ["ws_proxy", "http_proxy", "all_proxy"]),
            ("wss", ["wss_proxy", "https_proxy", "all_proxy"]),
        ):
            environ = {
                f"{name}_proxy": f"http://{name}-proxy" for name in ("ws", "wss", "http", "https", "all", "socks")
            }
            for name in names:
                with self.subTest(name=name):
                    self.assertEqual(self.chosen(scheme, environ), name.replace("_", "-"))
                    self.assertEqual(self.chosen(scheme, {name.upper(): "upper"}), "upper")
                    self.assertEqual(self.chosen(scheme, {name.upper(): "upper", name: "lower"}), "lower")
                del environ[name]
            self.assertEqual(self.chosen(scheme, environ), "")

    def test_empty_variables_are_as_none_and_hide_those_in_upper_case(self) -> None:
        self.assertEqual(self.chosen("wss", {"wss_proxy": "", "all_proxy": "all"}), "all")
        self.assertEqual(self.chosen("wss", {"wss_proxy": " ", "WSS_PROXY": "upper"}), "")

    def test_http_proxy_in_upper_case_is_not_believed_in_a_cgi_script(self) -> None:
        script = {"REQUEST_METHOD": "GET", "HTTP_PROXY": "evil"}
        self.assertEqual(self.chosen("ws", script), "")
        self.assertEqual(self.chosen("ws", {**script, "http_proxy": "good"}), "good")
        self.assertEqual(self.chosen("wss", {**script, "HTTPS_PROXY": "good"}), "good")

    def test_the_process_s_own_environment_is_the_default(self) -> None:
        for name in ("wss_proxy", "WSS_PROXY", "no_proxy", "NO_PROXY"):
            self.patch_variable(name, "")
        self.patch_variable("wss_proxy", "http://own.example:8")
        self.assertEqual(proxy_from_environment("wss", "server.example", 443), Proxy("http", "own.example", 8))

    def patch_variable(self, name: str, value: str) -> None:
        before = os.environ.get(name)
        os.environ[name] = value
        self.addCleanup(
            lambda: os.environ.pop(name, None) if before is None else os.environ.__setitem__(name, before)
        )

    def test_a_wrong_value_is_told_with_the_variable_s_name(self) -> None:
        error = self.assertRaises(InvalidURL, self.chosen, "wss", {"ALL_PROXY": "ftp://ada:secret@p"})
        self.assertTrue(str(error).startswith("all_proxy in the environment: "), error)
        self.assertNotIn("secret", str(error))

    def test_this_machine_is_never_reached_through_a_proxy(self) -> None:
        for host in ("localhost", "LOCALHOST.", "app.localhost", "127.0.0.1", "127.9.9.9", "::1"):
            with self.subTest(host=host):
                self.assertEqual(self.chosen("wss", {"all_proxy": "p"}, host), "")
        self.assertEqual(self.chosen("wss", {"all_proxy": "p"}, "localhost.example"), "p")

    def test_no_proxy_lists_exceptions(self) -> None:
        for exceptions, host, port in (
            ("*", "server.example", 443),
            ("a.example, *", "10.0.0.1", 443),
            ("server.example", "server.example", 443),
            ("other.example,server.example", "www.server.example", 443),
            ("other.example server.example", "server.example", 443),
            (".example", "server.example", 443),
            ("*.example", "server.example", 443),
            ("SERVER.example.", "Server.Example.", 443),
            ("server.example:8443", "server.example", 8443),
            ("10.0.0.0/8", "10.1.2.3", 443),
            ("10.0.0.7/8", "10.1.2.3", 443),
            ("10.1.2.3", "10.1.2.3", 443),
            ("10.1.2.3:8443", "10.1.2.3", 8443),
            ("2001:db8::/32", "2001:db8::1", 443),
            ("2001:db8::1", "2001:db8:0::1", 443),
            ("[2001:db8::1]", "2001:db8::1", 443),
            ("[2001:db8::1]:8443", "2001:db8::1", 8443),
        ):
            with self.subTest(exceptions=exceptions, host=host):
                self.assertEqual(self.chosen("wss", {"all_proxy": "p", "NO_PROXY": exceptions}, host, port), "")

    def test_no_proxy_excepts_nothing_else(self) -> None:
        for exceptions, host, port in (
            ("", "server.example", 443),
            (",, .", "server.example", 443),
            ("server.example", "otherserver.example", 443),
            ("www.server.example", "server.example", 443),
            ("server.example:8443", "server.example", 443),
            ("*:8443", "server.example", 443),
            ("10.0.0.0/8", "11.0.0.1", 443),
            ("10.0.0.0/99", "10.0.0.1", 443),
            ("0.0.1", "10.0.0.1", 443),
            ("10.0.0.0/8", "10.example", 443),
            ("2001:db8::/32", "10.0.0.1", 443),
            ("[2001:db8::1]:8443", "2001:db8::1", 443),
        ):
            with self.subTest(exceptions=exceptions, host=host):
                self.assertEqual(self.chosen("wss", {"all_proxy": "p", "no_proxy": exceptions}, host, port), "p")

    @properties
    @given(st.text(max_size=30), st.text("a.:*[]/1,", max_size=12))
    def test_any_exceptions_and_any_host_come_to_an_answer(self, exceptions: str, host: str) -> None:
        for text in (exceptions, f"[{exceptions}]:1", host):
            self.assertIn(self.chosen("ws", {"all_proxy": "p", "no_proxy": text}, host), ("", "p"))
