"""Settings: safe defaults, normal forms, and refusal of what makes no sense."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.errors import InvalidSetting
from hunchensocket_tx.settings import KNOWN_VERSIONS, Settings
from tests.wire_support import LINE_BREAKERS


class DefaultTests(SynchronousTestCase):
    """Section 9 of HIXIE76.md, section 6 of DESIGN.md: safe unless told otherwise."""

    def test_hixie_76_is_on_and_hixie_75_is_off(self) -> None:
        self.assertIn(76, Settings().versions)
        self.assertNotIn(75, Settings().versions)

    def test_only_pages_of_this_server_may_connect(self) -> None:
        self.assertEqual(Settings().origins, "same")

    def test_forwarded_fields_are_believed_from_nobody(self) -> None:
        for address in ("127.0.0.1", "::1", "10.0.0.1", None):
            with self.subTest(address):
                self.assertFalse(Settings().trusts(address))

    def test_a_message_may_have_one_mebibyte(self) -> None:
        self.assertEqual(Settings().max_message_size, 1024 * 1024)

    def test_every_timer_runs(self) -> None:
        settings = Settings()
        for seconds in (settings.handshake_timeout, settings.closing_timeout, settings.websocket_timeout):
            self.assertTrue(0 < seconds < float("inf"))

    def test_bad_utf8_closes(self) -> None:
        self.assertEqual(Settings().invalid_utf8, "close")


class ValueTests(SynchronousTestCase):
    def test_it_is_frozen(self) -> None:
        settings: Any = Settings()
        with self.assertRaises(FrozenInstanceError):
            settings.origins = "*"

    def test_equal_settings_are_equal_and_have_one_hash(self) -> None:
        one = Settings(origins=["http://a.example"], trusted_proxies=["10.0.0.0/8"])
        other = Settings(origins=("http://a.example",), trusted_proxies=iter(["10.0.0.0/8"]))
        self.assertEqual(one, other)
        self.assertEqual(hash(one), hash(other))

    def test_lists_of_any_kind_are_kept_as_tuples(self) -> None:
        settings = Settings(
            versions=iter([76, 75]),
            origins=iter(["http://a.example"]),
            hosts=iter(["a.example"]),
            trusted_proxies=iter(["unix"]),
        )
        self.assertEqual(settings.versions, (76, 75))
        self.assertEqual(settings.origins, ("http://a.example",))
        self.assertEqual(settings.hosts, ("a.example",))
        self.assertEqual(settings.trusted_proxies, ("unix",))

    def test_later_changes_of_a_given_list_change_nothing(self) -> None:
        hosts = ["a.example"]
        settings = Settings(hosts=hosts)
        hosts.append("b.example")
        self.assertEqual(settings.hosts, ("a.example",))

    def test_hosts_are_lower_cased(self) -> None:
        self.assertEqual(Settings(hosts=["Example.COM:8080"]).hosts, ("example.com:8080",))

    def test_replace_makes_a_variant(self) -> None:
        settings = Settings(origins=["http://a.example"], hosts=["A.example"], trusted_proxies=["10.0.0.1"])
        variant = replace(settings, max_message_size=5)
        self.assertEqual(variant.max_message_size, 5)
        self.assertEqual(variant, replace(settings, max_message_size=5))
        self.assertEqual((variant.origins, variant.hosts), (settings.origins, settings.hosts))
        self.assertTrue(variant.trusts("10.0.0.1"))

    def test_a_variant_with_other_proxies_forgets_the_old_ones(self) -> None:
        variant = replace(Settings(trusted_proxies=["10.0.0.1"]), trusted_proxies=["10.0.0.2"])
        self.assertFalse(variant.trusts("10.0.0.1"))
        self.assertTrue(variant.trusts("10.0.0.2"))

    def test_a_variant_is_checked_as_well(self) -> None:
        with self.assertRaises(InvalidSetting):
            replace(Settings(), max_message_size=0)


class ChoiceTests(SynchronousTestCase):
    """Values that make no sense are refused, by the name of the setting."""

    def assert_invalid(self, name: str, *values: Any) -> None:
        for value in values:
            with self.subTest(value=value):
                with self.assertRaises(InvalidSetting) as caught:
                    Settings(**{name: value})
                self.assertIn(name, str(caught.exception))

    def assert_valid(self, name: str, *values: Any) -> None:
        for value in values:
            with self.subTest(value=value):
                self.assertEqual(getattr(Settings(**{name: value}), name), value)

    def test_all_known_versions_can_be_spoken(self) -> None:
        self.assert_valid("versions", KNOWN_VERSIONS, *((version,) for version in KNOWN_VERSIONS))

    def test_unknown_versions_and_none_at_all_are_refused(self) -> None:
        self.assert_invalid("versions", (), (77,), (76, 4), "76")

    def test_a_version_outside_a_list_is_refused(self) -> None:
        self.assert_invalid("versions", 76)

    def test_one_string_in_place_of_a_list_is_refused(self) -> None:
        self.assert_invalid("origins", "https://www.example.com", "null", "")
        self.assert_invalid("hosts", "www.example.com")
        self.assert_invalid("trusted_proxies", "10.0.0.1", "unix")

    def test_origins_of_every_kind_that_browsers_send_can_be_listed(self) -> None:
        self.assert_valid(
            "origins",
            ("https://www.example.com", "http://example.com:8080", "http://[::1]:8080"),
            ("null", "file://"),
            ("chrome-extension://abcdefghijklmnop",),
            (),
        )

    def test_an_origin_that_no_browser_can_send_is_refused(self) -> None:
        self.assert_invalid(
            "origins", ["www.example.com"], ["https://www.example.com/"], ["https://www.example.com/chat"]
        )

    def test_a_star_in_a_list_of_origins_is_refused(self) -> None:
        self.assert_invalid("origins", ["*"], ["https://www.example.com", "*"], ["same"])

    def test_a_url_in_place_of_a_host_is_refused(self) -> None:
        self.assert_invalid("hosts", ["https://www.example.com"], ["www.example.com/"], [""])

    def test_an_external_url_may_have_a_port_and_a_path(self) -> None:
        self.assert_valid(
            "external_url", None, "ws://example.com", "wss://example.com:8443/prefix", "wss://[::1]:8443"
        )

    def test_an_external_url_of_another_scheme_is_refused(self) -> None:
        self.assert_invalid("external_url", "https://example.com", "example.com", "//example.com", "")

    def test_an_external_url_without_a_host_is_refused(self) -> None:
        self.assert_invalid("external_url", "wss://", "ws:///path", "wss://:443")

    def test_an_external_url_with_query_fragment_or_user_is_refused(self) -> None:
        self.assert_invalid(
            "external_url", "wss://example.com/?a=1", "wss://example.com/#a", "wss://u:p@example.com"
        )

    def test_an_external_url_that_cannot_be_sent_in_a_field_is_refused(self) -> None:
        self.assert_invalid("external_url", "wss://☃.example", "wss://exa mple.com")
        self.assert_invalid("external_url", *(f"wss://example.com/{breaker}" for breaker in LINE_BREAKERS))

    def test_what_to_do_with_bad_utf8_is_one_of_two(self) -> None:
        self.assert_valid("invalid_utf8", "close", "replace")
        self.assert_invalid("invalid_utf8", "ignore", "strict", "", None)

    def test_sizes_are_above_zero(self) -> None:
        for name in ("max_message_size", "max_skip_size"):
            self.assert_valid(name, 1, 2**40)
            self.assert_invalid(name, 0, -1)

    def test_timeouts_of_handshakes_are_above_zero(self) -> None:
        for name in ("handshake_timeout", "closing_timeout"):
            self.assert_valid(name, 0.5, 1, 3600)
            self.assert_invalid(name, 0, -1, float("nan"))

    def test_only_the_timeout_of_an_open_websocket_may_be_zero_for_never(self) -> None:
        self.assert_valid("websocket_timeout", 0, 0.5, 3600)
        self.assert_invalid("websocket_timeout", -1, float("nan"))

    def test_a_proxy_that_is_no_address_is_refused(self) -> None:
        self.assert_invalid("trusted_proxies", ["proxy.example.com"], ["10.0.0.0/33"], [""], ["10.0.0.1", "*"])

    def test_a_network_with_host_bits_is_refused(self) -> None:
        # 10.0.0.1/8 may mean one address or 16 million of them: whoever trusts has to say which.
        self.assert_invalid("trusted_proxies", ["10.0.0.1/8"])


class TrustTests(SynchronousTestCase):
    """Section 3 of HIXIE76.md: the scheme is taken from forwarded fields of a trusted peer only."""

    def assert_trusts(self, proxy: str, trusted: list[str | None], others: list[str | None]) -> None:
        settings = Settings(trusted_proxies=[proxy])
        for address in trusted:
            with self.subTest(address=address):
                self.assertTrue(settings.trusts(address))
        for address in others:
            with self.subTest(address=address):
                self.assertFalse(settings.trusts(address))

    def test_one_address(self) -> None:
        self.assert_trusts("10.0.0.1", ["10.0.0.1"], ["10.0.0.2", "::1", None])

    def test_a_network(self) -> None:
        self.assert_trusts("10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0", "a::"])

    def test_an_ipv6_address_in_any_spelling(self) -> None:
        self.assert_trusts("2001:db8:0:0:0:0:0:1", ["2001:db8::1", "2001:DB8::0001"], ["2001:db8::2", "10.0.0.1"])

    def test_an_ipv6_network(self) -> None:
        self.assert_trusts("2001:db8::/32", ["2001:db8::", "2001:db8:ffff::1"], ["2001:db9::", "::ffff:10.0.0.1"])

    def test_a_link_local_address_with_its_zone(self) -> None:
        self.assert_trusts("fe80::/10", ["fe80::1%eth0"], ["::1%lo"])

    def test_an_ipv4_peer_on_an_ipv6_socket(self) -> None:
        self.assert_trusts("10.0.0.0/8", ["::ffff:10.0.0.1"], ["::ffff:11.0.0.1"])

    def test_a_mapped_address_as_an_ipv6_socket_shows_it(self) -> None:
        self.assert_trusts("::ffff:10.0.0.1", ["::ffff:10.0.0.1", "10.0.0.1"], ["::ffff:10.0.0.2", "10.0.0.2"])

    def test_unix_sockets(self) -> None:
        self.assert_trusts("unix", [None], ["127.0.0.1", "::1"])

    def test_several(self) -> None:
        settings = Settings(trusted_proxies=["10.0.0.1", "unix", "::1"])
        for address in ("10.0.0.1", None, "::1"):
            self.assertTrue(settings.trusts(address))

    def test_a_peer_without_an_ip_address_is_not_trusted(self) -> None:
        self.assertFalse(Settings(trusted_proxies=["10.0.0.1", "unix"]).trusts("example.com"))
