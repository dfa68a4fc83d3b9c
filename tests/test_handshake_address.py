"""Where a request claims to come from and to go to: Origin, Host, proxies, and the Location in the answer."""

from __future__ import annotations

from tests.wire_support import HandshakeTestCase, opening


class SameOriginTests(HandshakeTestCase):
    """Section 5.1 and section 9 of HIXIE76.md; RFC 6454: scheme, host and port are the same, or it is another."""

    def test_the_servers_own_pages_may_connect(self) -> None:
        for host, origin, secure in (
            ("example.com", "http://example.com", False),
            ("example.com", "http://example.com:80", False),
            ("example.com:80", "http://example.com", False),
            ("Example.COM", "http://example.com", False),
            ("example.com", "HTTP://EXAMPLE.com", False),
            ("example.com:8080", "http://example.com:8080", False),
            ("example.com", "https://example.com", True),
            ("example.com:443", "https://example.com", True),
            ("example.com", "https://example.com:443", True),
            ("[::1]:8080", "http://[::1]:8080", False),
            ("[2001:DB8::1]", "http://[2001:db8::1]", False),
        ):
            with self.subTest(host=host, origin=origin):
                self.offer(opening(host=host, origin=origin, secure=secure))

    def test_other_pages_may_not(self) -> None:
        for origin in (
            "http://evil.example",
            "https://example.com",
            "http://example.com:8080",
            "http://www.example.com",
            "http://example.com.evil.example",
            "http://evil.example/http://example.com",
            "http://evilexample.com",
            "http://example.com@evil.example",
            "http://example.com/",
            "http://example.com http://evil.example",
            "ws://example.com",
            "null",
            "file://",
            "*",
            "same",
        ):
            with self.subTest(origin):
                self.assert_refused(403, opening(origin=origin))

    def test_a_page_over_http_may_not_use_a_secure_websocket(self) -> None:
        self.assert_refused(403, opening(secure=True))

    def test_the_refusal_names_the_settings_that_help(self) -> None:
        reason = self.refusal(opening(origin="http://evil.example")).reason
        for setting in ("origins", "trusted_proxies", "external_url"):
            self.assertIn(setting, reason)


class ListedOriginTests(HandshakeTestCase):
    def test_only_listed_origins_may_connect(self) -> None:
        origins = ["https://a.example", "http://b.example:8080"]
        for origin in origins:
            self.offer(opening(origin=origin), origins=origins)
        for origin in (
            "http://example.com",
            "http://a.example",
            "http://b.example",
            "https://sub.a.example",
            "null",
        ):
            with self.subTest(origin):
                self.assert_refused(403, opening(origin=origin), origins=origins)

    def test_spelling_makes_no_difference(self) -> None:
        for listed, sent in (
            ("https://A.example:443", "https://a.example"),
            ("https://a.example", "https://a.example:443"),
            ("http://a.example", "HTTP://A.EXAMPLE"),
            ("http://[2001:DB8::1]", "http://[2001:db8::1]:80"),
        ):
            with self.subTest(listed):
                self.offer(opening(origin=sent), origins=[listed])

    def test_origins_without_a_host_can_be_listed(self) -> None:
        for origin in ("null", "file://"):
            with self.subTest(origin):
                self.offer(opening(origin=origin), origins=[origin])
                self.assert_refused(403, opening(origin=origin), origins=["http://a.example"])

    def test_an_empty_list_lets_nobody_in(self) -> None:
        self.assert_refused(403, opening(), origins=[])

    def test_the_star_lets_everybody_in(self) -> None:
        for origin in ("http://evil.example", "null", "file://", "chrome-extension://abcdef"):
            with self.subTest(origin):
                self.assertEqual(self.offer(opening(origin=origin), origins="*").origin, origin)

    def test_even_the_star_wants_an_origin_as_the_draft_demands_one(self) -> None:
        self.assert_refused(400, opening(origin=None), origins="*")


class HostTests(HandshakeTestCase):
    """Section 9 of HIXIE76.md: a Host allow-list against DNS rebinding."""

    def test_any_host_will_do_by_default(self) -> None:
        self.offer(opening(host="anything.example", origin="http://anything.example"))

    def test_only_listed_hosts_are_answered(self) -> None:
        hosts = ["Example.com", "example.com:8080"]
        for host in ("example.com", "EXAMPLE.com", "example.com:80", "example.com:8080"):
            with self.subTest(host):
                self.offer(opening(host=host), hosts=hosts, origins="*")
        for host in ("evil.example", "example.com:8081", "www.example.com", "example.com.", "127.0.0.1"):
            with self.subTest(host):
                self.assert_refused(403, opening(host=host), hosts=hosts, origins="*")

    def test_a_rebound_name_is_refused_though_its_page_has_the_same_origin(self) -> None:
        self.assert_refused(403, opening(host="evil.example", origin="http://evil.example"), hosts=["example.com"])

    def test_the_default_port_depends_on_tls(self) -> None:
        self.offer(opening(host="example.com:443", secure=True), hosts=["example.com"], origins="*")
        self.assert_refused(403, opening(host="example.com:443"), hosts=["example.com"], origins="*")


class LocationTests(HandshakeTestCase):
    """Section 5.2 and section 3 of HIXIE76.md: the client compares the string with the one it would build."""

    def assert_location(self, expected: str, host: str, target: str = "/demo", *, secure: bool = False) -> None:
        with self.subTest(host=host, target=target):
            request = opening(target, host=host, secure=secure)
            self.assertEqual(self.location(request, origins="*"), expected)

    def test_default_ports_are_left_out(self) -> None:
        self.assert_location("ws://example.com/demo", "example.com")
        self.assert_location("ws://example.com/demo", "example.com:80")
        self.assert_location("wss://example.com/demo", "example.com", secure=True)
        self.assert_location("wss://example.com/demo", "example.com:443", secure=True)

    def test_other_ports_are_named(self) -> None:
        self.assert_location("ws://example.com:8080/demo", "example.com:8080")
        self.assert_location("ws://example.com:443/demo", "example.com:443")
        self.assert_location("wss://example.com:80/demo", "example.com:80", secure=True)

    def test_the_host_is_lower_cased_and_the_target_is_not(self) -> None:
        self.assert_location("ws://example.com/Demo", "Example.COM", "/Demo")

    def test_ipv6_hosts_keep_their_brackets(self) -> None:
        self.assert_location("ws://[::1]/demo", "[::1]")
        self.assert_location("ws://[::1]/demo", "[::1]:80")
        self.assert_location("wss://[2001:db8::1]:8443/demo", "[2001:DB8::1]:8443", secure=True)

    def test_the_target_is_repeated_as_it_was_sent(self) -> None:
        for target in ("/", "/?", "/demo?a=b&c=d%20e", "/%7Euser", "/a/../b", "//double//slash/", "/'\"<>\\^`{|}"):
            self.assert_location(f"ws://example.com{target}", "example.com", target)


class ProxyTests(HandshakeTestCase):
    """Section 3 of HIXIE76.md: the scheme comes from configuration or from fields of a trusted peer only."""

    def test_what_untrusted_peers_say_counts_for_nothing(self) -> None:
        request = opening(
            forwarded="proto=https;host=evil.example", x_forwarded_proto="https", x_forwarded_host="evil.example"
        )
        self.assertEqual(self.location(request), "ws://example.com/demo")
        self.assertFalse(self.offer(request).secure)

    def test_a_trusted_proxy_tells_of_tls(self) -> None:
        for field, value in (
            ("x_forwarded_proto", "https"),
            ("x_forwarded_proto", "HTTPS"),
            ("x_forwarded_proto", "wss"),
            ("forwarded", "proto=https"),
            ("forwarded", 'For="[::1]:1";Proto="https"'),
        ):
            request = opening(trusted=True, origin="https://example.com", **{field: value})
            with self.subTest(value):
                self.assertEqual(self.location(request), "wss://example.com/demo")
                self.assertTrue(self.offer(request).secure)

    def test_a_trusted_proxy_tells_of_plain_connections_behind_its_own_tls(self) -> None:
        request = opening(trusted=True, secure=True, x_forwarded_proto="http")
        self.assertEqual(self.location(request), "ws://example.com/demo")

    def test_a_trusted_proxy_that_says_nothing_changes_nothing(self) -> None:
        self.assertEqual(self.location(opening(trusted=True)), "ws://example.com/demo")
        request = opening(trusted=True, secure=True, origin="https://example.com")
        self.assertEqual(self.location(request), "wss://example.com/demo")

    def test_a_trusted_proxy_tells_the_host_that_the_client_used(self) -> None:
        for field, value in (
            ("x_forwarded_host", "Public.example:8080"),
            ("forwarded", 'for=192.0.2.1;host="public.example:8080"'),
        ):
            request = opening(
                trusted=True, host="backend:9000", origin="http://public.example:8080", **{field: value}
            )
            with self.subTest(value):
                self.assertEqual(self.location(request), "ws://public.example:8080/demo")

    def test_the_default_port_goes_by_the_forwarded_scheme(self) -> None:
        request = opening(
            trusted=True, x_forwarded_proto="https", x_forwarded_host="[::1]:443", origin="https://[::1]"
        )
        self.assertEqual(self.location(request), "wss://[::1]/demo")

    def test_what_the_nearest_proxy_says_counts(self) -> None:
        # The client, or a proxy that is not ours, wrote what stands before it.
        for changes in (
            {"x_forwarded_proto": "https, http", "x_forwarded_host": "evil.example, example.com"},
            {"x_forwarded_proto": ["https", "http"], "x_forwarded_host": ["evil.example", "example.com"]},
            {"forwarded": "proto=https;host=evil.example, proto=http;host=example.com"},
            {"forwarded": ["proto=https;host=evil.example", "proto=http;host=example.com"]},
        ):
            with self.subTest(changes):
                request = opening(trusted=True, host="backend", **changes)
                self.assertEqual(self.location(request), "ws://example.com/demo")

    def test_the_standard_field_and_the_customary_ones_may_agree(self) -> None:
        request = opening(
            trusted=True,
            host="backend",
            forwarded="proto=http;host=example.com",
            x_forwarded_proto="http",
            x_forwarded_host="Example.com",
        )
        self.assertEqual(self.location(request), "ws://example.com/demo")

    def test_fields_that_contradict_each_other_are_refused(self) -> None:
        # The proxy sets one kind, and has let the client's own of the other kind pass.
        for changes in (
            {"forwarded": "proto=https", "x_forwarded_proto": "http"},
            {"forwarded": "host=evil.example", "x_forwarded_host": "example.com"},
        ):
            with self.subTest(changes):
                self.assert_refused(400, opening(trusted=True, **changes))

    def test_whose_address_is_in_doubt_is_refused_only_where_addresses_count(self) -> None:
        request = opening(trusted=True, forwarded="for=192.0.2.1", x_forwarded_for="192.0.2.2")
        self.offer(request)
        self.assert_refused(400, request, max_connections_per_address=5)

    def test_a_client_cannot_hide_a_scheme_in_the_host_that_its_proxy_quotes(self) -> None:
        request = opening(trusted=True, forwarded='proto=http;host="a;proto=https;b"')
        self.assert_refused(403, request, legacy_over_tls_only=True, origins="*")

    def test_a_forwarded_host_that_is_none_is_refused(self) -> None:
        self.assert_refused(400, opening(trusted=True, x_forwarded_host="a b"), origins="*")

    def test_the_list_of_hosts_is_for_the_forwarded_host(self) -> None:
        request = opening(trusted=True, host="backend", x_forwarded_host="example.com")
        self.offer(request, hosts=["example.com"])
        self.assert_refused(403, request, hosts=["backend"])


class ExternalURLTests(HandshakeTestCase):
    """Section 3 of HIXIE76.md: wss is meant where the connection was expected to be TLS."""

    def test_it_takes_the_place_of_host_and_scheme(self) -> None:
        request = opening(host="backend:9000", origin="https://www.example.com")
        location = self.location(request, external_url="wss://www.example.com")
        self.assertEqual(location, "wss://www.example.com/demo")
        self.assertTrue(self.offer(request, external_url="wss://www.example.com").secure)

    def test_one_of_ws_is_plain_even_behind_tls(self) -> None:
        request = opening(secure=True)
        self.assertEqual(self.location(request, external_url="ws://example.com"), "ws://example.com/demo")
        self.assertFalse(self.offer(request, external_url="ws://example.com").secure)

    def test_it_may_have_a_path_prefix(self) -> None:
        for url in ("wss://example.com/prefix", "wss://example.com/prefix/"):
            request = opening("/demo?a", origin="https://example.com")
            self.assertEqual(self.location(request, external_url=url), "wss://example.com/prefix/demo?a")

    def test_a_slash_at_its_end_makes_no_difference(self) -> None:
        request = opening(origin="https://example.com")
        self.assertEqual(self.location(request, external_url="wss://example.com/"), "wss://example.com/demo")

    def test_its_host_is_lower_cased_and_its_path_is_not(self) -> None:
        request = opening(origin="https://example.com")
        location = self.location(request, external_url="wss://Example.COM/Prefix")
        self.assertEqual(location, "wss://example.com/Prefix/demo")

    def test_its_default_port_is_left_out(self) -> None:
        request = opening(origin="https://example.com")
        self.assertEqual(self.location(request, external_url="wss://example.com:443"), "wss://example.com/demo")

    def test_its_other_port_is_kept(self) -> None:
        request = opening(origin="https://[::1]:8443")
        self.assertEqual(self.location(request, external_url="wss://[::1]:8443"), "wss://[::1]:8443/demo")

    def test_the_same_origin_is_its_origin(self) -> None:
        for url, own in (
            ("wss://www.example.com/prefix", "https://www.example.com"),
            ("wss://WWW.example.com:443", "https://www.example.com"),
            ("ws://www.example.com:8080", "http://www.example.com:8080"),
        ):
            with self.subTest(url):
                self.offer(opening(host="backend", origin=own), external_url=url)
                self.assert_refused(403, opening(host="backend", origin="http://backend"), external_url=url)
                self.assert_refused(403, opening(host="backend", origin="null"), external_url=url)

    def test_an_origin_without_a_scheme_that_is_the_host_is_the_same(self) -> None:
        """Browsers have none like it; an old client on node does."""
        self.offer(opening(host="example.com:8080", origin="example.com:8080"))
        self.assert_refused(403, opening(host="example.com:8080", origin="example.com"))
        self.assert_refused(403, opening(host="example.com", origin="example.com"), origins=["http://a.example"])

    def test_forwarded_fields_do_not_change_it(self) -> None:
        request = opening(
            trusted=True, origin="https://example.com", x_forwarded_proto="http", x_forwarded_host="other.example"
        )
        self.assertEqual(self.location(request, external_url="wss://example.com"), "wss://example.com/demo")

    def test_a_request_still_needs_its_own_host(self) -> None:
        self.assert_refused(
            400, opening(host=None, origin="https://example.com"), external_url="wss://example.com"
        )
