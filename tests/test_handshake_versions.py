"""Versions 13, 8 and 7 before the server's judgement: which is spoken, who is told so, and whose page asks."""

from __future__ import annotations

from typing import Any

from hunchensocket_tx.settings import KNOWN_VERSIONS, Settings
from hunchensocket_tx.wire.handshake import is_attempt, judge, subprotocols
from hunchensocket_tx.wire.opening import Refusal
from tests.hybi_support import opening_13
from tests.support import KEY1, KEY2
from tests.wire_support import HandshakeTestCase

HYBI = ("13", "8", "7")

OWN, FOREIGN = "http://server.example.com", "http://evil.example.com"


def versions_told(refusal: Refusal) -> list[str]:
    """Return the values of Sec-WebSocket-Version in a refusal."""
    return [value for name, value in refusal.headers if name.lower() == "sec-websocket-version"]


class VersionTests(HandshakeTestCase):
    """RFC 6455 sections 4.1, 4.2.2 and 4.4; section 8 of HIXIE76.md."""

    def test_three_versions_are_spoken(self) -> None:
        for version in HYBI:
            with self.subTest(version):
                offer = self.offer(opening_13(sec_websocket_version=version))
                self.assertEqual(offer.version, int(version))
                self.assertEqual(offer.codec().version, int(version))

    def test_another_version_is_told_the_ones_that_are_spoken(self) -> None:
        for version in ("0", "4", "5", "6", "9", "12", "14", "25", "99", "100", "255"):
            with self.subTest(version):
                refusal = self.assert_refused(426, opening_13(sec_websocket_version=version))
                self.assertEqual(versions_told(refusal), ["13, 8, 7"])

    def test_upgrade_required_says_to_what(self) -> None:
        """RFC 9110 section 15.5.22."""
        refusal = self.assert_refused(426, opening_13(sec_websocket_version="14"))
        self.assertIn(("upgrade", "websocket"), [(name.lower(), value) for name, value in refusal.headers])

    def test_only_versions_that_are_set_are_spoken_and_told(self) -> None:
        refusal = self.assert_refused(426, opening_13(sec_websocket_version="8"), versions=[76, 7, 13])
        self.assertEqual(versions_told(refusal), ["13, 7"])
        self.assert_refused(426, opening_13(), versions=[8])

    def test_without_any_of_them_none_is_told(self) -> None:
        refusal = self.assert_refused(426, opening_13(), versions=[76])
        self.assertEqual(versions_told(refusal), [])

    def test_a_key_without_a_version_is_malformed_and_told(self) -> None:
        for versions in ((13, 8, 7, 76), KNOWN_VERSIONS):
            refusal = self.assert_refused(400, opening_13(sec_websocket_version=None), versions=versions)
            self.assertEqual(versions_told(refusal), ["13, 8, 7"])

    def test_what_is_not_one_number_is_malformed_and_told(self) -> None:
        for version in ("", "x", "13x", "-13", "+13", "13.0", "13, 8", "1 3", "\u0661\u0663", "0x0d"):
            with self.subTest(version):
                refusal = self.assert_refused(400, opening_13(sec_websocket_version=version))
                self.assertEqual(versions_told(refusal), ["13, 8, 7"])

    def test_numbers_that_the_grammar_does_not_have_are_not_spoken(self) -> None:
        """Section 4.3: 0 to 255 without leading zeros."""
        for version in ("013", "08", "007", "256", "1000", "9" * 5000):
            with self.subTest(version[:10]):
                refusal = self.assert_refused(426, opening_13(sec_websocket_version=version))
                self.assertEqual(versions_told(refusal), ["13, 8, 7"])
                self.assertLess(len(refusal.reason), 200)

    def test_two_versions_are_malformed(self) -> None:
        for versions in (["13", "8"], ["13", "13"]):
            self.assert_refused(400, opening_13(sec_websocket_version=versions))

    def test_hixie_has_no_number_in_this_field(self) -> None:
        # 75 and 76 are names for what came before the field; as numbers nobody speaks them.
        keys = {"sec_websocket_key1": KEY1, "sec_websocket_key2": KEY2}
        for version in ("75", "76"):
            for fields in ({}, keys):
                with self.subTest(version=version, fields=fields):
                    request = opening_13(sec_websocket_version=version, **fields)
                    self.assert_refused(426, request, versions=KNOWN_VERSIONS)

    def test_a_hixie_client_is_not_taken_for_hybi(self) -> None:
        fields: dict[str, Any] = {"sec_websocket_version": None, "sec_websocket_key": None}
        request = opening_13(**fields, sec_websocket_key1=KEY1, sec_websocket_key2=KEY2)
        verdict = judge(request, Settings(versions=KNOWN_VERSIONS))
        self.assertEqual(getattr(verdict, "version", None), 76)

    def test_legacy_over_tls_only_does_not_concern_them(self) -> None:
        for version in HYBI:
            self.offer(opening_13(sec_websocket_version=version), legacy_over_tls_only=True)


class HttpTests(HandshakeTestCase):
    """Section 4.2.1 items 1 to 4: what all versions share, for these."""

    def test_another_method_is_told_the_right_one(self) -> None:
        for method in ("POST", "HEAD", "PUT", "CONNECT", "get"):
            with self.subTest(method):
                refusal = self.assert_refused(405, opening_13(method=method))
                self.assertIn(("Allow", "GET"), list(refusal.headers))

    def test_an_absent_or_other_upgrade_is_malformed(self) -> None:
        for value in (None, "", "h2c", "web socket", "websockets"):
            with self.subTest(value):
                self.assert_refused(400, opening_13(upgrade=value))

    def test_an_absent_or_other_connection_is_malformed(self) -> None:
        for value in (None, "", "keep-alive", "close", "upgraded"):
            with self.subTest(value):
                self.assert_refused(400, opening_13(connection=value))

    def test_both_are_lists_in_any_case_on_any_number_of_lines(self) -> None:
        for upgrade in ("WebSocket", "WEBSOCKET", "h2c, websocket", ["h2c", "websocket"]):
            for connection in ("upgrade", "keep-alive, Upgrade", ["keep-alive", "UPGRADE"]):
                with self.subTest(upgrade=upgrade, connection=connection):
                    self.offer(opening_13(upgrade=upgrade, connection=connection))

    def test_host_is_there_once(self) -> None:
        for host in (None, "", ["server.example.com"] * 2, "a b"):
            with self.subTest(host):
                self.assert_refused(400, opening_13(host=host))

    def test_each_is_an_attempt(self) -> None:
        self.assertTrue(is_attempt(opening_13().fields))
        self.assertTrue(is_attempt(opening_13(upgrade=None).fields))


class OriginTests(HandshakeTestCase):
    """RFC 6455 section 10.2; hybi-07 to -10 call the field Sec-WebSocket-Origin."""

    def test_a_page_of_this_server_may_connect(self) -> None:
        for version in HYBI:
            offer = self.offer(opening_13(sec_websocket_version=version))
            self.assertEqual(offer.origin, OWN)

    def test_a_page_of_another_server_may_not(self) -> None:
        for version in HYBI:
            self.assert_refused(403, opening_13(sec_websocket_version=version, origin=FOREIGN))

    def test_a_client_that_is_no_browser_has_no_origin(self) -> None:
        for version in HYBI:
            self.assertIsNone(self.offer(opening_13(sec_websocket_version=version, origin=None)).origin)

    def test_versions_8_and_7_may_use_the_other_name(self) -> None:
        for version in ("8", "7"):
            request = opening_13(sec_websocket_version=version, origin=None, sec_websocket_origin=OWN)
            with self.subTest(version):
                self.assertEqual(self.offer(request).origin, OWN)

    def test_a_foreign_page_is_refused_by_the_other_name(self) -> None:
        for version in ("8", "7"):
            request = opening_13(sec_websocket_version=version, origin=None, sec_websocket_origin=FOREIGN)
            with self.subTest(version):
                self.assert_refused(403, request)

    def test_origin_counts_where_both_are_there(self) -> None:
        for version in ("8", "7"):
            with self.subTest(version):
                request = opening_13(sec_websocket_version=version, sec_websocket_origin=FOREIGN)
                self.assertEqual(self.offer(request).origin, OWN)
                request = opening_13(sec_websocket_version=version, origin=FOREIGN, sec_websocket_origin=OWN)
                self.assert_refused(403, request)

    def test_version_13_has_no_other_name(self) -> None:
        offer = self.offer(opening_13(origin=None, sec_websocket_origin=FOREIGN))
        self.assertIsNone(offer.origin)
        self.assert_refused(403, opening_13(origin=FOREIGN, sec_websocket_origin=OWN))

    def test_more_than_one_origin_is_malformed(self) -> None:
        self.assert_refused(400, opening_13(origin=[OWN, OWN]))
        for version in ("8", "7"):
            request = opening_13(sec_websocket_version=version, origin=None, sec_websocket_origin=[OWN, FOREIGN])
            self.assert_refused(400, request)

    def test_listed_pages_may_connect(self) -> None:
        for version in HYBI:
            request = opening_13(sec_websocket_version=version, origin=FOREIGN)
            self.offer(request, origins=[FOREIGN])
            self.offer(request, origins="*")
            self.assert_refused(403, request, origins=["http://other.example.com"])


class OfferedSubprotocolTests(HandshakeTestCase):
    """What a dispatcher may ask before it accepts, for each version."""

    def test_they_are_read_as_the_version_writes_them(self) -> None:
        self.assertEqual(subprotocols(opening_13(sec_websocket_protocol="chat, superchat")), ("chat", "superchat"))

    def test_there_may_be_none(self) -> None:
        self.assertEqual(subprotocols(opening_13()), ())

    def test_malformed_ones_are_none(self) -> None:
        self.assertEqual(subprotocols(opening_13(sec_websocket_protocol="a b")), ())
