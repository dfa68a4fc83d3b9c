"""The server's judgement of an opening handshake: what is refused, how, and who is told which version."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hunchensocket_tx.settings import Settings
from hunchensocket_tx.wire.handshake import is_attempt, judge
from hunchensocket_tx.wire.opening import OpeningRequest, Refusal
from tests.support import KEY1, KEY2
from tests.wire_support import LINE_BREAKERS, HandshakeTestCase, opening, parse_head, properties

BOTH: dict[str, Any] = {"versions": (76, 75)}
"""Settings under which nothing is refused for its version alone."""

NO_KEYS: dict[str, Any] = {"sec_websocket_key1": None, "sec_websocket_key2": None}


class AttemptTests(SynchronousTestCase):
    """Section 3 of HIXIE76.md: after a failed attempt the connection must not serve another request."""

    def test_an_upgrade_to_websocket_is_one_in_any_case_and_list(self) -> None:
        for value in ("WebSocket", "websocket", "WEBSOCKET", "h2c, websocket"):
            with self.subTest(value):
                self.assertTrue(is_attempt({"upgrade": [value]}))
        self.assertTrue(is_attempt({"upgrade": ["h2c", "websocket"]}))

    def test_any_field_of_the_handshake_makes_one(self) -> None:
        for name in ("sec-websocket-key1", "sec-websocket-key2", "sec-websocket-key", "sec-websocket-version"):
            with self.subTest(name):
                self.assertTrue(is_attempt({"host": ["example.com"], name: [""]}))

    def test_other_requests_are_none(self) -> None:
        for fields in ({}, {"host": ["example.com"], "connection": ["Upgrade"]}, {"upgrade": ["h2c"]}):
            with self.subTest(fields):
                self.assertFalse(is_attempt(fields))


class RequiredFieldTests(HandshakeTestCase):
    """Section 5.1: abort when a required field is absent or differs; section 1 of HIXIE76.md on repeats."""

    def test_the_drafts_own_request_is_taken(self) -> None:
        offer = self.offer(opening(sec_websocket_protocol="sample"))
        self.assertEqual((offer.version, offer.origin, offer.secure), (76, "http://example.com", False))
        self.assertEqual(offer.subprotocols, ("sample",))

    def test_another_method_is_not_allowed(self) -> None:
        for method in ("POST", "HEAD", "CONNECT", "get", ""):
            with self.subTest(method):
                refusal = self.refusal(opening(method=method))
                self.assertEqual(refusal.status, 405)
                self.assertEqual(list(refusal.headers), [("Allow", "GET")])

    def test_an_absent_field_is_refused(self) -> None:
        for name in ("upgrade", "connection", "host", "origin", "sec_websocket_key1", "sec_websocket_key2"):
            with self.subTest(name):
                self.assert_refused(400, opening(**{name: None}), origins="*", **BOTH)

    def test_an_empty_field_is_refused(self) -> None:
        for name in ("upgrade", "connection", "host", "origin", "sec_websocket_key1", "sec_websocket_key2"):
            with self.subTest(name):
                self.assert_refused(400, opening(**{name: ""}), origins="*", **BOTH)

    def test_a_repeated_field_is_refused_even_if_it_says_the_same(self) -> None:
        for name, value in (
            ("host", "example.com"),
            ("origin", "http://example.com"),
            ("sec_websocket_key1", KEY1),
            ("sec_websocket_key2", KEY2),
            ("sec_websocket_protocol", "sample"),
        ):
            for origins in ("same", "*", ["http://example.com"]):
                with self.subTest(name=name, origins=origins):
                    self.assert_refused(400, opening(**{name: [value, value]}), origins=origins)

    def test_upgrade_names_websocket_in_any_case(self) -> None:
        for value in ("WebSocket", "websocket", "WEBSOCKET", "h2c, WebSocket"):
            with self.subTest(value):
                self.offer(opening(upgrade=value))

    def test_upgrade_to_something_else_is_refused(self) -> None:
        for value in ("h2c", "web socket", "websockets", "websocket;v=1"):
            with self.subTest(value):
                self.assert_refused(400, opening(upgrade=value))

    def test_connection_is_a_list_that_names_upgrade(self) -> None:
        for value in ("Upgrade", "upgrade", "keep-alive, Upgrade", "Upgrade,close", ["keep-alive", "Upgrade"]):
            with self.subTest(value):
                self.offer(opening(connection=value))

    def test_connection_without_upgrade_is_refused(self) -> None:
        for value in ("keep-alive", "close", "Upgraded", "no upgrade"):
            with self.subTest(value):
                self.assert_refused(400, opening(connection=value))

    def test_a_target_is_a_path_of_printable_ascii(self) -> None:
        for target in ("", "demo", "*", "http://example.com/demo", "/de mo", "/d\xe9mo", "/\x7f", "/\t", "/\0"):
            with self.subTest(target):
                self.assert_refused(400, opening(target))

    def test_a_host_that_is_none_is_refused(self) -> None:
        for host in (
            "exam ple.com",
            "user@example.com",
            "example.com/x",
            "example.com:http",
            "::1",
            "example.com:0",
        ):
            with self.subTest(host):
                self.assert_refused(400, opening(host=host), origins="*")

    def test_a_bad_key_is_refused(self) -> None:
        for name in ("sec_websocket_key1", "sec_websocket_key2"):
            for key in ("no digits", "12", "1 2345678901", "7 7 7", "3e6b26341780"):
                with self.subTest(name=name, key=key):
                    self.assert_refused(400, opening(**{name: key}))

    def test_a_declared_body_is_eight_bytes_or_nothing(self) -> None:
        # Section 4 of HIXIE76.md: some stacks declare key3.
        self.offer(opening(content_length="8"))
        for size in ("0", "7", "9", "+8", "8, 8", "", "\xb2", "0x8"):
            with self.subTest(size):
                self.assert_refused(400, opening(content_length=size))
        self.assert_refused(400, opening(transfer_encoding="chunked"))

    def test_an_origin_with_control_characters_is_refused_as_it_would_be_echoed(self) -> None:
        for breaker in LINE_BREAKERS:
            with self.subTest(breaker):
                self.assert_refused(400, opening(origin=f"http://example.com{breaker}"), origins="*")

    @properties
    @given(
        st.dictionaries(
            st.sampled_from(
                [
                    "host",
                    "origin",
                    "upgrade",
                    "connection",
                    "sec_websocket_key1",
                    "sec_websocket_protocol",
                    "sec_websocket_version",
                    "content_length",
                    "forwarded",
                    "x_forwarded_proto",
                    "x_forwarded_host",
                ]
            ),
            st.lists(st.text(st.characters(max_codepoint=0xFF)), max_size=2),
        ),
        st.sampled_from(["same", "*", ("http://a.example", "null")]),
        st.booleans(),
    )
    def test_whatever_the_fields_say_there_is_a_verdict(
        self, changes: dict[str, list[str]], origins: str, trusted: bool
    ) -> None:
        verdict = judge(opening(trusted=trusted, **changes), Settings(origins=origins, **BOTH))
        if isinstance(verdict, Refusal):
            self.assertTrue(400 <= verdict.status < 500)
        else:
            _, fields = parse_head(verdict.accept(None, ()))
            self.assertEqual(len(fields), 4)


class VersionTests(HandshakeTestCase):
    """Section 8 of HIXIE76.md: how versions are told apart."""

    def test_two_keys_are_76(self) -> None:
        self.assertEqual(self.offer(opening(), **BOTH).version, 76)

    def test_no_keys_are_75(self) -> None:
        self.assertEqual(self.offer(opening(**NO_KEYS), **BOTH).version, 75)

    def test_one_key_is_a_broken_76_and_not_75(self) -> None:
        self.assert_refused(400, opening(sec_websocket_key1=None), **BOTH)
        self.assert_refused(400, opening(sec_websocket_key2=None), **BOTH)

    def test_75_is_off_by_default(self) -> None:
        refusal = self.assert_refused(400, opening(**NO_KEYS))
        self.assertIn("75", refusal.reason)

    def test_76_can_be_switched_off(self) -> None:
        self.assert_refused(403, opening(), versions=[75])

    def test_a_version_field_makes_it_a_later_version_whatever_else_is_there(self) -> None:
        for version in ("0", "4", "6", "12", "14", "255"):
            with self.subTest(version):
                self.assert_refused(426, opening(sec_websocket_version=version), **BOTH)

    def test_the_numbers_of_our_names_for_hixie_are_no_values_of_the_version_field(self) -> None:
        self.assert_refused(426, opening(sec_websocket_version="76"), **BOTH)
        self.assert_refused(426, opening(sec_websocket_version="75", **NO_KEYS), **BOTH)

    def test_a_426_names_what_to_upgrade_to(self) -> None:
        # RFC 9110 section 15.5.22 demands the field.
        names = [name.lower() for name, _ in self.refusal(opening(sec_websocket_version="99")).headers]
        self.assertIn("upgrade", names)

    def test_a_version_that_is_not_one_number_is_refused(self) -> None:
        for value in ("", "x", "13, 8", "-1", "1.0", "\xb2", ["13", "13"], ["13", "8"]):
            with self.subTest(value):
                self.assert_refused(400, opening(sec_websocket_version=value), **BOTH)

    def test_a_draft_field_of_later_drafts_is_refused(self) -> None:
        for value in ("2", "3", "76", "", "x", ["0", "2"]):
            with self.subTest(value):
                self.assert_refused(400, opening(sec_websocket_draft=value), **BOTH)

    def test_a_draft_field_of_zero_is_76(self) -> None:
        self.assertEqual(self.offer(opening(sec_websocket_draft="0"), **BOTH).version, 76)

    def test_a_draft_field_of_zero_without_keys_is_not_75(self) -> None:
        self.assert_refused(400, opening(sec_websocket_draft="0", **NO_KEYS), **BOTH)

    def test_the_key_of_later_versions_without_a_version_is_refused(self) -> None:
        request = opening(sec_websocket_key="dGhlIHNhbXBsZSBub25jZQ==", **NO_KEYS)
        self.assert_refused(400, request, **BOTH)

    def test_every_refusal_says_why_in_one_line(self) -> None:
        for request in (
            opening(method="POST"),
            opening(host=None),
            opening(origin="http://evil.example"),
            opening(sec_websocket_key1="12"),
            opening(sec_websocket_version="99"),
            opening(**NO_KEYS),
        ):
            reason = self.refusal(request).reason
            self.assertTrue(reason)
            self.assertEqual(reason.splitlines(), [reason])


class LegacyTests(HandshakeTestCase):
    """Section 9 of HIXIE76.md: 75 and 76 over TLS only."""

    def test_plain_connections_are_refused(self) -> None:
        self.assert_refused(403, opening(), legacy_over_tls_only=True)
        self.assert_refused(403, opening(**NO_KEYS), legacy_over_tls_only=True, **BOTH)

    def test_tls_is_taken(self) -> None:
        self.offer(opening(secure=True, origin="https://example.com"), legacy_over_tls_only=True)

    def test_tls_at_a_trusted_proxy_is_taken(self) -> None:
        request = opening(trusted=True, x_forwarded_proto="https", origin="https://example.com")
        self.offer(request, legacy_over_tls_only=True)

    def test_an_untrusted_client_cannot_claim_tls(self) -> None:
        request = opening(x_forwarded_proto="https", forwarded="proto=https", origin="https://example.com")
        self.assert_refused(403, request, legacy_over_tls_only=True, origins="*")

    def test_an_external_url_of_wss_is_tls(self) -> None:
        request = opening(origin="https://example.com")
        self.offer(request, legacy_over_tls_only=True, external_url="wss://example.com")


class OpeningRequestShapeTests(SynchronousTestCase):
    def test_an_empty_request_is_refused_and_not_an_error(self) -> None:
        self.assertIsInstance(judge(OpeningRequest("GET", "/", {}), Settings()), Refusal)
